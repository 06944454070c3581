"""What a plan gives and costs, for people: totals, and figures by lane, site and day.

Axes: ``W`` scenarios, ``L`` lanes, ``T`` days, ``S`` sites, ``K`` shifts, ``J`` stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import COSTS, Flows, Outcome, Scenarios
from lanecast.planning.parameters import Parameters

if TYPE_CHECKING:
    import pandas as pd


def plan_values(outcome: Outcome, scenarios: Scenarios) -> dict[str, float]:
    """Expected US dollars in all and by kind, trailers, head shifts, and shares of the volume.

    ``rolled_share``: package-days rolled over packages; ``backlog_share``: packages unsorted at the
    end of a day over packages; ``adhoc_share``: ad-hoc trailers over contracted ones.
    """
    flows, weight_W = _flows(outcome), outcome.weight_W
    volume = float(weight_W @ scenarios.volume_WLT.sum(axis=(1, 2)))
    trailers = float(outcome.plan.trailers_LT.sum())
    rolled = float(weight_W @ flows.rolled_WJT.sum(axis=(1, 2)))
    backlog = float(weight_W @ flows.backlog_WSTK[..., -1].sum(axis=(1, 2)))
    adhoc = float(weight_W @ flows.adhoc_WLT.sum(axis=(1, 2)))
    return {
        "expected_usd": outcome.expected,
        **{f"{kind}_usd": float(weight_W @ outcome.costs.by_kind[kind]) for kind in COSTS},
        "volume": volume,
        "trailers": trailers,
        "head_shifts": float(outcome.plan.heads_STK.sum()),
        "rolled_share": rolled / max(volume, 1e-12),
        "backlog_share": backlog / max(volume, 1e-12),
        "adhoc_share": adhoc / max(trailers, 1e-12),
    }


def cost_lines(outcome: Outcome, *, title: str) -> list[str]:
    """The expected cost, largest kind first, as text."""
    weight_W, total = outcome.weight_W, outcome.expected
    parts = {kind: float(weight_W @ outcome.costs.by_kind[kind]) for kind in COSTS}
    shares = [
        f"{kind} {value:,.0f} ({value / total:.0%})"
        for kind, value in sorted(parts.items(), key=lambda part: -part[1])
        if value > 0.0005 * total
    ]
    return [f"{title}: expected {total:,.0f} USD = {' + '.join(shares)}"]


def change_sentence(name: str, values: Mapping[str, float]) -> str:
    """What an action needs and costs: "promo_week2 needs 42 more trailers and costs 31 k USD"."""

    def more(value: float, noun: str) -> str:
        return f"{abs(value):,.0f} {'more' if value >= 0 else 'fewer'} {noun}"

    cost = values["cost_of_action_usd"]
    money = f"{abs(cost) / 1e3:,.1f} k USD"
    return (
        f"{name} needs {more(values['more_trailers'], 'trailers')} and"
        f" {more(values['more_head_shifts'], 'head shifts')} and"
        f" {'costs' if cost >= 0 else 'saves'} {money}"
    )


def lane_frame(parameters: Parameters, outcome: Outcome, scenarios: Scenarios) -> pd.DataFrame:
    """``lane, ds, trailers, capacity``, volume at 10, 50 and 90 %, expected ad-hoc trailers, loads
    and packages rolled."""
    import pandas as pd

    flows, weight_W, plan = _flows(outcome), outcome.weight_W, outcome.plan
    stages = parameters.stages
    shape = plan.trailers_LT.shape

    def on_lanes(of_J: np.ndarray, value_WJT: np.ndarray) -> np.ndarray:
        mean_JT = np.tensordot(weight_W, value_WJT, axes=1)
        lane_LT = np.zeros(shape)
        np.add.at(lane_LT, of_J, mean_JT)
        return lane_LT.reshape(-1)

    low, middle, high = np.quantile(scenarios.volume_WLT, [0.1, 0.5, 0.9], axis=0)
    return pd.DataFrame(
        {
            "lane": np.repeat(plan.lanes, shape[1]),
            "ds": np.tile(plan.days, shape[0]),
            "trailers": plan.trailers_LT.reshape(-1),
            "capacity": (
                plan.trailers_LT * parameters.lanes.cube_pkg_per_trailer_L[:, None]
            ).ravel(),
            "volume_q10": low.reshape(-1),
            "volume_q50": middle.reshape(-1),
            "volume_q90": high.reshape(-1),
            "adhoc_trailers": np.tensordot(weight_W, flows.adhoc_WLT, axes=1).reshape(-1),
            "load": on_lanes(stages.carrier_J, flows.load_WJT),
            "rolled": on_lanes(stages.carrier_J, flows.rolled_WJT),
        }
    )


def site_frame(parameters: Parameters, outcome: Outcome) -> pd.DataFrame:
    """``site, ds, heads``, their capacity, expected arrivals, sorted, overtime hours, backlog."""
    import pandas as pd

    flows, weight_W, plan = _flows(outcome), outcome.weight_W, outcome.plan
    sites, days, _ = plan.heads_STK.shape
    heads_ST = plan.heads_STK.sum(axis=2)
    hours = parameters.rules.shift_hours

    def mean(value_W: np.ndarray) -> np.ndarray:
        return np.asarray(np.tensordot(weight_W, value_W, axes=1)).reshape(-1)

    return pd.DataFrame(
        {
            "site": np.repeat(plan.sites, days),
            "ds": np.tile(plan.days, sites),
            "heads": heads_ST.reshape(-1),
            "capacity": (heads_ST * hours * parameters.sites.rate_pkg_per_hour_S[:, None]).reshape(
                -1
            ),
            "arrived": mean(flows.arrived_WST),
            "sorted": mean(flows.sorted_WSTK.sum(axis=3)),
            "overtime_hours": mean(flows.overtime_WSTK.sum(axis=3)),
            "backlog": mean(flows.backlog_WSTK[..., -1]),
        }
    )


def _flows(outcome: Outcome) -> Flows:
    if outcome.flows is None:
        raise PlanError(f"plan {outcome.plan.kind!r} was priced without its flows; set flows=True")
    return outcome.flows
