"""Metrics as ratios of sums over cells: sums of chunks, windows and slices add up, ratios do not.

A cell is one step of one window.  `point_terms` and `quantile_terms` give what each cell adds;
`ratios` divides sums of them.  A cell that is not seen adds nothing.  A ratio whose denominator
is 0 is nan, never a number.  Axes: ``W`` windows, ``H`` horizon, ``Q`` quantile levels.

| metric | aggregation over the named cells |
|---|---|
| wape | sum of abs(forecast - actual) / sum of abs(actual) |
| bias | sum of (forecast - actual) / abs(sum of actual): positive = too high |
| mae, mse, rmse | mean over cells; rmse is the root of that mean |
| mase | per window: mae / in-sample seasonal-naive mae known at its cutoff; mean over windows |
| wql | 2 * pinball, averaged over levels, summed / sum of abs(actual) |
| coverage_80, coverage_90 | share of cells inside the central interval, bounds included |
| width_80, width_90 | mean width of that interval, in the target's unit |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

INTERVALS = MappingProxyType({80: (0.1, 0.9), 90: (0.05, 0.95)})
RATIOS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "wape": ("abs_error", "abs_y"),
        "bias": ("error", "y"),
        "mae": ("abs_error", "cells"),
        "mse": ("squared_error", "cells"),
        "rmse": ("squared_error", "cells"),
        "mase": ("scaled_error", "scaled"),
        "wql": ("double_pinball", "abs_y"),
        "coverage_80": ("inside_80", "cells"),
        "coverage_90": ("inside_90", "cells"),
        "width_80": ("width_80", "cells"),
        "width_90": ("width_90", "cells"),
    }
)

Terms = dict[str, np.ndarray]  # what each cell, or each window, adds to the sums of `RATIOS`


def point_terms(y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray) -> Terms:
    """What each cell adds to the sums behind the point metrics; 0 where it is not seen."""
    y = np.where(seen_WH, y_WH, 0.0).astype(np.float64)
    error = np.where(seen_WH, point_WH, 0.0) - y
    return {
        "cells": seen_WH.astype(np.float64),
        "y": y,
        "abs_y": np.abs(y),
        "error": error,
        "abs_error": np.abs(error),
        "squared_error": error * error,
    }


def quantile_terms(
    y_WH: np.ndarray, seen_WH: np.ndarray, quantiles_WHQ: np.ndarray, levels: Sequence[float]
) -> Terms:
    """What each cell adds to wql, coverage and width; no interval without its two levels."""
    tau_Q = np.asarray(levels, dtype=np.float64)
    y = np.where(seen_WH, y_WH, 0.0).astype(np.float64)
    # The quantiles of one level, [W, H], side by side: level by level each pass stays in the cache.
    columns = [quantiles_WHQ[..., number].astype(np.float64) for number in range(len(tau_Q))]
    if not seen_WH.all():
        hidden_WH = ~seen_WH
        for q_WH in columns:
            q_WH[hidden_WH] = 0.0
    pinball, part = np.zeros_like(y), np.empty_like(y)
    for tau, q_WH in zip(tau_Q, columns, strict=True):
        over = q_WH - y
        # With e = -over, max(tau e, (tau - 1) e) = max(over, 0) - tau over: one product fewer.
        pinball -= np.multiply(over, tau, out=part)
        pinball += np.maximum(over, 0.0, out=over)
    terms = {"double_pinball": 2.0 * pinball / len(tau_Q)}
    for percent, bounds in INTERVALS.items():
        at = [np.flatnonzero(np.isclose(tau_Q, bound, rtol=0, atol=1e-9)) for bound in bounds]
        if all(len(places) for places in at):
            low, high = (columns[int(places[0])] for places in at)
            terms[f"inside_{percent}"] = ((low <= y) & (y <= high) & seen_WH).astype(np.float64)
            terms[f"width_{percent}"] = high - low
    return terms


def scaled_terms(abs_error: np.ndarray, cells: np.ndarray, scale_W: np.ndarray) -> Terms:
    """What each window adds to mase, from its sums ``[W]`` or ``[horizon groups, W]``.

    A window whose scale is 0 or unknown, or with no seen cell, adds nothing; ``scaled`` counts
    the others.
    """
    defined = (cells > 0) & np.isfinite(scale_W) & (scale_W > 0)
    denominator = np.where(defined, cells * scale_W, 1.0)
    return {
        "scaled_error": np.where(defined, abs_error / denominator, 0.0),
        "scaled": defined.astype(np.float64),
    }


def ratios(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every metric that the sums allow, elementwise; nan where a denominator is 0."""
    metrics = {}
    for metric, (above, below) in RATIOS.items():
        if above not in sums or below not in sums:
            continue
        denominator = np.abs(np.asarray(sums[below], dtype=np.float64))
        empty = denominator == 0
        value = np.where(empty, np.nan, sums[above] / np.where(empty, 1.0, denominator))
        metrics[metric] = np.sqrt(value) if metric == "rmse" else value
    return metrics


