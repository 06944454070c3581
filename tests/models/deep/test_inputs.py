"""Inputs: what is left away does not reach the network, by column and by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from lanecast.data.datamodule import whole
from lanecast.data.gather import Gatherer, WindowBatch
from lanecast.data.panel import Panel
from lanecast.errors import ConfigError
from lanecast.models.deep.inputs import Inputs
from small_models import SPEC


def chosen(panel: Panel, **options: Any) -> tuple[WindowBatch, WindowBatch]:
    """A batch as gathered, and as the network gets it."""
    batch = Gatherer(panel, SPEC)(whole(panel, np.array([90, 100])))[0]
    return batch, Inputs(**options).bind(panel)(batch)


def columns(panel: Panel, names: Sequence[str]) -> list[int]:
    return [panel.known_names.index(name) for name in names]


def test_everything_reaches_the_network_unless_it_is_left_away(panel: Panel) -> None:
    batch, found = chosen(panel)
    for name in ("past_BLP", "seen_BLP", "known_past_BLK", "future_BHK", "static_BC"):
        assert torch.equal(getattr(found, name), getattr(batch, name)), name


def test_without_observed_columns_the_target_alone_is_read(panel: Panel) -> None:
    batch, found = chosen(panel, observed=False)
    assert torch.equal(found.past_BLP, batch.past_BLP[..., :1])
    assert torch.equal(found.seen_BLP, batch.seen_BLP[..., :1])


def test_without_known_columns_the_calendar_stays(panel: Panel) -> None:
    batch, found = chosen(panel, known_future=False)
    assert torch.equal(found.future_BHK, batch.future_BHK[..., len(panel.schema.known) :])


def test_calendar_columns_are_chosen_by_prefix(panel: Panel) -> None:
    batch, found = chosen(panel, calendar=["weekday_3", "weekday_5"])
    wanted = columns(panel, ["scheduled", "promo", "weekday_3", "weekday_5"])
    assert torch.equal(found.future_BHK, batch.future_BHK[..., wanted])
    assert torch.equal(found.future_seen_BHK, batch.future_seen_BHK[..., wanted])
    _, found = chosen(panel, calendar=[])
    assert torch.equal(found.future_BHK, batch.future_BHK[..., : len(panel.schema.known)])


def test_without_their_past_known_columns_speak_of_the_horizon_alone(panel: Panel) -> None:
    batch, found = chosen(panel, known_past=False)
    assert batch.known_past_BLK.abs().sum() > 0
    assert found.known_past_BLK.abs().sum() == 0
    assert not found.known_past_seen_BLK.any()
    assert torch.equal(found.future_BHK, batch.future_BHK)


def test_without_statics_none_is_left(panel: Panel) -> None:
    assert chosen(panel, static=False)[1].static_BC.shape == (8, 0)


def test_calendar_that_the_panel_lacks_is_refused_with_what_it_has(panel: Panel) -> None:
    with pytest.raises(ConfigError, match=r"'holiday', but the panel's calendar has only .*weekda"):
        Inputs(calendar=["weekday", "holiday"]).bind(panel)
