"""The two-stage program: trailers and heads now, recourse in every scenario; solved by HiGHS.

``min  contract y + wage n + sum_w p_w recourse_w  (+ weight * CVaR of the recourse cost)``, with
the rows of `lanecast.planning.program.structure`.  Rolling and backlog make every plan feasible.
Axes: ``W`` scenarios, ``L`` lanes, ``T`` days, ``S`` sites, ``K`` shifts, ``J`` stages.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from lanecast.planning.contracts import Costs, Flows, Outcome, Plan, Scenarios, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.highs import Program, Solution, Solver, minimize
from lanecast.planning.program.limits import require_keepable
from lanecast.planning.program.options import PLAIN, Change, Risk, SolveOptions
from lanecast.planning.program.structure import INF, Block, FirstStage, first_stage, scenario_block


def solve(
    parameters: Parameters,
    scenarios: Scenarios,
    *,
    fixed: Plan | None = None,
    options: SolveOptions = PLAIN,
) -> Outcome:
    """The best plan for the scenarios, or with ``fixed`` what that plan costs in each of them.

    PlanError names what does not fit.
    """
    scenarios.require(parameters, unit=scenarios.unit)
    num_days = len(scenarios.days)
    first = first_stage(parameters, num_days)
    block = scenario_block(parameters, num_days, first, options.state)
    if fixed is not None:
        require_keepable(parameters, fixed, scenarios.days)
        return _priced(parameters, scenarios, first, block, fixed, options=options)
    question = _Question(
        parameters=parameters, scenarios=scenarios, first=first, block=block, options=options
    )
    started = time.perf_counter()
    program = question.program()
    if options.progress is not None:
        rows, columns = program.matrix.shape
        size = f"{rows:,} rows, {columns:,} columns, {program.matrix.nnz:,} numbers"
        options.progress(f"{options.kind}: {size}")
    start = None if options.incumbent is None else question.point(options.incumbent)
    solution = minimize(
        program,
        subject=f"plan {options.kind!r}",
        gap=options.gap,
        time_limit_s=options.time_limit_s,
        start=start,
    )
    outcome = question.outcome(solution)
    return replace(outcome, seconds=time.perf_counter() - started)


def perfect(
    parameters: Parameters, scenarios: Scenarios, *, state: State | None = None
) -> np.ndarray:
    """Cost of each scenario for a planner who knows it, [W] US dollars."""
    num_days = len(scenarios.days)
    first = first_stage(parameters, num_days)
    block = scenario_block(parameters, num_days, first, state)
    scenarios.require(parameters, unit=scenarios.unit)
    alone = replace(scenarios, volume_WLT=scenarios.volume_WLT[:1], probability_W=None)
    question = _Question(
        parameters=parameters, scenarios=alone, first=first, block=block, options=PLAIN
    )
    solver = Solver(question.program())
    cost_W = np.empty(len(scenarios.volume_WLT))
    for number, volume_LT in enumerate(scenarios.volume_WLT):
        lower, upper = block.bounds(volume_LT)
        solver.rows(np.r_[first.row_lower, lower], np.r_[first.row_upper, upper])
        cost_W[number] = solver.run(f"perfect information of scenario {number}").objective
    return cost_W


def stacked(
    parameters: Parameters, scenarios: Scenarios, *, options: SolveOptions = PLAIN
) -> tuple[Program, FirstStage]:
    """The program's matrices without risk, for who solves it under other prices."""
    num_days = len(scenarios.days)
    first = first_stage(parameters, num_days)
    block = scenario_block(parameters, num_days, first, options.state)
    question = _Question(
        parameters=parameters, scenarios=scenarios, first=first, block=block,
        options=replace(options, risk=Risk(), integer=False),
    )  # fmt: skip
    return question.program(), first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One program, its stacked matrices and how to read its solution."""

    parameters: Parameters
    scenarios: Scenarios
    first: FirstStage
    block: Block
    options: SolveOptions

    def program(self) -> Program:
        """First stage, scenarios side by side, then CVaR, then changes."""
        from scipy.sparse import bmat, csr_matrix, kron, vstack
        from scipy.sparse import eye_array as eye

        first, block, weight_W = self.first, self.block, self.scenarios.weight_W
        count = len(weight_W)
        own = kron(eye(count), block.own, format="csr")
        link = vstack([block.link] * count, format="csr")
        matrix = bmat([[first.rows, None], [link, own]], format="csr")
        bounds = [block.bounds(volume_LT) for volume_LT in self.scenarios.volume_WLT]
        row_lower = np.concatenate([first.row_lower, *(low for low, _ in bounds)])
        row_upper = np.concatenate([first.row_upper, *(high for _, high in bounds)])
        cost = np.concatenate([first.cost, np.outer(weight_W, block.cost).ravel()])
        lower = np.concatenate([first.lower, np.zeros(count * block.columns.total)])
        upper = np.concatenate([first.upper, np.tile(block.column_upper, count)])
        program = Program(
            cost=cost, lower=lower, upper=upper, matrix=csr_matrix(matrix),
            row_lower=row_lower, row_upper=row_upper,
        )  # fmt: skip
        if self.options.risk.weight > 0:
            program = _with_risk(program, first, block, weight_W, self.options.risk)
        if self.options.change is not None:
            program = _with_change(program, first, self.options.change, self.parameters)
        if self.options.integer:
            whole = np.zeros(len(program.cost), dtype=bool)
            whole[first.columns["y"]] = True
            deciding = "n" if self.parameters.rules.days_on is None else "m"
            whole[first.columns[deciding]] = True
            program = replace(program, whole=whole)
        return program

    def point(self, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
        """Columns and values of a plan to start from."""
        columns = np.r_[self.first.columns["y"].ravel(), self.first.columns["n"].ravel()]
        return columns, np.r_[plan.trailers_LT.ravel(), plan.heads_STK.ravel()]

    def outcome(self, solution: Solution) -> Outcome:
        """The solution as a plan with its costs."""
        first, block, scenarios, options = self.first, self.block, self.scenarios, self.options
        count = len(scenarios.weight_W)
        begin = first.columns.total
        recourse = solution.x[begin : begin + count * block.columns.total].reshape(count, -1)
        y, n = solution.x[first.columns["y"]], solution.x[first.columns["n"]]
        plan = Plan(
            trailers_LT=np.maximum(y, 0.0),
            heads_STK=np.maximum(n, 0.0),
            lanes=self.parameters.lanes.name_L,
            sites=self.parameters.sites.name_S,
            days=scenarios.days,
            kind=options.kind,
            parameters=self.parameters.fingerprint,
            scenarios=scenarios.fingerprint,
            source=scenarios.source,
        )
        dual = None
        if options.duals:
            rows = len(first.row_lower) + np.arange(count)[:, None, None] * len(block.lower)
            dual = solution.row_dual[rows + block.volume_rows[None]]
        flows = _flows(block, recourse, self.parameters, options.state) if options.flows else None
        status = "optimal" if solution.optimal else "time limit"
        return Outcome(
            plan=plan,
            costs=_costs(first, block, plan, recourse),
            weight_W=scenarios.weight_W,
            objective=solution.objective,
            bound=solution.bound,
            seconds=solution.seconds,
            flows=flows,
            demand_dual_WLT=dual,
            notes=(f"{status} after {solution.seconds:.1f} s",),
        )


def _priced(
    parameters: Parameters,
    scenarios: Scenarios,
    first: FirstStage,
    block: Block,
    plan: Plan,
    *,
    options: SolveOptions,
) -> Outcome:
    """A given plan, scenario by scenario on one warm model."""
    started = time.perf_counter()
    x = np.zeros(first.columns.total)
    x[first.columns["y"]] = plan.trailers_LT
    x[first.columns["n"]] = plan.heads_STK
    taken = block.link @ x
    solver = Solver(
        Program(
            cost=block.cost, lower=np.zeros(block.columns.total), upper=block.column_upper,
            matrix=block.own, row_lower=block.lower - taken, row_upper=block.upper - taken,
        )
    )  # fmt: skip
    recourse, dual = [], []
    for number, volume_LT in enumerate(scenarios.volume_WLT):
        lower, upper = block.bounds(volume_LT)
        solver.rows(lower - taken, upper - taken)
        solution = solver.run(f"plan {plan.kind!r} in scenario {number}")
        recourse.append(solution.x)
        dual.append(solution.row_dual[block.volume_rows])
    costs = _costs(first, block, plan, np.array(recourse))
    weight_W = scenarios.weight_W
    expected = float(weight_W @ costs.total_W)
    moved = _flows(block, np.array(recourse), parameters, options.state) if options.flows else None
    return Outcome(
        plan=plan,
        costs=costs,
        weight_W=weight_W,
        objective=expected,
        bound=expected,
        seconds=time.perf_counter() - started,
        flows=moved,
        demand_dual_WLT=np.array(dual) * weight_W[:, None, None] if options.duals else None,
    )


def _with_risk(
    program: Program, first: FirstStage, block: Block, weight_W: np.ndarray, risk: Risk
) -> Program:
    """``weight (eta + sum p s / (1 - level))`` with ``s_w >= recourse_w - eta`` (Rockafellar and
    Uryasev 2000)."""
    from scipy.sparse import bmat, coo_matrix, csr_matrix, kron
    from scipy.sparse import eye_array as eye

    count = len(weight_W)
    spent = kron(eye(count), csr_matrix(block.cost[None, :]), format="csr")
    none = coo_matrix((count, first.columns.total))
    tail = bmat([[-np.ones((count, 1)), -eye(count)]])
    matrix = bmat([[program.matrix, None], [bmat([[none, spent]]), tail]], format="csr")
    extra = np.r_[risk.weight, risk.weight * weight_W / (1.0 - risk.level)]
    return replace(
        program,
        cost=np.r_[program.cost, extra],
        lower=np.r_[program.lower, -INF, np.zeros(count)],
        upper=np.r_[program.upper, np.full(count + 1, INF)],
        matrix=csr_matrix(matrix),
        row_lower=np.r_[program.row_lower, np.full(count, -INF)],
        row_upper=np.r_[program.row_upper, np.zeros(count)],
    )


def _with_change(
    program: Program, first: FirstStage, change: Change, parameters: Parameters
) -> Program:
    """Bounds where the old plan is bound, a price on ``|new - old|`` on its other days."""
    from scipy.sparse import bmat, coo_matrix, csr_matrix

    old, lower, upper = change.previous, program.lower.copy(), program.upper.copy()
    columns, values, prices = [], [], []
    for name, was, frozen, usd in (
        ("y", old.trailers_LT, change.frozen_trailer_days, change.trailer_usd),
        ("n", old.heads_STK, change.frozen_head_days, change.head_usd),
    ):
        number = first.columns[name]
        both = min(number.shape[1], was.shape[1])
        held = min(frozen, both)
        lower[number[:, :held]] = was[:, :held]
        upper[number[:, :held]] = was[:, :held]
        if usd > 0 and held < both:
            columns.append(number[:, held:both].ravel())
            values.append(was[:, held:both].ravel())
            prices.append(np.full(columns[-1].size, usd))
    held_days = max(change.frozen_trailer_days, change.frozen_head_days)
    if held_days:
        require_keepable(parameters, old, old.days[:held_days], part=held_days)
    program = replace(program, lower=lower, upper=upper)
    if not columns:
        return program
    column, value, price = (np.concatenate(x) for x in (columns, values, prices))
    count, number = len(column), np.arange(len(column))
    picks = coo_matrix((np.ones(count), (number, column)), shape=(count, len(program.cost)))
    signs = coo_matrix(
        (np.r_[-np.ones(count), np.ones(count)], (np.r_[number, number], np.arange(2 * count)))
    )
    return replace(
        program,
        cost=np.r_[program.cost, price, price],
        lower=np.r_[program.lower, np.zeros(2 * count)],
        upper=np.r_[program.upper, np.full(2 * count, INF)],
        matrix=csr_matrix(bmat([[program.matrix, None], [picks, signs]])),
        row_lower=np.r_[program.row_lower, value],
        row_upper=np.r_[program.row_upper, value],
    )


def _costs(first: FirstStage, block: Block, plan: Plan, recourse: np.ndarray) -> Costs:
    """US dollars by scenario and kind."""
    count = len(recourse)
    contract = float((first.cost[first.columns["y"]] * plan.trailers_LT).sum())
    labor = float((first.cost[first.columns["n"]] * plan.heads_STK).sum())
    return Costs(
        by_kind={
            "contract": np.full(count, contract),
            "labor": np.full(count, labor),
            **{kind: recourse @ price for kind, price in block.kinds.items()},
        }
    )


def _flows(
    block: Block, recourse: np.ndarray, parameters: Parameters, state: State | None
) -> Flows:
    """What moves, [W, ...]; tiny negatives of the solver become zero."""
    value = {
        name: np.maximum(recourse[:, number], 0.0) for name, number in block.columns.number.items()
    }
    stages = parameters.stages
    transit_J = parameters.lanes.transit_days_L[stages.carrier_J]
    end_J = parameters.lanes.destination_L[stages.carrier_J]
    num_days = value["load"].shape[2]
    arrived = np.zeros((len(recourse), parameters.num_sites, num_days))
    if state is not None:
        np.add.at(arrived[0], end_J, state.arriving_JT[:, :num_days])
        arrived[1:] = arrived[0]
    for days in np.unique(transit_J[transit_J < num_days]):
        some = np.flatnonzero(transit_J == days)
        for scenario in range(len(recourse)):
            sent = value["load"][scenario, some, : num_days - days]
            np.add.at(arrived[scenario, :, days:], end_J[some], sent)
    return Flows(
        adhoc_WLT=value["e"],
        load_WJT=value["load"],
        rolled_WJT=value["R"],
        rerouted_WLT=value["x"],
        arrived_WST=arrived,
        sorted_WSTK=value["P"],
        backlog_WSTK=value["B"],
        overtime_WSTK=value["O"],
        sorted_on_WJT=value["Z"],
    )
