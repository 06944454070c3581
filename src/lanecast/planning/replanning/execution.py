"""One day carried out: the plan's day, the volume that came, and the forecast for what follows.

Recourse of the day (ad-hoc trailers, what is rolled, overtime) is the optimum of a program that
knows this day's volume and expects the mean of the paths after it: no later day is looked at.
Axes: ``L`` lanes, ``T`` days, ``J`` stages, ``S`` sites, ``K`` shifts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lanecast.planning.contracts import COSTS, Flows, Plan, Scenarios, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import solve

LOOK_AHEAD = 3  # days beyond today whose mean decides what is worth rolling


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutedDay:
    """A day: US dollars by kind, packages rolled and unsorted at its end, the state after it."""

    by_kind: dict[str, float]
    rolled: float
    backlog: float
    state: State


def carried_out(
    parameters: Parameters,
    plan: Plan,
    paths: Scenarios,
    volume_L: np.ndarray,
    state: State,
    *,
    at: int,
    last: bool = False,
) -> ExecutedDay:
    """Carry out day ``at`` of a plan; on the ``last`` day of a span leftovers cost their final
    multiple."""
    left = plan.trailers_LT.shape[1] - at
    days = 1 if last else min(1 + LOOK_AHEAD, left, len(paths.days))
    mean_LT = np.tensordot(paths.weight_W, paths.volume_WLT[:, :, :days], axes=1)
    mean_LT[:, 0] = volume_L
    seen = replace(paths, volume_WLT=mean_LT[None], probability_W=None, days=paths.days[:days])
    part = replace(
        plan,
        trailers_LT=plan.trailers_LT[:, at : at + days],
        heads_STK=plan.heads_STK[:, at : at + days],
        days=paths.days[:days],
    )
    begun = state.over(days)
    options = SolveOptions(state=begun, flows=True, kind=plan.kind)
    outcome = solve(parameters, seen, fixed=part, options=options)
    assert outcome.flows is not None
    return ExecutedDay(
        by_kind=day_costs(parameters, part, outcome.flows, final=last),
        rolled=float(outcome.flows.rolled_WJT[0, :, 0].sum()),
        backlog=float(outcome.flows.backlog_WSTK[0, :, 0, -1].sum()),
        state=_after(parameters, state, outcome.flows),
    )


def day_costs(parameters: Parameters, plan: Plan, flows: Flows, *, final: bool) -> dict[str, float]:
    """US dollars of the first day of a solved program, by kind."""
    lanes, sites, rules = parameters.lanes, parameters.sites, parameters.rules
    times = rules.final_multiplier if final else 1.0
    hour = rules.wage_usd_per_hour
    roll_J = lanes.roll_usd_per_pkg_day_L[parameters.stages.lane_J]
    trailer_L = lanes.contract_usd_per_trailer_L
    usd = {
        "contract": trailer_L @ plan.trailers_LT[:, 0],
        "labor": hour * rules.shift_hours * plan.heads_STK[:, 0].sum(),
        "adhoc": (trailer_L * lanes.adhoc_multiplier_L) @ flows.adhoc_WLT[0, :, 0],
        "roll": times * (roll_J @ flows.rolled_WJT[0, :, 0]),
        "backlog": times * (sites.backlog_usd_per_pkg_day_S @ flows.backlog_WSTK[0, :, 0, -1]),
        "overtime": hour * rules.overtime_multiplier * flows.overtime_WSTK[0, :, 0].sum(),
        "reroute": lanes.reroute_usd_per_pkg_L @ flows.rerouted_WLT[0, :, 0],
    }
    return {kind: float(usd[kind]) for kind in COSTS}


def _after(parameters: Parameters, before: State, flows: Flows) -> State:
    """The state on the evening of the first day."""
    stages = parameters.stages
    transit_J = parameters.lanes.transit_days_L[stages.carrier_J]
    span = int(max(transit_J.max(), before.arriving_JT.shape[1] - 1, 1))
    arriving_JT = np.zeros((len(stages), span))
    known = before.arriving_JT[:, 1:]
    arriving_JT[:, : known.shape[1]] += known
    sent = np.flatnonzero(transit_J > 0)
    arriving_JT[sent, transit_J[sent] - 1] += flows.load_WJT[0, sent, 0]
    today_J = before.arriving_JT[:, 0] if before.arriving_JT.shape[1] else 0.0
    arrived_J = today_J + np.where(transit_J == 0, flows.load_WJT[0, :, 0], 0.0)
    on_J = stages.next_J >= 0
    backlog_J = np.where(on_J, before.backlog_J + arrived_J - flows.sorted_on_WJT[0, :, 0], 0.0)
    return State(
        rolled_J=flows.rolled_WJT[0, :, 0].copy(),
        backlog_S=flows.backlog_WSTK[0, :, 0, -1].copy(),
        backlog_J=np.maximum(backlog_J, 0.0),
        arriving_JT=arriving_JT,
    )
