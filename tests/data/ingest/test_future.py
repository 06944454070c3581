"""Known future of the days ahead, added to a panel that is there already."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lane_table import HORIZON, LAST, lanes
from lanecast.data.ingest.future import with_future
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.errors import SchemaError
from lanecast.sources import SourceTable


def schema_of(absent: str = "missing") -> Schema:
    columns = {
        "y": {"role": "target"},
        "late": {"role": "observed"},
        "promo": {"role": "known_future", "absent": 0 if absent == "zero" else None},
    }
    return Schema.from_config({"freq": "D", "absent": absent, "columns": columns})


def panel_of(table: pd.DataFrame, **options: Any) -> Panel:
    calendar = {"features": ["weekday"]}
    absent = options.pop("absent", "missing")
    return panel_from_table(
        SourceTable(frame=table, statics=None), schema_of(absent), calendar=calendar, **options
    )


@pytest.mark.parametrize("absent", ["missing", "zero"])
def test_a_panel_with_its_future_is_that_of_both_tables(absent: str) -> None:
    table, future = lanes()
    late = table["ds"] > LAST - pd.Timedelta(days=3)
    table = table[~late | (table["unique_id"] == "A>C")]  # one lane ends three days earlier
    if absent == "missing":  # else those days are zeros, up to the table's last
        days = pd.date_range(LAST - pd.Timedelta(days=1), LAST)
        future = pd.concat([future, pd.DataFrame({"unique_id": "A>B", "ds": days, "promo": 1})])
    both = panel_of(table, future=future, absent=absent)
    ahead = with_future(panel_of(table, absent=absent), future)
    np.testing.assert_array_equal(ahead.offsets, both.offsets)
    np.testing.assert_array_equal(ahead.values.numpy(), both.values.numpy())
    assert ahead.last_step == both.last_step


def test_the_panel_itself_does_not_change() -> None:
    table, future = lanes()
    panel = panel_of(table)
    before = panel.fingerprint
    with_future(panel, future)
    assert panel_of(table).fingerprint == before == panel.fingerprint
    assert panel.num_cells == len(table)


def test_values_that_were_there_give_way() -> None:
    table, future = lanes()
    first = with_future(panel_of(table), future.assign(promo=0))
    second = with_future(first, future.assign(promo=1))
    promo = second.column("promo").numpy()[second.offsets[1] - HORIZON : second.offsets[1]]
    np.testing.assert_array_equal(promo, 1)


def test_rows_of_unknown_series_are_counted() -> None:
    table, future = lanes()
    more = pd.concat([future, future.assign(unique_id="X>Y")])
    ahead = with_future(panel_of(table), more)
    assert ahead.counts["future_rows_of_unknown_series"] == len(future)
    with pytest.raises(SchemaError, match="no row of the future table is of one of the 2 series"):
        with_future(panel_of(table), future.assign(unique_id="X>Y"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"late": 1.0}, "holds a value of 'late' for series 'A>B' at 2024-05-30"),
        ({"promo": np.nan}, "is missing, but its role is known_future"),
        ({"days": -14}, "row of series 'A>B' at 2024-05-16.*targets until 2024-05-29"),
        ({"days": 0.5}, "give rows on that grid"),
        ({"days": 4000}, "give rows on that grid"),
    ],
)
def test_what_cannot_be_ahead_is_refused_with_its_place(
    changed: dict[str, Any], message: str
) -> None:
    table, future = lanes()
    days = pd.Timedelta(days=changed.pop("days", 0))
    with pytest.raises(SchemaError, match=message):
        with_future(panel_of(table), future.assign(ds=future["ds"] + days, **changed))


def test_a_missing_column_is_named() -> None:
    table, future = lanes()
    with pytest.raises(SchemaError, match="column 'promo' is known_future but missing"):
        with_future(panel_of(table), future.drop(columns="promo"))
