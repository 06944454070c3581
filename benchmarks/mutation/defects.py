"""The defects: each takes a long table and spoils what was delivered after ``until``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A good table, and what of it is the delivery that a defect may touch."""

    frame: pd.DataFrame
    schema: Schema
    until: pd.Timestamp
    now: pd.Timestamp

    @property
    def series(self) -> list[str]:
        """Ids by volume, the busiest first."""
        last = self.frame[(self.frame[TIME] > self.until) & (self.frame[TIME] <= self.now)]
        volume = last.groupby(ID)[TARGET].sum().sort_values(ascending=False, kind="stable")
        return [str(name) for name in volume.index]

    def places(self, place: str) -> list[str]:
        """The series of a place: all, half, tenth, busiest."""
        ids = self.series
        parts = {"all": ids, "half": ids[::2], "tenth": ids[::10], "busiest": ids[:1]}
        if place not in parts:
            raise ConfigError(f"mutation: place {place!r} is none of {', '.join(parts)}")
        return parts[place]

    def rows(self, place: str, first: int = 1) -> np.ndarray:
        """Which rows are delivered, at a place, from the ``first`` step after ``until`` on."""
        start = self.until + first * step_length(self.schema.freq)
        times = self.frame[TIME]
        chosen = self.frame[ID].isin(self.places(place)) & (times >= start) & (times <= self.now)
        return chosen.to_numpy()


def stale(scene: Scene, column: str, steps: float, place: str) -> pd.DataFrame:
    """The newest values repeat the one before them."""
    frame, length = scene.frame.copy(), step_length(scene.schema.freq)
    delay = scene.schema.delay_steps(column) if column in scene.schema.past else 0
    last = scene.now - (int(steps) + delay) * length
    frozen = scene.rows(place) & (frame[TIME] > last).to_numpy()
    values = frame[column].where(~frozen)
    frame[column] = values.groupby(frame[ID]).ffill().where(scene.frame[column].notna() | frozen)
    return frame


def unit(scene: Scene, column: str, factor: float, place: str) -> pd.DataFrame:
    """Values in another unit."""
    frame = scene.frame.copy()
    scaled = frame[column] * factor
    if scene.schema.columns[column].integer:
        scaled = scaled.round()
    frame[column] = frame[column].where(~scene.rows(place), scaled)
    return frame


def shift(scene: Scene, column: str, steps: float, place: str) -> pd.DataFrame:
    """Values some steps late, or early; column ``*``: whole rows."""
    frame, rows = scene.frame.copy(), scene.rows(place)
    for name in scene.schema.stored if column == "*" else [column]:
        moved = frame.groupby(ID)[name].shift(int(steps)).fillna(frame[name])
        frame[name] = frame[name].where(~rows, moved)
    return frame


def stamped(scene: Scene, _: str, hours: float, place: str) -> pd.DataFrame:
    """Times of another time zone."""
    frame = scene.frame.copy()
    moved = frame[TIME] + pd.Timedelta(hours=hours)
    frame[TIME] = frame[TIME].where(~scene.rows(place), moved)
    return frame


def duplicated(scene: Scene, _: str, share: float, place: str) -> pd.DataFrame:
    """Rows that come twice."""
    rows = np.flatnonzero(scene.rows(place))
    count = max(1, round(share * len(rows)))
    chosen = np.random.default_rng(0).choice(rows, size=count, replace=False)
    return pd.concat([scene.frame, scene.frame.iloc[chosen]], ignore_index=True)


def dropped(scene: Scene, _: str, steps: float, place: str) -> pd.DataFrame:
    """The rows of some steps are gone; 0: of all that was delivered."""
    rows = scene.rows(place, first=8)
    if steps:
        end = scene.until + (7 + int(steps)) * step_length(scene.schema.freq)
        rows = rows & (scene.frame[TIME] <= end).to_numpy()
    return scene.frame[~rows].reset_index(drop=True)


def remapped(scene: Scene, _: str, step: float, place: str) -> pd.DataFrame:
    """Names go round among the series of a place, ``step`` ranks on; busiest: with a small one."""
    ids = scene.places(place)
    if place == "busiest":
        everyone = scene.series
        ids = [everyone[0], everyone[int(len(everyone) * step)]]
        names = dict(zip(ids, ids[::-1], strict=True))
    else:
        turned = np.roll(ids, max(1, int(len(ids) * step)))
        names = dict(zip(ids, turned.tolist(), strict=True))
    frame = scene.frame.copy()
    rows = frame[ID].isin(ids) & (frame[TIME] > scene.until)
    frame.loc[rows, ID] = frame.loc[rows, ID].map(names)
    return frame.sort_values([ID, TIME]).reset_index(drop=True)


