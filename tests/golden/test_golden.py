"""Training is what it was: ten losses at a fixed seed, to the digits that machines share."""

from __future__ import annotations

import json

import pytest
from golden_losses import FOLDER, GOLDEN, losses_of

from lanecast.data.panel import Panel


@pytest.mark.parametrize("network", GOLDEN)
def test_losses_equal_the_golden_ones(panel: Panel, network: str) -> None:
    golden = json.loads((FOLDER / f"{network}.json").read_text())
    assert len(golden) == 10
    assert losses_of(network, panel) == pytest.approx(golden, rel=1e-5)


@pytest.mark.parametrize("network", GOLDEN)
def test_same_seed_twice_gives_the_same_bits(panel: Panel, network: str) -> None:
    assert losses_of(network, panel) == losses_of(network, panel)