def wape(y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray) -> float:
    """Sum of absolute errors over the sum of absolute actuals."""
    return _point("wape", y_WH, seen_WH, point_WH)


def bias(y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray) -> float:
    """Sum of (forecast - actual) over the sum of actuals; positive means too high."""
    return _point("bias", y_WH, seen_WH, point_WH)


def mae(y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray) -> float:
    """Mean absolute error over cells."""
    return _point("mae", y_WH, seen_WH, point_WH)


def mse(y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray) -> float:
    """Mean squared error over cells."""
    return _point("mse", y_WH, seen_WH, point_WH)


def rmse(y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray) -> float:
    """Root of the mean squared error over cells."""
    return _point("rmse", y_WH, seen_WH, point_WH)


def mase(y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray, scale_W: np.ndarray) -> float:
    """Mean over windows of mae / scale; windows without a positive scale are left out."""
    terms = point_terms(y_WH, seen_WH, point_WH)
    abs_error_W, cells_W = terms["abs_error"].sum(axis=1), terms["cells"].sum(axis=1)
    return _only("mase", scaled_terms(abs_error_W, cells_W, scale_W))


def wql(
    y_WH: np.ndarray, seen_WH: np.ndarray, quantiles_WHQ: np.ndarray, levels: Sequence[float]
) -> float:
    """Sum of twice the pinball loss, averaged over levels, over the sum of abs(actual)."""
    abs_y = {"abs_y": np.abs(np.where(seen_WH, y_WH, 0.0))}
    return _only("wql", quantile_terms(y_WH, seen_WH, quantiles_WHQ, levels) | abs_y)


def coverage(
    y_WH: np.ndarray,
    seen_WH: np.ndarray,
    quantiles_WHQ: np.ndarray,
    levels: Sequence[float],
    *,
    percent: int,
) -> float:
    """Share of cells inside the central interval; KeyError if its two levels are not there."""
    terms = quantile_terms(y_WH, seen_WH, quantiles_WHQ, levels)
    return _only(f"coverage_{percent}", terms | {"cells": seen_WH})


def width(
    y_WH: np.ndarray,
    seen_WH: np.ndarray,
    quantiles_WHQ: np.ndarray,
    levels: Sequence[float],
    *,
    percent: int,
) -> float:
    """Mean width of the central interval; KeyError if its two levels are not there."""
    terms = quantile_terms(y_WH, seen_WH, quantiles_WHQ, levels)
    return _only(f"width_{percent}", terms | {"cells": seen_WH})


def _point(metric: str, y_WH: np.ndarray, seen_WH: np.ndarray, point_WH: np.ndarray) -> float:
    return _only(metric, point_terms(y_WH, seen_WH, point_WH))


def _only(metric: str, terms: Mapping[str, np.ndarray]) -> float:
    sums = {name: np.asarray(terms[name].sum()) for name in RATIOS[metric]}
    return float(ratios(sums)[metric])
