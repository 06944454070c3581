"""What a plan costs beyond perfect information, and how much of that a forecast could have saved.

``regret = (E[cost of the plan] - E[perfect information]) / E[perfect information] >= 0``.  Where
many futures of one origin are known (a synthetic world, or a hold-out of sample paths), it splits
into EVPI, which nobody can avoid, and the excess over the here-and-now optimum of those same
futures. Against one realized future there is no split.  Axes: ``W`` scenarios, ``O`` origins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import Plan, Scenarios, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.decomposition import solve_decomposed
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import perfect


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """Fractions of perfect-information cost; ``se`` is the standard error of ``regret``.

    ``evpi + excess = regret``; ``excess_se`` is that of the excess, paired over the scenarios.
    """

    plan: str
    cost: float
    regret: float
    se: float
    evpi: float
    excess: float
    excess_se: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What plans are measured against, on one set of evaluation scenarios.

    ``perfect_W``: cost with the scenario known; ``optimum_W``: cost of the here-and-now optimum.
    """

    scenarios: Scenarios
    perfect_W: np.ndarray
    optimum_W: np.ndarray

    @classmethod
    def of(
        cls, parameters: Parameters, scenarios: Scenarios, *, state: State | None = None
    ) -> Yardstick:
        """Solve the evaluation scenarios, once together and once each by itself."""
        best = solve_decomposed(
            parameters, scenarios, options=SolveOptions(state=state, kind="optimum")
        )
        return cls(
            scenarios=scenarios,
            perfect_W=perfect(parameters, scenarios, state=state),
            optimum_W=realized(parameters, best.plan, scenarios, state=state),
        )

    def measure(self, parameters: Parameters, plan: Plan, *, state: State | None = None) -> Regret:
        """The regret of one plan."""
        cost_W = realized(parameters, plan, self.scenarios, state=state)
        weight_W = self.scenarios.weight_W
        base = float(weight_W @ self.perfect_W)
        if base <= 0:
            raise PlanError("perfect information costs nothing here, so regret has no scale")
        return Regret(
            plan=plan.kind,
            cost=float(weight_W @ cost_W),
            regret=float(weight_W @ (cost_W - self.perfect_W)) / base,
            se=ratio_error(cost_W, self.perfect_W, self.perfect_W, weight_W),
            evpi=float(weight_W @ (self.optimum_W - self.perfect_W)) / base,
            excess=float(weight_W @ (cost_W - self.optimum_W)) / base,
            excess_se=ratio_error(cost_W, self.optimum_W, self.perfect_W, weight_W),
        )


def realized(
    parameters: Parameters, plan: Plan, scenarios: Scenarios, *, state: State | None = None
) -> np.ndarray:
    """Cost of a plan in each scenario, [W], with the best recourse once the scenario is known."""
    options = SolveOptions(state=state, kind=plan.kind)
    outcome = solve_decomposed(parameters, scenarios, fixed=plan, options=options)
    return outcome.costs.total_W


def ratio_error(
    cost_W: np.ndarray, other_W: np.ndarray, scale_W: np.ndarray, weight_W: np.ndarray
) -> float:
    """Standard error of ``E[cost - other] / E[scale]``, by the delta method; nan for one."""
    if len(weight_W) < 2:
        return float("nan")
    base = float(weight_W @ scale_W)
    ratio = float(weight_W @ (cost_W - other_W)) / base
    rest_W = (cost_W - other_W) - ratio * scale_W
    effective = 1.0 / float((weight_W**2).sum())  # as many equally likely scenarios
    return float(np.sqrt(weight_W @ rest_W**2 / max(effective - 1.0, 1.0)) / base)


def over_origins(cost_O: Sequence[float], perfect_O: Sequence[float]) -> Mapping[str, float]:
    """Regret of one realized future per origin, with its standard error over the origins."""
    cost, base = np.asarray(cost_O, dtype=np.float64), np.asarray(perfect_O, dtype=np.float64)
    if not len(base) or base.sum() <= 0:
        raise PlanError("perfect information costs nothing here, so regret has no scale")
    weight_O = np.full(len(base), 1.0 / len(base))
    return {
        "plan_regret": float((cost - base).sum() / base.sum()),
        "plan_regret_se": ratio_error(cost, base, base, weight_O),
    }
