"""Bike sharing by the day: two kinds of riders, the day's weather, and hours without a row."""

import os
from pathlib import Path

import pandas as pd
import pytest

from lanecast.errors import ConfigError
from lanecast.sources.bikes import DailyRides

HOURS = pd.DataFrame(
    {
        "dteday": ["2011-01-02"] * 2 + ["2011-01-01"],
        "hr": [0, 5, 0],
        "holiday": [1, 1, 0],
        "workingday": [0, 0, 1],
        "weathersit": [1, 3, 2],
        "temp": [0.2, 0.4, 0.5],
        "hum": [0.5, 0.7, 0.8],
        "windspeed": [0.0, 0.2, 0.1],
        "casual": [1, 2, 4],
        "registered": [10, 20, 40],
    }
)


@pytest.fixture
def path(tmp_path):
    HOURS.to_parquet(tmp_path / "hour.parquet")
    return tmp_path / "hour.parquet"


def test_rides_are_sums_and_weather_is_a_mean(path):
    frame = DailyRides(path=str(path)).load().frame.set_index(["unique_id", "ds"])
    day = frame.loc[("registered", pd.Timestamp("2011-01-02"))]
    assert day["y"] == 30
    assert day["temp"] == pytest.approx(0.3)
    assert day["humidity"] == pytest.approx(0.6)
    assert day["bad_weather"] == 0.5
    assert day["holiday"] == 1
    assert frame.loc["casual", "y"].tolist() == [4, 3]


def test_a_file_of_other_columns_is_refused_by_name(tmp_path):
    HOURS.drop(columns="hum").to_parquet(tmp_path / "hour.parquet")
    with pytest.raises(ConfigError, match="'hum'"):
        DailyRides(path=str(tmp_path / "hour.parquet")).load()


@pytest.mark.data
def test_the_public_file_has_two_full_years():
    if (folder := os.environ.get("LANECAST_DATA")) is None:
        pytest.skip("LANECAST_DATA is not set: the data sets are not part of the project")
    frame = DailyRides(path=str(Path(folder) / "bike_sharing" / "hour.parquet")).load().frame
    assert frame.groupby("unique_id").size().to_dict() == {"casual": 731, "registered": 731}
    assert not frame.isna().any(axis=None)
    assert frame["y"].sum() == 3_292_679
