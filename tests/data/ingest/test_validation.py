"""Every kind of bad table is refused with the place and the way out."""

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest import validation, values
from lanecast.data.ingest.validation import checked_rows
from lanecast.data.schema import Schema
from lanecast.errors import SchemaError
from small_tables import long_table, refused, says, schema


def test_duplicate_keys_are_refused():
    frame = long_table()
    message = refused(pd.concat([frame, frame.iloc[[13]]]))
    says(message, "'b'", "2024-01-04", "more than one row", "keep one row per")


def test_rows_off_the_grid_are_refused():
    frame = long_table()
    frame.loc[3, "ds"] += pd.Timedelta(hours=6)
    says(refused(frame), "'a'", "2024-01-04 06:00", "off the D grid", "floor the times")


def test_a_series_of_another_frequency_is_refused():
    frame = long_table(days=30)
    weekly = (frame["unique_id"] == "b") & (frame["ds"].dt.day_of_week != 0)
    message = refused(frame[~weekly])
    says(message, "'b'", "every 7 steps", "mixes frequencies", "data.schema.absent")


def test_weekly_dates_on_another_weekday_are_refused():
    frame = long_table().assign(ds=np.tile(pd.date_range("2024-01-02", periods=10, freq="7D"), 2))
    says(refused(frame, schema(freq="W-SUN")), "2024-01-02", "Tuesday", "W-TUE")


def test_infinite_targets_are_refused():
    frame = long_table()
    frame.loc[12, "y"] = np.inf
    says(refused(frame), "'y'", "'b'", "2024-01-03", "infinite", "leave it empty")


def test_values_beyond_float32_are_refused():
    frame = long_table()
    frame.loc[1, "y"] = -1e39
    says(refused(frame), "'y'", "'a'", "2024-01-02", "float32", "change its unit")


def test_negative_values_are_refused_where_declared():
    frame = long_table()
    frame.loc[2, "y"] = -1
    declared = Schema.from_config(
        {"freq": "D", "columns": {"y": {"role": "target", "non_negative": True}}}
    )
    says(refused(frame, declared), "'y'", "'a'", "2024-01-03", "-1.0", "remove non_negative")


def test_fractions_are_refused_where_counts_are_declared():
    frame = long_table()
    frame["y"] = frame["y"].round()
    frame.loc[2, "y"] = 1.5
    declared = Schema.from_config(
        {"freq": "D", "columns": {"y": {"role": "target", "integer": True}}}
    )
    says(refused(frame, declared), "'y'", "'a'", "2024-01-03", "1.5", "remove integer")


def test_a_missing_known_future_value_is_refused():
    frame = long_table(promo=1.0)
    frame.loc[15, "promo"] = np.nan
    message = refused(frame, schema(promo={"role": "known_future"}))
    says(message, "'promo'", "'b'", "2024-01-06", "known_future", "declare promo observed")


@pytest.mark.parametrize("value", ["high", "12"])
def test_text_in_a_numeric_column_is_refused(value):
    frame = long_table(load=1.0).astype({"load": object})
    frame.loc[11, "load"] = value
    message = refused(frame, schema(load={"role": "observed"}))
    says(message, "'load'", "'b'", "2024-01-02", repr(value), "not a number", "declare it static")


def test_undeclared_columns_are_refused():
    says(refused(long_table(notes=1.0)), "'notes'", "not declared", "data.source.drop")


def test_declared_columns_must_be_there():
    message = refused(long_table(), schema(promo={"role": "known_future"}))
    says(message, "'promo'", "['unique_id', 'ds', 'y']", "data.source.rename")


def test_target_declared_known_future_is_refused():
    with pytest.raises(SchemaError, match="'y', must have role target; found none and role known"):
        schema(y={"role": "known_future"})


def test_unparsable_times_are_refused():
    frame = long_table()
    frame["ds"] = frame["ds"].dt.strftime("%Y-%m-%d")
    frame.loc[14, "ds"] = "soon"
    says(refused(frame), "ds of series 'b', row 14", "'soon'", "2024-06-18")


def test_numbers_as_times_are_refused():
    frame = long_table()
    frame["ds"] = np.tile(np.arange(10), 2)
    says(refused(frame), "ds of series 'a'", "is a number", "2024-06-18")


def test_missing_times_are_refused():
    frame = long_table()
    frame.loc[4, "ds"] = pd.NaT
    says(refused(frame), "row 4", "missing", "remove the row")


def test_numeric_ids_are_refused():
    message = refused(long_table().assign(unique_id=np.repeat([1, 2], 10)))
    says(message, "unique_id", "1 (int", "astype(str)")


def test_missing_ids_are_refused():
    frame = long_table()
    frame.loc[7, "unique_id"] = None
    says(refused(frame), "unique_id is missing in row 7", "name of its series")


def test_an_empty_table_is_refused():
    says(refused(long_table().iloc[:0]), "no rows", "data.source")


def test_a_table_without_any_target_value_is_refused():
    says(refused(long_table().assign(y=np.nan)), "'y'", "no value", "data.source.rename")


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(values, "CHECKED", 3)
    monkeypatch.setattr(validation, "BLOCK", 2)


@pytest.mark.parametrize("shuffled", [False, True])
def test_rows_do_not_depend_on_the_blocks_they_are_checked_in(shuffled, monkeypatch):
    frame = long_table()
    if shuffled:
        frame = frame.sample(frac=1.0, random_state=1, ignore_index=True)
    whole = checked_rows(frame, schema())
    monkeypatch.setattr(values, "CHECKED", 3)
    monkeypatch.setattr(validation, "BLOCK", 2)
    rows = checked_rows(frame, schema())
    expected = frame.sort_values(["unique_id", "ds"], kind="stable")["y"].to_numpy(np.float32)
    np.testing.assert_array_equal(rows.values_RX[:, 0], expected)
    np.testing.assert_array_equal(rows.values_RX, whole.values_RX)
    np.testing.assert_array_equal(rows.step_R, whole.step_R)
    assert (rows.out_of_order > 0) == shuffled


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("row", [2, 3, 7])
def test_a_refusal_names_the_row_whatever_its_block(row):
    frame = long_table()
    frame["y"] = frame["y"].astype(float)
    frame.loc[row, "y"] = np.inf
    with pytest.raises(SchemaError) as refusal:
        checked_rows(frame, schema())
    assert repr(frame["unique_id"][row]) in str(refusal.value)
    assert str(frame["ds"][row]) in str(refusal.value)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("row", range(1, 6))
def test_a_row_that_stands_twice_is_seen_at_the_edge_of_a_block(row):
    frame = long_table()
    twice = pd.concat([frame[: row + 1], frame[row:]], ignore_index=True)
    with pytest.raises(SchemaError, match=rf"more than one row .*again in row {row + 1}; keep"):
        checked_rows(twice, schema())
