"""Plan regret as a metric of a backtest: plan at every cutoff, pay for what then happened.

Axes: ``S`` samples, ``W`` windows, ``H`` horizon, ``L`` lanes, ``T`` days of the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import PlanError
from lanecast.planning.contracts import Outcome, Scenarios
from lanecast.planning.network import PricedNetwork, mean_volume
from lanecast.planning.parameters import Parameters
from lanecast.planning.policies import Policy
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import perfect
from lanecast.planning.regret import over_origins, realized


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanScores:
    """``values``: ``plan_regret`` (fraction of perfect-information cost), its standard error over
    the cutoffs, ``plan_cost`` in US dollars.  ``by_cutoff``: the sums behind them, by cutoff
    time."""

    values: dict[str, float]
    by_cutoff: dict[str, dict[str, float]]


def paths_at(
    forecasts: Forecasts, panel: Panel, cutoff: int, *, days: int, unit: str, source: str = ""
) -> Scenarios:
    """Joint paths of all lanes that are forecast at a cutoff, lanes sorted by name.

    PlanError without sample paths or with fewer steps than days.
    """
    if forecasts.samples_SWH is None:
        raise PlanError("a plan needs joint sample paths; set protocol.samples=100")
    horizon = forecasts.point_WH.shape[1]
    if days > horizon:
        raise PlanError(
            f"the plan covers {days} days and the samples {horizon}; set planning.days or"
            " windows.horizon"
        )
    rows = np.flatnonzero(forecasts.index.cutoff_W == cutoff)
    names = panel.series[forecasts.index.series_W[rows]].astype(str)
    order = np.argsort(names, kind="stable")
    ahead = [panel.time_of(cutoff + step) for step in range(1, days + 1)]
    return Scenarios(
        volume_WLT=forecasts.samples_SWH[:, rows[order], :days].astype(np.float64),
        lanes=names[order],
        days=np.array(ahead, dtype="datetime64[D]"),
        unit=unit,
        source=source,
    )


def realized_volume(panel: Panel, cutoff: int, paths: Scenarios) -> Scenarios:
    """What then happened, as one scenario of the same lanes and days; a gap counts as the
    lane's mean of the 56 days up to the cutoff, the same whatever the model."""
    number = {str(name): at for at, name in enumerate(panel.series)}
    series = np.array([number[str(name)] for name in paths.lanes])
    at = WindowIndex(series_W=series, cutoff_W=np.full(len(series), cutoff))
    y_LT, seen_LT = labels(panel, at, len(paths.days))
    if not seen_LT.any():
        raise PlanError(f"nothing is known of the days after {panel.time_of(cutoff)}")
    mean_L = mean_volume(panel, paths.lanes, as_of=cutoff, days=56)
    filled_LT = np.where(seen_LT, y_LT, mean_L[:, None])
    return replace(paths, volume_WLT=filled_LT[None].astype(np.float64), probability_W=None)


def plan_scores(
    forecasts: Forecasts,
    panel: Panel,
    *,
    network: PricedNetwork,
    policy: Policy,
    days: int,
    unit: str | None = None,
    options: SolveOptions | None = None,
) -> PlanScores:
    """Plan at every cutoff from the forecast's paths; the cost of each against perfect information.

    Bounds of the network come from what is known at the first cutoff, the same for all.  ``unit``:
    of the forecast; PlanError where it is not the network's.
    """
    cutoffs = np.unique(forecasts.index.cutoff_W).tolist()
    rows: dict[str, dict[str, float]] = {}
    for cutoff in cutoffs:
        paths = paths_at(forecasts, panel, cutoff, days=days, unit=unit or network.unit)
        parameters = network.parameters(panel, paths.lanes, as_of=cutoffs[0])
        paths.require(parameters, unit=network.unit)
        outcome = policy.plan(parameters, paths, options=options or SolveOptions())
        truth = realized_volume(panel, cutoff, paths)
        rows[panel.time_of(cutoff).isoformat()] = _priced(parameters, outcome, truth)
    costs, bases = ([row[key] for row in rows.values()] for key in ("plan_cost", "plan_perfect"))
    values: dict[str, Any] = {**over_origins(costs, bases), "plan_cost": float(np.sum(costs))}
    return PlanScores(values=values, by_cutoff=rows)


def _priced(parameters: Parameters, outcome: Outcome, truth: Scenarios) -> dict[str, float]:
    cost = float(realized(parameters, outcome.plan, truth)[0])
    best = float(perfect(parameters, truth)[0])
    regret = (cost - best) / best if best > 0 else float("nan")
    return {"plan_regret": regret, "plan_cost": cost, "plan_perfect": best}
