"""Whether a plan that is given can be kept at all, and if not, what stands against it, by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import Plan
from lanecast.planning.parameters import Parameters

TOLERANCE = 1e-6


def require_keepable(
    parameters: Parameters, plan: Plan, days: np.ndarray, *, part: int | None = None
) -> None:
    """PlanError if the plan is for other lanes, sites or days, or breaks a bound; ``part``: look at
    its first days only."""
    lanes, sites, rules = parameters.lanes, parameters.sites, parameters.rules
    if not np.array_equal(plan.lanes, lanes.name_L) or not np.array_equal(plan.sites, sites.name_S):
        raise PlanError(f"plan {plan.kind!r} is for other lanes or sites than these parameters")
    y_LT, n_STK = plan.trailers_LT[:, :part], plan.heads_STK[:, :part]
    if y_LT.shape[1] != len(days) or n_STK.shape[1] != len(days):
        raise PlanError(
            f"plan {plan.kind!r} covers {y_LT.shape[1]} days and the volumes {len(days)}; both must"
            " cover the same"
        )
    _within(
        y_LT, 0.0, lanes.contract_max_trailers_per_day_L[:, None], lanes.name_L, days, "trailers"
    )
    low, high = sites.heads_min_S[:, None, None], sites.heads_max_S[:, None, None]
    _within(n_STK, low, high, sites.name_S, days, "heads")
    fleet_T = y_LT.sum(axis=0)
    _within(
        fleet_T[None],
        0.0,
        rules.fleet_max_trailers_per_day,
        np.array(["the fleet"]),
        days,
        "trailers",
    )
    inbound_ST = np.zeros((len(sites.name_S), len(days)))
    np.add.at(inbound_ST, lanes.destination_L, y_LT)
    doors = sites.doors_trailers_per_day_S[:, None]
    _within(inbound_ST, 0.0, doors, sites.name_S, days, "inbound trailers")


def _within(
    value: np.ndarray, low: Any, high: Any, names: np.ndarray, days: np.ndarray, noun: str
) -> None:
    low, high = np.broadcast_to(low, value.shape), np.broadcast_to(high, value.shape)
    slack = TOLERANCE * np.maximum(np.abs(value), 1.0)
    bad = np.argwhere(~((value >= low - slack) & (value <= high + slack)))
    if len(bad):
        at = tuple(bad[0])
        raise PlanError(
            f"{names[at[0]]} on {days[at[1]]}: {value[at]:g} {noun} planned, {low[at]:g} to"
            f" {high[at]:g} are possible; the plan cannot be kept"
        )
