"""Treatments in a panel: what was logged, what is known, and the views a network may have of them.

Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

import numpy as np

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action
from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.reference_history import outside
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Column, Role
from lanecast.data.views import with_roles
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex


class Futures(StrEnum):
    """Which treatments of the steps ahead a forecast is given."""

    SAMPLED = "sampled"  # what is known at the cutoff, the rest drawn from the learned policy
    KNOWN = "as_known"  # what is known at the cutoff and nothing else
    LOGGED = "logged"  # what happened: nobody could know it, and it leaks the shocks behind it


def columns_of(graph: Graph) -> dict[str, str]:
    """Column of each treatment."""
    return {name: str(graph.nodes[name].column) for name in graph.treatments}


def logged(panel: Panel, at: WindowIndex, graph: Graph, horizon: int) -> Action:
    """Every treatment as it happened; NaN where the panel has no value."""
    ahead = np.arange(1, horizon + 1)
    return Action(
        hard={
            name: visible.cells(panel, at, column, ahead).astype(np.float32)
            for name, column in columns_of(graph).items()
        }
    )


def known(panel: Panel, at: WindowIndex, graph: Graph, horizon: int) -> dict[str, np.ndarray]:
    """Every treatment's steps ahead as visible at the cutoff, [W, H]; NaN elsewhere."""
    ahead = np.arange(1, horizon + 1)
    return {
        name: visible.visible(panel, at, column, ahead).astype(np.float32)
        for name, column in columns_of(graph).items()
    }


def with_action(planned: Mapping[str, np.ndarray], action: Action) -> dict[str, np.ndarray]:
    """Paths of the treatments with the action's laid over them."""
    paths = dict(planned)
    for name, path in action.hard.items():
        if name in paths:
            paths[name] = np.where(np.isfinite(path), path, paths[name])
    return paths


def open_choices(paths: Mapping[str, np.ndarray], graph: Graph) -> list[str]:
    """0/1 treatments that some step leaves open: a mean path of them would be no path."""
    return [
        name
        for name, path in paths.items()
        if graph.nodes[name].family == "bernoulli" and not np.isfinite(path).all()
    ]


def future_view(panel: Panel, graph: Graph) -> Panel:
    """Treatments as future covariates without a lead: the usual, associational way."""
    return with_roles(panel, {c: _as_known(panel, c) for c in columns_of(graph).values()})


def past_view(layer: CausalLayer, panel: Panel, *, inside: bool = False) -> Panel:
    """Treatments as history only; ``inside`` also leaves out columns that no node reads."""
    roles: dict[str, Column | None] = dict.fromkeys(outside(layer, panel)) if inside else {}
    for column in columns_of(layer.graph).values():
        declared = panel.schema.columns[column]
        roles[column] = replace(declared, role=Role.OBSERVED, lead=None)
    return with_roles(panel, roles)


def one_step_view(layer: CausalLayer, panel: Panel) -> Panel:
    """What a network may read that stands for the target's mechanism: its own past and its parents.

    Of the parents, those that are treatments or known ahead; anything else would let an action
    move the target on a way that the graph does not have.  A mechanism reads its own past up to the
    step before, published or rolled, so the target's delay is taken off; whoever fits on this view
    must stop that many steps earlier.
    """
    graph = layer.graph
    roles: dict[str, Column | None] = dict.fromkeys(panel.schema.stored[1:])
    for name in sorted({edge.source for edge in graph.parents(graph.target)} - {graph.target}):
        column = str(graph.nodes[name].column)
        if name in graph.treatments:
            roles[column] = _as_known(panel, column)
        elif column in panel.schema.known:
            roles.pop(column, None)
    roles[TARGET] = replace(panel.schema.columns[TARGET], delay=None)
    return with_roles(panel, roles)


def _as_known(panel: Panel, column: str) -> Column:
    declared = panel.schema.columns[column]
    return replace(declared, role=Role.KNOWN_FUTURE, delay=None, lead=None)
