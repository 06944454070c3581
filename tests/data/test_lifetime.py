"""When a lane is open: by hand, from its past alone, and what a closed lane is left out of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.data.as_known import as_known
from lanecast.data.datamodule import ForecastDataModule
from lanecast.data.labels import labels
from lanecast.data.lifetime import num_closed, open_at
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.visible import rolling_origins
from lanecast.data.windows import Split, WindowSpec, training_windows, windows_at
from lanecast.errors import SchemaError
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.pipeline.facts import window_facts
from lanecast.pipeline.forecasting import forecast
from small_tables import load, refused, says

SPEC = WindowSpec(context=6, horizon=3, min_context=2)
DAYS = 40


def active_days() -> dict[str, list[int]]:
    """Days with parcels: steady, ends early, pauses twice, begins late, one day alone."""
    rng = np.random.default_rng(3)
    return {
        "ends": list(range(12)),
        "late": list(range(25, DAYS)),
        "once": [20],
        "pauses": [*range(8), *range(19, 24), *range(33, DAYS)],
        "random": sorted(rng.choice(DAYS, 12, replace=False).tolist()),
        "steady": list(range(DAYS)),
    }


def lanes(*, days: int = DAYS, delay: str | None = None, **options: Any) -> Panel:
    y = {"role": "target", "delay": delay}
    columns = {"freq": "D", "absent": "zero", "columns": {"y": y}, "closes_after": "P4D", **options}
    frame = table(days)
    return load(frame, Schema.from_config(columns))


def table(days: int = DAYS, **columns: Any) -> pd.DataFrame:
    rows = [
        {"unique_id": name, "ds": pd.Timestamp("2024-01-01") + pd.Timedelta(days=day), "y": 5.0}
        for name, active in active_days().items()
        for day in active
        if day < days
    ]
    return pd.DataFrame(rows).astype({"unique_id": "str"}).assign(**columns)


def open_by_hand(panel: Panel, series: int, cutoff: int, delay: int, patience: int = 4) -> bool:
    known = [day for day in active_days()[panel.series[series]] if day <= cutoff - delay]
    first = active_days()[panel.series[series]][0]
    return cutoff - delay - max(known, default=first - 1) < patience


@pytest.mark.parametrize(("delay", "steps"), [(None, 0), ("P2D", 2)])
def test_a_lane_is_open_until_it_has_been_silent_as_far_as_is_known(
    delay: str | None, steps: int
) -> None:
    panel = lanes(delay=delay)
    for cutoff in range(DAYS):
        everyone = np.arange(panel.num_series)
        is_open = open_at(panel, everyone, np.full(len(everyone), cutoff))
        assert is_open.tolist() == [open_by_hand(panel, n, cutoff, steps) for n in everyone], cutoff
        asked = windows_at(panel, [cutoff], SPEC).series_W
        always = windows_at(lanes(delay=delay, closes_after=None), [cutoff], SPEC).series_W
        assert asked.tolist() == [n for n in always if is_open[n]]


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("stride", [1, 3])
def test_training_windows_are_those_of_open_lanes(steps: int, stride: int) -> None:
    delay = f"P{steps}D" if steps else None
    spec = replace(SPEC, train_stride=stride)
    panel, never = lanes(delay=delay), lanes(delay=delay, closes_after=None)
    windows = training_windows(panel, until=36, spec=spec)
    index = windows.decode(np.arange(len(windows)))
    pairs = set(zip(index.series_W.tolist(), index.cutoff_W.tolist(), strict=True))
    every = training_windows(never, until=36, spec=SPEC)
    of_all = every.decode(np.arange(len(every)))
    expected = {
        (series, cutoff)
        for series, cutoff in zip(of_all.series_W.tolist(), of_all.cutoff_W.tolist(), strict=True)
        if open_by_hand(panel, series, cutoff, steps)
    }
    assert 0 < len(expected) < len(every)
    assert len(pairs) == len(windows)
    assert pairs <= expected
    assert stride > 1 or pairs == expected


def test_newest_windows_of_a_lane_that_paused_come_from_all_its_spans() -> None:
    panel = lanes()
    at = rolling_origins(panel, until=DAYS - 1, spec=SPEC, per_series=8, stride=1)
    of_paused = at.cutoff_W[panel.series[at.series_W] == "pauses"]
    assert of_paused.tolist() == [23, 24, 25, 26, 33, 34, 35, 36]


def test_what_comes_after_a_cutoff_closes_no_lane_before_it() -> None:
    long, short = lanes(), lanes(days=30)
    for cutoff in range(5, 27):
        asked = [windows_at(panel, [cutoff], SPEC).series_W for panel in (long, short)]
        names = [panel.series[at].tolist() for panel, at in zip((long, short), asked, strict=True)]
        assert names[0] == names[1]


@pytest.mark.parametrize("delay", [None, "P2D"])
@pytest.mark.parametrize("until", [9, 16, 27, 36])
def test_a_panel_as_known_has_the_windows_of_the_whole_one(delay: str | None, until: int) -> None:
    panel = lanes(delay=delay)
    view = as_known(panel, until)
    pairs = []
    for held in (panel, view):
        windows = training_windows(held, until=until, spec=SPEC)
        both = (windows.decode(np.arange(len(windows))), windows_at(held, [until], SPEC))
        pairs += [sorted(zip(held.series[at.series_W], at.cutoff_W, strict=True)) for at in both]
    assert pairs[:2] == pairs[2:]
    assert "values" not in vars(view)  # nothing was copied


def test_a_lane_open_at_the_cutoff_is_scored_over_its_whole_window() -> None:
    panel = lanes()
    at = windows_at(panel, [12], SPEC)  # the lane "ends" had its last parcels the day before
    y_WH, seen_WH = labels(panel, at, SPEC.horizon)
    assert seen_WH.all()
    assert (y_WH[panel.series[at.series_W] == "ends"] == 0).all()


CLOSINGS = {"ends": ("2024-01-06", "2024-01-03"), "steady": ("2024-01-10", "2024-01-20")}


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("announced", [False, True])
def test_a_closing_date_counts_from_when_it_was_known(apart: bool, announced: bool) -> None:
    dates = pd.DataFrame(
        [(name, *dates) for name, dates in CLOSINGS.items()], columns=["unique_id", "shut", "told"]
    )
    columns = {"freq": "D", "absent": "zero", "columns": {"y": {"role": "target"}}}
    declared = Schema.from_config(
        {**columns, "closed": "shut", "closed_known": "told" if announced else None}
    )
    dates = dates if announced else dates.drop(columns="told")
    frame = table() if apart else table().merge(dates, on="unique_id", how="left")
    panel = load(frame, declared, statics=dates if apart else None)
    assert not panel.static_names  # no model reads a date
    ends, steady = panel.series.tolist().index("ends"), panel.series.tolist().index("steady")
    days = np.arange(DAYS)
    first = {n: days[~open_at(panel, np.full(DAYS, n), days)].min() for n in (ends, steady)}
    assert first == {ends: 5, steady: 19 if announced else 9}
    others = np.setdiff1d(np.arange(panel.num_series), [ends, steady])
    assert all(open_at(panel, np.full(DAYS, n), days).all() for n in others)
    assert panel.fingerprint != load(table(), Schema.from_config(columns)).fingerprint


def test_two_closing_dates_of_a_lane_and_a_declared_role_are_refused() -> None:
    columns = {"freq": "D", "columns": {"y": {"role": "target"}}, "closed": "shut"}
    days = pd.date_range("2024-03-01", periods=len(table()))
    says(refused(table(shut=days), Schema.from_config(columns)), "'shut'", "more than one")
    says(refused(table(), Schema.from_config(columns)), "'shut'", "data.schema.closed")
    columns["columns"] = {**columns["columns"], "shut": {"role": "static"}}
    with pytest.raises(SchemaError, match="no model may"):
        Schema.from_config(columns)


@pytest.mark.parametrize("duration", ["P0D", "28 days", "P1M"])
def test_a_duration_that_cannot_be_is_refused(duration: str) -> None:
    with pytest.raises(SchemaError, match="closes_after"):
        lanes(closes_after=duration)


class Warnings:
    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        self.messages.append(message)


def test_a_closed_lane_is_not_forecast_and_named_and_counted() -> None:
    panel, reporter = lanes(), Warnings()
    model = SeasonalNaive(windows=SPEC, season=2).fit(panel, until=30)
    ahead = forecast(panel, model, windows=SPEC, cutoff=30, reporter=reporter)  # type: ignore[arg-type]
    closed = [n for n in range(panel.num_series) if not open_by_hand(panel, n, 30, 0)]
    assert set(ahead.left_out) == set(panel.series[closed])
    says(" ".join(reporter.messages), "'ends'", "'once'", "closed as of the cutoff")
    assert ahead.windows["windows_of_closed_series"] == len(closed) == num_closed(panel, [30])
    facts = window_facts(panel, windows_at(panel, [30], SPEC), context=6, cutoffs=[30])
    assert facts["windows_without_history"] == 0


def test_a_network_of_all_lanes_learns_nothing_of_a_closed_one() -> None:
    panel = lanes()
    data = ForecastDataModule(
        panel,
        spec=SPEC,
        split=Split(train_until=DAYS - 1, val_cutoffs=(), until=DAYS - 1),
        batch_size=6 * 4,
        steps_per_epoch=1,
        seed=1,
        whole_cutoffs=True,
    )
    for step in range(4):
        index, (_, label) = data.train_index(step), data.train_batch(step)
        is_open = open_at(panel, index.series_W, index.cutoff_W)
        assert not label.seen_BH[~is_open].any()
        begun = index.cutoff_W >= panel.start[index.series_W] - 1
        assert label.seen_BH[is_open & begun].all()
