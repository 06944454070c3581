"""Ways to turn sample paths into a plan: the stochastic program, and what it is compared with.

Every way solves the same program; they differ in the futures they let it see.  A policy is one YAML
of ``conf/plan``.  Axes: ``W`` scenarios, ``L`` lanes, ``T`` days.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import Outcome, Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.decomposition import solve_decomposed
from lanecast.planning.program.options import Risk, SolveOptions
from lanecast.planning.program.reduction import reduced


class Policy(Protocol):
    """A way to plan; ``name`` stands in tables."""

    name: str

    def plan(
        self, parameters: Parameters, scenarios: Scenarios, *, options: SolveOptions
    ) -> Outcome:
        """The plan, with what it expects to pay in the futures that it looked at."""
        ...

    def point(self, parameters: Parameters, scenarios: Scenarios) -> np.ndarray:
        """The one future [L, T] that stands for what it plans for: what its error is told of."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stochastic:
    """All futures at once, or ``scenarios`` of them chosen to stand for all.

    ``risk_weight`` adds that many times the CVaR at ``risk_level`` of the recourse cost.
    """

    name: str = "stochastic"
    scenarios: int | None = None
    risk_weight: float = 0.0
    risk_level: float = 0.9

    def plan(
        self, parameters: Parameters, scenarios: Scenarios, *, options: SolveOptions
    ) -> Outcome:
        """Minimize expected cost, and CVaR where asked."""
        seen = scenarios if self.scenarios is None else reduced(scenarios, self.scenarios)
        risk = Risk(weight=self.risk_weight, level=self.risk_level)
        own = replace(options, kind=self.name, risk=risk)
        return solve_decomposed(parameters, seen, options=own)

    def point(self, parameters: Parameters, scenarios: Scenarios) -> np.ndarray:  # noqa: ARG002
        """The median of every lane and day."""
        return marginal_quantiles(scenarios, np.full(len(scenarios.lanes), 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePath:
    """One future as if it were certain: the mean (``quantile=None``) or a marginal quantile of
    each lane and day, times ``scale``.  Without a ``name`` it is called ``mean``, ``q90``,
    ``mean x0.9``."""

    name: str = ""
    quantile: float | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Name it."""
        if self.quantile is not None and not 0 < self.quantile < 1:
            raise PlanError(f"plan quantile={self.quantile} must lie between 0 and 1")
        default = "mean" if self.quantile is None else f"q{100 * self.quantile:g}"
        default += "" if self.scale == 1 else f" x{self.scale:g}"
        object.__setattr__(self, "name", self.name or default)

    def plan(
        self, parameters: Parameters, scenarios: Scenarios, *, options: SolveOptions
    ) -> Outcome:
        """Minimize the cost of that one future."""
        path = alone(scenarios, self.point(parameters, scenarios))
        return solve_decomposed(parameters, path, options=replace(options, kind=self.name))

    def point(self, parameters: Parameters, scenarios: Scenarios) -> np.ndarray:  # noqa: ARG002
        """That future."""
        if self.quantile is None:
            path_LT = np.tensordot(scenarios.weight_W, scenarios.volume_WLT, axes=1)
        else:
            levels_L = np.full(len(scenarios.lanes), self.quantile)
            path_LT = marginal_quantiles(scenarios, levels_L)
        return np.asarray(self.scale * path_LT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsvendor:
    """Each lane at its own critical ratio ``(a - 1) / a``: the optimum of one lane whose packages
    cannot be rolled, with ad-hoc trailers at ``a`` times the contract price."""

    name: str = "newsvendor"

    def plan(
        self, parameters: Parameters, scenarios: Scenarios, *, options: SolveOptions
    ) -> Outcome:
        """Minimize the cost of the path of those quantiles."""
        path = alone(scenarios, self.point(parameters, scenarios))
        return solve_decomposed(parameters, path, options=replace(options, kind=self.name))

    def point(self, parameters: Parameters, scenarios: Scenarios) -> np.ndarray:
        """The path of those quantiles."""
        a_L = parameters.lanes.adhoc_multiplier_L
        return marginal_quantiles(scenarios, (a_L - 1.0) / a_L)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """The stochastic program on paths that keep every lane's and day's distribution, and not how
    they hang together: ``comonotone`` (all high or all low at once) or ``independent``."""

    name: str
    dependence: str = "comonotone"
    seed: int = 0

    def plan(
        self, parameters: Parameters, scenarios: Scenarios, *, options: SolveOptions
    ) -> Outcome:
        """Minimize expected cost over the paths so rearranged."""
        paths = self.rearranged(scenarios)
        return solve_decomposed(parameters, paths, options=replace(options, kind=self.name))

    def point(self, parameters: Parameters, scenarios: Scenarios) -> np.ndarray:  # noqa: ARG002
        """The median of every lane and day."""
        return marginal_quantiles(scenarios, np.full(len(scenarios.lanes), 0.5))

    def rearranged(self, scenarios: Scenarios) -> Scenarios:
        """The same marginals with another dependence; scenarios must be equally likely."""
        if np.ptp(scenarios.weight_W) > 1e-12:
            raise PlanError(f"plan {self.name!r} rearranges paths that are equally likely only")
        sorted_WLT = np.sort(scenarios.volume_WLT, axis=0)
        if self.dependence == "comonotone":
            return replace(scenarios, volume_WLT=sorted_WLT)
        if self.dependence != "independent":
            raise PlanError(
                f"plan {self.name!r}: dependence={self.dependence!r} is not comonotone or"
                " independent"
            )
        shuffled_WLT = np.random.default_rng(self.seed).permuted(sorted_WLT, axis=0)
        return replace(scenarios, volume_WLT=shuffled_WLT)


def marginal_quantiles(scenarios: Scenarios, level_L: np.ndarray) -> np.ndarray:
    """Quantile of every lane's days at the lane's own level, [L, T]: the smallest volume that
    covers that much probability."""
    order_WLT = np.argsort(scenarios.volume_WLT, axis=0, kind="stable")
    volume_WLT = np.take_along_axis(scenarios.volume_WLT, order_WLT, axis=0)
    covered_WLT = np.cumsum(scenarios.weight_W[order_WLT], axis=0)
    first_LT = (covered_WLT >= level_L[None, :, None] - 1e-9).argmax(axis=0)
    return np.asarray(np.take_along_axis(volume_WLT, first_LT[None], axis=0)[0])


def alone(scenarios: Scenarios, path_LT: np.ndarray) -> Scenarios:
    """One certain future."""
    return replace(scenarios, volume_WLT=path_LT[None], probability_W=None)
