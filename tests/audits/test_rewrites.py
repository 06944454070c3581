"""Each rewrite is a table that the border accepts and that says of the past what the first said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lanecast.audits.rewrites import DELIVERED, REWRITES, RawTables, rewritten
from lanecast.data import visible
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from rewrite_tables import CUTOFF, SPEC, STEP, in_one_frame, raw_tables, schema_of, with_future

PLAIN = ("plan", "promo")
KINDS: dict[str, Callable[[], RawTables]] = {
    "statics apart": lambda: raw_tables(schema_of()),
    "statics in the table": lambda: in_one_frame(raw_tables(schema_of())),
    "nothing known ahead": lambda: raw_tables(schema_of(*PLAIN, "miles")),
    "the target alone": lambda: raw_tables(schema_of(*PLAIN, "late", "miles", "origin", "dest")),
    "a table of the future": lambda: with_future(raw_tables(schema_of())),
    "gaps": lambda: raw_tables(schema_of(), gaps=True),
    "absent rows are zeros, known at once": lambda: raw_tables(
        schema_of(*PLAIN, absent="zero", y={"delay": None}), gaps=True
    ),
    "absent rows are zeros": lambda: raw_tables(schema_of(*PLAIN, absent="zero"), gaps=True),
}
EVERY = tuple(REWRITES)


def panel_of(tables: RawTables) -> Panel:
    return panel_from_table(tables.source, tables.schema, future=tables.future)


def known(tables: RawTables) -> dict[tuple[str, str], np.ndarray]:
    """What is known at the cutoff of each series that had a target by then, and each column."""
    panel = panel_of(tables)
    step = panel.step_of(CUTOFF)
    at = WindowIndex(series_W=np.arange(panel.num_series), cutoff_W=np.full(panel.num_series, step))
    back = np.arange(-step, SPEC.horizon + STEP + 1)
    columns = {name: visible.visible(panel, at, name, back) for name in tables.schema.stored} | {
        name: panel.attributes[name][:, None] for name in tables.schema.static
    }
    begun = np.isfinite(columns["y"]).any(axis=1)
    return {
        (str(series), name): values[row]
        for name, values in columns.items()
        for row, series in enumerate(panel.series)
        if begun[row]
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [*((name,) for name in EVERY), EVERY, (DELIVERED,)], ids=str)
def test_a_rewrite_says_the_same_of_what_was_known(kind, names):
    tables = KINDS[kind]()
    before, after = known(tables), known(rewritten(tables, names))
    assert before.keys() == after.keys()
    for key, values in before.items():
        np.testing.assert_array_equal(values, after[key], err_msg=str(key))


def changes(kind: str, name: str) -> bool:
    tables = KINDS[kind]()
    other = rewritten(tables, (name,))
    return not tables.frame.equals(other.frame)


@pytest.mark.parametrize("name", EVERY)
def test_a_rewrite_changes_something(name):
    assert changes("absent rows are zeros", name)
    if name != "absent rows written as zeros":
        assert changes("gaps", name)


def test_newborn_series_sort_first_between_and_last_and_no_word_of_theirs_was_there():
    tables = KINDS["statics apart"]()
    before = sorted(tables.frame["unique_id"].unique())
    other = rewritten(tables, ("new static levels",))
    new = sorted(set(other.frame["unique_id"]) - set(before))
    assert new[0] < before[0] < new[1] < before[-1] < new[2]
    first = other.frame[other.frame["unique_id"].isin(new)].groupby("unique_id")["ds"].min()
    assert first.min() == CUTOFF + pd.Timedelta(days=1)
    born = other.statics[other.statics["unique_id"].isin(new)]
    assert not set(born["origin"]) & set(tables.statics["origin"])
    assert born["miles"].min() > 100 * tables.statics["miles"].max()


def test_what_the_table_as_delivered_holds_was_known():
    delivered = rewritten(KINDS["gaps"](), (DELIVERED,))
    ahead = (delivered.frame["ds"] - CUTOFF).dt.days
    assert ahead.max() <= 0
    assert delivered.frame.loc[ahead > -1, "y"].isna().all()
    assert delivered.frame.loc[ahead > -2, "late"].isna().all()
    assert set(delivered.future) == {"unique_id", "ds", "plan", "promo"}


def test_rows_and_columns_of_every_table_change_places():
    tables = with_future(raw_tables(schema_of()))
    other = rewritten(tables, ("another order of rows and columns",))
    for before, after in (
        (tables.frame, other.frame),
        (tables.statics, other.statics),
        (tables.future, other.future),
    ):
        assert list(before) == list(after)[::-1]
        assert list(before["unique_id"]) != list(after["unique_id"])
