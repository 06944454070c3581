"""Sample paths that are joint over the horizon: a Gaussian copula over quantile grids.

A grid of quantiles at known levels is a distribution function.  Values in it become normal scores;
their correlation over the horizon, learned on windows known at the fit, makes paths out of
marginals (Wen and Torkkola 2019, arXiv 1907.10697).  Between levels quantiles are linear in the
normal score, beyond the outermost two they continue that line.
Axes: ``W`` windows, ``H`` horizon, ``Q`` levels, ``S`` samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from lanecast.seeding import hashed_uniforms

# Fine enough to carry a distribution through a correction.
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
_MIN_SPREAD = 1e-9  # of normal scores
_LEAST = 1e-300  # between two quantiles
_SHRINK = 0.05
_MAX_SCORE = 5.0
_BLOCK = 1 << 13  # windows


def at_scores(grid_WHQ: np.ndarray, levels: Sequence[float], z_WH: np.ndarray) -> np.ndarray:
    """Quantiles at normal scores ``z`` (broadcast to [W, H]), [W, H]."""
    scores = ndtri(np.asarray(levels))
    if len(scores) == 1:
        return np.broadcast_to(
            grid_WHQ[..., 0], np.broadcast_shapes(z_WH.shape, grid_WHQ.shape[:2])
        )
    right = np.clip(np.searchsorted(scores, z_WH), 1, len(scores) - 1)
    low, high = scores[right - 1], scores[right]
    shape = np.broadcast_shapes(right.shape, grid_WHQ.shape[:2])
    right = np.broadcast_to(right, shape)[..., None]
    below = np.take_along_axis(grid_WHQ, right - 1, axis=-1)[..., 0]
    above = np.take_along_axis(grid_WHQ, right, axis=-1)[..., 0]
    return below + (above - below) * (z_WH - low) / (high - low)


def at_levels(grid_WHQ: np.ndarray, levels: Sequence[float], wanted: Sequence[float]) -> np.ndarray:
    """Quantiles at ``wanted`` levels, [W, H, len(wanted)]; exact at levels of the grid."""
    columns = []
    for level in wanted:
        if level in levels:
            columns.append(grid_WHQ[..., list(levels).index(level)])
        else:
            columns.append(at_scores(grid_WHQ, levels, np.full((1, 1), ndtri(level))))
    return np.stack(columns, axis=-1) if columns else grid_WHQ[..., :0]


def around(point_WH: np.ndarray, grid_WHQ: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles in order, those below the median not above the point, and the reverse."""
    point = point_WH[..., None].astype(np.float64)
    level_Q = np.asarray(levels)
    grid = np.where(level_Q < 0.5, np.minimum(grid_WHQ, point), np.maximum(grid_WHQ, point))
    grid = np.where(level_Q == 0.5, point, grid)
    rank_Q = np.argsort(np.argsort(level_Q))
    return np.asarray(np.sort(grid, axis=-1)[..., rank_Q])


def scores_of(grid_WHQ: np.ndarray, levels: Sequence[float], y_WH: np.ndarray) -> np.ndarray:
    """Normal score of each value within its grid, clipped at +-5, [W, H]; block by block."""
    z_WH = np.empty(y_WH.shape)
    for low in range(0, len(y_WH), _BLOCK):
        block = slice(low, low + _BLOCK)
        z_WH[block] = _scores(grid_WHQ[block], ndtri(np.asarray(levels)), y_WH[block])
    return z_WH


def _scores(grid_WHQ: np.ndarray, scores: np.ndarray, y_WH: np.ndarray) -> np.ndarray:
    right = np.clip((grid_WHQ < y_WH[..., None]).sum(axis=-1), 1, len(scores) - 1)
    below = np.take_along_axis(grid_WHQ, right[..., None] - 1, axis=-1)[..., 0]
    above = np.take_along_axis(grid_WHQ, right[..., None], axis=-1)[..., 0]
    gap = np.maximum(above.astype(np.float64) - below, _LEAST)
    with np.errstate(over="ignore"):  # clipped below
        share = (y_WH - below) / gap
    z = scores[right - 1] + share * (scores[right] - scores[right - 1])
    return np.clip(z, -_MAX_SCORE, _MAX_SCORE)


def horizon_correlation(z_WH: np.ndarray, seen_WH: np.ndarray) -> np.ndarray:
    """Correlation of the scores between steps, shrunk to the identity, [H, H]."""
    horizon = z_WH.shape[1]
    complete = z_WH[seen_WH.all(axis=1)].astype(np.float64)
    if len(complete) < 2 * horizon:
        return np.eye(horizon)
    spread = complete.std(axis=0)
    if (spread < _MIN_SPREAD).any():
        return np.eye(horizon)
    correlation = np.corrcoef(complete, rowvar=False)
    return (1 - _SHRINK) * correlation + _SHRINK * np.eye(horizon)


def sample_paths(
    grid_WHQ: np.ndarray,
    levels: Sequence[float],
    *,
    correlation_HH: np.ndarray,
    samples: int,
    seed: int,
    keys: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Paths, [S, W, H].  A window's paths depend on its two keys and the seed alone."""
    num_windows, horizon = grid_WHQ.shape[:2]
    root = np.linalg.cholesky(correlation_HH)
    paths = np.empty((samples, num_windows, horizon), dtype=np.float32)
    for number in range(samples):
        drawn = hashed_uniforms(*keys, num=1, size=horizon, seed=seed, skip=number)[0]
        # Not a product of matrices: its rounding may depend on how many windows there are.
        z = np.einsum("wk,hk->wh", ndtri(drawn), root, optimize=False)
        paths[number] = at_scores(grid_WHQ, levels, z)
    return paths
