"""What the border takes and counts, which series are kept, the known future, forecast tables."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.data.forecast_frames import forecast_frame, samples_frame, to_nixtla
from lanecast.data.forecasts import Forecasts
from lanecast.data.ingest.layout import CALENDAR_AHEAD, Keep, check_future
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError, SchemaError
from small_tables import load, long_table, refused, says, schema

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


def test_absent_rows_are_zero_in_the_target_and_as_declared_elsewhere():
    frame = long_table(temp=20.0, plan=5.0).drop(index=3)
    declared = schema(
        absent="zero",
        temp={"role": "observed"},
        plan={"role": "known_future", "scale": "target", "absent": 0},
    )
    cell = load(frame, declared).values[2]  # lane a begins with 0, which is no parcel yet
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
    declared = schema(absent="zero", promo={**PROMO["promo"], "absent": 0})
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
