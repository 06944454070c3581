"""Calendar columns: right on known dates, in [-1, 1], the same whatever lies around them."""

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest.calendar import PLAIN, REACH, calendar_features, label_warnings
from lanecast.errors import ConfigError

YEAR = pd.date_range("2013-01-01", "2013-12-31")


def frame_of(times=YEAR, *, freq="D", **options):
    values, names = calendar_features(times, freq=freq, **options)
    assert values.dtype == np.float32
    return pd.DataFrame(values, index=times, columns=list(names))


@pytest.mark.parametrize("name", [*PLAIN, "holiday", "peak"])
def test_every_feature_lies_between_minus_one_and_one(name):
    times = pd.date_range("2023-12-01", periods=2000, freq="h")
    frame = frame_of(times, freq="h", features=[name], country="US", days={"peak": ["01-02"]})
    assert np.isfinite(frame).all().all()
    assert frame.abs().max().max() <= 1


def test_weekday_marks_exactly_one_column():
    frame = frame_of(features=["weekday"])
    assert (frame.sum(axis=1) == 1).all()
    assert frame.loc["2013-07-04"].idxmax() == "weekday_3"


def test_yearday_is_close_across_the_new_year():
    times = pd.date_range("2013-12-31", periods=2)
    ends = frame_of(times, features=["yearday"])
    assert np.abs(ends.diff().iloc[1]).max() < 0.03


def test_hour_is_constant_within_daily_data_and_turns_within_hourly():
    hours = pd.date_range("2024-01-01", periods=48, freq="h")
    frame = frame_of(hours, freq="h", features=["hour", "hour_of_day"])
    np.testing.assert_allclose(frame.iloc[:24], frame.iloc[24:], atol=1e-6)
    assert frame.iloc[17]["hour_of_day_17"] == 1
    assert frame.iloc[6]["hour_sin"] == pytest.approx(1)


def test_holidays_of_a_country_are_marked_with_the_days_around_them():
    frame = frame_of(features=["holiday"], country="US")
    assert len(frame.columns) == 1 + 2 * REACH
    assert frame.loc["2013-11-28", "holiday"] == 1  # Thanksgiving
    assert frame.loc["2013-11-27", "holiday_in_1"] == 1
    assert frame.loc["2013-11-25", "holiday_in_3"] == 1
    assert frame.loc["2013-11-30", "holiday_ago_2"] == 1
    assert frame.loc["2013-12-10"].sum() == 0


def test_holidays_just_outside_of_the_grid_are_felt_inside():
    frame = frame_of(features=["holiday"], country="US")
    assert frame.loc["2013-12-31", "holiday_in_1"] == 1
    early = frame_of(pd.date_range("2014-01-02", periods=3), features=["holiday"], country="US")
    assert early.iloc[0]["holiday_ago_1"] == 1


def test_only_the_nearest_special_day_counts_on_each_side():
    frame = frame_of(features=[], days={"peak": ["06-18", "06-20"]})
    ahead = frame.loc["2013-06-17", ["peak_in_1", "peak_in_2", "peak_in_3"]]
    assert ahead.tolist() == [1, 0, 0]
    assert frame.loc["2013-06-19"].to_dict() == {
        **dict.fromkeys(frame.columns, 0),
        "peak_in_1": 1,
        "peak_ago_1": 1,
    }


def test_several_countries_add_up():
    frame = frame_of(features=["holiday"], country=["US", "CN"])
    assert frame.loc[["2013-07-04", "2013-10-01"], "holiday"].tolist() == [1, 1]


def test_days_of_ones_own_recur_yearly_or_come_once():
    times = pd.date_range("2013-01-01", "2014-12-31")
    frame = frame_of(times, features=["peak"], days={"peak": ["11-11", "2014-03-01", "02-29"]})
    marked = frame.index[frame["peak"] == 1].strftime("%Y-%m-%d").tolist()
    assert marked == ["2013-11-11", "2014-03-01", "2014-11-11"]


def test_an_hour_has_the_holiday_of_its_day():
    times = pd.date_range("2013-07-03 05:00", periods=48, freq="h")
    frame = frame_of(times, freq="h", features=["holiday"], country="US")
    assert frame.index[frame["holiday"] == 1].day.unique().tolist() == [4]
    assert frame["holiday"].sum() == 24


