"""What named days did to a whole network in past years: factors on its usual level.

Named days are the groups of the panel's calendar that come with days before and after
(``holiday``, ``shopping``).  An event is a run of such days of one group.  It is the same event as
the run of that group nearest to it a number of years earlier, within `APART`, where each is the
other's nearest: so fixed dates meet themselves, and movable ones their last occurrence.  A day's
ratio is the sum over series of its targets, over the sum of their levels just before the event
(and its `BEFORE`).  A period is a day, or a step where steps are longer, as in the calendar.
Axes: ``W`` windows, ``H`` horizon, ``P`` periods of the grid, ``U`` periods near an event,
``Y`` years back, ``N`` series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.data import visible
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, step_length
from lanecast.data.windows import WindowIndex

BEFORE, AFTER = 2, 4  # periods around an event that have a factor of their own
APART = pd.Timedelta(days=24)  # how far an event may move between years
DAY = pd.Timedelta(days=1)
NEVER = np.iinfo(np.int64).max

Levels = Callable[[Panel, WindowIndex], np.ndarray]


@dataclass(frozen=True, slots=True)
class Event:
    """Periods ``first .. last`` of one group."""

    group: str
    first: int
    last: int

    def counterpart(self, period: int, past: Event, same_date: int) -> int | None:
        """The period of a past occurrence that stands for ``period``; None if it has none."""
        if period < self.first:
            return past.first - (self.first - period)
        if period > self.last:
            return past.last + (period - self.last)
        if past.first <= same_date <= past.last:
            return same_date
        along = past.first + (period - self.first)
        return along if along <= past.last else None


class Events:
    """The events of a panel's calendar, and which of them each period is nearest to."""

    def __init__(self, panel: Panel) -> None:
        self.times = pd.DatetimeIndex(panel.times)
        self.unit = max(step_length(panel.schema.freq), DAY)
        self.origin = self.times[0].normalize() if self.unit == DAY else self.times[0]
        self.period_T = ((self.times - self.origin) // self.unit).to_numpy(np.int64)
        self.groups = {name: list(self._runs(panel, name)) for name in groups_of(panel)}
        self.nearest: dict[int, Event] = {}
        every = [event for events in self.groups.values() for event in events]
        for away in range(max(BEFORE, AFTER) + 1):
            for event in every:
                inside = range(event.first, event.last + 1) if not away else ()
                ahead = (event.first - away,) if 0 < away <= BEFORE else ()
                behind = (event.last + away,) if 0 < away <= AFTER else ()
                for period in (*inside, *ahead, *behind):
                    self.nearest.setdefault(period, event)

    def _runs(self, panel: Panel, name: str) -> Iterator[Event]:
        flag_T = panel.calendar[:, panel.calendar_names.index(name)].numpy() > 0
        marked = np.unique(self.period_T[flag_T])
        for run in np.split(marked, np.flatnonzero(np.diff(marked) > 1) + 1):
            if len(run):
                yield Event(name, int(run[0]), int(run[-1]))

    def steps(self, period: int) -> np.ndarray:
        """The steps of the grid that lie in a period."""
        low, high = np.searchsorted(self.period_T, [period, period + 1])
        return np.arange(low, high)

    def years_back(self, period: int, years: int) -> int:
        """The period of the same date so many years before."""
        date = self.origin + period * self.unit - pd.DateOffset(years=years)
        return int((date - self.origin) // self.unit)

    def past(self, event: Event, years: int) -> Event | None:
        """The event's occurrence so many years before; None where there is none."""
        earlier = self._closest(event.group, self.years_back(event.first, years))
        if earlier is None or earlier.first >= event.first:
            return None
        later = self._closest(event.group, self.years_back(earlier.first, -years))
        return earlier if later == event else None

    def _closest(self, group: str, period: int) -> Event | None:
        def distance(event: Event) -> int:
            return abs(event.first - period)

        nearest = min(self.groups[group], key=distance)
        return nearest if distance(nearest) * self.unit <= APART else None

    def counterparts(self, period: int) -> Iterator[tuple[int, int]]:
        """Past periods that tell of ``period``, each with the first one around its event."""
        event = self.nearest[period]
        for years in range(1, 1 + max(0, period * self.unit // pd.Timedelta(days=365))):
            past = self.past(event, years)
            if past is None:
                continue
            same = event.counterpart(period, past, self.years_back(period, years))
            if same is not None:
                yield same, past.first - BEFORE


def groups_of(panel: Panel) -> list[str]:
    """Calendar columns that mark days with days around them."""
    names = set(panel.calendar_names)
    return [name for name in panel.calendar_names if f"{name}_in_1" in names]


def event_factors(
    panel: Panel, at: WindowIndex, *, horizon: int, level: Levels
) -> tuple[np.ndarray, np.ndarray]:
    """Mean ratio of the past years known at each cutoff, and which steps lie near an event.

    Both [W, H]; the ratio is NaN where no past year tells of the step.  ``level`` gives the level
    of windows as of their own cutoff.
    """
    ratio_WH = np.full((len(at), horizon), np.nan)
    near_WH = np.zeros((len(at), horizon), dtype=bool)
    if not len(at) or not groups_of(panel):
        return ratio_WH, near_WH
    events = Events(panel)
    step_WH = at.cutoff_W[:, None] + np.arange(1, horizon + 1)
    period_WH = events.period_T[np.minimum(step_WH, len(events.period_T) - 1)]
    period_WH = np.where(step_WH < len(events.period_T), period_WH, -1)
    near_U = np.array(sorted(set(np.unique(period_WH)) & events.nearest.keys()), dtype=np.int64)
    if not len(near_U):
        return ratio_WH, near_WH
    place_WH = np.minimum(np.searchsorted(near_U, period_WH), len(near_U) - 1)
    near_WH = near_U[place_WH] == period_WH
    known_UY, ratio_UY = _ratios(panel, events, near_U, level)
    count_WH, total_WH = np.zeros(ratio_WH.shape, dtype=np.int64), np.zeros(ratio_WH.shape)
    for years in range(known_UY.shape[1]):  # a year at a time: [W, H] is all that is held
        known_WH = near_WH & (known_UY[place_WH, years] <= at.cutoff_W[:, None])
        count_WH += known_WH
        total_WH += np.where(known_WH, ratio_UY[place_WH, years], 0.0)
    ratio_WH[count_WH > 0] = (total_WH / np.maximum(count_WH, 1))[count_WH > 0]
    return ratio_WH, near_WH


def _ratios(
    panel: Panel, events: Events, near_U: np.ndarray, level: Levels
) -> tuple[np.ndarray, np.ndarray]:
    """When each ratio is known (a step), and the ratio, [U, Y]; never known where there is none."""
    pairs_U = [list(events.counterparts(int(period))) for period in near_U]
    shape = (len(near_U), max(map(len, pairs_U)))
    known_UY, ratio_UY = np.full(shape, NEVER), np.full(shape, np.nan)
    levels: dict[int, np.ndarray] = {}
    series_N, delay = np.arange(panel.num_series), panel.schema.delay_steps(TARGET)
    for row, pairs in enumerate(pairs_U):
        for years, (period, around) in enumerate(pairs):
            steps, before = events.steps(period), events.steps(around)
            if not len(steps) or not len(before):
                continue
            if around not in levels:
                # As known once the day before was: earlier than the ratio itself.
                cutoff_N = np.full(panel.num_series, before[0] - 1 + delay)
                levels[around] = level(panel, WindowIndex(series_W=series_N, cutoff_W=cutoff_N))
            ratio = _ratio(panel, steps, levels[around])
            if ratio is not None:
                known_UY[row, years] = steps[-1] + delay
                ratio_UY[row, years] = ratio
    return known_UY, ratio_UY


def _ratio(panel: Panel, steps: np.ndarray, level_N: np.ndarray) -> float | None:
    """Targets of some steps over the levels of their series; None without a positive level."""
    at = WindowIndex(
        series_W=np.arange(panel.num_series), cutoff_W=np.full(panel.num_series, steps[0])
    )
    y_NT = visible.cells(panel, at, TARGET, steps - steps[0])
    counted_NT = np.isfinite(y_NT) & np.isfinite(level_N)[:, None]
    usual = float(np.where(counted_NT, level_N[:, None], 0.0).sum())
    happened = float(np.where(counted_NT, y_NT, 0.0).sum())
    return max(happened / usual, 0.0) if usual > 0 else None
