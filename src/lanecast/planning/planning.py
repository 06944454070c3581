"""The core of planning: sample paths of one future, or of two arms, become plans and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lanecast.data.panel import Panel
from lanecast.planning.contracts import Outcome, Scenarios
from lanecast.planning.network import PricedNetwork
from lanecast.planning.parameters import Parameters
from lanecast.planning.policies import Policy
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import perfect, solve
from lanecast.planning.regret import over_origins, realized
from lanecast.planning.service import plan_values

ARMS = BASELINE, SCENARIO = "baseline", "scenario"  # of a what-if question


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Plans by arm, each priced over all paths of its arm with what moves in each.

    ``values``: expected US dollars, trailers, head shifts and shares of the volume, of two arms by
    ``arm/name``, with what the action costs between them; with what then happened the plan's
    regret.  ``warnings``: plans that were not solved as far as asked.
    """

    parameters: Parameters
    paths: Mapping[str, Scenarios]
    outcomes: Mapping[str, Outcome]
    values: Mapping[str, float]
    warnings: tuple[str, ...] = ()


def plan(
    panel: Panel,
    paths: Mapping[str, Scenarios],
    *,
    network: PricedNetwork,
    policy: Policy,
    as_of: int,
    options: SolveOptions | None = None,
    happened: Scenarios | None = None,
) -> Planned:
    """Plan for the paths of each arm: one of any name, or ``baseline`` and ``scenario``.

    ``as_of``: the step up to which the network's bounds may look at volumes.  ``happened``: what
    then came, as one scenario of the same lanes and days; scores a single plan against it.
    """
    options = options or SolveOptions()
    first = next(iter(paths.values()))
    parameters = network.parameters(panel, first.lanes, as_of=as_of)
    outcomes, warnings = {}, []
    for arm, volumes in paths.items():
        volumes.require(parameters, unit=network.unit)
        solved = policy.plan(parameters, volumes, options=options)
        if solved.gap > options.gap:
            warnings.append(
                f"plan {solved.plan.kind}: gap {solved.gap:.2%} after {solved.seconds:.0f} s"
            )
        outcomes[arm] = _priced(parameters, volumes, solved)
    values = _values(outcomes, paths)
    if len(outcomes) == 1 and happened is not None:
        (outcome,) = outcomes.values()
        values |= regret_values(parameters, outcome, happened)
    return Planned(
        parameters=parameters,
        paths=dict(paths),
        outcomes=outcomes,
        values=values,
        warnings=tuple(warnings),
    )


def regret_values(
    parameters: Parameters, outcome: Outcome, happened: Scenarios
) -> dict[str, float]:
    """What the plan cost in US dollars, what perfect information would have, and the share more."""
    cost = float(realized(parameters, outcome.plan, happened)[0])
    best = float(perfect(parameters, happened)[0])
    regret = over_origins([cost], [best])["plan_regret"]
    return {"realized_usd": cost, "perfect_usd": best, "plan_regret": regret}


def _priced(parameters: Parameters, volumes: Scenarios, solved: Outcome) -> Outcome:
    """A plan over all of its paths, with the flows in each."""
    final = replace(solved.plan, source=volumes.source, scenarios=volumes.fingerprint)
    priced = solve(
        parameters, volumes, fixed=final, options=SolveOptions(flows=True, kind=final.kind)
    )
    notes = (*solved.notes, f"gap of the plan {solved.gap:.2e}")
    return replace(priced, plan=final, notes=notes)


def _values(outcomes: Mapping[str, Outcome], paths: Mapping[str, Scenarios]) -> dict[str, float]:
    """The values of every arm, and the change between two."""
    values: dict[str, float] = {}
    for arm, outcome in outcomes.items():
        prefix = "" if len(outcomes) == 1 else f"{arm}/"
        totals = plan_values(outcome, paths[arm])
        values |= {f"{prefix}{name}": value for name, value in totals.items()}
    if set(outcomes) == {BASELINE, SCENARIO}:
        cost, trailers, shifts = (
            values[f"{SCENARIO}/{name}"] - values[f"{BASELINE}/{name}"]
            for name in ("expected_usd", "trailers", "head_shifts")
        )
        values |= {"cost_of_action_usd": cost, "more_trailers": trailers}
        values["more_head_shifts"] = shifts
    return values
