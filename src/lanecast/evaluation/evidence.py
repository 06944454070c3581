"""What overlapping windows of few cutoffs tell of a mean: how much, and with what variance.

Windows that share target days share their shocks, so neighbouring cutoffs are no independent
witnesses.  The shares are known, from the cutoffs and the horizon: of two windows ``d`` steps
apart ``1 - d / horizon``.  The variance of a mean is estimated from as many low-frequency cosines
as there are independent windows but one (equal-weighted cosines: Lazarus, Lewis, Stock and Watson
2018), each brought to the scale that the shares give it and made independent of the mean.  So the
t statistic has Student's distribution with that many degrees of freedom, exactly where shocks are
normal and independent by day, and it is the ordinary one where windows do not overlap.

Axes: ``C`` cutoffs in time order, ``B`` cosines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MIN_WINDOWS = 4  # independent ones; below them nothing is claimed
MAX_COSINES = 12  # more hardly narrow an interval, and high ones miss dependence beyond shared days


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Of the mean over cutoffs: ``windows`` independent ones stand behind it.

    ``lags``: the most later windows that share days with one.  ``projection_BC`` takes what was
    seen at the cutoffs to numbers of equal variance, ``scale`` times which is that of the mean.
    """

    windows: float
    lags: int
    projection_BC: np.ndarray
    scale: float

    @property
    def enough(self) -> bool:
        """Whether an interval and a claim can be made."""
        return self.windows >= MIN_WINDOWS

    @property
    def degrees(self) -> int:
        """Degrees of freedom of `variance`."""
        return len(self.projection_BC)

    def variance(self, seen_XC: np.ndarray) -> np.ndarray:
        """Variance of the mean over the last axis; nan without a degree of freedom."""
        if not self.degrees:
            return np.full(np.shape(seen_XC)[:-1], math.nan)
        projected_XB = np.asarray(seen_XC, dtype=np.float64) @ self.projection_BC.T
        return np.asarray(self.scale * (projected_XB**2).mean(axis=-1))


def evidence(step_C: Sequence[int], horizon: int = 1) -> Evidence:
    """Of cutoffs at these steps of the panel, ascending, with windows of ``horizon`` steps."""
    return _evidence(tuple(int(step) for step in step_C), int(horizon))


@lru_cache(maxsize=32)
def _evidence(steps: tuple[int, ...], horizon: int) -> Evidence:
    step_C, count = np.array(steps), len(steps)
    share_CC = np.clip(1.0 - np.abs(step_C[:, None] - step_C) / horizon, 0.0, None)
    # New target days of a cutoff; of the last one, what the others have on average.
    fresh = int(np.minimum(np.diff(step_C), horizon).sum())
    total, whole = (count * fresh, (count - 1) * horizon) if count > 1 else (count, 1)
    return Evidence(
        windows=total / whole,
        lags=int((np.triu(share_CC, 1) > 0).sum(axis=1).max(initial=0)),
        projection_BC=_projection(share_CC, min(total // whole - 1, MAX_COSINES)),
        scale=float(share_CC.sum()) / max(count, 1) ** 2,
    )


def _projection(share_CC: np.ndarray, num: int) -> np.ndarray:
    """The first ``num`` cosines without what they share with the mean, at equal variances."""
    count = len(share_CC)
    if num < 1:
        return np.empty((0, count))
    places = np.pi * (np.arange(count) + 0.5) / count
    cosine_CB = np.cos(np.outer(places, np.arange(1, num + 1)))
    edge_C = share_CC.sum(axis=0) - share_CC.sum() / count  # windows at the edges share less
    if edge_C @ edge_C > 1e-12:
        cosine_CB -= np.outer(edge_C, edge_C @ cosine_CB) / (edge_C @ edge_C)
    covariance_BB = cosine_CB.T @ share_CC @ cosine_CB
    return np.asarray(np.linalg.solve(np.linalg.cholesky(covariance_BB), cosine_CB.T))
