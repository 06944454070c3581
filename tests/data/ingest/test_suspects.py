"""Far dates are refused; codes for no value and ids that look alike are told by name and row."""

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest.validation import checked_rows
from small_tables import long_table, refused, says, schema


def table(*, days=200, freq="D", ids=("a", "b", "c")):
    frame = long_table(days=days, ids=ids)
    frame["ds"] = np.tile(pd.date_range("2023-01-02", periods=days, freq=freq), len(ids))
    return frame


def warnings_of(frame, **columns):
    return checked_rows(frame, schema(**columns)).warnings


@pytest.mark.parametrize("absent", ["missing", "zero"])
@pytest.mark.parametrize("date", ["2032-05-01", "2013-05-01", "1923-04-30", "2024-06-01"])
def test_a_mistyped_year_names_its_row(date, absent):
    frame = table()
    frame.loc[417, "ds"] = pd.Timestamp(date)
    message = refused(frame, schema(absent=absent))
    says(message, "'c'", date, "row 417", "a mistyped year", "correct the date")


@pytest.mark.parametrize(("freq", "days"), [("h", 2000), ("W-SUN", 150)])
def test_a_mistyped_year_is_seen_at_other_frequencies(freq, days):
    frame = table(days=days, freq="h" if freq == "h" else "7D")
    frame["ds"] += pd.Timedelta(days=6 if freq == "W-SUN" else 0)
    frame.loc[7, "ds"] += pd.Timedelta(days=7 * 520)
    says(refused(frame, schema(freq=freq)), "'a'", "row 7", "a mistyped year")


def test_a_code_for_no_date_in_many_rows_is_refused():
    frame = table(ids=[f"s{number}" for number in range(40)], days=30)
    frame.loc[frame.index % 30 == 29, "ds"] = pd.Timestamp("1970-01-01")
    says(refused(frame), "1970-01-01", "40 such rows", "a code for no date")


def test_a_history_with_a_long_pause_is_no_mistyped_year():
    frame = table(days=800)
    pause = (frame["ds"] > "2023-04-01") & (frame["ds"] < "2024-08-01")
    assert len(checked_rows(frame[~pause], schema())) == int((~pause).sum())


@pytest.mark.parametrize(
    ("code", "others"), [(9999, 100), (-1, 3), (-999, 100), (-9999.0, 0.5), (999999, 2000)]
)
def test_a_code_for_no_value_is_told_with_its_row(code, others):
    frame = table().assign(y=np.random.default_rng(1).uniform(0, others, 600), late=1.0)
    frame.loc[[250, 300], "y"] = code
    (warning,) = warnings_of(frame, late={"role": "observed"})
    says(warning, "'y'", f"{code:g}", "'b'", "row 250", "2 such values")
    says(warning, f"data.source.missing=[{code:g}]")


@pytest.mark.parametrize(
    "values",
    [
        np.tile([-1.0, 1.0, 0.5, -0.5], 150),  # -1 among numbers of both signs
        np.linspace(0, 9999, 600),
        np.tile([-1.0, -2.0, 3.0], 200),
        np.full(600, -1.0),
        np.full(600, np.nan),
    ],
)
def test_a_number_among_its_like_is_no_code(values):
    frame = table().assign(late=values)
    assert warnings_of(frame, late={"role": "observed"}) == ()


@pytest.mark.parametrize(
    "twin", ["ATL>bos", "ATL>BOS ", "ATL >BOS", "\u00a0ATL>BOS", "\uff21TL>BOS"]
)
def test_ids_that_look_alike_are_told_by_name_and_kept_apart(twin):
    frame = table(ids=["ATL>BOS", twin, "ATL>CLE"])
    rows = checked_rows(frame, schema())
    assert len(rows.ids_N) == 3
    (warning,) = rows.warnings
    says(warning, "'ATL>BOS'", repr(twin), "2 series", "strict=true")


@pytest.mark.parametrize(("first", "second"), [("7", "007"), ("A07", "A7"), ("12", "0012")])
def test_ids_that_differ_by_zeros_in_front_are_told(first, second):
    says(warnings_of(table(ids=[first, second]))[0], repr(first), repr(second))


def test_ids_of_their_own_are_not_told():
    ids = ["10", "100", "1", "A1", "1.05", "1.5", "a-b", "ab", "Koln", "K\u00f6ln", "20", "200"]
    assert warnings_of(table(ids=ids)) == ()


@pytest.mark.parametrize(
    ("ends", "steps"),
    [
        ("MS", "28 to 31"),
        ("ME", "28 to 31"),
        ("QS", "90 to 92"),
        ("W-FRI", "every 7"),
        ("YS", "365"),
    ],
)
@pytest.mark.parametrize("absent", ["missing", "zero"])
def test_rows_of_longer_steps_declared_daily_are_refused(ends, steps, absent):
    dates = pd.date_range("2019-01-01", periods=16 if ends != "YS" else 7, freq=ends)
    frame = pd.DataFrame({"unique_id": "a", "ds": dates, "y": 1.0})
    frame["unique_id"] = frame["unique_id"].astype("str")
    message = refused(frame, schema(absent=absent))
    says(message, steps, "of D", "frequency")


def test_lanes_that_seldom_move_are_of_a_daily_table():
    frame = table(days=300)
    seldom = (frame["unique_id"] == "b") & (np.arange(900) % 30 != 0)
    assert len(checked_rows(frame[~seldom], schema(absent="zero"))) == 610
