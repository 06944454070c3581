"""Is a mean product zero?  Standard errors for panels: shared days, series with memory.

Axes: ``R`` rows, each of one series and one day; ``K`` columns to be partialled out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FEW = 20  # clusters by series are used from here on; fewer say too little about their spread
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Test of ``E[u c] = 0``: slope of u on c with its error, t, two-sided p and correlation."""

    slope: float
    error: float
    statistic: float
    p: float
    correlation: float


@dataclass(frozen=True, slots=True)
class Partial:
    """Takes out of a column what is linear in ``inputs``, by weighted least squares.

    The weight is how far a small error of the mechanism's mean moves its residual.  What is left of
    a candidate is then orthogonal to every such error that is linear in the inputs, so that an
    estimated mechanism does not pass for a missing edge.
    """

    inputs_RK: np.ndarray
    weighted_KR: np.ndarray
    inverse_KK: np.ndarray

    @classmethod
    def of(cls, inputs_RK: np.ndarray, weight_R: np.ndarray) -> Partial:
        """Prepare the projection; columns may be collinear."""
        spread_K = np.sqrt((inputs_RK**2).mean(axis=0))
        inputs_RK = inputs_RK / np.where(spread_K > _TINY, spread_K, 1.0)
        weighted_KR = (inputs_RK * weight_R[:, None]).T
        inverse = np.linalg.pinv(weighted_KR @ inputs_RK, rcond=1e-10, hermitian=True)
        return cls(inputs_RK, weighted_KR, inverse)

    def left_of(self, column_R: np.ndarray) -> np.ndarray:
        """The part of a column that the inputs do not tell, [R]."""
        return column_R - self.inputs_RK @ (self.inverse_KK @ (self.weighted_KR @ column_R))


def product(
    u_R: np.ndarray, c_R: np.ndarray, *, series_R: np.ndarray, day_R: np.ndarray
) -> Product:
    """Test whether ``u`` and ``c`` move together.

    The variance is that of Driscoll and Kraay (1998) - sums over each day, Newey-West over days -
    plus that of clusters by series less what both count (Thompson 2011), and never less than either
    alone.  p is of Student's t with as many degrees of freedom as the scarcer cluster allows.
    """
    from scipy.stats import t

    square = float(c_R @ c_R)
    slope = float(u_R @ c_R) / square
    score_R = (u_R - slope * c_R) * c_R
    days = np.unique(day_R)
    by_day = np.bincount(np.searchsorted(days, day_R), score_R, len(days))
    # a day without rows between two others counts as 0, so that lags are lags in time
    calendar = np.zeros(int(days[-1] - days[0]) + 1)
    calendar[(days - days[0]).astype(np.int64)] = by_day
    daily = newey_west(calendar) * len(days) / max(1, len(days) - 1)
    variance, freedom = daily, len(days) - 1
    owners = np.unique(series_R)
    if len(owners) >= _FEW:
        sums = np.bincount(np.searchsorted(owners, series_R), score_R, len(owners))
        own = float(sums @ sums) * len(owners) / (len(owners) - 1)
        variance = max(daily, own, daily + own - float(score_R @ score_R))
        freedom = min(freedom, len(owners) - 1)
    error = float(np.sqrt(max(variance, _TINY))) / square
    statistic = slope / error
    return Product(
        slope=slope,
        error=error,
        statistic=statistic,
        p=float(2 * t.sf(abs(statistic), max(1, freedom))),
        correlation=slope * float(np.sqrt(square / max(float(u_R @ u_R), _TINY))),
    )


def newey_west(sums_T: np.ndarray) -> float:
    """Long-run variance of a sum, Bartlett weights over ``4 (T / 100)^(2/9)`` lags."""
    steps = len(sums_T)
    lags = min(int(4 * (steps / 100) ** (2 / 9)), steps - 1)
    total = float(sums_T @ sums_T)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(sums_T[lag:] @ sums_T[:-lag])
    return max(total, 0.0)


def benjamini_hochberg(p_K: np.ndarray) -> np.ndarray:
    """Smallest false discovery rate at which each test is rejected, [K]."""
    count = len(p_K)
    order = np.argsort(p_K)
    scaled = p_K[order] * count / np.arange(1, count + 1)
    q_K = np.empty(count)
    q_K[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q_K
