"""Conformal calibration of quantiles: how far each level must move to hold what it promises.

A *score* says by how many spreads the outcome lies above a quantile: ``(y - q) / spread``.  Moving
the quantile of level tau by the tau-quantile of its past scores makes ``P(y <= q) = tau`` on
exchangeable data (Romano, Patterson and Candes 2019, one side at a time).  Scores count once they
are known, never before.

| method | what follows the outcomes |
|---|---|
| split | nothing: the quantile of all scores known so far |
| aci | the level that is looked up (Gibbs and Candes 2021, arXiv 2106.00170) |
| pid | a shift: proportional and integral terms on top of the recent quantile of the scores (Angelopoulos, Candes and Tibshirani 2023, arXiv 2307.16895) |

Axes: ``E`` scores (one per window and step), ``G`` groups that share a shift, ``Q`` levels.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lanecast.errors import ConfigError

METHODS = ("split", "aci", "pid")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformalScores:
    """Scores with the group, the cutoff they were forecast at, and the step they became known.

    A score that never becomes known has no row here.
    """

    score_EQ: np.ndarray
    group_E: np.ndarray
    cutoff_E: np.ndarray
    known_E: np.ndarray

    def __len__(self) -> int:
        """Number of scores."""
        return len(self.group_E)

    def __getitem__(self, rows: np.ndarray | slice) -> ConformalScores:
        """Some of the scores."""
        return ConformalScores(
            score_EQ=self.score_EQ[rows],
            group_E=self.group_E[rows],
            cutoff_E=self.cutoff_E[rows],
            known_E=self.known_E[rows],
        )

    def joined(self, other: ConformalScores) -> ConformalScores:
        """Both."""
        return ConformalScores(
            score_EQ=np.concatenate([self.score_EQ, other.score_EQ]),
            group_E=np.concatenate([self.group_E, other.group_E]),
            cutoff_E=np.concatenate([self.cutoff_E, other.cutoff_E]),
            known_E=np.concatenate([self.known_E, other.known_E]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How shifts follow the scores.

    ``memory``: steps that a score counts for, None for all.  ``rate``: what aci adds to a level
    and pid to a shift (in spreads) for one step of missing everything.  ``integral``: pid's weight
    of the misses so far.  ``least``: scores that a group needs for a shift of its own.
    """

    name: str
    memory: int | None = None
    rate: float = 0.05
    integral: float = 0.0
    least: int = 50

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.name not in METHODS:
            raise ConfigError(
                f"calibration method {self.name!r} does not exist; choose from {', '.join(METHODS)}"
            )
        if self.rate < 0 or self.integral < 0 or self.least < 1:
            raise ConfigError(
                f"calibration rate={self.rate}, integral={self.integral} and least={self.least}"
                " must not be negative, and least at least 1"
            )
        if self.memory is not None and self.memory < 1:
            raise ConfigError(f"calibration memory={self.memory} must be null or at least 1 step")


def conformal_quantile(score_EQ: np.ndarray, level_Q: np.ndarray) -> np.ndarray:
    """For each column its own level's quantile, [Q], with the finite-sample correction.

    Levels above one half take rank ``ceil((n + 1) tau)``, those below ``floor((n + 1) tau)``, so
    that both err on the wide side; ranks beyond the sample take its largest and smallest score.
    """
    ordered = np.sort(score_EQ, axis=0)
    place = (len(ordered) + 1) * level_Q
    rank = np.where(level_Q > 0.5, np.ceil(place - 1e-9), np.floor(place + 1e-9)).astype(np.int64)
    rank = np.clip(rank, 1, len(ordered)) - 1
    quantile_Q: np.ndarray = ordered[rank, np.arange(len(level_Q))]
    return quantile_Q


def shifts(
    scores: ConformalScores,
    levels: Sequence[float],
    *,
    method: Method,
    family_G: np.ndarray,
    grid: Sequence[int],
    cutoffs: Sequence[int],
) -> dict[int, np.ndarray]:
    """Shift of every group and level, in spreads, as known at each of ``cutoffs``, [G, Q].

    ``family_G``: groups of one family are pooled for a group with fewer than ``least`` scores; with
    too few in the family as well, nothing is moved.  The state of aci and pid changes at the
    cutoffs of ``grid`` alone, so that an answer does not depend on what else is asked.
    """
    tau_Q = np.asarray(levels, dtype=np.float64)
    num_groups = len(family_G)
    state = _State(method=method, tau_Q=tau_Q, num_groups=num_groups, count=len(scores))
    wanted = set(cutoffs)
    shift_by_cutoff = {}
    for time in sorted({*grid, *cutoffs}):
        if time in grid:
            state.learn(scores, time)
        shift_GQ = state.shift(scores, time, family_G)
        if time in grid:
            state.issue(scores, time, shift_GQ)
        if time in wanted:
            shift_by_cutoff[time] = shift_GQ
    return shift_by_cutoff


