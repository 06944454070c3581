"""Whether one forecast is better than another: paired by cutoff, and honest about what varies.

A verdict about *configurations* must hold for other cutoffs and other seeds than those at hand.
Interval, p-value and verdict are one rule: a row is called where its interval leaves out zero, and
p is the level at which the interval ends there.  The interval adds in squares what cutoffs allow
(`lanecast.evaluation.evidence`) and what seeds do, each with Student's quantile for its own degrees
of freedom (Banerjee 1960), so that its error rate holds whatever their shares are.

Axes: ``C`` cutoffs, ``S`` seeds, ``M`` configurations, ``D`` bootstrap draws; ``X`` any before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lanecast.evaluation.evidence import Evidence, evidence

MIN_SEEDS = 3
NO_CLAIM = "two fits, no claim about models"
CALLED = ("better", "worse", "no difference")
Part = tuple[np.ndarray, np.ndarray]  # a variance and its degrees of freedom


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Mean difference of two configurations and what its uncertainty is made of.

    ``parts``: variance of the mean and degrees of freedom, of cutoffs and of seeds; empty where no
    interval can be given.  ``lacks``: what a claim about configurations lacks, in words; the
    interval, if any, is then that of the fits at hand, over cutoffs alone.  ``rows``: how many
    comparisons the error rate is to hold for together (Bonferroni).
    """

    mean: float
    parts: tuple[tuple[float, float], ...]
    lacks: str = ""

    def interval(self, confidence: float = 0.95, *, rows: int = 1) -> tuple[float, float]:
        """Lower and upper end; nan where none can be given."""
        if not self.parts:
            return math.nan, math.nan
        half = float(half_width(self.parts, (1 - confidence) / rows))
        return self.mean - half, self.mean + half

    def p(self, *, rows: int = 1) -> float:
        """The level whose interval just ends at zero; nan where nothing is claimed."""
        from scipy.optimize import brentq

        if self.lacks:
            return math.nan
        size = abs(self.mean)
        if half_width(self.parts, 1e-15) < size:
            return 0.0
        if size == 0:
            return 1.0
        p = brentq(
            lambda log: float(half_width(self.parts, math.exp(log))) - size, math.log(1e-15), 0.0
        )
        return min(1.0, rows * math.exp(p))

    def verdict(self, confidence: float = 0.95, *, rows: int = 1) -> str:
        """``better``, ``worse`` or ``no difference`` of a loss, or what a claim lacks."""
        if self.lacks:
            return self.lacks
        low, high = self.interval(confidence, rows=rows)
        if low <= 0 <= high:
            return "no difference"
        return "better" if self.mean < 0 else "worse"


def contrast(
    run_SC: np.ndarray,
    base_SC: np.ndarray,
    weight_C: np.ndarray,
    *,
    known: Evidence | None = None,
    seeded: tuple[bool, bool] = (True, True),
) -> Contrast:
    """Compare two configurations, each fitted with several seeds and scored at the same cutoffs.

    ``weight_C`` is the denominator that the metric has at each cutoff (the sum of absolute actuals
    for wape), so that the mean equals the difference of the pooled metrics exactly.  ``known``:
    what the cutoffs tell (default: that of windows which do not overlap).  ``seeded``: whether
    another seed gives another fit, of each side; a side where it does not needs one fit.
    """
    sides = [np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (run_SC, base_SC)]
    weight_C = np.asarray(weight_C, dtype=np.float64)
    known = known or evidence(range(len(weight_C)))
    few = any(many and len(side) < MIN_SEEDS for side, many in zip(sides, seeded, strict=True))
    mean, parts = uncertainty(sides[0], sides[1], weight_C, known=known)
    lacks = NO_CLAIM if few else ""
    if not known.enough:
        lacks = f"no claim: {known.windows:.1f} independent windows"
    elif math.isnan(mean):
        lacks = "no claim: undefined at a cutoff"
    used = parts[:1] if few else parts
    shown = () if not known.enough or math.isnan(mean) else used
    return Contrast(
        mean=float(mean), parts=tuple((float(v), float(f)) for v, f in shown), lacks=lacks
    )


def uncertainty(
    run_XSC: np.ndarray, base_XSC: np.ndarray, weight_C: np.ndarray, *, known: Evidence
) -> tuple[np.ndarray, tuple[Part, Part]]:
    """Mean difference, [X], with variance and degrees of freedom over cutoffs and over seeds.

    Of seeds both sides together (Welch and Satterthwaite).  What a seed does at one cutoff is in
    both parts, which errs on the side of calling nothing.
    """
    total = weight_C.mean()  # 0 where nothing was there to err on: then all is undefined
    weight = weight_C / total if total else np.full_like(weight_C, np.nan)
    block_XC = (run_XSC.mean(axis=-2) - base_XSC.mean(axis=-2)) * weight
    over = (known.variance(block_XC), np.asarray(max(known.degrees, 1)))
    spread, squares = np.zeros(block_XC.shape[:-1]), np.zeros(block_XC.shape[:-1])
    for side_XSC in (run_XSC, base_XSC):
        seed_XS = (side_XSC * weight).mean(axis=-1)
        if (count := seed_XS.shape[-1]) > 1:
            part_X = seed_XS.var(axis=-1, ddof=1) / count
            spread, squares = spread + part_X, squares + part_X**2 / (count - 1)
    freedom = np.divide(spread**2, squares, out=np.ones_like(spread), where=squares > 0)
    return block_XC.mean(axis=-1), (over, (spread, freedom))


def half_width(parts: Sequence[tuple[Any, Any]], alpha: float) -> np.ndarray:
    """Half of the interval whose two-sided error rate is ``alpha``."""
    from scipy.stats import t

    return np.sqrt(sum(variance * t.isf(alpha / 2, freedom) ** 2 for variance, freedom in parts))


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
