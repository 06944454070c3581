"""Paths of every node without and with an action, from the same noise: their difference is effect.

For the couplings *delta* and *delta_policy* the target is moved path by path by what the layer says
the action does; any other coupling is asked twice.  The nodes beside the target are the layer's.
Noise of different series is independent, given what they share through the graph.
Axes: ``S`` samples, ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action, Chain, Rolled, chain
from lanecast.data import visible
from lanecast.data.links import link, unlink
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex
from lanecast.errors import ScenarioError
from lanecast.interventions import Intervention
from lanecast.whatif.actions import action_of, check_do, needs_plan, reachable
from lanecast.whatif.coupled import CoupledForecaster

BY_EFFECT = ("delta", "delta_policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """One node's paths in its own unit, [S, W, H]; sample s of both arms has the same noise."""

    at: WindowIndex
    baseline_SWH: np.ndarray
    scenario_SWH: np.ndarray

    @property
    def difference_SWH(self) -> np.ndarray:
        """What the action does, path by path."""
        return self.scenario_SWH - self.baseline_SWH

    def rows(self, chosen: np.ndarray) -> Arms:
        """Some windows."""
        return Arms(
            at=self.at[chosen],
            baseline_SWH=self.baseline_SWH[:, chosen],
            scenario_SWH=self.scenario_SWH[:, chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Arms of the target and of every node that can move; what was measured on the way.

    ``early`` is the largest change of any node before the first action, ``strays`` that of nodes
    that the action cannot reach: both are exactly 0.0 for a coupling that is valid under do().
    """

    nodes: Mapping[str, Arms]
    moved: tuple[str, ...]  # nodes that are set or can move
    early: float
    strays: float
    warnings: tuple[str, ...] = field(default_factory=tuple)


def moved_target(answer: Answer, name: str, move_WH: np.ndarray, *, floor: bool) -> Answer:
    """Both arms of a node moved alike, as a reconciled baseline moves: the effect stays.

    What the action does not touch keeps equal arms, and sums over lanes add up as the lanes do;
    ``floor`` keeps paths from falling below 0.
    """
    arms = answer.nodes[name]
    both = [paths + move_WH for paths in (arms.baseline_SWH, arms.scenario_SWH)]
    if floor:
        both = [np.maximum(paths, 0.0) for paths in both]
    moved = Arms(at=arms.at, baseline_SWH=both[0], scenario_SWH=both[1])
    return replace(answer, nodes={**answer.nodes, name: moved})


def what_if(
    forecaster: CoupledForecaster,
    panel: Panel,
    at: WindowIndex,
    *,
    do: Sequence[Intervention],
    samples: int,
    seed: int,
) -> Answer:
    """Answer ``do`` on the windows ``at``, which share one cutoff."""
    graph, horizon = forecaster.graph, forecaster.windows.horizon
    check_do(do, graph, horizon)
    question = _Asked(forecaster=forecaster, panel=panel, do=tuple(do), samples=samples, seed=seed)
    # With joins between levels series without a target move as well.
    whole = _everyone(panel, at) if forecaster.layer.wiring.joins else at
    before, after, actions = question.rolls(whole)
    place = {int(series): row for row, series in enumerate(whole.series_W)}
    rows = np.array([place[int(series)] for series in at.series_W], dtype=np.int64)
    moved = reachable(graph, do)
    nodes = {}
    for name in moved:
        arms = Arms(at=whole, baseline_SWH=before.natural(name), scenario_SWH=after.natural(name))
        carried = graph.carriers(name, panel.attributes, panel.num_series)[whole.series_W]
        nodes[name] = arms.rows(np.flatnonzero(carried))
    target = question.target(at, before, after, [action.rows(rows) for action in actions], rows)
    nodes[graph.target] = target
    first = min(intervention.first for intervention in do) - 1
    still = [name for name in graph.order if name not in moved and name != graph.target]
    strays = [_largest(before.link(name), after.link(name)) for name in still]
    if graph.target not in moved:
        strays.append(_largest(target.baseline_SWH, target.scenario_SWH))
    early = [_largest(a.baseline_SWH, a.scenario_SWH, slice(0, first)) for a in nodes.values()]
    return Answer(
        nodes={name: nodes[name] for name in graph.order if name in nodes},
        moved=moved,
        early=max(early),
        strays=max(strays, default=0.0),
        warnings=tuple(_outside(nodes, do, graph, panel)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One question and the model it goes to."""

    forecaster: CoupledForecaster
    panel: Panel
    do: tuple[Intervention, ...]
    samples: int
    seed: int

    def rolls(self, at: WindowIndex) -> tuple[Rolled, Rolled, list[Action]]:
        """The layer's rolls without and with the action; one action, or one for each sample.

        A delayed node does later what it would have done, which differs from sample to sample: then
        both arms are rolled sample by sample, since only rolls of one shape are equal to the bit.
        """
        graph, horizon = self.forecaster.graph, self.forecaster.windows.horizon

        def action(plan: Mapping[str, np.ndarray] | None = None) -> Action:
            return action_of(
                self.do, graph=graph, panel=self.panel, at=at, horizon=horizon, plan=plan
            )

        delayed = needs_plan(self.do)
        if not delayed:
            every = range(self.samples)
            return self._roll(at, Action(), every), self._roll(at, action(), every), [action()]
        before, after, actions = [], [], []
        for number in range(self.samples):
            only = range(number, number + 1)
            before.append(self._roll(at, Action(), only))
            actions.append(action({name: before[-1].natural(name)[0] for name in delayed}))
            after.append(self._roll(at, actions[-1], only))
        return _stacked(before), _stacked(after), actions

    def target(
        self,
        at: WindowIndex,
        before: Rolled,
        after: Rolled,
        actions: Sequence[Action],
        rows: np.ndarray,
    ) -> Arms:
        """The target's arms: moved by the layer's effect, or forecast twice."""
        forecaster, target = self.forecaster, self.forecaster.graph.target
        if forecaster.mode in BY_EFFECT:
            baseline = self._forecast(at, None, self.samples)
            effect = after.link(target)[:, rows] - before.link(target)[:, rows]
            kind = forecaster.graph.nodes[target].link
            moved = unlink(link(baseline, kind) + effect, kind)
            if self.panel.schema.columns[TARGET].non_negative:
                moved = np.maximum(moved, 0.0)
            return Arms(
                at=at,
                baseline_SWH=baseline,
                scenario_SWH=np.where(effect == 0, baseline, moved),
            )
        if len(actions) > 1:
            raise ScenarioError(
                f"a delay needs what {', '.join(needs_plan(self.do))} would have done in each"
                f" sample, and coupling={forecaster.mode} cannot be asked sample by sample; set the"
                " path with kind: hard, or use a model of coupling=delta"
            )
        return Arms(
            at=at,
            baseline_SWH=self._forecast(at, None, self.samples),
            scenario_SWH=self._forecast(at, actions[0], self.samples),
        )

    def _forecast(self, at: WindowIndex, action: Action | None, samples: int) -> np.ndarray:
        forecasts = self.forecaster.predict(
            self.panel, at=at, samples=samples, seed=self.seed, action=action
        )
        assert forecasts.samples_SWH is not None
        return forecasts.samples_SWH

    def _roll(self, at: WindowIndex, action: Action, samples: range) -> Rolled:
        how = Chain(samples=samples, seed=self.seed)
        horizon = self.forecaster.windows.horizon
        return chain(self.forecaster.layer, self.panel, at, horizon=horizon, action=action, how=how)


def _stacked(parts: Sequence[Rolled]) -> Rolled:
    return replace(parts[0], x_SWHJ=torch.cat([part.x_SWHJ for part in parts]))


def _everyone(panel: Panel, at: WindowIndex) -> WindowIndex:
    """Every series that has begun at the cutoff."""
    cutoff = int(at.cutoff_W.max())
    series = np.flatnonzero(panel.start <= cutoff)
    return WindowIndex(series_W=series, cutoff_W=np.full(len(series), cutoff, dtype=np.int64))


def _largest(before: np.ndarray, after: np.ndarray, steps: slice = slice(None)) -> float:
    """Largest difference over some steps; 0.0 only if all are equal to the bit."""
    return float(np.abs(after[..., steps] - before[..., steps]).max(initial=0.0))


def _outside(
    nodes: Mapping[str, Arms], do: Sequence[Intervention], graph: Graph, panel: Panel
) -> list[str]:
    """Positivity: say for which series a node is set where it was never seen before the cutoff."""
    warnings = []
    for action in do:
        arms = nodes[action.node]
        if not len(arms.at):
            continue
        horizon = arms.scenario_SWH.shape[-1]
        names_W = panel.series[arms.at.series_W]
        touched_WH = action.touched(names_W, horizon)
        back = np.arange(-int(arms.at.cutoff_W.max()), 1)
        seen_WT = visible.visible(panel, arms.at, str(graph.nodes[action.node].column), back)
        low_W1 = np.nanmin(seen_WT, axis=1, keepdims=True, initial=np.inf)
        high_W1 = np.nanmax(seen_WT, axis=1, keepdims=True, initial=-np.inf)
        set_WH = arms.scenario_SWH.mean(axis=0)
        slack = 1e-4 * np.abs(set_WH)
        beyond_WH = (set_WH < low_W1 - slack) | (set_WH > high_W1 + slack)
        far_W = (touched_WH & beyond_WH).any(axis=1)
        if far_W.any():
            warnings.append(
                f"do({action.node}): {int(far_W.sum())} of {int(touched_WH.any(axis=1).sum())}"
                f" series are set to values they never had before the cutoff, the first of them"
                f" {str(names_W[far_W.argmax()])!r}; there the answer is extrapolated"
            )
    return list(dict.fromkeys(warnings))
