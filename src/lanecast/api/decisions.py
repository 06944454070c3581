"""What `lanecast.what_if` and `lanecast.plan` give back: tables of arms, of trailers and heads.

Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lanecast.data.panel import Panel
from lanecast.errors import ScenarioError
from lanecast.pipeline.scenarios import WhatIf
from lanecast.planning.contracts import COSTS
from lanecast.planning.planning import BASELINE, SCENARIO, Planned
from lanecast.planning.service import change_sentence, cost_lines, lane_frame, site_frame
from lanecast.planning.tables import head_frame, trailer_frame
from lanecast.report import plan_figure, scenario_figure
from lanecast.report import scenario_table as tables
from lanecast.report.canvas import open_figure
from lanecast.whatif.answers import Arms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INTERVALS = (80.0, 90.0)  # percent of the paths
ACTION = "cost_of_action_usd"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WhatIfResult:
    """What is expected, and what would happen under an action, from the same noise.

    ``core`` holds the arms as arrays; ``warnings`` say what the answer does not cover.
    """

    panel: Panel
    core: WhatIf
    name: str
    warnings: tuple[str, ...] = ()

    @property
    def badge(self) -> str:
        """What the answer may be taken for: ``associational``, or ``do-valid under DAG <hash>``."""
        return self.core.badge

    @property
    def nodes(self) -> Mapping[str, Arms]:
        """Both arms of the target and of every node that the action moves."""
        return self.core.nodes

    @cached_property
    def effect(self) -> dict[str, dict[str, float]]:
        """By node ``baseline``, ``scenario`` (means over series and steps) and ``relative``."""
        return tables.effects(self.nodes)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """``unique_id, ds, cutoff, node``, both arms and their difference, with 80 and 90 %."""
        table = tables.node_table(self.nodes, self.panel, intervals=INTERVALS)
        return table.assign(badge=self.badge)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """``unique_id, ds, cutoff, sample, baseline, scenario`` of the target, path by path."""
        return tables.sample_table(self.nodes[self.core.model.graph.target], self.panel)

    @property
    def paths(self) -> dict[str, tuple[pd.DataFrame, str]]:
        """What is planned with, by arm: sample paths and the column that holds them."""
        return {arm: (self.samples, arm) for arm in (BASELINE, SCENARIO)}

    @property
    def cutoff(self) -> pd.Timestamp:
        """The last step that was known."""
        return self.panel.time_of(self.core.cutoff)

    @cached_property
    def bounds(self) -> pd.DataFrame | None:
        """``unique_id, ds, cutoff, low, middle, high`` where the effect is only bounded."""
        if self.core.band is None:
            return None
        return tables.band_table(self.core.band, self.panel, self.core.at)

    def sums(self, *levels: str) -> pd.DataFrame:
        """Volumes summed by static attributes: `frame` with ``level, group`` for the series.

        ``"total"``, the default, is the sum over all series.  ScenarioError for an attribute that
        the series do not have.
        """
        wanted = levels or (tables.TOTAL,)
        for level in wanted:
            if level != tables.TOTAL and level not in self.panel.attributes:
                raise ScenarioError(
                    f"level {level!r} is no static column of this panel; it has"
                    f" {', '.join((*self.panel.attributes, tables.TOTAL))}"
                )
        sums = tables.level_sums(self.nodes, self.panel, self.core.model.graph, levels=wanted)
        return tables.level_table(sums, self.panel, intervals=INTERVALS).assign(badge=self.badge)

    def plot(self, series: str | None = None, *, node: str | None = None) -> Figure:
        """Draw both arms and their difference: one series, the most affected by default, and all.

        ``node``: the target where it moves, else the volume that moves most.  ScenarioError for a
        node that does not move, or a series that was not asked.
        """
        graph = self.core.model.graph
        name = tables.main_node(self.nodes, graph) if node is None else node
        if name not in self.nodes:
            raise ScenarioError(
                f"node {name!r} is not in this answer; it has {', '.join(self.nodes)}"
            )
        arms = self.nodes[name]
        horizon = arms.baseline_SWH.shape[-1]
        acted_H = np.zeros(horizon, dtype=bool)
        for action in self.core.do:
            acted_H |= action.touched(self.panel.series, horizon).any(axis=0)
        with open_figure(scenario_figure.SIZE) as figure:
            scenario_figure.draw_scenario(
                figure,
                self.panel,
                arms,
                title=f"{self.name}  ({self.badge})",
                node=name,
                column=str(graph.nodes[name].column),
                unit=self.panel.table.target if name == graph.target else "units",
                acted=acted_H,
                window=None if series is None else self._window(arms, series),
            )
        return figure

    def _window(self, arms: Arms, series: str) -> int:
        names = self.panel.series[arms.at.series_W].astype(str)
        rows = np.flatnonzero(names == series)
        if not len(rows):
            raise ScenarioError(
                f"series {series!r} is not in this answer of {len(names)} series, the first of"
                f" which is {str(names[0])!r}"
            )
        return int(rows[0])

    def __repr__(self) -> str:
        return "\n".join(tables.summary(self.effect, name=self.name, badge=self.badge))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PlanResult:
    """Trailers by lane and heads by site, day and shift, and what they are expected to cost.

    Of a what-if answer there are two plans, ``baseline`` and ``scenario``: every frame then has a
    column ``arm``.  Prices are in US dollars.
    """

    core: Planned
    unit: str
    name: str = "the action"

    @property
    def values(self) -> dict[str, float]:
        """Expected cost in all and by kind, trailers, head shifts, shares of the volume."""
        return dict(self.core.values)

    @property
    def cost(self) -> float:
        """Expected US dollars; of two arms what the action costs."""
        values = self.core.values
        return values["expected_usd"] if len(self.core.outcomes) == 1 else values[ACTION]

    @cached_property
    def trailers(self) -> pd.DataFrame:
        """``lane, ds, trailers``: contracted trailers by lane and day."""
        return self._by_arm({arm: trailer_frame(o.plan) for arm, o in self.core.outcomes.items()})

    @cached_property
    def heads(self) -> pd.DataFrame:
        """``site, ds, shift, heads``: rostered heads by site, day and shift (from 1)."""
        return self._by_arm({arm: head_frame(o.plan) for arm, o in self.core.outcomes.items()})

    @cached_property
    def lanes(self) -> pd.DataFrame:
        """``lane, ds, trailers, capacity``, volume at 10, 50 and 90 %, what is rolled or ad hoc."""
        core = self.core
        frames = {
            arm: lane_frame(core.parameters, outcome, core.paths[arm])
            for arm, outcome in core.outcomes.items()
        }
        return self._by_arm(frames)

    @cached_property
    def sites(self) -> pd.DataFrame:
        """``site, ds, heads``, their capacity, expected arrivals, sorted, overtime, backlog."""
        core = self.core
        frames = {arm: site_frame(core.parameters, o) for arm, o in core.outcomes.items()}
        return self._by_arm(frames)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Expected US dollars: a row for each arm, a column for each kind of cost, ``total``."""
        rows = {}
        for arm, outcome in self.core.outcomes.items():
            kinds = {kind: outcome.weight_W @ outcome.costs.by_kind[kind] for kind in COSTS}
            rows[arm] = {**kinds, "total": outcome.expected}
        return pd.DataFrame.from_dict(rows, orient="index")

    def plot(self) -> Figure:
        """Draw the busiest lanes and sites against their capacity, and the expected costs."""
        core = self.core
        with open_figure(plan_figure.SIZE) as figure:
            plan_figure.draw_plan(
                figure, core.parameters, core.outcomes, core.paths, unit=self.unit
            )
        return figure

    def _by_arm(self, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        if len(frames) == 1:
            return next(iter(frames.values()))
        return pd.concat(
            [frame.assign(arm=arm) for arm, frame in frames.items()], ignore_index=True
        )

    def __repr__(self) -> str:
        core = self.core
        lines = []
        for arm, outcome in core.outcomes.items():
            days = core.paths[arm].days
            title = f"Plan {outcome.plan.kind} ({arm}), {days[0]} to {days[-1]}"
            lines += cost_lines(outcome, title=title)
        if ACTION in core.values:
            lines.append(change_sentence(self.name, core.values))
        return "\n".join([*lines, *core.warnings])