def censored(scene: Scene, column: str, quantile: float, place: str) -> pd.DataFrame:
    """No target above a capacity at this quantile of its series."""
    frame, rows = scene.frame.copy(), scene.rows(place)
    top = frame[rows].groupby(ID)[column].quantile(quantile, interpolation="lower")
    capped = frame[column].clip(upper=frame[ID].map(top))
    frame[column] = frame[column].where(~rows, capped)
    return frame


def year_typo(scene: Scene, _: str, years: float, place: str) -> pd.DataFrame:
    """One row of each series of a place stands in another year."""
    frame = scene.frame.copy()
    rows = pd.Series(np.flatnonzero(scene.rows(place, first=8)))
    chosen = rows.groupby(frame[ID].to_numpy()[rows]).first().to_numpy()
    typed = frame[TIME].iloc[chosen].map(lambda time: time + pd.DateOffset(years=int(years)))
    frame.loc[chosen, TIME] = typed.to_numpy()
    return frame.sort_values([ID, TIME], kind="stable").reset_index(drop=True)


def merged_ids(scene: Scene, _: str, rank: float, place: str) -> pd.DataFrame:
    """Two series come under one name, as one sum; the partner stands ``rank`` of all below."""
    everyone, ids = scene.series, scene.places(place)
    first = ids if place == "busiest" else ids[: len(ids) // 2]
    names: dict[str, str] = {}
    for name in first:
        partner = everyone[(everyone.index(name) + max(1, int(len(everyone) * rank)))
                           % len(everyone)]  # fmt: skip
        if partner not in names and name not in names.values() and name not in names:
            names[partner] = name
    frame = scene.frame.copy()
    rows = frame[ID].isin(names) & (frame[TIME] > scene.until)
    frame.loc[rows, ID] = frame.loc[rows, ID].map(names)
    how = {name: "sum" if name == TARGET else "first" for name in frame if name not in (ID, TIME)}
    return frame.groupby([ID, TIME], as_index=False).agg(how)[list(frame)]


def local_midnights(scene: Scene, _: str, hours: float, place: str) -> pd.DataFrame:
    """Days stamped at local midnights and written in UTC: an hour more from half of them on."""
    frame, rows = scene.frame.copy(), scene.rows(place)
    middle = scene.until + (scene.now - scene.until) / 2
    apart = hours + (frame[TIME] > middle).astype(float)
    moved = frame[TIME] - pd.to_timedelta(apart, unit="h")
    frame[TIME] = frame[TIME].where(~rows, moved)
    return frame


def closed_alive(scene: Scene, _: str, steps: float, place: str) -> pd.DataFrame:
    """Series that closed some steps ago are still delivered, as zeros."""
    frame = scene.frame.copy()
    last = scene.now - int(steps) * step_length(scene.schema.freq)
    rows = scene.rows(place) & (frame[TIME] > last).to_numpy()
    frame[TARGET] = frame[TARGET].where(~rows, 0.0)
    return frame


TABLE: dict[str, Callable[[Scene, str, float, str], pd.DataFrame]] = {
    "stale_feature": stale,
    "unit": unit,
    "day_shift": shift,
    "time_zone_shift": shift,
    "time_zone_stamps": stamped,
    "duplicate_rows": duplicated,
    "dropped_partition": dropped,
    "id_remap": remapped,
    "censored_target": censored,
    "year_typo": year_typo,
    "merged_ids": merged_ids,
    "local_midnights": local_midnights,
    "closed_lane_alive": closed_alive,
}
WHOLE_TABLE = ("year_typo", "local_midnights")  # what may stand outside of the delivery


def without_days(calendar: pd.DataFrame, flag: str, share: float) -> pd.DataFrame:
    """A calendar that lost a share of the days of a flag, the newest first; 2: the column too."""
    if share > 1:
        return calendar.drop(columns=[flag])
    spoiled, days = calendar.copy(), calendar.index[calendar[flag] == 1]
    lost = days[len(days) - round(share * len(days)) :]
    spoiled.loc[lost, flag] = 0.0
    return spoiled


def frozen(points_CNH: np.ndarray, share: float, cutoffs: Sequence[int]) -> np.ndarray:
    """Forecasts of which a share of the series is not made anew at some cutoffs."""
    spoiled = points_CNH.copy()
    count = max(1, round(share * points_CNH.shape[1]))
    for cutoff in cutoffs:
        spoiled[cutoff, :count] = spoiled[cutoff - 1, :count]
    return spoiled
