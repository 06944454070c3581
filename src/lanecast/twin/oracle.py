"""The floor of every forecast: all equations known, the latent level only as far as orders tell it.

A Kalman filter of level and drift (equations 3 and 8) on the daily order residual, lane by lane;
then the world goes on from the filtered level instead of the true one.
Axes: ``N`` lanes, ``C`` cutoffs, ``H`` horizon; 2 x 2 covariances are three arrays [N].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lanecast.twin import demand
from lanecast.twin.geography import LaneTraits, network_of
from lanecast.twin.simulation import factual
from lanecast.twin.state import LEVEL_KEEP, LEVEL_SD, DayState
from lanecast.twin.truth import Scenarios, Start, means, scenarios_of, starts
from lanecast.twin.world import World


def filtered(
    world: World,
    *,
    cutoffs: Sequence[int],
    horizon: int,
    do: Scenarios,
    branches: int = 256,
) -> dict[str, np.ndarray]:
    """E[orders given do, everything *observed* at the cutoff], each [N, C, H], per scenario.

    `lanecast.twin.truth.expected` knows the latent level besides; the distance between
    the two is what no forecast can do without.
    """
    levels = filtered_levels(world, cutoffs)
    begun = {
        cutoff: replace(start, state=_at_level(start, *levels[cutoff]))
        for cutoff, start in starts(world, cutoffs).items()
    }
    named = scenarios_of(do)
    return means(begun, named, horizon=horizon, branches=branches, node="orders", paths={})


def filtered_draws(
    world: World, *, cutoff: int, horizon: int, branches: int, seed: int = 0
) -> np.ndarray:
    """Futures of orders given everything *observed* at the cutoff, [branches, N, H] float64.

    Each goes on from a level of its own, drawn from what the filter leaves open; `truth.draws` goes
    on from the true level instead, which nobody sees.  ``seed`` is that of the levels.
    """
    level_N, drift_N, variance_N = filtered_levels(world, [cutoff])[cutoff]
    shock_KN = np.random.default_rng(seed).standard_normal((branches, len(level_N)))
    start = starts(world, [cutoff])[cutoff]
    state = replace(
        start.state,
        level=(level_N + np.sqrt(variance_N) * shock_KN).astype(np.float32),
        drift=drift_N.astype(np.float32),
    )
    return replace(start, state=state).draws(horizon=horizon, branches=branches)


def filtered_levels(world: World, cutoffs: Sequence[int]) -> dict[int, tuple[np.ndarray, ...]]:
    """Mean of level and drift, and the variance of their sum, each [N], by cutoff.

    Orders are published a day late: those of the cutoff itself are not among what it knows.
    """
    lanes = network_of(world).lanes
    filter_ = _Filter(world, lanes)
    levels = {}
    for day, _, values in factual(world, lanes):
        filter_.ahead(day)
        if day in cutoffs:
            levels[day] = filter_.estimates()
        filter_.learn(values["orders"], values["residual"])
        if day == max(cutoffs):
            break
    return levels


class _Filter:
    """Kalman filter of (level, drift) in every lane at once."""

    def __init__(self, world: World, lanes: LaneTraits) -> None:
        self.world, self.lanes, count = world, lanes, len(lanes)
        self.level, self.drift = np.zeros(count), np.zeros(count)
        self.moves = float(LEVEL_SD) ** 2
        if world.breaks:
            self.moves += float(demand.BREAK_RATE) * float(demand.BREAK_SIZE) ** 2
        self.keep, self.drift_keep = float(LEVEL_KEEP), float(demand.DRIFT_KEEP)
        self.p_ll = np.full(count, self.moves / (1 - self.keep**2))
        self.p_ld, self.p_dd = np.zeros(count), np.zeros(count)

    def ahead(self, day: int) -> None:
        """One day on, before its orders are seen."""
        self.level = self.keep * self.level
        self.p_ll = self.keep**2 * self.p_ll + self.moves
        self.p_ld = self.keep * self.p_ld
        if day % demand.DRIFT_EVERY == 0:
            self.drift = self.drift_keep * self.drift
            self.p_ld = self.drift_keep * self.p_ld
            self.p_dd = self.drift_keep**2 * self.p_dd + float(demand.DRIFT_SD) ** 2

    def learn(self, orders: np.ndarray, residual: np.ndarray) -> None:
        """From a day's order residual."""
        if not self.world.counts:
            noise = np.full(len(orders), float(demand.ORDERS_SD) ** 2)
        else:
            counts = 1 / np.maximum(orders, 1.0) + 1 / self.lanes.shape_N  # of log counts
            noise = float(demand.ORDERS_SD) ** 2 + counts
        informative = (orders > 0) | (
            self.lanes.zeros_N == 0
        )  # an empty day of a thinned lane tells none
        # z counts thinning as reckoned: log(1 - zeros) stands on both sides of a full day
        seen = residual + np.log1p(-self.lanes.zeros_N)
        surprise = np.where(informative, seen - self.level - self.drift, 0.0)
        spread = self.p_ll + 2 * self.p_ld + self.p_dd + noise
        gain_l = np.where(informative, (self.p_ll + self.p_ld) / spread, 0.0)
        gain_d = np.where(informative, (self.p_ld + self.p_dd) / spread, 0.0)
        self.level = self.level + gain_l * surprise
        self.drift = self.drift + gain_d * surprise
        row_l, row_d = self.p_ll + self.p_ld, self.p_ld + self.p_dd
        self.p_ll = self.p_ll - gain_l * row_l
        self.p_dd = self.p_dd - gain_d * row_d
        self.p_ld = self.p_ld - gain_l * row_d

    def estimates(self) -> tuple[np.ndarray, ...]:
        """Mean level, mean drift, variance of their sum."""
        return self.level.copy(), self.drift.copy(), self.p_ll + 2 * self.p_ld + self.p_dd


def _at_level(start: Start, level: np.ndarray, drift: np.ndarray, variance: np.ndarray) -> DayState:
    """The state at the filtered level; half its variance makes the mean of the rate right."""
    return replace(
        start.state,
        level=(level + variance / 2).astype(np.float32),
        drift=drift.astype(np.float32),
    )
