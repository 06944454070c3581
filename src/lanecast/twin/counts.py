"""Counts from a rate and fixed noise, never decreasing in the rate (equation 6, thinning).

A negative binomial is a Poisson count whose rate carries a Gamma factor.  Both come from one
normal each by quantiles, so two worlds with the same noise and nearby rates have nearby counts.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

SMALL = 12.0  # below, the Poisson quantile is searched exactly


def gamma_factor(shape: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Gamma(shape) / shape by Wilson and Hilferty (1931); its mean is 1 - (1 / 9 shape)^3."""
    ninth = 1 / (9 * shape)
    return np.maximum(1 - ninth + np.sqrt(ninth) * normal, 0) ** 3


def poisson_quantile(rate: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The Poisson(rate) quantile at Phi(normal), float32.

    Large rates use Cornish and Fisher's third-order expansion, rounded; the variance of the
    rounding, 1/12, is taken off before.
    """
    sd = np.sqrt(np.maximum(rate - np.float32(1 / 12), 1))
    square = normal * normal
    # The expansion turns around in the far tail; no normal that is ever drawn matters there.
    count = rate + sd * normal + (square - 1) / 6 + normal * (1 - square) / (72 * sd)
    count = np.maximum(np.rint(count), 0)
    few = rate < SMALL
    if few.any():
        wide = np.broadcast_to(normal, rate.shape)
        count[few] = searched_quantile(rate[few], wide[few])
    return count


def searched_quantile(rate: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Smallest k whose Poisson(rate) probability of at most k reaches Phi(normal); [any]."""
    level = ndtr(normal.astype(np.float64))
    wide = rate.astype(np.float64)
    mass = np.exp(-wide)
    reached = mass.copy()
    count = np.zeros(len(rate), dtype=np.float32)
    open_ = np.flatnonzero(reached < level)
    for k in range(1, 80):  # a rate of 12 passes 80 with probability 1e-36
        if not len(open_):
            break
        mass[open_] *= wide[open_] / k
        reached[open_] += mass[open_]
        count[open_] = k
        open_ = open_[reached[open_] < level[open_]]
    return count
