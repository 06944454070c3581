"""A plan in one picture: capacity against the fan of volumes by lane and site, and its costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.planning.contracts import COSTS, Outcome, Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.report.canvas import canvas
from lanecast.report.figures import BLACK, BLUE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = dict(
    zip(COSTS, (BLUE, "#56B4E9", VERMILION, "#E69F00", "#CC79A7", "#009E73", BLACK), strict=True)
)
SIZE = (11.5, 6.2)  # inches
SHOWN = 2  # lanes and sites, the busiest first


def plan_figure(
    parameters: Parameters,
    outcomes: Mapping[str, Outcome],
    arms: Mapping[str, Scenarios],
    path: Path,
    *,
    unit: str,
) -> Path:
    """Write the picture of a plan to ``path``; see `draw_plan`."""
    with canvas(path, SIZE, layout="constrained") as figure:
        draw_plan(figure, parameters, outcomes, arms, unit=unit)
    return path


def draw_plan(
    figure: Figure,
    parameters: Parameters,
    outcomes: Mapping[str, Outcome],
    arms: Mapping[str, Scenarios],
    *,
    unit: str,
) -> None:
    """Draw the busiest lanes and sites of the last arm, and the expected cost of every arm.

    With two arms the second is what an action makes of the first; the fan is the second's, and the
    first arm's capacity is dashed.
    """
    grid = figure.subplots(2, SHOWN + 1, width_ratios=[1.0] * SHOWN + [0.9], squeeze=False)
    shown = list(outcomes)[-1]
    volume_WLT = arms[shown].volume_WLT
    busiest = np.argsort(-volume_WLT.mean(axis=0).sum(axis=1))[:SHOWN]
    for column, lane in enumerate(busiest):
        capacities = {
            arm: outcome.plan.trailers_LT[lane] * parameters.lanes.cube_pkg_per_trailer_L[lane]
            for arm, outcome in outcomes.items()
        }
        title = f"trailers on {parameters.lanes.name_L[lane]}"
        _fan(grid[0, column], arms[shown], volume_WLT[:, lane], capacities, title)
    arrived_WST = _arrivals(outcomes[shown])
    for column, site in enumerate(np.argsort(-arrived_WST.mean(axis=0).sum(axis=1))[:SHOWN]):
        rate = parameters.sites.rate_pkg_per_hour_S[site] * parameters.rules.shift_hours
        capacities = {
            arm: outcome.plan.heads_STK[site].sum(axis=1) * rate
            for arm, outcome in outcomes.items()
        }
        title = f"sorting at {parameters.sites.name_S[site]}"
        _fan(grid[1, column], arms[shown], arrived_WST[:, site], capacities, title)
    grid[0, 0].set_ylabel(f"{unit} per day")
    grid[1, 0].set_ylabel(f"{unit} per day")
    _costs(grid[0, SHOWN], outcomes)
    _changes(grid[1, SHOWN], outcomes)
    grid[0, 0].legend(loc="best", fontsize=8, frameon=False)
    kind = outcomes[shown].plan.kind
    figure.suptitle(f"plan {kind}, {_span(arms[shown])}", x=0.01, ha="left", fontsize=12)


def _arrivals(outcome: Outcome) -> np.ndarray:
    assert outcome.flows is not None
    return outcome.flows.arrived_WST


def _span(scenarios: Scenarios) -> str:
    return f"{scenarios.days[0]} to {scenarios.days[-1]}"


def _fan(
    axes: Axes,
    scenarios: Scenarios,
    value_WT: np.ndarray,
    capacities: Mapping[str, np.ndarray],
    title: str,
) -> None:
    """Quantiles of the paths as shades; each arm's capacity as steps."""
    day_T = np.arange(1, value_WT.shape[1] + 1)
    for low, high, alpha in ((0.05, 0.95, 0.15), (0.25, 0.75, 0.3)):
        band = np.quantile(value_WT, [low, high], axis=0)
        words = f"{high - low:.0%} of paths"
        axes.fill_between(day_T, band[0], band[1], color=BLUE, alpha=alpha, lw=0, label=words)
    axes.plot(day_T, np.median(value_WT, axis=0), color=BLUE, lw=1.2, label="median")
    for number, (arm, capacity_T) in enumerate(capacities.items()):
        last = number == len(capacities) - 1
        words = "capacity" if len(capacities) == 1 else f"capacity, {arm}"
        axes.step(
            day_T,
            capacity_T,
            where="mid",
            color=BLACK,
            ls="-" if last else "--",
            lw=1.6,
            label=words,
        )
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xticks(day_T, [str(day)[5:] for day in scenarios.days], rotation=45, fontsize=7)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)


def _costs(axes: Axes, outcomes: Mapping[str, Outcome]) -> None:
    """Expected cost of every arm, split by kind."""
    for row, outcome in enumerate(outcomes.values()):
        left = 0.0
        for kind in COSTS:
            value = _expected(outcome, kind) / 1e3
            words: Any = kind if row == 0 and value > 0 else None
            axes.barh(row, value, left=left, color=COLORS[kind], label=words)
            left += value
        axes.text(left, row, f" {left:,.0f} k", va="center", fontsize=8)
    axes.set_yticks(range(len(outcomes)), list(outcomes))
    axes.invert_yaxis()
    axes.set_title("expected cost, k USD", loc="left", fontsize=10)
    axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.18)


def _changes(axes: Axes, outcomes: Mapping[str, Outcome]) -> None:
    """Of one arm: what a bad day costs; of two: what the action changes, kind by kind."""
    axes.spines[["top", "right"]].set_visible(False)
    if len(outcomes) == 1:
        (outcome,) = outcomes.values()
        axes.hist(
            outcome.costs.total_W / 1e3, bins=20, weights=outcome.weight_W, color=BLUE, alpha=0.6
        )
        axes.axvline(outcome.expected / 1e3, color=BLACK, lw=1.2)
        axes.set_title("cost over the paths, k USD", loc="left", fontsize=10)
        axes.set_ylabel("probability")
        return
    before, after = outcomes.values()
    change = [(_expected(after, kind) - _expected(before, kind)) / 1e3 for kind in COSTS]
    axes.barh(range(len(COSTS)), change, color=[COLORS[kind] for kind in COSTS])
    axes.set_yticks(range(len(COSTS)), list(COSTS))
    axes.invert_yaxis()
    axes.axvline(0, color=BLACK, lw=0.8)
    axes.set_title("what the action changes, k USD", loc="left", fontsize=10)


def _expected(outcome: Outcome, kind: str) -> float:
    return float(outcome.weight_W @ outcome.costs.by_kind[kind])
