"""The program part by part: exactly where no row ties the parts, by prices where the fleet does.

Parts are sites that sort each other's packages (`lanecast.planning.program.parts`).  A finite fleet
ties them by one row a day: Dantzig-Wolfe prices those rows, each part proposes plans for the
prices, and a small program mixes the proposals.  Its duals give a bound, so that the gap is known.
Axes: ``T`` days, ``C`` proposals, ``L`` lanes, ``W`` scenarios.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import Outcome, Plan, Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.highs import Program, Solver, minimize
from lanecast.planning.program.options import PLAIN, SolveOptions
from lanecast.planning.program.parts import Part, joined, parts_of
from lanecast.planning.program.program import solve
from lanecast.planning.program.structure import INF

WORKERS = 2
ROUNDS = 80
STEADY = 0.7  # weight of the best prices so far
CLOSE = 3e-5  # relative gap of Dantzig-Wolfe at which it stops


def solve_decomposed(
    parameters: Parameters,
    scenarios: Scenarios,
    *,
    fixed: Plan | None = None,
    options: SolveOptions = PLAIN,
) -> Outcome:
    """As `lanecast.planning.program.program.solve`, and the same optimum.

    CVaR looks at the cost of a scenario over all parts, so that it is solved in one piece.  A
    finite fleet is priced for fractional plans; whole numbers under it are solved in one piece.
    """
    scenarios.require(parameters, unit=scenarios.unit)
    parts = parts_of(parameters)
    tied = np.isfinite(parameters.rules.fleet_max_trailers_per_day)
    risky = options.risk.weight > 0
    if fixed is None and (len(parts) == 1 or risky or (tied and options.integer)):
        return solve(parameters, scenarios, options=options)
    if tied and fixed is None:
        free = _without_fleet(parameters)
        loose = solve_decomposed(free, scenarios, options=replace(options, flows=False))
        if _fits(loose.plan, parameters):
            return _again(parameters, scenarios, loose, options)
        return _priced_fleet(parameters, scenarios, parts, options)
    if fixed is not None:
        from lanecast.planning.program.limits import require_keepable

        require_keepable(parameters, fixed, scenarios.days)
    outcomes = _each(parts, scenarios, options, fixed)
    outcome = joined(parameters, scenarios, parts, outcomes, options.kind)
    return outcome if fixed is None else replace(outcome, plan=fixed)


def _each(
    parts: list[Part], scenarios: Scenarios, options: SolveOptions, fixed: Plan | None
) -> list[Outcome]:
    """Every part by itself, ``WORKERS`` at a time: HiGHS runs outside of Python's lock."""
    from concurrent.futures import ThreadPoolExecutor

    started, limit, progress = time.perf_counter(), options.time_limit_s, options.progress
    share = None if limit is None else max(WORKERS * limit / len(parts), 0.1)

    def solved(part: Part) -> Outcome:
        own = replace(_own(part, options), time_limit_s=share, progress=None)
        plan = None if fixed is None else part.plan(fixed)
        free = _without_fleet(part.parameters)
        return solve(free, part.scenarios(scenarios), fixed=plan, options=own)

    outcomes = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, outcome in enumerate(pool.map(solved, parts), 1):
            outcomes.append(outcome)
            if progress is not None and (number % 10 == 0 or number == len(parts)):
                seconds = time.perf_counter() - started
                progress(f"{options.kind}: {number} of {len(parts)} parts, {seconds:.0f} s")
    return outcomes


def _own(part: Part, options: SolveOptions) -> SolveOptions:
    """The options of one part."""
    incumbent = options.incumbent
    return replace(
        options,
        state=part.state(options.state),
        change=part.change(options.change),
        incumbent=None if incumbent is None else part.plan(incumbent),
    )


def _without_fleet(parameters: Parameters) -> Parameters:
    return replace(parameters, rules=replace(parameters.rules, fleet_max_trailers_per_day=INF))


