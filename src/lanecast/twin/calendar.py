"""Equation 1, the calendar: weekdays, days off with 3 days before and after, peak weeks, season.

Deterministic and known for all time.  Axes: ``T`` days, warm-up first, ``G`` kinds of lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lanecast.twin.world import WARM, World

# MM-DD or MM-DD/MM-DD, every year; conf/data/midmile.yaml gives the same days to the models.
DAYS_OFF = ("01-01", "07-04", "12-25")
PEAKS = ("03-18/03-20", "07-10/07-13", "11-24/11-30", "12-08/12-19")
AHEAD = 366  # days past the last one for which the calendar is built

# Log effects.  Kinds of lane: to homes, to shops, mixed.
WEEKDAY_GD = np.array(
    [
        [0.10, 0.05, 0.00, 0.00, 0.05, -0.10, -0.20],
        [0.15, 0.10, 0.05, 0.05, 0.00, -0.45, -0.80],
        [0.12, 0.08, 0.02, 0.02, 0.02, -0.25, -0.45],
    ],
    dtype=np.float32,
)
OFF = {-3: 0.04, -2: 0.08, -1: 0.10, 0: -0.70, 1: 0.15, 2: 0.10, 3: 0.05}
PEAK = {-3: 0.02, -2: 0.04, -1: 0.08, 0: 0.40, 1: 0.12, 2: 0.06, 3: 0.03}
PEAK_SHARE_PLANNED = 0.7  # of a peak, in the planned capacity: there it binds


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Log effects by day; ``peak`` flags the days of a peak week, ``winter`` pushes the weather."""

    weekday_TG: np.ndarray
    season_T: np.ndarray
    off_T: np.ndarray
    event_T: np.ndarray
    peak_T: np.ndarray
    winter_T: np.ndarray


@lru_cache(maxsize=8)
def calendar_of(world: World) -> Calendar:
    """The calendar of a world from ``WARM`` days before its start to a year past its end."""
    first = np.datetime64(world.start, "D") - WARM
    date_T = first + np.arange(WARM + world.days + AHEAD)
    weekday_T = (date_T.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    year_T = date_T.astype("datetime64[Y]")
    turn_T = (date_T - year_T.astype("datetime64[D]")).astype(np.float64) / 365.25
    peak_T = _marked(date_T, PEAKS)
    return Calendar(
        weekday_TG=np.ascontiguousarray(WEEKDAY_GD[:, weekday_T].T),
        season_T=np.cos(2 * np.pi * (turn_T - 0.92)).astype(np.float32),
        off_T=_around(_marked(date_T, DAYS_OFF), OFF),
        event_T=_around(peak_T, PEAK),
        peak_T=peak_T.astype(np.float32),
        winter_T=(0.1 * np.cos(2 * np.pi * (turn_T - 0.04))).astype(np.float32),
    )


def _marked(date_T: np.ndarray, spans: tuple[str, ...]) -> np.ndarray:
    """Which days lie in one of the spans, whatever the year."""
    text_T = np.datetime_as_string(date_T, unit="D")
    month_day_T = np.array([text[5:] for text in text_T])
    marked_T = np.zeros(len(date_T), dtype=bool)
    for span in spans:
        low, _, high = span.partition("/")
        marked_T |= (month_day_T >= low) & (month_day_T <= (high or low))
    return marked_T


def _around(marked_T: np.ndarray, effects: dict[int, float]) -> np.ndarray:
    """The effect of being k days after (before, where negative) the nearest marked day."""
    effect_T = np.zeros(len(marked_T), dtype=np.float32)
    for away in sorted(effects, key=abs, reverse=True):  # the nearest has the last word
        shifted_T = np.roll(marked_T, away)
        if away > 0:
            shifted_T[:away] = False
        elif away < 0:
            shifted_T[away:] = False
        effect_T[shifted_T] = effects[away]
    return effect_T
