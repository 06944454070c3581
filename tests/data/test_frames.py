"""The border: every kind of bad table is refused with the place and the way out, or counted."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.data.frames import (
    CALENDAR_AHEAD,
    Keep,
    check_future,
    forecast_frame,
    panel_from_table,
    samples_frame,
    to_nixtla,
)
from lanecast.data.schema import Schema
from lanecast.data.statics import MAX_LEVELS, vocabulary_of
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError, SchemaError
from lanecast.models.protocol import Forecasts
from lanecast.sources import SourceTable

Y = {"y": {"role": "target"}}


def long_table(*, days=10, ids=("a", "b"), **columns):
    """``days`` rows of each series from 2024-01-01 (a Monday), y = 0, 1, 2 ..."""
    dates = pd.date_range("2024-01-01", periods=days)
    frame = pd.DataFrame(
        {"unique_id": np.repeat(list(ids), days), "ds": np.tile(dates, len(ids))}
    ).astype({"unique_id": "str"})
    frame["y"] = np.arange(len(frame), dtype=float)
    return frame.assign(**columns)


def schema(*, freq="D", absent="missing", **columns):
    return Schema.from_config({"freq": freq, "absent": absent, "columns": {**Y, **columns}})


def load(frame, declared=None, *, statics=None, **options):
    table = SourceTable(frame=frame, statics=statics)
    return panel_from_table(table, declared or schema(), **options)


def refused(frame, declared=None, **options):
    with pytest.raises(SchemaError) as caught:
        load(frame, declared, **options)
    return str(caught.value)


def says(message, *parts):
    missing = [part for part in parts if part not in message]
    assert not missing, f"{missing} not in: {message}"


# --- what is refused -----------------------------------------------------------------------------


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


def test_other_time_zones_are_refused():
    frame = long_table()
    frame["ds"] = frame["ds"].dt.tz_localize("America/New_York")
    says(refused(frame), "America/New_York", "'a'", 'dt.tz_convert("UTC")')


@pytest.mark.parametrize("first", ["2024-01-01T00:00:00+02:00", "2024-01-01T00:00:00Z"])
def test_mixed_time_zones_are_refused(first):
    frame = long_table()
    frame["ds"] = frame["ds"].dt.strftime("%Y-%m-%dT%H:%M:%S+01:00")
    frame.loc[0, "ds"] = first
    says(refused(frame), "time zones", "in UTC")


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


# --- what is taken, and counted ------------------------------------------------------------------


def test_unsorted_rows_are_sorted_and_counted():
    frame = long_table()
    shuffled = frame.sample(frac=1, random_state=1)
    got, expected = load(shuffled), load(frame)
    torch.testing.assert_close(got.values, expected.values)
    assert got.counts["rows_out_of_order"] > 0
    assert got.fingerprint == expected.fingerprint


def test_interleaved_series_do_not_count_as_out_of_order():
    frame = long_table().sort_values(["ds", "unique_id"])
    assert load(frame).counts["rows_out_of_order"] == 0


def test_utc_times_are_taken_without_their_zone():
    frame = long_table()
    frame["ds"] = frame["ds"].dt.tz_localize("UTC")
    assert load(frame).times[0] == np.datetime64("2024-01-01")


def test_text_times_are_parsed():
    frame = long_table()
    frame["ds"] = frame["ds"].dt.strftime("%Y-%m-%d")
    assert load(frame).fingerprint == load(long_table()).fingerprint


def test_gaps_become_missing_cells():
    panel = load(long_table().drop(index=[3, 4, 12]))
    y = panel.values[:, 0].numpy()
    assert np.flatnonzero(np.isnan(y)).tolist() == [3, 4, 12]
    assert panel.counts["gaps_left_missing"] == 3


def test_missing_targets_are_counted():
    frame = long_table()
    frame.loc[[2, 12], "y"] = np.nan
    panel = load(frame)
    assert panel.counts["targets_missing_in_rows"] == 2
    assert panel.counts["gaps_left_missing"] == 0


def test_absent_rows_are_zero_from_the_first_row_to_the_end_of_the_data():
    frame = long_table().drop(index=[0, 3, 8, 9])  # series a: begins a day late, closes on day 8
    panel = load(frame, schema(absent="zero"))
    assert panel.start.tolist() == [1, 0]
    assert panel.values[: panel.offsets[1], 0].tolist() == [1, 2, 0, 4, 5, 6, 7, 0, 0]
    assert panel.counts["gaps_filled_with_zero"] == 3


def test_absent_rows_are_zero_only_in_the_unit_of_the_target():
    frame = long_table(temp=20.0, plan=5.0).drop(index=3)
    declared = schema(
        absent="zero",
        temp={"role": "observed"},
        plan={"role": "known_future", "scale": "target"},
    )
    cell = load(frame, declared).values[3]
    assert cell[0] == 0
    assert torch.isnan(cell[1])
    assert cell[2] == 0


def test_flags_become_zero_and_one():
    frame = long_table(open=np.arange(20) % 2 == 0)
    panel = load(frame, schema(open={"role": "known_future"}))
    assert panel.column("open")[:3].tolist() == [1, 0, 1]


def test_a_late_series_starts_later():
    panel = load(long_table().drop(index=range(10, 16)))
    assert panel.start.tolist() == [0, 6]
    assert panel.end.tolist() == [10, 10]
    assert panel.values[panel.offsets[1], 0] == 16


def test_the_calendar_reaches_past_the_last_row():
    panel = load(long_table(), calendar={"features": ["weekday"]})
    assert panel.calendar.shape == (10 + CALENDAR_AHEAD, 7)
    assert panel.calendar[10].argmax() == 3  # 2024-01-11 is a Thursday
    assert len(panel.times) == len(panel.calendar)


# --- which series are kept -----------------------------------------------------------------------


def test_keep_counts_rows_up_to_its_time_only():
    frame = long_table().drop(index=range(10, 16))  # b has rows from 2024-01-07 on
    panel = load(frame, keep=Keep(min_rows=4, until="2024-01-08"))
    assert panel.series.tolist() == ["a"]
    assert panel.counts["series_dropped"] == 1


def test_keep_is_unmoved_by_what_comes_after_its_time():
    frame = long_table(ids=("a", "b", "c"))
    later = frame["ds"] > "2024-01-05"
    changed = frame.assign(y=frame["y"].where(~later, -1e6 * frame["y"]))
    keep = Keep(min_rows=2, until="2024-01-05", busiest=2)
    assert load(frame, keep=keep).series.tolist() == load(changed, keep=keep).series.tolist()


def test_keep_busiest_takes_the_largest_volumes():
    panel = load(long_table(ids=("a", "b", "c")), keep=Keep(until="2024-01-05", busiest=2))
    assert panel.series.tolist() == ["b", "c"]


def test_keep_treats_a_zero_like_an_absent_row_where_they_mean_the_same():
    frame = long_table().assign(y=[1.0] * 10 + [0.0] * 8 + [1.0] * 2)
    keep = Keep(min_rows=5, until="2024-01-10")
    assert load(frame, schema(absent="zero"), keep=keep).series.tolist() == ["a"]
    assert load(frame, keep=keep).series.tolist() == ["a", "b"]


def test_keep_without_a_time_is_refused():
    with pytest.raises(ConfigError, match=r"data\.keep\.until"):
        Keep(min_rows=3)


def test_keep_that_leaves_nothing_is_refused():
    message = refused(long_table(), keep=Keep(min_rows=99, until="2024-01-10"))
    says(message, "leaves no series", "'a'", "10", "data.keep.min_rows")


# --- statics -------------------------------------------------------------------------------------

STATIC = {"region": {"role": "static"}, "size": {"role": "static"}}
SITES = pd.DataFrame({"unique_id": ["b", "a"], "region": ["west", "east"], "size": [2, 1]})


def test_statics_are_numbers_and_indicators():
    panel = load(long_table(), schema(**STATIC), statics=SITES)
    assert panel.static_names == ("region=east", "region=west", "size")
    assert panel.statics.tolist() == [[1, 0, 1], [0, 1, 2]]
    assert panel.attributes["region"].tolist() == ["east", "west"]


def test_statics_may_stand_in_the_long_table():
    frame = long_table(region="east", size=np.repeat([1, 2], 10))
    panel = load(frame, schema(**STATIC))
    assert panel.statics.tolist() == [[1, 1], [1, 2]]


def test_a_static_that_varies_is_refused():
    frame = long_table(size=np.arange(20))
    message = refused(frame, schema(size={"role": "static"}))
    says(message, "'size'", "varies within series 'a'", "declare it observed")


def test_a_series_without_its_statics_is_refused():
    message = refused(long_table(), schema(**STATIC), statics=SITES.iloc[:1])
    says(message, "'region'", "'a'", "supply it")


def test_an_undeclared_static_is_refused():
    says(refused(long_table(), statics=SITES), "'region'", "role static", "data.source.drop")


def test_a_static_declared_but_absent_is_refused():
    message = refused(long_table(), schema(size={"role": "static"}))
    says(message, "'size'", "neither", "remove its declaration")


def test_an_infinite_static_is_refused():
    sites = SITES.assign(size=[1.0, np.inf])
    message = refused(long_table(), schema(**STATIC), statics=sites)
    says(message, "'size'", "'a'", "float32", "change its unit")


def test_two_rows_of_statics_for_one_series_are_refused():
    twice = pd.concat([SITES, SITES.iloc[:1]])
    says(refused(long_table(), schema(**STATIC), statics=twice), "'b'", "more than one", "keep one")


def test_a_vocabulary_encodes_a_second_table_like_the_first():
    first = load(long_table(), schema(**STATIC), statics=SITES)
    vocabulary = vocabulary_of(first.schema, first.static_names)
    other = SITES.assign(region=["north", "west"])
    panel = load(long_table(), schema(**STATIC), statics=other, vocabulary=vocabulary)
    assert panel.static_names == first.static_names
    assert panel.statics.tolist() == [[0, 1, 1], [0, 0, 2]]
    assert panel.counts["unknown_static_levels"] == 1


def test_a_static_of_another_type_than_before_is_refused():
    first = load(long_table(), schema(**STATIC), statics=SITES)
    vocabulary = vocabulary_of(first.schema, first.static_names)
    other = SITES.assign(size=["big", "small"])
    message = refused(long_table(), schema(**STATIC), statics=other, vocabulary=vocabulary)
    says(message, "'size'", "text", "numbers", "same type")


def test_too_many_levels_are_kept_but_not_encoded():
    ids = [f"s{i:03}" for i in range(MAX_LEVELS + 1)]
    statics = pd.DataFrame({"unique_id": ids, "site": ids})
    panel = load(long_table(ids=ids), schema(site={"role": "static"}), statics=statics)
    assert panel.statics.shape == (MAX_LEVELS + 1, 0)
    assert panel.attributes["site"].tolist() == ids
    again = vocabulary_of(panel.schema, panel.static_names)
    assert (
        load(long_table(ids=ids), panel.schema, statics=statics, vocabulary=again).static_names
        == ()
    )


# --- the known future ----------------------------------------------------------------------------

PROMO = {"promo": {"role": "known_future"}}


def future_table(*, days=5, start="2024-01-11", ids=("a", "b")):
    frame = long_table(days=days, ids=ids, promo=1.0).drop(columns="y")
    return frame.assign(ds=np.tile(pd.date_range(start, periods=days), len(ids)))


def at(panel, *cutoffs):
    pairs = [(series, cutoff) for cutoff in cutoffs for series in range(panel.num_series)]
    series, cutoff = np.array(pairs).T
    return WindowIndex(series_W=series, cutoff_W=cutoff)


def test_future_rows_follow_the_last_target():
    panel = load(long_table(promo=0.0), schema(**PROMO), future=future_table())
    assert panel.last_step == 9
    assert panel.end.tolist() == [15, 15]
    assert torch.isnan(panel.values[10:15, 0]).all()
    assert panel.column("promo")[8:12].tolist() == [0, 0, 1, 1]
    check_future(panel, at(panel, 9), WindowSpec(context=4, horizon=5))


def test_absent_zero_ends_where_the_future_begins():
    frame = long_table(promo=0.0).drop(index=[18, 19])
    declared = schema(absent="zero", **PROMO)
    panel = load(frame, declared, future=future_table())
    y = panel.values[panel.offsets[1] :, 0]
    assert y[8:10].tolist() == [0, 0]
    assert torch.isnan(y[10:]).all()


def test_a_future_table_without_a_known_column_is_refused():
    future = future_table().drop(columns="promo")
    message = refused(long_table(promo=0.0), schema(**PROMO), future=future)
    says(message, "'promo'", "known_future", "'a'", "2024-01-11", "observed and refit")


def test_a_future_table_with_targets_is_refused():
    message = refused(long_table(promo=0.0), schema(**PROMO), future=future_table().assign(y=1.0))
    says(message, "'y'", "'a'", "2024-01-11", "remove it")


def test_a_future_table_inside_the_history_is_refused():
    frame = long_table(promo=0.0).drop(index=15)  # a gap of series b
    future = future_table(start="2024-01-06", days=1, ids=("b",))
    message = refused(frame, schema(**PROMO), future=future)
    says(message, "'b'", "2024-01-06", "targets until 2024-01-10", "begin after")


def test_future_rows_of_unknown_series_are_counted():
    future = future_table(ids=("a", "b", "z"))
    panel = load(long_table(promo=0.0), schema(**PROMO), future=future)
    assert panel.series.tolist() == ["a", "b"]
    assert panel.counts["future_rows_of_unknown_series"] == 5


def test_a_horizon_without_known_values_is_refused():
    future = future_table().drop(index=[7, 8, 9])  # series b: two days only
    panel = load(long_table(promo=0.0), schema(**PROMO), future=future)
    with pytest.raises(SchemaError) as caught:
        check_future(panel, at(panel, 9), WindowSpec(context=4, horizon=5))
    says(str(caught.value), "'promo'", "'b'", "2024-01-13", "1 of 2 windows", "declare promo")


def test_a_horizon_needs_known_values_up_to_the_lead_only():
    declared = schema(promo={"role": "known_future", "lead": "P2D"})
    panel = load(long_table(promo=0.0), declared, future=future_table(days=2))
    check_future(panel, at(panel, 9), WindowSpec(context=4, horizon=5))


# --- forecasts -----------------------------------------------------------------------------------


@pytest.fixture
def forecasts(plain_panel):
    index = WindowIndex(series_W=np.array([1, 0]), cutoff_W=np.array([119, 118]))
    point = np.arange(6.0).reshape(2, 3)
    return Forecasts(
        index=index,
        point_WH=point,
        levels=(0.1, 0.5, 0.95),
        quantiles_WHQ=np.stack([point - 1, point, point + 2], axis=-1),
        samples_SWH=np.stack([point, 10 * point]),
    )


def test_forecast_frame_has_one_row_per_window_and_step(forecasts, plain_panel):
    frame = forecast_frame(forecasts, plain_panel, "nhits")
    names = ["unique_id", "ds", "cutoff", "nhits", "nhits-q0.1", "nhits-q0.5", "nhits-q0.95"]
    assert list(frame) == names
    assert frame["unique_id"].tolist() == ["A>C"] * 3 + ["A>B"] * 3
    last = plain_panel.time_of(119)
    assert frame["cutoff"].iloc[0] == last
    assert frame["ds"].iloc[:3].tolist() == [last + pd.Timedelta(days=h) for h in (1, 2, 3)]
    assert frame["nhits-q0.95"].tolist() == [2, 3, 4, 5, 6, 7]


def test_forecast_frame_reaches_beyond_the_grid(forecasts, plain_panel):
    short = replace(plain_panel, times=plain_panel.times[:120])
    assert forecast_frame(forecasts, short, "m").equals(forecast_frame(forecasts, plain_panel, "m"))


def test_samples_frame_keeps_paths_together(forecasts, plain_panel):
    frame = samples_frame(forecasts, plain_panel, "m")
    assert len(frame) == 12
    second = frame[frame["sample"] == 1]
    assert second["m"].tolist() == [0, 10, 20, 30, 40, 50]
    assert second["unique_id"].iloc[0] == plain_panel.series[1]


def test_samples_frame_without_paths_is_refused(forecasts, plain_panel):
    with pytest.raises(ConfigError, match="samples="):
        samples_frame(replace(forecasts, samples_SWH=None), plain_panel, "m")


def test_nixtla_names_say_the_width_of_the_interval(forecasts, plain_panel):
    frame = to_nixtla(forecast_frame(forecasts, plain_panel, "m"))
    assert list(frame)[3:] == ["m", "m-lo-80", "m-median", "m-hi-90"]


def test_messages_are_one_paragraph():
    message = refused(long_table(notes=1.0))
    assert not re.search(r"\n|  ", message)
