"""Parts of a network that no row ties together, and how a plan is put together from them.

Axes: ``L`` lanes, ``S`` sites, ``T`` days, ``W`` scenarios, ``J`` stages.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from lanecast.planning.contracts import Costs, Flows, Outcome, Plan, Scenarios, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.options import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Lanes and sites of one part by their numbers in the whole, and its own parameters.

    A site belongs to the part whose lanes end there, or to one whose lanes begin there.
    ``site_S`` are the sites that the part owns, ``inner_S`` their places in its parameters.
    """

    parameters: Parameters
    lane_L: np.ndarray
    stage_J: np.ndarray
    site_S: np.ndarray
    inner_S: np.ndarray

    def scenarios(self, whole: Scenarios) -> Scenarios:
        """Volumes of the part's lanes."""
        volume_WLT = whole.volume_WLT[:, self.lane_L]
        return replace(whole, volume_WLT=volume_WLT, lanes=whole.lanes[self.lane_L])

    def state(self, whole: State | None) -> State | None:
        """What is under way in the part."""
        if whole is None:
            return None
        backlog_S = np.zeros(self.parameters.num_sites)
        backlog_S[self.inner_S] = whole.backlog_S[self.site_S]
        return State(
            rolled_J=whole.rolled_J[self.stage_J],
            backlog_S=backlog_S,
            backlog_J=whole.backlog_J[self.stage_J],
            arriving_JT=whole.arriving_JT[self.stage_J],
        )

    def plan(self, whole: Plan) -> Plan:
        """The part of a plan."""
        shape = (self.parameters.num_sites, *whole.heads_STK.shape[1:])
        heads_STK = np.broadcast_to(self.parameters.sites.heads_min_S[:, None, None], shape).copy()
        heads_STK[self.inner_S] = whole.heads_STK[self.site_S]
        return replace(
            whole,
            trailers_LT=whole.trailers_LT[self.lane_L],
            heads_STK=heads_STK,
            lanes=self.parameters.lanes.name_L,
            sites=self.parameters.sites.name_S,
        )

    def change(self, whole: Change | None) -> Change | None:
        """The part of an older plan."""
        return None if whole is None else replace(whole, previous=self.plan(whole.previous))


def parts_of(parameters: Parameters) -> list[Part]:
    """Parts that share no site where packages are sorted, no trailer and no door."""
    stages, lanes = parameters.stages, parameters.lanes
    end_J = lanes.destination_L[stages.carrier_J]
    root = np.arange(parameters.num_sites)

    def top(site: int) -> int:
        while root[site] != site:
            root[site] = root[root[site]]
            site = int(root[site])
        return site

    meeting: dict[int, int] = {}  # lane of packages -> a site of its part
    for lane, end in zip(stages.lane_J.tolist(), end_J.tolist(), strict=True):
        root[top(end)] = top(meeting.setdefault(lane, end))
    for lane in range(parameters.num_lanes):  # trailers of a lane belong to where they end
        root[top(int(lanes.destination_L[lane]))] = top(meeting[lane])
    of_L = np.array([top(meeting[lane]) for lane in range(parameters.num_lanes)])
    owner_S = np.full(parameters.num_sites, -1)
    owner_S[lanes.origin_L[::-1]] = of_L[::-1]  # where no lane ends: the first that begins there
    owner_S[lanes.destination_L] = of_L
    return [
        _part(parameters, np.flatnonzero(of_L == number), np.flatnonzero(owner_S == number))
        for number in np.unique(of_L)
    ]


def _part(parameters: Parameters, lane_L: np.ndarray, site_S: np.ndarray) -> Part:
    own = parameters.restricted(lane_L)
    place = {name: at for at, name in enumerate(own.sites.name_S.tolist())}
    inner = np.array([place[name] for name in parameters.sites.name_S[site_S].tolist()])
    others = np.setdiff1d(np.arange(own.num_sites), inner)
    quiet = replace(
        own.sites,
        heads_min_S=_zeroed(own.sites.heads_min_S, others),
        heads_max_S=_zeroed(own.sites.heads_max_S, others),
    )
    stage_J = np.concatenate([np.flatnonzero(parameters.stages.lane_J == lane) for lane in lane_L])
    return Part(
        parameters=replace(own, sites=quiet),
        lane_L=lane_L,
        stage_J=stage_J,
        site_S=site_S,
        inner_S=inner,
    )