@pytest.mark.parametrize("freq", ["W-TUE", "W-SUN", "W-SAT", "W-MON", "2W-FRI"])
@pytest.mark.parametrize("end", ["left", "right"])
def test_a_week_has_the_special_day_that_its_sum_holds(freq, end):
    days = pd.Series(0, index=pd.date_range("2013-01-01", "2014-12-31"))
    peaks = ["2013-07-04", "2013-12-25", "2014-03-16", "2014-03-17", "2014-03-29", "2014-09-02"]
    days[pd.DatetimeIndex(peaks)] = 1
    weeks = days.resample(freq, label=end, closed=end).sum()
    label = {"left": "first", "right": "last"}[end]
    weeks = weeks.iloc[1:-1]
    frame = frame_of(weeks.index, freq=freq, features=[], days={"peak": peaks}, label=label)
    np.testing.assert_array_equal(frame["peak"], weeks > 0)
    ahead = (weeks > 0).shift(-1, fill_value=False) & (weeks == 0)
    np.testing.assert_array_equal(frame["peak_in_1"][:-1], ahead[:-1])


@pytest.mark.parametrize(
    ("freq", "label"), [("W-SUN", "last"), ("W-FRI", "last"), ("W-MON", "first")]
)
def test_a_week_is_labeled_as_is_usual_and_that_is_told(freq, label):
    times = pd.date_range("2013-06-25", periods=20, freq=freq)
    options = {"features": ["holiday"], "country": "US"}
    given = frame_of(times, freq=freq, label=label, **options)
    pd.testing.assert_frame_equal(frame_of(times, freq=freq, **options), given)
    (warning,) = label_warnings(freq, options)
    assert f"the {label} day of its week" in warning
    assert "data.calendar.label=" in warning
    assert label_warnings(freq, {**options, "label": label}) == []
    assert label_warnings("D", options) == label_warnings(freq, {"features": ["yearday"]}) == []


def test_columns_of_a_date_do_not_depend_on_the_span():
    options = {"features": [*PLAIN, "holiday"], "country": "US", "days": {"peak": ["11-11"]}}
    part = frame_of(YEAR[100:200], **options)
    pd.testing.assert_frame_equal(part, frame_of(**options).iloc[100:200], check_freq=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": ["weakday"]}, "'weakday'.*weekday"),
        ({"features": ["holiday"]}, "data.calendar.country"),
        ({"features": ["holiday"], "country": "Atlantis"}, "'Atlantis'.*US or CN"),
        ({"features": ["holiday"], "country": "no "}, "did you mean NO"),
        ({"features": ["holiday"], "country": False}, 'False.*YAML reads NO.*quote it: "NO"'),
        ({"features": ["holiday"], "country": ["SE", False]}, 'quote it: "NO"'),
        ({"features": ["holiday"], "country": [7]}, "7, which is no text: quote"),
        ({"features": [False]}, "YAML reads yes, no, on and off"),
        ({"features": [], "days": {True: ["11-11"]}}, "YAML reads yes, no, on and off"),
        ({"features": [], "label": "left"}, "data.calendar.label='left'.*first, last"),
        ({"features": [], "days": {"peak": ["13-45"]}}, "data.calendar.days.peak.*'13-45'"),
    ],
)
def test_a_calendar_that_cannot_be_built_is_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        frame_of(**options)


def test_no_features_make_an_empty_calendar():
    values, names = calendar_features(YEAR, freq="D", features=[])
    assert values.shape == (365, 0)
    assert names == ()


def test_a_span_marks_every_day_between_its_ends_each_year() -> None:
    times = pd.date_range("2023-05-30", "2024-06-30", freq="D")
    values, names = calendar_features(
        times, freq="D", features=["sale"], days={"sale": ["06-01/06-20"]}
    )
    marked = times[values[:, names.index("sale")] == 1.0]
    expected = [day for day in times if day.month == 6 and day.day <= 20]
    assert list(marked) == expected


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    times = pd.date_range("2024-01-01", periods=10, freq="D")
    with pytest.raises(ConfigError, match="06-20/06-01"):
        calendar_features(times, freq="D", features=["sale"], days={"sale": ["06-20/06-01"]})
