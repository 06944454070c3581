"""Compiled loops of `lanecast.models.classical.smoothing`; numba is imported with this module.

Additive season, damped trend, errors corrected step by step (Holt and Winters).  A missing value is
taken as forecast.  Axes: ``T`` steps of one series, ``C`` cutoffs, ``G`` parameter sets, ``H``
steps ahead.  A set of parameters: level, trend, season, damping.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def forecasts(
    y_T: np.ndarray, season: int, ends_C: np.ndarray, weights_4: np.ndarray, ahead_CH: np.ndarray
) -> None:
    """Forecasts after the first ``ends`` values, ascending, each from those values alone."""
    level_weight, trend_weight, season_weight, damping = weights_4
    steps, horizon = len(y_T), ahead_CH.shape[1]
    first = min(2 * season, steps)
    level, seen = 0.0, 0
    for t in range(first):
        if not np.isnan(y_T[t]):
            level += y_T[t]
            seen += 1
    level /= max(seen, 1)
    phase_S, count_S = np.zeros(season), np.zeros(season)
    for t in range(first):
        if not np.isnan(y_T[t]):
            phase_S[t % season] += y_T[t] - level
            count_S[t % season] += 1
    for s in range(season):
        phase_S[s] /= max(count_S[s], 1.0)
    slope, cutoff = 0.0, 0
    for t in range(steps + 1):
        while cutoff < len(ends_C) and ends_C[cutoff] == t:
            growth, power = 0.0, damping
            for h in range(horizon):
                growth += power * slope
                power *= damping
                ahead_CH[cutoff, h] = level + growth + phase_S[(t + h) % season]
            cutoff += 1
        if cutoff == len(ends_C):
            return
        at = t % season
        error = 0.0
        if not np.isnan(y_T[t]):
            error = y_T[t] - (level + damping * slope + phase_S[at])
        level += damping * slope + level_weight * error
        slope = damping * slope + level_weight * trend_weight * error
        phase_S[at] += season_weight * error


@njit(cache=True)
def losses(
    y_T: np.ndarray, season: int, horizon: int, sets_G4: np.ndarray, loss_G: np.ndarray
) -> None:
    """Mean absolute error over all origins from the second season on, and all steps ahead."""
    ends_C = np.arange(2 * season, len(y_T) - horizon + 1)
    ahead_CH = np.empty((len(ends_C), horizon))
    for g in range(len(sets_G4)):
        forecasts(y_T, season, ends_C, sets_G4[g], ahead_CH)
        total, seen = 0.0, 0
        for c in range(len(ends_C)):
            for h in range(horizon):
                y = y_T[ends_C[c] + h]
                if not np.isnan(y):
                    total += abs(y - ahead_CH[c, h])
                    seen += 1
        loss_G[g] = total / seen if seen > 0 else np.nan