def _zeroed(value_S: np.ndarray, at: np.ndarray) -> np.ndarray:
    zeroed_S = value_S.astype(np.float64).copy()
    zeroed_S[at] = 0.0
    return zeroed_S


def joined(
    parameters: Parameters,
    scenarios: Scenarios,
    parts: list[Part],
    outcomes: list[Outcome],
    kind: str,
) -> Outcome:
    """One outcome of all parts; a site without any lane keeps its least heads."""
    num_days, sites, rules = len(scenarios.days), parameters.sites, parameters.rules
    trailers_LT = np.zeros((parameters.num_lanes, num_days))
    shape = (parameters.num_sites, num_days, parameters.num_shifts)
    heads_STK = np.broadcast_to(sites.heads_min_S[:, None, None], shape).copy()
    for part, outcome in zip(parts, outcomes, strict=True):
        trailers_LT[part.lane_L] = outcome.plan.trailers_LT
        heads_STK[part.site_S] = outcome.plan.heads_STK[part.inner_S]
    staffed = np.concatenate([part.site_S for part in parts])
    rest = np.setdiff1d(np.arange(parameters.num_sites), staffed)
    idle = float(heads_STK[rest].sum() * rules.wage_usd_per_hour * rules.shift_hours)
    by_kind: dict[str, Any] = {
        name: np.sum([outcome.costs.by_kind[name] for outcome in outcomes], axis=0)
        for name in outcomes[0].costs.by_kind
    }
    by_kind["labor"] = by_kind["labor"] + idle
    plan = Plan(
        trailers_LT=trailers_LT,
        heads_STK=heads_STK,
        lanes=parameters.lanes.name_L,
        sites=sites.name_S,
        days=scenarios.days,
        kind=kind,
        parameters=parameters.fingerprint,
        scenarios=scenarios.fingerprint,
        source=scenarios.source,
    )
    seconds = sum(outcome.seconds for outcome in outcomes)
    return Outcome(
        plan=plan,
        costs=Costs(by_kind=by_kind),
        weight_W=scenarios.weight_W,
        objective=sum(outcome.objective for outcome in outcomes) + idle,
        bound=sum(outcome.bound for outcome in outcomes) + idle,
        seconds=seconds,
        flows=_flows(parameters, parts, outcomes) if outcomes[0].flows is not None else None,
        demand_dual_WLT=_duals(scenarios, parts, outcomes),
        notes=(f"{len(parts)} parts, {seconds:.1f} s",),
    )


def _duals(scenarios: Scenarios, parts: list[Part], outcomes: list[Outcome]) -> np.ndarray | None:
    if outcomes[0].demand_dual_WLT is None:
        return None
    dual_WLT = np.zeros(scenarios.volume_WLT.shape)
    for part, outcome in zip(parts, outcomes, strict=True):
        dual_WLT[:, part.lane_L] = outcome.demand_dual_WLT
    return dual_WLT


def _flows(parameters: Parameters, parts: list[Part], outcomes: list[Outcome]) -> Flows:
    whole = {"L": parameters.num_lanes, "J": len(parameters.stages), "S": parameters.num_sites}
    flows: dict[str, np.ndarray] = {}
    for name in (field.name for field in fields(Flows)):
        axis = name.rsplit("_", 1)[1][1]  # adhoc_WLT -> L
        for part, outcome in zip(parts, outcomes, strict=True):
            value = getattr(outcome.flows, name)
            if name not in flows:
                flows[name] = np.zeros((value.shape[0], whole[axis], *value.shape[2:]))
            if axis == "S":
                flows[name][:, part.site_S] = value[:, part.inner_S]
            else:
                flows[name][:, part.lane_L if axis == "L" else part.stage_J] = value
    return Flows(**flows)
