"""Whether one forecast is better than another: paired by cutoff, and honest about what varies.

Neighbouring cutoffs share days when windows overlap, so variances over cutoffs are HAC (Newey and
West 1987; Diebold and Mariano 1995).  A verdict about *configurations* must hold for other seeds
and other cutoffs than those at hand: its variance adds what seeds do to what cutoffs do.

Axes: ``C`` cutoffs, ``S`` seeds, ``M`` configurations, ``D`` bootstrap draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_SEEDS = 3
NO_CLAIM = "two fits, no claim about models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Mean difference of two configurations, its interval, and the p-value of no difference.

    ``claim`` is False where the seeds or cutoffs do not allow a statement about configurations;
    the interval is then that of the fits at hand, over cutoffs alone.
    """

    mean: float
    low: float
    high: float
    p: float
    claim: bool

    def verdict(self, p: float, *, alpha: float = 0.025) -> str:
        """``better``, ``worse`` or ``no difference`` of a loss, at an adjusted p-value.

        At 0.025 about 2 of 100 comparisons of a configuration with itself are called.
        """
        if not self.claim:
            return NO_CLAIM
        if not p <= alpha:
            return "no difference"
        return "better" if self.mean < 0 else "worse"


def paired_interval(
    difference_C: np.ndarray, weight_C: np.ndarray, *, confidence: float = 0.95, lags: int = 0
) -> tuple[float, float, float]:
    """Mean of a paired difference and its Student-t interval; the blocks are cutoffs.

    ``weight_C`` is the denominator that the metric has at each cutoff (the sum of absolute actuals
    for wape), so that the mean equals the difference of the pooled metrics exactly.  ``lags``: how
    many later cutoffs share days with one (0: windows do not overlap).  One cutoff gives a mean and
    no interval (nan).
    """
    from scipy.stats import t

    block_C = _blocks(difference_C, weight_C)
    mean, num_blocks = float(block_C.mean()), len(block_C)
    if num_blocks < 2:
        return mean, math.nan, math.nan
    half = float(
        t.ppf(0.5 + confidence / 2, num_blocks - 1) * math.sqrt(mean_variance(block_C, lags))
    )
    return mean, mean - half, mean + half


def mean_variance(block_C: np.ndarray, lags: int = 0) -> float:
    """HAC variance of the mean of ``C`` numbers in time order, ``lags`` later ones overlapping.

    The larger of equal weights up to ``lags`` (unbiased for windows that overlap, but it can even
    be negative) and Bartlett's (never negative, but too small).  The factor ``C / (C - 1)`` makes
    it the ordinary variance of a mean at ``lags=0``.
    """
    centered = np.asarray(block_C, dtype=np.float64) - np.mean(block_C)
    count = len(centered)
    equal = bartlett = float(centered @ centered)
    for lag in range(1, min(lags, count - 1) + 1):
        product = 2.0 * float(centered[lag:] @ centered[:-lag])
        equal += product
        bartlett += (1.0 - lag / (lags + 1)) * product
    return max(equal, bartlett, 0.0) / (count * max(count - 1, 1))


