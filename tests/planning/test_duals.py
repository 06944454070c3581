"""Weights of a loss from the duals of past plans: dear lanes weigh more, the future nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.views import with_values
from lanecast.errors import PlanError
from lanecast.planning.duals import DualWeights
from lanecast.planning.network import DefaultNetwork
from small_tables import load, long_table

NETWORK = DefaultNetwork(
    unit="parcels", options={"cube_pkg_per_trailer": 50, "contract_usd": (20, 80)}
)


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(0)
    lanes = ("A>B", "B>A", "C>B")
    y = rng.gamma(9, 20, 3 * 120)
    return load(long_table(days=120, ids=lanes, y=y))


def test_weights_are_positive_have_mean_one_and_follow_prices(panel):
    weights = DualWeights(network=NETWORK, blocks=6)
    found = weights(panel, 100)
    assert found.mean() == pytest.approx(1.0)
    assert (found > 0).all()
    parameters = NETWORK.parameters(panel, panel.series.astype(str), as_of=100)
    price = parameters.lanes.contract_usd_per_trailer_L / parameters.lanes.cube_pkg_per_trailer_L
    assert found.argmax() == price.argmax()


def test_weights_ignore_everything_after_the_fit_and_see_what_was_before(panel):
    weights = DualWeights(network=NETWORK, blocks=6)
    found = weights(panel, 100)

    def changed(where) -> np.ndarray:
        step = np.concatenate([panel.start[n] + np.arange(120) for n in range(3)])
        y = panel.column(TARGET).numpy().copy()
        y[where(step)] *= np.linspace(0.2, 3, where(step).sum())
        return weights(with_values(panel, {TARGET: y}), 100)

    np.testing.assert_array_equal(changed(lambda step: step > 100), found)
    assert not np.array_equal(changed(lambda step: step <= 100), found)


def test_impossible_weights_are_refused():
    with pytest.raises(PlanError, match="floor=2 between 0 and 1"):
        DualWeights(network=NETWORK, floor=2)
    with pytest.raises(PlanError, match="days=0"):
        DualWeights(network=NETWORK, days=0)


def test_past_blocks_are_the_newest_weeks_in_order(panel):
    weights = DualWeights(network=NETWORK, days=7, blocks=4)
    past = weights.past(panel, np.arange(3), 100)
    y = panel.column(TARGET).numpy().reshape(3, 120)
    assert past.volume_WLT.shape == (4, 3, 7)
    np.testing.assert_allclose(past.volume_WLT[-1], y[:, 94:101])
    assert pd.Timestamp(past.days[-1]) == panel.time_of(100)
