"""Zeros written out or left out are the same facts, and no column tells which rows are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Column, Role, Schema
from lanecast.errors import SchemaError
from lanecast.sources import SourceTable
from small_tables import Y, load, refused, says, schema

PROMO = {"promo": {"role": "known_future", "absent": 0}}
DELAYED = {"y": {"role": "target", "delay": "P2D"}}


def full_table(**columns: Any) -> pd.DataFrame:
    """Three lanes with a row for each of 12 days; one has not begun for 4 of them, one never does.

    All lanes are 0 on the first day; lane b ends on day 8.
    """
    days = pd.date_range("2024-01-01", periods=12)
    y = {
        "a": [0, 3, 0, 5, 6, 0, 0, 2, 4, 0, 7, 8],
        "b": [0, 0, 0, 0, 9, 0, 1, 2, 0, 0, 0, 0],
        "c": [0] * 12,
    }
    frames = [pd.DataFrame({"unique_id": n, "ds": days, "y": map(float, y[n])}) for n in y]
    frame = pd.concat(frames, ignore_index=True).astype({"unique_id": "str"})
    return frame.assign(**columns)


def sparse(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["y"] != 0]


def same(one: Panel, other: Panel) -> None:
    assert one.series.tolist() == other.series.tolist()
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    "columns",
    [
        {},
        DELAYED,
        {"closed": {"role": "observed", "delay": "P1D"}},  # known no earlier than the target
        PROMO,
        {"plan": {"role": "known_future", "scale": "target", "absent": 4, "lead": "P3D"}},
    ],
)
def test_zeros_left_out_and_written_out_are_one_panel(columns: dict[str, Any]) -> None:
    declared = schema(absent="zero", **columns)
    fills = {n: c.absent for n, c in declared.columns.items() if n != "y"}
    frame = full_table(**{n: np.nan if fill is None else fill for n, fill in fills.items()})
    for name in fills:
        frame.loc[frame["y"] != 0, name] = 7.0
    written, left_out = load(frame, declared), load(sparse(frame), declared)
    same(written, left_out)
    assert written.series.tolist() == ["a", "b"]  # a lane lives from its first target that is not 0
    assert written.start.tolist() == [0, 3]
    assert str(written.times[0])[:10] == "2024-01-02"
    assert written.counts["series_dropped"] == 1


@pytest.mark.parametrize(
    ("column", "way_out"),
    [
        ({"role": "known_future"}, "observed"),
        ({"role": "known_future", "lead": "P1D"}, "observed"),
        ({"role": "known_future", "scale": "target"}, "observed"),
    ],
)
def test_a_column_that_tells_of_absent_rows_is_refused(
    column: dict[str, Any], way_out: str
) -> None:
    frame = sparse(full_table(promo=1.0))
    message = refused(frame, schema(absent="zero", promo=column))
    says(message, "'promo'", "9 steps without a row", "series 'a' at 2024-01-03")
    says(message, "+data.schema.columns.promo.absent=0", way_out)
    full = full_table(promo=1.0)
    load(full, schema(absent="zero", promo=column))  # every step has its row: nothing is told


def test_an_observed_column_that_comes_before_the_target_is_refused() -> None:
    frame = sparse(full_table(scans=1.0))
    early, late = ({"role": "observed", "delay": delay} for delay in ("P1D", "P2D"))
    message = refused(frame, schema(absent="zero", **DELAYED, scans=early))
    says(message, "'scans'", "the delay of y")
    load(frame, schema(absent="zero", **DELAYED, scans=late))


def test_a_source_may_say_what_a_row_would_have_held_and_a_schema_says_otherwise() -> None:
    frame, fills = sparse(full_table(promo=1.0)), {"promo": 2.0}
    for column, expected in (({}, 2.0), ({"absent": 3}, 3.0)):
        declared = schema(absent="zero", promo={"role": "known_future", **column})
        panel = panel_from_table(SourceTable(frame=frame, fills=fills), declared)
        assert panel.column("promo")[1] == expected


def test_a_zero_that_may_not_have_arrived_is_missing() -> None:
    frame = full_table()
    frame = frame[(frame["unique_id"] == "a") | (frame["ds"] < "2024-01-10")]  # b is late
    for table in (frame, sparse(frame)):
        y = load(table, schema(absent="zero", **DELAYED)).column("y")
        assert y[8:11].tolist() == [0, 7, 8]  # a, to the last day
        assert y[15:17].tolist() == [0, 0]  # b, to two days before the last
        assert y[-2:].isnan().all()


@pytest.mark.parametrize(("until", "zeros"), [("2024-01-12", 4), ("2024-01-15", 7)])
def test_until_says_what_has_arrived(until: str, zeros: int) -> None:
    columns = {"freq": "D", "columns": DELAYED, "absent": "zero", "until": until}
    panel = load(sparse(full_table()), Schema.from_config(columns))
    assert panel.column("y")[int(panel.offsets[1]) + 4 :].tolist() == [0] * zeros
    assert panel.time_of(panel.last_step) == max(pd.Timestamp(until), pd.Timestamp("2024-01-12"))


def test_a_table_of_which_nothing_has_arrived_is_refused() -> None:
    columns = {"freq": "D", "columns": Y, "absent": "zero", "until": "2023-12-01"}
    says(refused(full_table(), Schema.from_config(columns)), "data.schema.until", "2023-12-01")


def test_a_table_of_zeros_alone_is_refused() -> None:
    message = refused(full_table().assign(y=0.0), schema(absent="zero"))
    says(message, "'y'", "0 or missing in every row")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"role": "static", "absent": 0}, "needs role"),
        ({"role": "target", "absent": 0}, "needs role"),
        ({"role": "observed", "absent": "none"}, "not a number"),
        ({"role": "observed", "absent": -1, "non_negative": True}, "negative"),
        ({"role": "known_future", "absent": 0.5, "integer": True}, "whole"),
    ],
)
def test_a_fill_that_cannot_be_is_refused(column: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        Column(**column)


def test_what_needs_absent_zero_says_so() -> None:
    promo = Column(role=Role.KNOWN_FUTURE, absent=0)
    columns = {"y": Column(role=Role.TARGET), "promo": promo}
    with pytest.raises(SchemaError, match=r"columns\.promo\.absent needs .*absent=zero"):
        Schema(freq="D", columns=columns)
    with pytest.raises(SchemaError, match=r"until needs .*absent=zero"):
        Schema(freq="D", columns={"y": Column(role=Role.TARGET)}, until="2024-01-01")