def _fits(plan: Plan, parameters: Parameters) -> bool:
    used_T = plan.trailers_LT.sum(axis=0)
    return bool((used_T <= parameters.rules.fleet_max_trailers_per_day * (1 + 1e-9)).all())


def _again(
    parameters: Parameters, scenarios: Scenarios, loose: Outcome, options: SolveOptions
) -> Outcome:
    """The outcome without the fleet's rows, which did not bind, under the parameters' own name."""
    plan = replace(loose.plan, parameters=parameters.fingerprint)
    if not options.flows:
        return replace(loose, plan=plan)
    quiet = replace(options, progress=None)
    priced = solve_decomposed(parameters, scenarios, fixed=plan, options=quiet)
    return replace(loose, plan=plan, flows=priced.flows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proposal:
    """A plan of one part with its cost, prices of the fleet left out."""

    part: int
    plan: Plan
    cost: float
    used_T: np.ndarray


def _priced_fleet(
    parameters: Parameters, scenarios: Scenarios, parts: list[Part], options: SolveOptions
) -> Outcome:
    """Dantzig-Wolfe on the fleet's rows, started from the cheapest plans and from no trailers."""
    if options.duals:
        raise PlanError("duals of volumes under a binding fleet need the whole program: use solve")
    fleet, num_days = parameters.rules.fleet_max_trailers_per_day, len(scenarios.days)
    pricing = [_Pricing.of(part, scenarios, options) for part in parts]
    proposals = [
        _proposed(number, part, part_pricing, np.zeros(num_days))[0]
        for number, (part, part_pricing) in enumerate(zip(parts, pricing, strict=True))
    ]
    dear = np.full(num_days, 10.0 * float(parameters.lanes.contract_usd_per_trailer_L.max() + 1.0))
    proposals += [
        _proposed(number, part, part_pricing, dear)[0]
        for number, (part, part_pricing) in enumerate(zip(parts, pricing, strict=True))
    ]
    best_bound, started, center_T = -INF, time.perf_counter(), np.zeros(num_days)
    for turn in range(1, ROUNDS + 1):
        value, weight_C, price_T = _mixed(proposals, len(parts), fleet, num_days)
        # Prices between the best so far and the newest jump about less (Wentges 1997).
        trial_T = STEADY * center_T + (1.0 - STEADY) * price_T
        fresh, bound = [], -float(trial_T.sum() * fleet)
        for number, (part, part_pricing) in enumerate(zip(parts, pricing, strict=True)):
            proposal, reduced = _proposed(number, part, part_pricing, trial_T)
            bound += reduced
            fresh.append(proposal)
        if bound > best_bound:
            best_bound, center_T = bound, trial_T
        left = (value - best_bound) / max(abs(value), 1e-12)
        if options.progress is not None and turn % 5 == 1:
            seconds = time.perf_counter() - started
            options.progress(f"fleet priced in round {turn}: gap {left:.2e}, {seconds:.0f} s")
        if left <= CLOSE:
            break
        proposals += fresh
    plan = _blend(parameters, scenarios, parts, proposals, weight_C, options.kind)
    quiet = replace(options, progress=None)
    priced = solve_decomposed(parameters, scenarios, fixed=plan, options=quiet)
    seconds = time.perf_counter() - started
    notes = (f"{len(parts)} parts, fleet priced in {turn} rounds, {seconds:.1f} s",)
    return replace(
        priced, plan=plan, bound=best_bound, objective=max(priced.objective, best_bound),
        seconds=seconds, notes=notes,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pricing:
    """A part's program kept warm; only prices of trailers change between rounds."""

    solver: Solver
    program: Program
    trailers: np.ndarray  # columns [L, T]
    heads: np.ndarray

    @classmethod
    def of(cls, part: Part, scenarios: Scenarios, options: SolveOptions) -> _Pricing:
        """The program of a part without the fleet."""
        from lanecast.planning.program.program import stacked

        free = _without_fleet(part.parameters)
        program, first = stacked(free, part.scenarios(scenarios), options=_own(part, options))
        return cls(
            solver=Solver(program),
            program=program,
            trailers=first.columns["y"],
            heads=first.columns["n"],
        )


def _proposed(
    number: int, part: Part, pricing: _Pricing, price_T: np.ndarray
) -> tuple[_Proposal, float]:
    """The part's best plan if a trailer costs ``price_T`` more, and its cost with those prices."""
    cost = pricing.program.cost.copy()
    cost[pricing.trailers] += price_T
    pricing.solver.costs(cost)
    solution = pricing.solver.run(f"part {number} under fleet prices")
    trailers_LT = np.maximum(solution.x[pricing.trailers], 0.0)
    used_T = trailers_LT.sum(axis=0)
    plan = Plan(
        trailers_LT=trailers_LT,
        heads_STK=np.maximum(solution.x[pricing.heads], 0.0),
        lanes=part.parameters.lanes.name_L,
        sites=part.parameters.sites.name_S,
        days=np.arange(len(price_T)),
        kind="proposal",
    )
    cost_alone = float(pricing.program.cost @ solution.x)
    return _Proposal(part=number, plan=plan, cost=cost_alone, used_T=used_T), solution.objective


def _mixed(
    proposals: list[_Proposal], num_parts: int, fleet: float, num_days: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """The cheapest mix within the fleet: its cost, weights, and what a trailer of each day is
    worth.

    The fleet always fits, since every part has proposed to do nearly without; what is over costs a
    high price, which vanishes once better proposals are there.
    """
    from scipy.sparse import csr_matrix

    count = len(proposals)
    used_TC = np.array([proposal.used_T for proposal in proposals]).T
    pick = np.zeros((num_parts, count))
    pick[[proposal.part for proposal in proposals], np.arange(count)] = 1.0
    over = np.vstack([-np.eye(num_days), np.zeros((num_parts, num_days))])
    matrix = np.hstack([np.vstack([used_TC, pick]), over])
    cost = np.array([proposal.cost for proposal in proposals])
    high = 100.0 * float(np.abs(cost).max() + 1.0)
    solution = minimize(
        Program(
            cost=np.r_[cost, np.full(num_days, high)],
            lower=np.zeros(count + num_days),
            upper=np.full(count + num_days, INF),
            matrix=csr_matrix(matrix),
            row_lower=np.r_[np.full(num_days, -INF), np.ones(num_parts)],
            row_upper=np.r_[np.full(num_days, fleet), np.ones(num_parts)],
        ),
        subject="the mix of plans within the fleet",
    )
    return solution.objective, solution.x[:count], np.maximum(-solution.row_dual[:num_days], 0.0)


def _blend(
    parameters: Parameters,
    scenarios: Scenarios,
    parts: list[Part],
    proposals: list[_Proposal],
    weight_C: np.ndarray,
    kind: str,
) -> Plan:
    """The mixed plan of all parts."""
    trailers_LT = np.zeros((parameters.num_lanes, len(scenarios.days)))
    shape = (parameters.num_sites, len(scenarios.days), parameters.num_shifts)
    least = np.broadcast_to(parameters.sites.heads_min_S[:, None, None], shape)
    heads_STK = least.copy()
    for part in parts:
        heads_STK[part.site_S] = 0.0
    for weight, proposal in zip(weight_C, proposals, strict=False):
        part = parts[proposal.part]
        trailers_LT[part.lane_L] += weight * proposal.plan.trailers_LT
        heads_STK[part.site_S] += weight * proposal.plan.heads_STK[part.inner_S]
    over_T = trailers_LT.sum(axis=0) / parameters.rules.fleet_max_trailers_per_day
    trailers_LT /= np.maximum(over_T, 1.0)
    return Plan(
        trailers_LT=trailers_LT,
        heads_STK=np.clip(heads_STK, least, parameters.sites.heads_max_S[:, None, None]),
        lanes=parameters.lanes.name_L,
        sites=parameters.sites.name_S,
        days=scenarios.days,
        kind=kind,
        parameters=parameters.fingerprint,
        scenarios=scenarios.fingerprint,
        source=scenarios.source,
    )
