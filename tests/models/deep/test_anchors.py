"""Anchors: a forecast read off the window, in scaled units, from what is visible alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lanecast.data.gather import Gatherer, WindowBatch
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.deep.anchors import KnownColumnAnchor, ScheduleOrSeason, SeasonalAnchor

SPEC = WindowSpec(context=28, horizon=10, min_context=1)


def window(panel: Panel, series: int, cutoff: int, spec: WindowSpec = SPEC) -> WindowBatch:
    index = WindowIndex(series_W=np.array([series]), cutoff_W=np.array([cutoff]))
    return Gatherer(panel, spec)(index)[0]


def redeclared(panel: Panel, name: str, **changes: str | None) -> Panel:
    columns = dict(panel.schema.columns)
    columns[name] = replace(columns[name], **changes)  # type: ignore[arg-type]
    return replace(panel, schema=Schema(freq="D", columns=columns))


def test_known_column_is_the_anchor(panel: Panel) -> None:
    anchor = KnownColumnAnchor(column="scheduled")
    anchor.bind(panel)
    found = anchor(window(panel, 1, 90)).future_BH
    cells = panel.column("scheduled")[panel.offsets[1] + 91 :][:10]
    assert anchor.active
    assert torch.equal(found[0], cells)


def test_known_column_beyond_its_lead_is_zero(panel: Panel) -> None:
    short = redeclared(panel, "scheduled", lead="P4D")
    anchor = KnownColumnAnchor(column="scheduled")
    anchor.bind(short)
    found = anchor(window(short, 1, 90)).future_BH
    assert (found[0, :4] > 0).all()
    assert (found[0, 4:] == 0).all()


def test_column_that_may_not_be_known_gives_no_anchor(panel: Panel) -> None:
    anchor = KnownColumnAnchor(column="late")
    anchor.bind(panel)
    assert not anchor.active
    found = anchor(window(panel, 1, 90))
    assert torch.equal(found.future_BH, torch.zeros(1, 10))
    assert torch.equal(found.past_BL, torch.zeros(1, 28))


def test_known_column_is_found_again_in_another_panel(panel: Panel, plain_panel: Panel) -> None:
    anchor = KnownColumnAnchor(column="scheduled")
    anchor.bind(panel)
    anchor.bind(plain_panel)
    assert not anchor.active


def test_known_column_in_another_unit_is_refused(panel: Panel) -> None:
    with pytest.raises(ConfigError, match=r"'promo' must be in the target's unit.*scale: target"):
        KnownColumnAnchor(column="promo").bind(panel)


@pytest.mark.parametrize("cycles", [1, 2, 4])
def test_seasonal_anchor_is_the_mean_of_the_same_phase(panel: Panel, cycles: int) -> None:
    found = SeasonalAnchor(season=7, cycles=cycles)(window(panel, 0, 90)).future_BH
    y = panel.column("y")
    for ahead in range(1, 11):
        past = [
            y[90 + ahead - 7 * k]
            for k in range(1, 30)
            if 90 - 7 * cycles < 90 + ahead - 7 * k <= 90
        ]
        assert len(past) == cycles
        assert found[0, ahead - 1] == pytest.approx(float(torch.stack(past).mean()))


def test_seasonal_anchor_leaves_out_what_is_not_visible(panel: Panel) -> None:
    values = panel.values.clone()
    values[85:88, 0] = float("nan")
    gappy = replace(panel, values=values)
    one = SeasonalAnchor(season=7, cycles=1)(window(gappy, 0, 90)).future_BH
    two = SeasonalAnchor(season=7, cycles=2)(window(gappy, 0, 90)).future_BH
    y = panel.column("y")
    assert one[0].tolist() == [float(y[84]), 0, 0, 0, *y[88:91].tolist(), float(y[84]), 0, 0]
    assert two[0, 1:4].tolist() == y[78:81].tolist()


def test_seasonal_anchor_needs_a_context_of_its_length(panel: Panel) -> None:
    with pytest.raises(
        ConfigError, match=r"5 seasons of 7 steps needs a context of 35 steps, not 28"
    ):
        SeasonalAnchor(season=7, cycles=5)(window(panel, 0, 90))


def test_seasonal_anchor_goes_on_from_the_context_without_a_break(panel: Panel) -> None:
    found = SeasonalAnchor(season=7, cycles=2)(window(panel, 0, 90))
    both = torch.cat([found.past_BL, found.future_BH], dim=1)
    assert torch.equal(both[:, 7:], both[:, :-7])
    assert torch.equal(found.past_BL[0, -14:-7], found.past_BL[0, -7:])


def test_known_column_is_the_anchor_of_the_context_too(panel: Panel) -> None:
    anchor = KnownColumnAnchor(column="scheduled")
    anchor.bind(panel)
    cells = panel.column("scheduled")[panel.offsets[1] + 91 - 28 :][:28]
    assert torch.equal(anchor(window(panel, 1, 90)).past_BL[0], cells)


def test_schedule_or_season_decides_by_what_the_panel_knows(
    panel: Panel, plain_panel: Panel
) -> None:
    anchor = ScheduleOrSeason(column="scheduled", season=7)
    for data, expected in (
        (panel, KnownColumnAnchor(column="scheduled")),
        (plain_panel, SeasonalAnchor(season=7)),
    ):
        anchor.bind(data)
        expected.bind(data)
        one, two = anchor(window(data, 0, 90)), expected(window(data, 0, 90))
        assert torch.equal(one.future_BH, two.future_BH)
        assert torch.equal(one.past_BL, two.past_BL)
