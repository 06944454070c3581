"""Bike sharing in Washington, D.C., 2011 and 2012 (Fanaee-T and Gama, CC BY 4.0), by the day."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lanecast.errors import ConfigError
from lanecast.sources import SourceTable
from lanecast.sources.tables import existing

RIDERS = ("casual", "registered")
DAY = ("holiday", "workingday")
WEATHER = {"temp": "temp", "hum": "humidity", "windspeed": "windspeed"}
RAIN = 3  # weathersit from here on is rain or snow


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRides:
    """Two series, casual and registered riders: ``y`` rides a day.

    An hour without a row had no ride.  Weather is the mean over the day's hours with a row, scaled
    to [0, 1] as in the file; ``bad_weather`` is the share of those hours with rain or snow.
    """

    path: str

    def load(self) -> SourceTable:
        """Read the hours and sum them up to days."""
        hours = pd.read_parquet(existing(self.path))
        needed = ("dteday", "weathersit", *RIDERS, *DAY, *WEATHER)
        if missing := [name for name in needed if name not in hours]:
            raise ConfigError(
                f"{self.path} has no column {missing[0]!r}; it must be the hourly file of the"
                " bike sharing data (hour.csv as Parquet)"
            )
        hours = hours.assign(
            ds=pd.to_datetime(hours["dteday"]), bad_weather=hours["weathersit"] >= RAIN
        )
        days = hours.groupby("ds", sort=True)
        shared = days[[*DAY, *WEATHER, "bad_weather"]].mean().rename(columns=WEATHER)
        rides = days[list(RIDERS)].sum().astype(float)
        parts = [shared.assign(unique_id=rider, y=rides[rider]) for rider in RIDERS]
        return SourceTable(frame=pd.concat(parts).reset_index())
