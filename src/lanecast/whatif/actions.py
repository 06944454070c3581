"""Interventions as actions of the causal layer: hard paths where they are known, soft otherwise.

Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lanecast.causal.graph.declaration import hint
from lanecast.causal.graph.graph import Graph, NodeKind
from lanecast.causal.graph.identify import check_effect
from lanecast.causal.scm.chaining import Action, Soft
from lanecast.data.panel import Panel
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex
from lanecast.errors import NotIdentified, ScenarioError
from lanecast.interventions import Intervention, Kind

OWN_PATH = (Kind.HARD, Kind.RANDOM, Kind.DELAY)  # kinds that set a path of their own


def interventions_of(
    settings: Sequence[Mapping[str, Any]], panel: Panel
) -> tuple[Intervention, ...]:
    """Interventions of plain mappings; ``where: {attribute: value}`` names series by attribute."""
    interventions = []
    for setting in settings:
        options = dict(setting)
        where = options.pop("where", None)
        if where is not None:
            options["series"] = _named(where, panel, f"do({options.get('node')})")
        interventions.append(Intervention.from_config(options))
    return tuple(interventions)


def _named(where: Mapping[str, Any], panel: Panel, label: str) -> tuple[str, ...]:
    chosen = np.ones(panel.num_series, dtype=bool)
    for attribute, wanted in where.items():
        if attribute not in panel.attributes:
            raise ScenarioError(
                f"{label}: where: the series have no static attribute {attribute!r}; they have"
                f" {', '.join(panel.attributes) or 'none'}"
            )
        values = [wanted] if isinstance(wanted, str | int) else list(wanted)
        chosen &= np.isin(panel.attributes[attribute].astype(str), [str(value) for value in values])
    if not chosen.any():
        raise ScenarioError(f"{label}: where: no series has {dict(where)}")
    return tuple(str(name) for name in panel.series[chosen])


def reachable(graph: Graph, do: Sequence[Intervention]) -> tuple[str, ...]:
    """Nodes that are set and those they reach, policies included, in the graph's order."""
    names = {action.node for action in do}
    for name in sorted(names):
        names |= graph.descendants(name)
    return tuple(name for name in graph.order if name in names)


def unidentified(graph: Graph, do: Sequence[Intervention], horizon: int) -> dict[str, str]:
    """Why the effect on a node cannot be told, by node; empty where all of them can."""
    reasons: dict[str, str] = {}
    acted = sorted({action.node for action in do})
    for outcome in reachable(graph, do):
        for node in acted:
            try:
                if outcome not in acted:
                    check_effect(graph, treatment=node, outcome=outcome, horizon=horizon)
            except NotIdentified as err:
                reasons[outcome] = str(err)
    return reasons


def check_do(do: Sequence[Intervention], graph: Graph, horizon: int) -> None:
    """ScenarioError for what cannot be done in this graph, or lies beyond the horizon."""
    for action in do:
        where = f"do({action.node})"
        if action.node not in graph.nodes:
            nearest = hint(action.node, graph.order)
            raise ScenarioError(f"{where}: the graph has no such node{nearest}")
        node = graph.nodes[action.node]
        if node.kind is NodeKind.LATENT or node.calendar:
            kind = "the calendar" if node.calendar else "a latent node, which nobody sees or sets"
            raise ScenarioError(
                f"{where}: {action.node} is {kind}; choose one of {_settable(graph)}"
            )
        if action.node == graph.target:
            raise ScenarioError(
                f"{where}: {action.node} is the target, which is what is asked for; act on one of"
                f" {_settable(graph)}"
            )
        last = max(
            action.first, action.last or 0, int(action.value) if action.kind is Kind.DELAY else 0
        )
        if last > horizon:
            raise ScenarioError(
                f"{where}: step {last} lies beyond the horizon of {horizon} steps that was trained;"
                " lower first, last or the delay, or train with longer windows"
            )
        _check_kind(action, where, binary=node.family == "bernoulli", log=node.link == "log")


def _settable(graph: Graph) -> str:
    return ", ".join(name for name in graph.order if name != graph.target)


