"""Checks of a new delivery of data against a trusted reference.

Every statistic of the delivery is held against what the same statistic was over windows of the
reference: it may leave their range by half that range and a margin of its own.  What is natural in
a data set, such as lanes that fly the same number every day, is thus no alarm there.
Axes: ``N`` series, ``T`` steps of a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.data.ingest.validation import checked_rows
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.errors import SchemaError
from lanecast.monitor import statistics
from lanecast.monitor.statistics import Shape

WINDOWS = 30  # of the reference, spread over it
SPREAD = 0.5  # of the reference's range that a statistic may leave it by, besides its margin
# On top, per check, in the unit of the statistic: the least change worth an alarm.
MARGINS = {
    "freshness": 0.15,  # share of series whose value does not change any more
    "unit": 0.5,  # log ratio of levels: a factor of 1.6
    "unit_of_some": 1.2,  # the same of a few series of an observed column: a factor of 3.3
    "alignment": 0.1,  # correlation gained by shifting a step
    "identity": 0.15,  # log distance by which another series fits better than its own
    "censoring": 0.05,  # share of cells at their series' highest value, or planned above it
    "frozen": 0.05,  # share of forecasts that repeat those of the cutoff before
}
MISSING_ROWS = 0.02  # share of a series', or a step's, rows that may be missing beyond the usual
WAYS_OUT = {
    "contract": "correct the table at its source",
    "rows": "load the missing partition again, or close the series",
    "freshness": "ask for the feed of the column, and declare its true delay",
    "unit": "compare the unit with that of the reference, and convert",
    "unit_of_some": "compare the unit of these series with that of the reference, and convert",
    "alignment": "compare days, hours and time zones with the reference",
    "identity": "compare the ids with those of the reference, and map them back",
    "censoring": "model what was asked for, not what capacity let through",
    "calendar": "load the table of holidays, and set data.calendar",
    "frozen": "forecast again from the newest data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found: where, how far off, and the way out."""

    check: str
    subject: str
    place: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.check}: {self.subject} {self.place}; {self.way_out}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a reference looked like; it has seen the rows up to ``until`` and nothing later."""

    schema: Schema
    shape: Shape
    until: pd.Timestamp
    ids: tuple[str, ...]
    low: Mapping[str, float]
    high: Mapping[str, float]
    missing_N: np.ndarray  # largest share of missing rows of a window
    special: Mapping[str, tuple[int, int]]  # calendar flag: fewest and most a year

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        schema: Schema,
        *,
        until: pd.Timestamp,
        shape: Shape,
        calendar: pd.DataFrame | None = None,
    ) -> Profile:
        """Learn from the rows up to ``until``; ``calendar`` is indexed by date."""
        seen = frame[frame[TIME] <= until]
        ids = tuple(sorted(seen.loc[seen[TIME] > until - _span(schema, shape), ID].unique()))
        grid = grid_of(seen, schema, ids=ids, until=until)
        steps = grid[TARGET].shape[1]
        ends = np.unique(np.linspace(shape.total, steps, WINDOWS).astype(int))
        rows = [statistics.of_window(_cut(grid, end, shape), schema, shape) for end in ends]
        names = rows[-1].keys()
        low = {name: min(row.get(name, np.nan) for row in rows) for name in names}
        high = {name: max(row.get(name, np.nan) for row in rows) for name in names}
        missing = [
            1 - _cut(grid, end, shape)["row"][:, -shape.steps :].mean(axis=1) for end in ends
        ]
        return cls(
            schema=schema,
            shape=shape,
            until=until,
            ids=ids,
            low=low,
            high=high,
            missing_N=np.max(missing, axis=0),
            special=_flags_a_year(calendar) if calendar is not None else {},
        )

    def check(self, frame: pd.DataFrame, *, now: pd.Timestamp) -> list[Finding]:
        """Findings in a frame that ends at ``now``; its those up to ``until`` are known."""
        new = frame[frame[TIME] > self.until]
        try:
            checked_rows(new, self.schema)
        except SchemaError as err:
            return [_finding("contract", "the table", str(err))]
        grid = grid_of(frame, self.schema, ids=self.ids, until=now)
        window = _cut(grid, grid[TARGET].shape[1], self.shape)
        findings = self._rows(window["row"])
        stats = statistics.of_window(window, self.schema, self.shape)
        return findings + self.outside(stats)

    def outside(self, stats: Mapping[str, float]) -> list[Finding]:
        """Findings for the statistics that leave the range of the reference."""
        findings = []
        for name, value in stats.items():
            low, high = self.low.get(name, np.nan), self.high.get(name, np.nan)
            check, _, subject = name.partition("/")
            room = MARGINS[check] + SPREAD * (high - low)
            too_low = value < low - room and subject.endswith(("/all", "/lowest"))
            if (value > high + room and not subject.endswith("/lowest")) or too_low:
                place = f"is {value:.3g}, {low:.3g} to {high:.3g} until {self.until:%F}"
                findings.append(_finding(check, subject, place))
        return findings

    def check_calendar(self, calendar: pd.DataFrame) -> list[Finding]:
        """Findings in the calendar of the steps to come: flags that are gone, or far fewer."""
        findings, now = [], _flags_a_year(calendar)
        for name, (low, _) in self.special.items():
            if name not in calendar:
                findings.append(_finding("calendar", name, "is missing from the calendar"))
            elif now[name][0] < 0.8 * low and now[name][0] <= low - 2:  # a year's edge may cost one
                place = f"is set on {now[name][0]} days of some year, at least {low} before"
                findings.append(_finding("calendar", name, place))
        return findings

    def _rows(self, row_NT: np.ndarray) -> list[Finding]:
        lacking_N = 1 - row_NT[:, -self.shape.steps :].mean(axis=1) - self.missing_N
        lacking_T = 1 - row_NT[:, -self.shape.steps :].mean(axis=0) - self.missing_N.mean()
        findings = []
        if lacking_N.max() > MISSING_ROWS:
            worst = int(lacking_N.argmax())
            place = f"lacks {lacking_N[worst]:.0%} of its rows after {self.until:%F}"
            findings.append(_finding("rows", f"series {self.ids[worst]!r}", place))
        if lacking_T.max() > MISSING_ROWS:
            place = f"lacks {lacking_T.max():.0%} of its series after {self.until:%F}"
            findings.append(_finding("rows", f"step {int(lacking_T.argmax()) + 1}", place))
        return findings


def check_forecasts(points_CNH: np.ndarray, moved_CN: np.ndarray, usual: float) -> list[Finding]:
    """Findings in the forecasts of cutoffs in order: a share, above the usual, repeats the last."""
    share = frozen_share(points_CNH, moved_CN)
    if share <= usual + MARGINS["frozen"]:
        return []
    return [
        _finding("frozen", "the forecast", f"repeats that of the cutoff before for {share:.0%}")
    ]


def frozen_share(points_CNH: np.ndarray, moved_CN: np.ndarray) -> float:
    """Largest share of series whose forecast equals that of the cutoff before, bit by bit.

    Of those alone for which what the forecast reads changed: a lane that flies the same every week
    is no alarm.
    """
    same_CN = (points_CNH[1:] == points_CNH[:-1]).all(axis=-1) & moved_CN[1:]
    share_C = same_CN.sum(axis=-1) / np.maximum(moved_CN[1:].sum(axis=-1), 1)
    return float(share_C.max(initial=0.0))


def grid_of(
    frame: pd.DataFrame, schema: Schema, *, ids: tuple[str, ...], until: pd.Timestamp
) -> dict[str, np.ndarray]:
    """Each stored column as [N, T] up to ``until``, and ``row``: whether there is one."""
    number = frame[ID].map({name: at for at, name in enumerate(ids)})
    frame = frame[number.notna() & (frame[TIME] <= until)]
    series = number[frame.index].to_numpy(np.int64)
    first, length = frame[TIME].min(), step_length(schema.freq)
    step = ((frame[TIME] - first) // length).to_numpy(np.int64)
    steps = int((until - first) // length) + 1
    grid = {}
    for name in schema.stored:
        x_NT = np.full((len(ids), steps), np.nan)
        x_NT[series, step] = frame[name].to_numpy(np.float64)
        grid[name] = x_NT
    row_NT = np.zeros((len(ids), steps))
    row_NT[series, step] = 1.0
    return {**grid, "row": row_NT}


def _cut(grid: Mapping[str, np.ndarray], end: int, shape: Shape) -> dict[str, np.ndarray]:
    return {name: x_NT[:, end - shape.total : end] for name, x_NT in grid.items()}


def _span(schema: Schema, shape: Shape) -> pd.Timedelta:
    return shape.steps * step_length(schema.freq)


def _flags_a_year(calendar: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Flags are the columns of 0 and 1 that are rarely set."""
    extremes = {}
    days = calendar[~pd.DatetimeIndex(calendar.index).normalize().duplicated()]
    for name in calendar:
        x = days[name]
        if x.isin((0, 1)).all() and x.mean() < 0.12:
            count = x.rolling(365, min_periods=365).sum().dropna()
            extremes[str(name)] = (int(count.min()), int(count.max()))
    return extremes


def _finding(check: str, subject: str, place: str) -> Finding:
    return Finding(check=check, subject=subject, place=place, way_out=WAYS_OUT[check])
