"""Exponential smoothing of many series at once, judged on the horizon that is asked.

Each series is filtered once and forecast at every cutoff on the way, so that a backtest costs one
pass; the parameters are those with the least mean absolute error over the whole horizon, partly the
series' own and partly what suits all series.  Axes: ``W`` windows, ``H`` horizon, ``N`` series,
``G`` parameter sets, ``T`` steps of one series.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np

from lanecast.config.packages import require_package
from lanecast.config.seasons import season_of
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.classical.naive import Baseline
from lanecast.models.protocol import Reporter

LEVEL = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
SEASON = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
TREND = (0.02, 0.05, 0.1, 0.2)
DAMPING = (0.9, 0.97, 1.0)
USUAL = (0.2, 0.0, 0.1, 0.0)  # where no series is long enough to choose
TRANSFORMS = ("none", "sqrt", "log")
FLOOR = 0.02  # of a series' mean, added before the logarithm
HIGHEST = 8.0  # of the logarithm of a forecast, in means of the series


class Smoothing(Baseline):
    """Holt-Winters with additive season, after a transform; intervals as in `Baseline`.

    ``pool``: 0 chooses the parameters of each series by its own errors, 1 by those of all.  A
    series with less than two seasons and a horizon takes those of all.  Counted: windows without a
    visible target, forecast as 0 (``no_history``).
    """

    def __init__(
        self,
        *,
        windows: WindowSpec,
        season: int | None = None,
        name: str = "smoothing",
        transform: str = "log",
        trend: bool = False,
        pool: float = 0.5,
        origins: int = 26,
        stride: int = 7,
    ) -> None:
        super().__init__(windows=windows, name=name, origins=origins, stride=stride)
        require_package("numba", extra="baselines", needed_by=f"model={name}")
        if transform not in TRANSFORMS:
            raise ConfigError(
                f"model.transform={transform!r} is not one of {', '.join(TRANSFORMS)}"
            )
        if (season is not None and season < 1) or not 0 <= pool <= 1:
            raise ConfigError(f"model.season={season} must be positive, model.pool={pool} in 0..1")
        self.season, self.transform, self.trend, self.share = season, transform, trend, pool
        self._sets: dict[str, tuple[float, ...]] = {}
        self._shared: tuple[float, ...] = USUAL
        self._scale: dict[str, float] = {}

    @property
    def options(self) -> dict[str, Any]:
        """As in `Baseline`."""
        own = {"season": self.season, "transform": self.transform, "trend": self.trend}
        return {**super().options, **own, "pool": self.share}

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Choose the parameters, then collect the residuals known at ``until``."""
        from lanecast.models.classical.smoothing_kernels import losses

        self._sets, self._scale = {}, {}
        sets_G4, horizon = self._grid(), self.windows.horizon
        season = season_of(self.season, panel.schema.freq)
        names, rows = [], []
        for number, series in enumerate(panel.series):
            y_T = self._history(panel, number, until)
            if not len(y_T):
                continue
            self._scale[str(series)] = float(np.nanmean(np.abs(y_T))) or 1.0
            if len(y_T) < 2 * season + horizon:
                continue
            loss_G = np.empty(len(sets_G4))
            losses(self._forth(y_T, self._scale[str(series)]), season, horizon, sets_G4, loss_G)
            if np.isfinite(loss_G).all() and loss_G.min() > 0:
                names.append(str(series))
                rows.append(loss_G / loss_G.min())
        if rows:
            shared_G = np.mean(rows, axis=0)
            self._shared = tuple(sets_G4[shared_G.argmin()].tolist())
            for name, loss_G in zip(names, rows, strict=True):
                best = ((1 - self.share) * loss_G + self.share * shared_G).argmin()
                self._sets[name] = tuple(sets_G4[best].tolist())
        else:
            self._shared = USUAL
        return super().fit(panel, until=until, reporter=reporter)

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `Baseline`; always finite."""
        from lanecast.models.classical.smoothing_kernels import forecasts

        wait = -int(panel.schema.last_visible(TARGET))
        horizon, season = self.windows.horizon, season_of(self.season, panel.schema.freq)
        point_WH = np.zeros((len(at), horizon))
        order = np.lexsort((at.cutoff_W, at.series_W))
        edges = np.flatnonzero(np.diff(at.series_W[order], prepend=-1))
        for rows in np.split(order, edges[1:]):
            if not len(rows):
                continue
            number = int(at.series_W[rows[0]])
            name = str(panel.series[number])
            y_T = self._history(panel, number, int(at.cutoff_W[rows[-1]]))
            ends_C = len(y_T) - (at.cutoff_W[rows[-1]] - at.cutoff_W[rows])
            self._count("no_history", int((ends_C < 1).sum()))
            if not len(y_T):
                continue
            scale = self._scale_of(y_T[: 2 * season], name)
            y_T = self._forth(y_T, scale)
            weights = np.array(self._sets.get(name, self._shared))
            ahead_CH = np.full((len(rows), wait + horizon), np.nan)
            # The first two seasons set the filter up: a cutoff inside them has a run of its own.
            young = np.flatnonzero((ends_C >= 1) & (ends_C < 2 * season))
            for window in young:
                end = ends_C[window : window + 1]
                forecasts(y_T[: end[0]], season, end, weights, ahead_CH[window : window + 1])
            old = np.flatnonzero(ends_C >= max(2 * season, 1))
            if len(old):
                ahead = np.empty((len(old), wait + horizon))
                forecasts(y_T, season, ends_C[old], weights, ahead)
                ahead_CH[old] = ahead
            known = ends_C >= 1
            point_WH[rows[known]] = self._back(ahead_CH[known, wait:], scale)
        return point_WH

    def _history(self, panel: Panel, number: int, cutoff: int) -> np.ndarray:
        """The targets of a series visible at a cutoff, from the first present one on."""
        newest = cutoff + int(panel.schema.last_visible(TARGET))
        low = int(panel.low[number])
        stop = int(np.clip(newest + 1 - panel.start[number], 0, panel.high[number] - low))
        y_T = panel.cells(TARGET).numpy()[low : low + stop].astype(np.float64)
        silent = max(0, newest + 1 - int(panel.start[number]) - stop)
        present = np.flatnonzero(np.isfinite(y_T))
        if not len(present):
            return y_T[:0]
        return np.concatenate([y_T[present[0] :], np.full(silent, np.nan)])

    def _scale_of(self, first_T: np.ndarray, name: str) -> float:
        """Of the fit; of a series that it did not see, the first two seasons."""
        if name in self._scale:
            return self._scale[name]
        return float(np.nanmean(np.abs(first_T))) or 1.0

    def _forth(self, y_T: np.ndarray, scale: float) -> np.ndarray:
        scaled = y_T / scale
        if self.transform == "log":
            linked: np.ndarray = np.log(np.maximum(scaled, 0) + FLOOR)
            return linked
        return np.sqrt(np.maximum(scaled, 0)) if self.transform == "sqrt" else scaled

    def _back(self, ahead_CH: np.ndarray, scale: float) -> np.ndarray:
        if self.transform == "log":
            ahead_CH = np.maximum(np.exp(np.minimum(ahead_CH, HIGHEST)) - FLOOR, 0)
        elif self.transform == "sqrt":
            ahead_CH = np.maximum(ahead_CH, 0) ** 2
        return ahead_CH * scale

    def _grid(self) -> np.ndarray:
        """Parameter sets, [G, 4]."""
        flat = [(level, 0.0, season, 0.0) for level, season in product(LEVEL, SEASON)]
        steep = product(LEVEL, TREND, SEASON, DAMPING) if self.trend else ()
        return np.array([*flat, *steep])

    def save(self, folder: Path) -> None:
        """Also the parameters."""
        super().save(folder)
        state = {"sets": self._sets, "shared": self._shared, "scale": self._scale}
        (folder / "parameters.json").write_text(json.dumps(state))

    def load(self, folder: Path) -> Self:
        """Also the parameters."""
        super().load(folder)
        state = json.loads((folder / "parameters.json").read_text())
        self._sets = {name: tuple(values) for name, values in state["sets"].items()}
        self._shared, self._scale = tuple(state["shared"]), state["scale"]
        return self
