"""Equations 7 to 9 and 11, from the capacity to the arrivals; see the package for all of them.

Volumes are parcels a day, [..., N] float32; nothing is lost on the way.
"""

from __future__ import annotations

import numpy as np

from lanecast.twin.calendar import PEAK_SHARE_PLANNED
from lanecast.twin.demand import planned_log
from lanecast.twin.geography import LaneTraits
from lanecast.twin.noise import Noise, Shock
from lanecast.twin.state import LAGS, TRANSIT, DayState, F, part
from lanecast.twin.world import World

HEADROOM, CAPACITY_SD = F(0.65), F(0.03)  # equation 7, in logs
CAPACITY_LEAD = 14  # days ahead that it is planned
HELD = F(0.4)  # equation 9: share of what is due that a storm holds back a day
LATE_BASE, LATE_SLOPE, LATE_SD = F(-4.0), F(3.0), F(0.2)  # equation 11


def capacity(world: World, lanes: LaneTraits, noise: Noise, day: int) -> np.ndarray:
    """Equation 7: planned 14 days ahead, from what is known for all time and some noise."""
    planned = planned_log(world, lanes, day, peak_share=PEAK_SHARE_PLANNED)
    shock = noise.normal(Shock.CAPACITY, day - CAPACITY_LEAD)
    volume = np.exp(planned + HEADROOM + CAPACITY_SD * shock)
    return np.ceil(volume) if world.counts else volume


def released(
    world: World, orders: np.ndarray, capacity: np.ndarray, state: DayState
) -> tuple[np.ndarray, np.ndarray]:
    """Equation 7: what the capacity lets pass, and the backlog that stays."""
    waiting = orders + state.backlog
    if not world.capacity_censoring:
        return waiting, np.zeros_like(waiting)
    passed = np.minimum(waiting, np.floor(capacity) if world.counts else capacity)
    return passed, waiting - passed


def shipments(released: np.ndarray, state: DayState, *, whole: bool) -> np.ndarray:
    """Equation 8: parcels leave on the day of their release and on the two days after it."""
    last, before = state.released
    today = part(released, LAGS[0], whole=whole)
    second = part(last, LAGS[1], whole=whole) - part(last, LAGS[0], whole=whole)
    return today + second + (before - part(before, LAGS[1], whole=whole))


def arrived(state: DayState, storm: np.ndarray, *, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Equation 9: what arrives today of what is due, and what a storm holds back until tomorrow."""
    last, before = state.moving
    due = part(last, TRANSIT, whole=whole) + before - part(before, TRANSIT, whole=whole)
    due = due + state.held
    held = storm * part(due, HELD, whole=whole)
    return due - held, held


def late(backlog: np.ndarray, capacity: np.ndarray, noise: Noise, day: int) -> np.ndarray:
    """Equation 11: the share of parcels that are late, logistic in days of backlog."""
    days_behind = np.minimum(backlog / np.maximum(capacity, 1), 3)
    log_odds = LATE_BASE + LATE_SLOPE * days_behind + LATE_SD * noise.normal(Shock.LATE, day)
    return 1 / (1 + np.exp(-log_odds))
