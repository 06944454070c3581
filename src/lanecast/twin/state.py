"""What one day leaves to the next: with it, a world goes on from any cutoff.

Arrays are [..., N], lanes last; branches and scenarios broadcast before them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lanecast.twin.calendar import calendar_of
from lanecast.twin.geography import LaneTraits
from lanecast.twin.noise import Noise, Shock
from lanecast.twin.world import WARM, PromoPolicy, World

F = np.float32
WEATHER_KEEP, WEATHER_SD, STORM = F(0.8), F(0.6), F(2.2)  # equation 2
LEVEL_KEEP, LEVEL_SD = F(0.97), F(0.05)  # equation 3
LAGS = (F(0.5), F(0.85))  # equation 8, cumulative: .50 .35 .15
TRANSIT = F(0.65)  # equation 9: share that takes one day, the rest two


@dataclass(frozen=True, slots=True, kw_only=True)
class DayState:
    """All that a day leaves to the days after it; arrays are never changed in place."""

    weather: np.ndarray
    level: np.ndarray
    drift: np.ndarray
    residual: np.ndarray  # z of equation 5
    promo: np.ndarray
    plan: tuple[np.ndarray, ...]  # promos decided for the next 14 days; empty unless committed
    backlog: np.ndarray
    released: tuple[np.ndarray, np.ndarray]  # of the last day and of the one before
    moving: tuple[np.ndarray, np.ndarray]  # shipments, likewise
    held: np.ndarray  # due, but kept back by a storm


def part(volume: np.ndarray, share: np.float32, *, whole: bool) -> np.ndarray:
    """``share`` of a volume, in whole parcels or not.

    Later parts are differences of such cumulative parts: nothing is lost, and sums of whole
    parcels are exact in any order.
    """
    return np.rint(share * volume) if whole else share * volume


def first_state(world: World, lanes: LaneTraits, noise: Noise) -> DayState:
    """The state before the first warm-up day: stationary levels, an empty pipeline."""
    zero = np.zeros(len(lanes), dtype=F)
    level = F(LEVEL_SD / np.sqrt(1 - LEVEL_KEEP**2)) * noise.normal(Shock.START, -WARM)
    regions = noise.shared(Shock.START, 1 - WARM, int(lanes.region_N.max()) + 1)
    winter = calendar_of(world).winter_T[0] / (1 - WEATHER_KEEP)
    return DayState(
        weather=winter + regions[lanes.region_N],
        level=level,
        drift=zero,
        residual=level,
        promo=zero,
        plan=(zero,) * WARM if world.policy == PromoPolicy.COMMITTED else (),
        backlog=zero,
        released=(zero, zero),
        moving=(zero, zero),
        held=zero,
    )
