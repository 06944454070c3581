"""Intervals and joint paths for point forecasts, from what the same forecast missed in the past.

Source: residual paths ``y - point`` over whole horizons, from rolling origins whose labels are
known at ``until``.  Aggregation: each path is divided by the window's level (mean |y| it can see)
and by its series' relative error (mean |y - point| / level, shrunk toward all series), then all
series share one pool.  The pool is centered by its median per step, so that the point forecast
stays the median; a bias of the point forecast therefore remains visible in the metrics.

Axes: ``R`` residual paths, ``W`` windows, ``H`` horizon, ``Q`` quantile levels, ``S`` samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.models.quantiles.finishing import finish, window_uniforms

STRENGTH = 4.0  # residual paths that the error shared by all series counts for, when shrinking
MAX_PATHS = 20_000  # more paths change no quantile visibly, but cost memory


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualPool:
    """Scaled residual paths and the scale of each series, as known at one ``until``.

    ``error`` maps unique_id to its relative error; a series it lacks gets ``shared_error``.
    ``least_level`` keeps the level of a series of zeros above zero.
    """

    paths_RH: np.ndarray
    error: Mapping[str, float]
    shared_error: float
    least_level: float

    @classmethod
    def estimate(
        cls,
        *,
        panel: Panel,
        at: WindowIndex,
        point_WH: np.ndarray,
        label_WH: np.ndarray,
        level_W: np.ndarray,
    ) -> ResidualPool:
        """Pool the windows whose point and label are complete; without any, one path of zeros."""
        miss_WH = label_WH - point_WH
        whole_W = np.isfinite(miss_WH).all(axis=1)
        if not whole_W.any():
            zero = np.zeros((1, point_WH.shape[1]))
            return cls(paths_RH=zero, error={}, shared_error=0.0, least_level=1.0)
        least = 1e-3 * float(level_W[whole_W].mean()) or 1.0
        path_RH = miss_WH[whole_W] / np.maximum(level_W[whole_W], least)[:, None]
        owner_R = at.series_W[whole_W]
        size_R = np.abs(path_RH).mean(axis=1)
        shared = float(size_R.mean())
        count_N = np.bincount(owner_R, minlength=panel.num_series)
        total_N = np.bincount(owner_R, weights=size_R, minlength=panel.num_series)
        error_N = (total_N + STRENGTH * shared) / (count_N + STRENGTH)
        path_RH = path_RH / np.maximum(error_N[owner_R], 1e-12)[:, None]
        if len(path_RH) > MAX_PATHS:
            path_RH = path_RH[np.linspace(0, len(path_RH) - 1, MAX_PATHS).astype(np.int64)]
        return cls(
            paths_RH=path_RH - np.median(path_RH, axis=0),
            error={str(panel.series[i]): float(error_N[i]) for i in np.flatnonzero(count_N)},
            shared_error=shared,
            least_level=least,
        )

    def scale(self, panel: Panel, at: WindowIndex, level_W: np.ndarray) -> np.ndarray:
        """What a path is multiplied by, [W]: the window's level times its series' error."""
        error_N = [self.error.get(str(name), self.shared_error) for name in panel.series]
        return np.asarray(np.maximum(level_W, self.least_level) * np.array(error_N)[at.series_W])

    def quantiles(
        self, point_WH: np.ndarray, scale_W: np.ndarray, levels: Sequence[float]
    ) -> np.ndarray:
        """Quantiles around the point forecast, [W, H, Q] in the order of ``levels``."""
        shift_HQ = np.quantile(self.paths_RH, levels, axis=0).T
        shift_HQ[:, np.asarray(levels) == 0.5] = 0.0
        return np.asarray(point_WH[..., None] + scale_W[:, None, None] * shift_HQ)

    def samples(
        self,
        panel: Panel,
        point_WH: np.ndarray,
        scale_W: np.ndarray,
        at: WindowIndex,
        num: int,
        seed: int,
    ) -> np.ndarray:
        """Point forecast plus whole residual paths drawn with replacement, [S, W, H]."""
        draw_SW = window_uniforms(panel, at, num=num, size=1, seed=seed)[..., 0]
        row_SW = np.minimum((draw_SW * len(self.paths_RH)).astype(np.int64), len(self.paths_RH) - 1)
        return np.asarray(point_WH + scale_W[:, None] * self.paths_RH[row_SW])

    def forecasts(
        self,
        *,
        panel: Panel,
        at: WindowIndex,
        point_WH: np.ndarray,
        level_W: np.ndarray,
        quantiles: Sequence[float] | None,
        samples: int | None,
        seed: int,
    ) -> Forecasts:
        """The point forecasts with whatever else was asked for; see `finish`."""
        scale_W = self.scale(panel, at, level_W)
        return finish(
            panel=panel,
            at=at,
            point_WH=point_WH,
            levels=tuple(quantiles or ()),
            quantiles_WHQ=self.quantiles(point_WH, scale_W, quantiles) if quantiles else None,
            samples_SWH=self.samples(panel, point_WH, scale_W, at, samples, seed)
            if samples
            else None,
        )

    def save(self, path: Path) -> None:
        """Write the pool as one .npz file of plain arrays."""
        np.savez(
            path,
            paths_RH=self.paths_RH,
            names=np.array(list(self.error), dtype=str),
            errors=np.array(list(self.error.values()), dtype=np.float64),
            shared=np.array([self.shared_error, self.least_level]),
        )

    @classmethod
    def load(cls, path: Path) -> ResidualPool:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            state: dict[str, Any] = {name: file[name] for name in file.files}
        return cls(
            paths_RH=state["paths_RH"],
            error=dict(zip(map(str, state["names"]), map(float, state["errors"]), strict=True)),
            shared_error=float(state["shared"][0]),
            least_level=float(state["shared"][1]),
        )


def window_levels(y_WL: np.ndarray) -> np.ndarray:
    """Mean |y| of what each window sees, [W]; 0 where it sees nothing."""
    seen_WL = np.isfinite(y_WL)
    total_W = np.where(seen_WL, np.abs(y_WL), 0.0).sum(axis=1)
    return np.asarray(total_W / np.maximum(seen_WL.sum(axis=1), 1))
