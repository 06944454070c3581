"""Equation 10: what delivery stations receive, and the hours of sorting that it takes.

Axes: ``N`` lanes, ``D`` stations that have a lane, in the order of their names; volumes are parcels
a day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lanecast.twin.geography import LaneTraits, TwinNetwork
from lanecast.twin.state import F

SITE_NODES = ("arrivals", "labor_hrs")
SAME_DAY = F(0.85)  # of the arrivals; the rest is sorted the day after
PACE = F(120.0)  # parcels an hour
SLACK, CONGESTION = F(1.15), F(0.6)  # work above roster times slack takes longer
ROSTER_KEEP, LABOR_SD = F(0.8), F(0.03)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """Yesterday's arrivals, and the daily volume that the roster is made for; [..., D]."""

    arrivals: np.ndarray
    roster: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """The stations that some lanes lead to."""

    number_D: np.ndarray
    order_N: np.ndarray  # lanes by station
    start_D: np.ndarray  # where each station's lanes begin in that order

    @classmethod
    def of(cls, lanes: LaneTraits) -> Stations:
        """Stations of these lanes."""
        order_N = np.argsort(lanes.dest_N, kind="stable")
        number_D, start_D = np.unique(lanes.dest_N[order_N], return_index=True)
        return cls(number_D=number_D, order_N=order_N, start_D=start_D)

    def names(self, network: TwinNetwork) -> np.ndarray:
        """Series names ``site:<station>``."""
        return np.array([f"site:{name}" for name in network.dests_D[self.number_D]], dtype=object)

    def total(self, lane_values: np.ndarray) -> np.ndarray:
        """Sums over the lanes of each station, [..., N] to [..., D]; exact for whole parcels."""
        return np.add.reduceat(lane_values[..., self.order_N], self.start_D, axis=-1)

    def first_state(self, lanes: LaneTraits) -> SiteState:
        """Nothing arrived yet, and a roster for the mean volume."""
        base = self.total(np.exp(lanes.log_base_N))
        return SiteState(arrivals=np.zeros_like(base), roster=base)


def sort_hours(
    state: SiteState, arrivals: np.ndarray, shock: np.ndarray
) -> tuple[SiteState, np.ndarray]:
    """Hours of a day; the roster answers the arrivals of the days before (a reactive policy)."""
    work = SAME_DAY * arrivals + (1 - SAME_DAY) * state.arrivals
    crowd = np.maximum(work / (SLACK * np.maximum(state.roster, 1)) - 1, 0)
    hours = work / PACE * (1 + CONGESTION * crowd) * np.exp(LABOR_SD * shock)
    roster = ROSTER_KEEP * state.roster + (1 - ROSTER_KEEP) * arrivals
    return SiteState(arrivals=arrivals, roster=roster), hours
