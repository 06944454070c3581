"""Intervals for paired differences.  Axes: ``C`` cutoffs."""

from __future__ import annotations

import math

import numpy as np


def paired_interval(
    difference_C: np.ndarray, weight_C: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Mean of a paired difference and its Student-t interval; the blocks are cutoffs.

    ``weight_C`` is the denominator that the metric has at each cutoff (the sum of absolute actuals
    for wape), so that the mean equals the difference of the pooled metrics exactly.  Cutoffs count
    as independent, which holds better the farther apart they are; with windows that overlap the
    interval is too narrow.  One cutoff gives a mean and no interval (nan).
    """
    from scipy.stats import t

    weight = np.asarray(weight_C, dtype=np.float64)
    block_C = np.asarray(difference_C, dtype=np.float64) * weight / weight.mean()
    mean, num_blocks = float(block_C.mean()), len(block_C)
    if num_blocks < 2:
        return mean, math.nan, math.nan
    half = float(t.ppf(0.5 + confidence / 2, num_blocks - 1) * block_C.std(ddof=1))
    half /= math.sqrt(num_blocks)
    return mean, mean - half, mean + half