class _State:
    """What aci and pid carry from cutoff to cutoff; split carries nothing."""

    def __init__(self, *, method: Method, tau_Q: np.ndarray, num_groups: int, count: int) -> None:
        self.method = method
        self.tau_Q = tau_Q
        self.level_GQ = np.tile(tau_Q, (num_groups, 1))
        self.extra_GQ = np.zeros((num_groups, len(tau_Q)))
        self.missed_GQ = np.zeros((num_groups, len(tau_Q)))
        self.issued_EQ = np.full((count, len(tau_Q)), np.nan)
        self.until: int | None = None

    def learn(self, scores: ConformalScores, time: int) -> None:
        """Take up the outcomes that became known since the last time."""
        if self.method.name != "split" and self.until is not None:
            new = (scores.known_E > self.until) & (scores.known_E <= time)
            new &= np.isfinite(self.issued_EQ).all(axis=1)
            if new.any():
                self._move(scores, np.flatnonzero(new), steps=time - self.until)
        self.until = time

    def _move(self, scores: ConformalScores, rows: np.ndarray, *, steps: int) -> None:
        groups = scores.group_E[rows]
        score_EQ, issued_EQ = scores.score_EQ[rows], self.issued_EQ[rows]
        # Counts pile up on bounds, which belong to the interval: a low one is missed below it.
        below_EQ = np.where(self.tau_Q < 0.5, score_EQ < issued_EQ, score_EQ <= issued_EQ)
        share_GQ, count_G = _means(below_EQ.astype(np.float64), groups, len(self.level_GQ))
        gap_GQ = np.where(count_G[:, None] > 0, self.tau_Q - share_GQ, 0.0) * steps
        if self.method.name == "aci":
            moved = self.level_GQ + self.method.rate * gap_GQ
            self.level_GQ = np.clip(moved, 0.001, 0.999)
        else:
            self.missed_GQ += gap_GQ
            self.extra_GQ += self.method.rate * gap_GQ

    def shift(self, scores: ConformalScores, time: int, family_G: np.ndarray) -> np.ndarray:
        """What each group's levels move by at ``time``, from the scores known then."""
        known = scores.known_E <= time
        if self.method.memory is not None:
            known &= scores.known_E > time - self.method.memory
        rows = np.flatnonzero(known)
        group_E, num = scores.group_E[rows], len(family_G)
        own_G = np.bincount(group_E, minlength=num) >= self.method.least
        families = np.bincount(family_G[group_E], minlength=int(family_G.max()) + 1)
        base_GQ = np.zeros_like(self.level_GQ)
        sorted_rows = _split_by(rows, group_E, num)
        of_family = _split_by(rows, family_G[group_E], len(families))
        for group in np.flatnonzero(own_G | (families[family_G] >= self.method.least)):
            pool = sorted_rows[group] if own_G[group] else of_family[family_G[group]]
            base_GQ[group] = conformal_quantile(scores.score_EQ[pool], self.level_GQ[group])
        moved = own_G | (families[family_G] >= self.method.least)
        extra_GQ = self.extra_GQ + self.method.integral * self.missed_GQ
        return np.where(moved[:, None], base_GQ + extra_GQ, 0.0)

    def issue(self, scores: ConformalScores, time: int, shift_GQ: np.ndarray) -> None:
        """Remember what was promised at ``time``."""
        at_time = scores.cutoff_E == time
        self.issued_EQ[at_time] = shift_GQ[scores.group_E[at_time]]


def _means(value_EQ: np.ndarray, group_E: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    count_G = np.bincount(group_E, minlength=num)
    total_GQ = np.zeros((num, value_EQ.shape[1]))
    np.add.at(total_GQ, group_E, value_EQ)
    return total_GQ / np.maximum(count_G, 1)[:, None], count_G


def _split_by(rows: np.ndarray, label: np.ndarray, num: int) -> list[np.ndarray]:
    order = np.argsort(label, kind="stable")
    return np.split(rows[order], np.searchsorted(label[order], np.arange(1, num)))
