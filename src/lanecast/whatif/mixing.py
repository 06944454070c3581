"""Quantile grids and paths brought together: mixtures over sampled futures, grids from paths.

Axes: ``S`` samples, ``W`` windows, ``H`` horizon, ``Q`` levels.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import Column
from lanecast.data.windows import WindowIndex
from lanecast.models.quantiles.grids import at_scores
from lanecast.models.quantiles.support import on_support
from lanecast.seeding import hashed_uniforms

POSITIONS: Literal["weibull"] = "weibull"  # of order statistics: intervals cover what they say
GRID = tuple(round(k / 20, 2) for k in range(1, 20))  # levels a forecaster is asked for


def mixture(
    panel: Panel,
    at: WindowIndex,
    grids_SWHQ: np.ndarray,
    quantiles: tuple[float, ...],
    samples: int | None,
    seed: int,
    target: Column,
) -> Forecasts:
    """Forecasts from grids at `GRID` that are equally likely; the point is the mixture's median.

    The quantiles of one grid are the grid itself: level k / 20 is the k-th of its 19 values.
    """
    pooled = np.moveaxis(grids_SWHQ, 0, -2).reshape(*grids_SWHQ.shape[1:3], -1)
    wanted = [*quantiles, 0.5]
    grid_WHQ = np.moveaxis(np.quantile(pooled, wanted, axis=-1, method=POSITIONS), 0, -1)
    paths = None
    if samples:
        paths = _paths(panel, at, grids_SWHQ, samples, seed)
    return Forecasts(
        index=at,
        point_WH=on_support(grid_WHQ[..., -1], target),
        levels=quantiles,
        quantiles_WHQ=on_support(grid_WHQ[..., :-1], target) if quantiles else None,
        samples_SWH=None if paths is None else on_support(paths, target),
    )


def on_grid(
    at: WindowIndex,
    paths_SWH: np.ndarray,
    quantiles: tuple[float, ...],
    samples: int | None,
    target: Column,
) -> Forecasts:
    """Forecasts from joint paths: the point is their median, step by step."""
    grid = None
    if quantiles:
        grid = np.moveaxis(np.quantile(paths_SWH, quantiles, axis=0, method=POSITIONS), 0, -1)
    return Forecasts(
        index=at,
        point_WH=on_support(np.median(paths_SWH, axis=0), target),
        levels=quantiles,
        quantiles_WHQ=None if grid is None else on_support(grid, target),
        samples_SWH=on_support(paths_SWH[:samples], target) if samples else None,
    )


def _paths(
    panel: Panel, at: WindowIndex, grids_SWHQ: np.ndarray, samples: int, seed: int
) -> np.ndarray:
    """One level for all steps of a path: errors of one window go together over the horizon."""
    from scipy.special import ndtri

    keys = panel.noise_keys(at.series_W, at.cutoff_W)
    drawn = hashed_uniforms(*keys, num=samples, size=1, seed=seed + 1)
    paths = [
        at_scores(grids_SWHQ[k % len(grids_SWHQ)], GRID, ndtri(drawn[k])) for k in range(samples)
    ]
    return np.stack(paths)