def contrast(
    run_SC: np.ndarray,
    base_SC: np.ndarray,
    weight_C: np.ndarray,
    *,
    lags: int = 0,
    confidence: float = 0.95,
) -> Contrast:
    """Compare two configurations, each fitted with several seeds and scored at the same cutoffs.

    Variance of the difference: over seeds (of each side's mean) plus over cutoffs (HAC, of the
    difference of the seeds' means).  What a seed does at one cutoff is in both, which errs on the
    side of calling nothing.  Degrees of freedom by Welch and Satterthwaite over the three parts.
    """
    from scipy.stats import t

    run_SC, base_SC = np.atleast_2d(run_SC), np.atleast_2d(base_SC)
    difference_C = run_SC.mean(axis=0) - base_SC.mean(axis=0)
    block_C = _blocks(difference_C, weight_C)
    mean, num_cutoffs = float(block_C.mean()), len(block_C)
    enough = min(len(run_SC), len(base_SC)) >= MIN_SEEDS and num_cutoffs >= 2
    if not enough:
        mean, low, high = paired_interval(difference_C, weight_C, confidence=confidence, lags=lags)
        return Contrast(mean=mean, low=low, high=high, p=math.nan, claim=False)
    weight = np.asarray(weight_C, dtype=np.float64) / np.mean(weight_C)
    parts = [(mean_variance(block_C, lags), num_cutoffs - 1)]
    for side_SC in (run_SC, base_SC):
        seed_S = (side_SC * weight).mean(axis=1)
        parts.append((float(seed_S.var(ddof=1)) / len(seed_S), len(seed_S) - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        p = 1.0 if mean == 0 else 0.0
        return Contrast(mean=mean, low=mean, high=mean, p=p, claim=True)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    error = math.sqrt(variance)
    half = float(t.ppf(0.5 + confidence / 2, freedom)) * error
    p = float(2 * t.sf(abs(mean) / error, freedom))
    return Contrast(mean=mean, low=mean - half, high=mean + half, p=p, claim=True)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given; nan (nothing tested) stays nan."""
    adjusted = [math.nan] * len(p_values)
    tested = [at for at, p in enumerate(p_values) if not math.isnan(p)]
    largest = 0.0
    for rank, at in enumerate(sorted(tested, key=lambda at: p_values[at])):
        largest = max(largest, min(1.0, (len(tested) - rank) * p_values[at]))
        adjusted[at] = largest
    return adjusted


def block_rows(num: int, *, block: int, draws: int, seed: int) -> np.ndarray:
    """Rows of a circular moving-block bootstrap, [D, num]: every row is drawn equally often.

    Politis and Romano (1992).  ``block=1`` is the ordinary bootstrap.
    """
    rng = np.random.default_rng(seed)
    length = max(1, min(block, num))
    starts = rng.integers(0, num, size=(draws, -(-num // length)))
    rows: np.ndarray = (starts[..., None] + np.arange(length)).reshape(draws, -1)[:, :num] % num
    return rows


def model_confidence_set(
    loss_MC: np.ndarray, *, block: int = 1, draws: int = 2000, seed: int = 0
) -> np.ndarray:
    """MCS p-value of each configuration, [M]; those above 0.1 form the 90 % set of the best.

    Hansen, Lunde and Nason (2011), statistic T_max: the worst is dropped until none differs.
    """
    loss_MC = np.asarray(loss_MC, dtype=np.float64)
    num_models, num_cutoffs = loss_MC.shape
    rows_DC = block_rows(num_cutoffs, block=block, draws=draws, seed=seed)
    drawn_MD = loss_MC[:, rows_DC].mean(axis=2) - loss_MC.mean(axis=1)[:, None]
    mean_M = loss_MC.mean(axis=1)
    p_M = np.ones(num_models)
    left = list(range(num_models))
    reached = 0.0
    while len(left) > 1:
        over = mean_M[left] - mean_M[left].mean()
        over_D = drawn_MD[left] - drawn_MD[left].mean(axis=0)
        error = np.sqrt((over_D**2).mean(axis=1))
        safe = np.where(error > 0, error, 1.0)
        score = np.where(error > 0, over / safe, np.where(over > 1e-15, np.inf, 0.0))
        worst = int(np.argmax(score))
        null_D = np.where(error[:, None] > 0, over_D / safe[:, None], 0.0).max(axis=0)
        reached = max(reached, float((null_D >= score[worst]).mean()))
        p_M[left[worst]] = reached
        del left[worst]
    p_M[left] = 1.0
    return p_M


def overlapping(horizon: int, step: int) -> int:
    """How many later cutoffs, ``step`` apart, share days with a window of ``horizon`` steps."""
    return max(0, -(-horizon // max(step, 1)) - 1)


def _blocks(difference_C: np.ndarray, weight_C: np.ndarray) -> np.ndarray:
    weight = np.asarray(weight_C, dtype=np.float64)
    blocks: np.ndarray = np.asarray(difference_C, dtype=np.float64) * weight / weight.mean()
    return blocks
