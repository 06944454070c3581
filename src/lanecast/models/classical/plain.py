"""Plain rows: what a spreadsheet forecasts, and what every table has to be ahead of.

All read the newest targets that are visible at the cutoff, as far back as they say: further than a
window's context where they are longer.  A zero counts, a missing value does not.  Spans are given
in days and read in steps of the panel.
Axes: ``W`` windows, ``H`` horizon, ``T`` steps read, ``S`` seasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lanecast.config.seasons import season_of
from lanecast.data import visible
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, step_length
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.classical.events import event_factors
from lanecast.models.classical.naive import Baseline

READ = 1 << 22  # values that are read at once: bounds the memory
DAY = pd.Timedelta(days=1)


class TrailingLevel(Baseline):
    """One number for the whole horizon, from a trailing span.

    Counted: a span without any value gives way to the rest of the context (``older_values``),
    a window without any visible target gets 0 (``no_history``).
    """

    def __init__(
        self, *, windows: WindowSpec, days: float, name: str, origins: int, stride: int
    ) -> None:
        super().__init__(windows=windows, name=name, origins=origins, stride=stride)
        if not days > 0:
            raise ConfigError(f"model.days={days} must be positive; set model.days")
        self.days = days

    @property
    def options(self) -> dict[str, Any]:
        """As in `Baseline`."""
        return {**super().options, "days": self.days}

    def statistic(self, y_WT: np.ndarray, step: pd.Timedelta, /) -> np.ndarray:
        """The level of each row, newest value last; NaN where it holds none, [W]."""
        raise NotImplementedError

    def past(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """The level of each window; NaN where its span holds no value, [W]."""
        step = step_length(panel.schema.freq)
        newest = int(panel.schema.last_visible(TARGET))
        ahead_T = np.arange(newest - steps_of(self.days, panel) + 1, newest + 1)
        return _by_rows(panel, at, ahead_T, lambda y_WT: self.statistic(y_WT, step))

    def level(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """The level of each window; always finite, [W]."""
        level_W = self.past(panel, at)
        empty_W = np.isnan(level_W)
        if empty_W.any():
            rest_WL = visible.context(panel, at[empty_W], self.windows)
            level_W[empty_W] = self.statistic(rest_WL, step_length(panel.schema.freq))
            self._count("older_values", int((empty_W & ~np.isnan(level_W)).sum()))
            self._count("no_history", int(np.isnan(level_W).sum()))
        return np.nan_to_num(level_W)

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `Baseline`; always finite."""
        return np.repeat(self.level(panel, at)[:, None], self.windows.horizon, axis=1)


class TrailingMedian(TrailingLevel):
    """The median of the last ``days``, flat over the horizon."""

    def __init__(
        self,
        *,
        windows: WindowSpec,
        days: float = 56,
        name: str = "trailing_median",
        origins: int = 26,
        stride: int = 7,
    ) -> None:
        super().__init__(windows=windows, days=days, name=name, origins=origins, stride=stride)

    def statistic(self, y_WT: np.ndarray, _step: pd.Timedelta, /) -> np.ndarray:
        """As in `TrailingLevel`."""
        return row_medians(y_WT)


class TrailingMean(TrailingLevel):
    """The mean of the last ``days``, flat over the horizon."""

    def __init__(
        self,
        *,
        windows: WindowSpec,
        days: float = 224,
        name: str = "trailing_mean",
        origins: int = 26,
        stride: int = 7,
    ) -> None:
        super().__init__(windows=windows, days=days, name=name, origins=origins, stride=stride)

    def statistic(self, y_WT: np.ndarray, _step: pd.Timedelta, /) -> np.ndarray:
        """As in `TrailingLevel`."""
        count_W = np.isfinite(y_WT).sum(axis=1)
        total_W = np.where(np.isfinite(y_WT), y_WT, 0.0).sum(axis=1)
        return np.where(count_W > 0, total_W / np.maximum(count_W, 1), np.nan)


