"""Lanes worth a second look are named, each kind by its own message; sound ones are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.data.cutoffs import complete_until, rolling_cutoffs
from lanecast.data.ingest.odd_lanes import odd_lanes
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from small_tables import load, says

DAYS = 120


def sound(freq: str = "D", names: str = "abcdefg") -> pd.DataFrame:
    rng = np.random.default_rng(1)
    steps = pd.date_range("2024-01-01", periods=DAYS, freq=freq)
    frames = [
        pd.DataFrame({"unique_id": name, "ds": steps, "y": rng.poisson(9, DAYS) + 1.0})
        for name in names
    ]
    return pd.concat(frames, ignore_index=True).astype({"unique_id": "str"})


def panel_of(
    frame: pd.DataFrame, *, absent: str = "zero", freq: str = "D", **options: Any
) -> Panel:
    columns = {"y": {"role": "target"}} | options.pop("columns", {})
    declared = {"freq": freq, "absent": absent, "columns": columns, **options}
    return load(frame, Schema.from_config(declared))


def lane(name: str, *days: int, y: float = 3.0) -> pd.DataFrame:
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(list(days), unit="D")
    return pd.DataFrame({"unique_id": name, "ds": dates, "y": y + np.arange(len(days))})


@pytest.mark.parametrize("absent", ["zero", "missing"])
@pytest.mark.parametrize("freq", ["D", "h", "W-MON"])
def test_sound_lanes_are_not_named(absent: str, freq: str) -> None:
    assert odd_lanes(panel_of(sound(freq), absent=absent, freq=freq)) == []


@pytest.mark.parametrize("absent", ["zero", "missing"])
def test_lanes_of_a_row_or_two_are_named(absent: str) -> None:
    frame = pd.concat(
        [sound(), lane("new", 118), lane("newer", 117, 119), lane("x", 100, 118, 119)]
    )
    (note,) = odd_lanes(panel_of(frame, absent=absent))
    says(note, "2 of 10 series have one or two", "'new'", "'newer'")


@pytest.mark.parametrize("row", [118 + 100, 118 + 190])  # a year away is refused
def test_a_lane_whose_last_row_lies_far_past_all_others_is_named(row: int) -> None:
    frame = pd.concat([sound(), lane("typo", *range(100, 118), row)])
    notes = odd_lanes(panel_of(frame))
    last = pd.Timestamp("2024-01-01") + pd.Timedelta(days=row)
    says(notes[0], "1 of 8 series have rows far past all others", "'typo'", f"{last:%F}")
    says(notes[0], "end by 2024-04-29")


@pytest.mark.parametrize(("names", "named"), [("a", 0), ("abcdefg", 1)])
def test_a_lane_that_goes_on_alone_is_named_among_many(names: str, named: int) -> None:
    frame = pd.concat([sound(names=names), lane("on", *range(DAYS + 90))])
    notes = [note for note in odd_lanes(panel_of(frame, absent="missing")) if "far past" in note]
    assert len(notes) == named
    isolated = pd.concat([sound(names=names), lane("on", *range(DAYS), DAYS + 90)])
    says(odd_lanes(panel_of(isolated, absent="missing"))[0], "far past all others", "'on'")


def test_lanes_that_are_silent_for_long_are_named_unless_they_close() -> None:
    frame = pd.concat([sound(), lane("gone", *range(60)), lane("quiet", *range(100))])
    (note,) = odd_lanes(panel_of(frame))
    says(note, "1 of 9 series", "'gone' (since 2024-02-29)", "closes_after")
    written = frame.copy()
    zeros = lane("gone", *range(60, DAYS)).assign(y=0.0)
    written = pd.concat([frame, zeros])
    assert odd_lanes(panel_of(written)) == [note]
    (same,) = odd_lanes(panel_of(written, absent="missing"))  # zeros that somebody wrote
    says(same, "'gone' (since 2024-02-29)")
    assert odd_lanes(panel_of(frame, closes_after="P28D")) == []
    dated = frame.assign(shut=frame["unique_id"].map({"gone": "2024-03-01"}))
    assert odd_lanes(panel_of(dated, closed="shut")) == []


@pytest.mark.parametrize("absent", ["zero", "missing"])
def test_lanes_that_look_like_one_another_are_named(absent: str) -> None:
    frame = sound()
    twin = frame[frame["unique_id"] == "c"].assign(unique_id="C ")
    near = frame[frame["unique_id"] == "d"].assign(unique_id="D")
    near.loc[near.index[5], "y"] += 1
    flat = [lane(name, *range(DAYS)).assign(y=1.0) for name in ("flat", "even")]
    (note,) = odd_lanes(panel_of(pd.concat([frame, twin, near, *flat]), absent=absent))
    says(note, "1 pairs of series have the same targets", "'C ' and 'c'")


def test_many_lanes_in_several_blocks_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lanecast.data.moments.SERIES", 150)
    frame = sound()
    twin = frame[frame["unique_id"] == "b"].assign(unique_id="z")
    (note,) = odd_lanes(panel_of(pd.concat([frame, twin])))
    says(note, "'b' and 'z'")


def test_a_fill_that_no_row_has_is_named() -> None:
    frame = sound().assign(promo=1.0).drop(index=[3, 4])
    for fill, count in ((0, 1), (1, 0)):
        columns = {"promo": {"role": "known_future", "absent": fill}}
        notes = odd_lanes(panel_of(frame, columns=columns))
        assert len(notes) == count
        says(" ".join(notes), *["'promo'", "2 steps"] * count)


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({}, "2024-04-29"),
        ({"columns": {"y": {"role": "target", "delay": "P3D"}}}, "2024-04-26"),
        ({"until": "2024-04-27"}, "2024-04-27"),
        ({"until": "2024-05-05"}, "2024-05-05"),
    ],
)
def test_a_backtest_ends_where_all_targets_have_arrived(options: Any, last: str) -> None:
    panel = panel_of(sound(), **options)
    assert panel.time_of(complete_until(panel)) == pd.Timestamp(last)
    (cutoff,) = rolling_cutoffs(panel, first=None, step=7, count=1, horizon=7)
    assert panel.time_of(cutoff + 7) == pd.Timestamp(last)
