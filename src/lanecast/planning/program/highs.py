"""HiGHS behind one function: a sparse program in, a solution out, every refusal explained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import PlanError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


INTERIOR = 150_000  # columns from which the interior point method was the faster one


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """``min cost x`` with ``row_lower <= matrix x <= row_upper`` and bounds; ``whole`` columns."""

    cost: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    matrix: csr_matrix
    row_lower: np.ndarray
    row_upper: np.ndarray
    whole: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """``x`` and what it costs; no solution costs less than ``bound``.  ``row_dual``: d cost per
    unit of a row's right side (nan for whole numbers)."""

    x: np.ndarray
    objective: float
    bound: float
    row_dual: np.ndarray
    seconds: float
    optimal: bool


def minimize(
    program: Program,
    *,
    subject: str,
    gap: float = 0.0,
    time_limit_s: float | None = None,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> Solution:
    """Solve; PlanError names ``subject`` where there is no solution to give.

    Large fractional programs go to the interior point method, whose crossover ends in a basis too.
    """
    large = len(program.cost) > INTERIOR and program.whole is None
    solver = Solver(program, gap=gap, time_limit_s=time_limit_s, interior=large)
    if start is not None:
        solver.begin(*start)
    return solver.run(subject)


class Solver:
    """A model that is kept between solves which differ in their row bounds or prices."""

    def __init__(
        self,
        program: Program,
        *,
        gap: float = 0.0,
        time_limit_s: float | None = None,
        interior: bool = False,
    ) -> None:
        self.program = program
        self.highs = _quiet()
        self.highs.setOptionValue("output_flag", False)
        self.highs.setOptionValue("threads", 1)
        if interior:
            self.highs.setOptionValue("solver", "ipm")
        if program.whole is not None:
            self.highs.setOptionValue("mip_rel_gap", float(gap))
        if time_limit_s is not None:
            self.highs.setOptionValue("time_limit", float(time_limit_s))
        self.highs.passModel(_lp(program))

    def begin(self, columns: np.ndarray, values: np.ndarray) -> None:
        """Start a whole-number search from some columns' values; HiGHS completes the rest."""
        self.highs.setSolution(len(columns), columns.astype(np.int32), values.astype(np.float64))

    def rows(self, lower: np.ndarray, upper: np.ndarray) -> None:
        """Other row bounds."""
        number = np.arange(len(lower), dtype=np.int32)
        self.highs.changeRowsBounds(len(number), number, lower, upper)

    def costs(self, cost: np.ndarray) -> None:
        """Other prices."""
        number = np.arange(len(cost), dtype=np.int32)
        self.highs.changeColsCost(len(number), number, cost)

    def run(self, subject: str) -> Solution:
        """Solve what the model is now."""
        import highspy

        started = time.perf_counter()
        self.highs.run()
        ended = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kTimeLimit)
        if self.highs.getModelStatus() not in ended:
            # A basis left by other bounds can mislead the simplex: once more, from nothing.
            self.highs.clearSolver()
            self.highs.setOptionValue("solver", "choose")
            self.highs.run()
        status, info = self.highs.getModelStatus(), self.highs.getInfo()
        optimal, stopped = (status == end for end in ended)
        feasible = info.primal_solution_status == 2
        if not optimal and not (stopped and feasible):
            raise PlanError(_explained(subject, self.highs.modelStatusToString(status), stopped))
        solution: Any = self.highs.getSolution()
        whole = self.program.whole is not None
        dual = (
            np.full(len(self.program.row_lower), np.nan) if whole else np.array(solution.row_dual)
        )
        value = float(info.objective_function_value)
        bound = value if optimal else -np.inf
        if whole:
            bound = float(info.mip_dual_bound)
        return Solution(
            x=np.array(solution.col_value),
            objective=value,
            bound=bound,
            row_dual=dual,
            seconds=time.perf_counter() - started,
            optimal=optimal,
        )


def _quiet() -> Any:
    """A solver that prints nothing, its banner included."""
    import highspy

    class Quiet(highspy.Highs):
        """Silent from its constructor on."""

        def enableCallbacks(self) -> None:  # the constructor calls it, and it prints
            self.setOptionValue("output_flag", False)
            super().enableCallbacks()

    return Quiet()


def _explained(subject: str, status: str, stopped: bool) -> str:
    if stopped:
        return (
            f"{subject}: no plan was found within the time limit; raise planning.time_limit_s, or"
            " plan fractions with planning.integer=false"
        )
    return (
        f"{subject}: the solver says {status!r}. Rolling and backlog make every volume feasible and"
        " no price is negative, so a bound or a volume must be far out of scale (1e9 packages"
        " beside 1)"
    )


def _lp(program: Program) -> Any:
    import highspy

    lp = highspy.HighsLp()
    matrix = program.matrix.tocsr()
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.cost, program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = matrix.indptr
    lp.a_matrix_.index_ = matrix.indices
    lp.a_matrix_.value_ = matrix.data
    if program.whole is not None:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(whole)] for whole in program.whole]
    return lp