class PhaseMedian(Baseline):
    """The median of the same phase of the last ``seasons`` that are visible.

    ``season`` in steps; None follows the panel's frequency.  Counted per forecast step: a phase
    that those seasons never show gets the median of all they show (``other_phases``), a window
    without any of it that of its context (``older_values``), and without that 0 (``no_history``).
    """

    def __init__(
        self,
        *,
        windows: WindowSpec,
        seasons: int = 4,
        season: int | None = None,
        name: str = "phase_median",
        origins: int = 26,
        stride: int = 7,
    ) -> None:
        super().__init__(windows=windows, name=name, origins=origins, stride=stride)
        if seasons < 1 or (season is not None and season < 1):
            raise ConfigError(
                f"model.seasons={seasons} and model.season={season} must be at least 1; set them"
            )
        self.seasons, self.season = seasons, season

    @property
    def options(self) -> dict[str, Any]:
        """As in `Baseline`."""
        return {**super().options, "seasons": self.seasons, "season": self.season}

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `Baseline`; always finite."""
        season = season_of(self.season, panel.schema.freq)
        newest = int(panel.schema.last_visible(TARGET))
        step_H = np.arange(1, self.windows.horizon + 1)
        first_H = -((newest - step_H) // season)  # seasons back to the newest visible phase
        back_HS = first_H[:, None] + np.arange(self.seasons)
        ahead_HS = step_H[:, None] - back_HS * season

        def medians(y_WT: np.ndarray) -> np.ndarray:
            y_WHS = y_WT.reshape(len(y_WT), *ahead_HS.shape)
            return np.column_stack([row_medians(y_WHS), row_medians(y_WT)])

        both = _by_rows(panel, at, ahead_HS.ravel(), medians)
        point_WH, other_W = both[:, :-1], both[:, -1]
        empty_WH = np.isnan(point_WH)
        self._count("other_phases", int(empty_WH[~np.isnan(other_W)].sum()))
        blind_W = np.isnan(other_W)
        if blind_W.any():
            rest_WL = visible.context(panel, at[blind_W], self.windows)
            other_W[blind_W] = row_medians(rest_WL)
            dark_W = np.isnan(other_W)
            self._count("older_values", int(empty_WH[blind_W & ~dark_W].sum()))
            self._count("no_history", int(empty_WH[dark_W].sum()))
        return np.where(empty_WH, np.nan_to_num(other_W)[:, None], point_WH)


class EventMedian(TrailingLevel):
    """A weighted median of the last ``days``, times what named days did to the whole network.

    A value's weight halves with every ``half_life`` days of age.  Named days are the groups of the
    panel's calendar (``holiday``, and what ``data.calendar.days`` names); see `events` for their
    factors, which past years teach and ``shrink`` draws to 1.  Counted: forecast steps at a named
    day, or near one, that no past year tells of (``no_past_year``); their factor is 1.
    """

    def __init__(
        self,
        *,
        windows: WindowSpec,
        days: float = 84,
        half_life: float = 28,
        shrink: float = 0.7,
        name: str = "event_median",
        origins: int = 26,
        stride: int = 7,
    ) -> None:
        super().__init__(windows=windows, days=days, name=name, origins=origins, stride=stride)
        if not half_life > 0 or not 0 <= shrink <= 1:
            raise ConfigError(
                f"model.half_life={half_life} must be positive and model.shrink={shrink} in 0..1;"
                " set them"
            )
        self.half_life, self.shrink = half_life, shrink

    @property
    def options(self) -> dict[str, Any]:
        """As in `Baseline`."""
        return {**super().options, "half_life": self.half_life, "shrink": self.shrink}

    def statistic(self, y_WT: np.ndarray, step: pd.Timedelta, /) -> np.ndarray:
        """As in `TrailingLevel`."""
        age_T = np.arange(y_WT.shape[1])[::-1] * (step / DAY)
        return weighted_medians(y_WT, 0.5 ** (age_T / self.half_life))

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `Baseline`; always finite."""
        ratio_WH, near_WH = event_factors(panel, at, horizon=self.windows.horizon, level=self.past)
        self._count("no_past_year", int((near_WH & np.isnan(ratio_WH)).sum()))
        factor_WH = np.where(np.isnan(ratio_WH), 1.0, 1.0 + self.shrink * (ratio_WH - 1.0))
        return self.level(panel, at)[:, None] * factor_WH


def steps_of(days: float, panel: Panel) -> int:
    """So many days in steps of the panel, at least one."""
    return max(1, round(days * DAY / step_length(panel.schema.freq)))


def row_medians(y_WT: np.ndarray) -> np.ndarray:
    """Median of the values that are there along the last axis; NaN where there is none."""
    ranked = np.sort(y_WT, axis=-1)  # NaN last
    count = np.isfinite(y_WT).sum(axis=-1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, y_WT.shape[-1] - 1)
    pair = [np.take_along_axis(ranked, at[..., None], axis=-1)[..., 0] for at in (low, high)]
    return np.asarray(pair[0] + (pair[1] - pair[0]) / 2)


def weighted_medians(y_WT: np.ndarray, weight_T: np.ndarray) -> np.ndarray:
    """The smallest value that half of the weight lies at or below; NaN where there is none, [W]."""
    order_WT = np.argsort(y_WT, axis=1, kind="stable")  # NaN last
    ranked_WT = np.take_along_axis(y_WT, order_WT, axis=1)
    reached_WT = np.cumsum(np.where(np.isfinite(ranked_WT), weight_T[order_WT], 0.0), axis=1)
    middle_W = (reached_WT >= reached_WT[:, -1:] / 2).argmax(axis=1)
    return np.asarray(ranked_WT[np.arange(len(y_WT)), middle_W])


def _by_rows(
    panel: Panel, at: WindowIndex, ahead_T: np.ndarray, work: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """``work`` on the visible targets of some windows at a time, one after the other."""
    some = max(1, READ // len(ahead_T))
    parts = [
        work(visible.visible(panel, at[low : low + some], TARGET, ahead_T))
        for low in range(0, max(len(at), 1), some)
    ]
    return np.concatenate(parts)