def _check_kind(action: Intervention, where: str, *, binary: bool, log: bool) -> None:
    if binary and action.kind in (Kind.SHIFT, Kind.SCALE):
        raise ScenarioError(
            f"{where}: {action.node} is 0 or 1, so kind={action.kind} has no meaning; use hard,"
            " delay or random"
        )
    if binary and action.kind is Kind.HARD and action.value not in (0, 1):
        raise ScenarioError(
            f"{where}: {action.node} is 0 or 1, and value={action.value} is neither"
        )
    if not binary and action.kind is Kind.RANDOM:
        raise ScenarioError(f"{where}: kind=random sets 0 or 1, but {action.node} is a quantity")
    zero = action.kind is Kind.DELAY or (action.kind is not Kind.SHIFT and action.value <= 0)
    if log and zero:
        raise ScenarioError(
            f"{where}: {action.node} is positive (link log), but this {action.kind} would make it 0"
            " or less; use a small value or factor"
        )


def needs_plan(do: Sequence[Intervention]) -> list[str]:
    """Nodes that are delayed: what they do then depends on what they would have done."""
    return sorted({action.node for action in do if action.kind is Kind.DELAY})


def action_of(
    do: Sequence[Intervention],
    *,
    graph: Graph,
    panel: Panel,
    at: WindowIndex,
    horizon: int,
    plan: Mapping[str, np.ndarray] | None = None,
) -> Action:
    """The interventions, one after another, on the windows ``at``.

    A shift or scale of a cell that is known at the cutoff is a hard path; of any other cell it is
    soft: the node goes on reacting.  ``plan`` [W, H] is what a delayed node would have done.
    """
    ahead_H = np.arange(1, horizon + 1)
    names_W = panel.series[at.series_W]
    shape = (len(at), horizon)
    hard: dict[str, np.ndarray] = {}
    soft: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for intervention in do:
        column = str(graph.nodes[intervention.node].column)
        set_WH = hard.get(intervention.node, np.full(shape, np.nan))
        touched_WH = intervention.touched(names_W, horizon)
        if intervention.kind in OWN_PATH:
            would = np.zeros(shape)
            if intervention.kind is Kind.DELAY:
                would = np.where(np.isfinite(set_WH), set_WH, (plan or {})[intervention.node])
            hard[intervention.node] = np.where(
                touched_WH, intervention.path(would, names_W), set_WH
            )
            continue
        known_WH = visible.visible(panel, at, column, ahead_H)
        fixed_WH = np.where(np.isfinite(set_WH), set_WH, known_WH)
        present_WH = touched_WH & np.isfinite(fixed_WH)
        hard[intervention.node] = np.where(present_WH, intervention.path(fixed_WH, names_W), set_WH)
        shift, scale = soft.get(intervention.node, (np.zeros(shape), np.ones(shape)))
        factor = intervention.value if intervention.kind is Kind.SCALE else 1.0
        offset = intervention.value if intervention.kind is Kind.SHIFT else 0.0
        open_WH = touched_WH & ~present_WH
        soft[intervention.node] = (
            np.where(open_WH, shift * factor + offset, shift),
            np.where(open_WH, scale * factor, scale),
        )
    _check_values(hard, graph, panel)
    return Action(
        hard={n: p.astype(np.float32) for n, p in hard.items() if np.isfinite(p).any()},
        soft={
            name: Soft(shift_WH=shift.astype(np.float32), scale_WH=scale.astype(np.float32))
            for name, (shift, scale) in soft.items()
            if (shift != 0).any() or (scale != 1).any()
        },
    )


def _check_values(hard: Mapping[str, np.ndarray], graph: Graph, panel: Panel) -> None:
    """ScenarioError for a path that its column cannot hold."""
    for name, path_WH in hard.items():
        node = graph.nodes[name]
        lowest = np.nanmin(path_WH, initial=np.inf)
        positive = node.link == "log" and lowest <= 0
        if positive or (panel.schema.columns[str(node.column)].non_negative and lowest < 0):
            raise ScenarioError(
                f"do({name}): it would be {lowest:g}, but {name} is"
                f" {'positive' if positive else 'never negative'}; choose another value"
            )
