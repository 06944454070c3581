"""The panel had nobody acted: treatments at their reference, what they moved recomputed.

Axes: ``N`` series, ``T`` steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from lanecast.causal.graph.graph import Graph
from lanecast.causal.graph.publication import moved, remade_delays
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Column, step_length
from lanecast.data.views import with_roles, with_values


def reference_panel(layer: CausalLayer, panel: Panel) -> Panel:
    """History had nobody acted: no column carries a trace of a treatment, if the graph is right.

    Treatments and columns outside the graph are left out (they might carry an action), and so are
    the ones that by the graph tell nothing of the target that its own past does not (`idle`).  Each
    recomputed column is published as late as the latest value it was recomputed from.  Cells that
    were missing stay missing; the first ``wiring.lag`` steps of a series stay as they were.
    """
    graph = layer.graph
    recomputed = descendants_of_treatments(layer)
    x_NTX = layer.reference_history(panel)
    space = layer.prepare(panel).space
    rows = torch.arange(panel.num_series)
    lengths = np.diff(panel.offsets)
    owner = np.repeat(np.arange(panel.num_series), lengths)
    step = np.arange(panel.num_cells) + np.repeat(panel.start - panel.offsets[:-1], lengths)
    columns: dict[str, np.ndarray] = {}
    roles: dict[str, Column | None] = dict.fromkeys(outside(layer, panel))
    delays = effective_delays(layer, panel)
    idle_nodes = idle(graph, delays)
    for name in graph.order:
        column = str(graph.nodes[name].column)
        if name in graph.treatments or name in idle_nodes:
            roles[column] = None
        elif name in recomputed:
            number = layer.node(name)
            natural = space.to_natural(x_NTX[..., number], rows, number).numpy()
            remade = natural[owner, step].astype(np.float32)
            held = panel.column(column).numpy()
            columns[column] = np.where(np.isfinite(held), remade, np.nan)
            roles[column] = _later(panel, column, delays[name])
    return with_roles(with_values(panel, columns), roles)


def descendants_of_treatments(layer: CausalLayer) -> frozenset[str]:
    """Nodes that some treatment moves, treatments aside."""
    return moved(layer.graph)


def idle(graph: Graph, delays: Mapping[str, int]) -> frozenset[str]:
    """Nodes that tell nothing of the target's future which its own past does not tell.

    They are no ancestor of the target, share no hidden cause with one, and are not published before
    it: given the target's past, its future does not depend on them.  A network would only fit their
    noise.
    """
    matters = {graph.target} | graph.ancestors(graph.target, include_policy=False)
    names = set()
    for name in graph.order:
        line = {name} | graph.ancestors(name, include_policy=False)
        shared = {node for node in line & matters if graph.nodes[node].latent}
        tied = any(({a, b} & line) and ({a, b} & matters) for a, b in graph.bidirected)
        if name not in matters and not shared and not tied:
            names.add(name)
    return frozenset(name for name in names if delays[name] >= delays[graph.target])


def outside(layer: CausalLayer, panel: Panel) -> list[str]:
    """Stored columns that no node reads."""
    inside = {layer.graph.nodes[name].column for name in layer.graph.order}
    return [name for name in panel.schema.stored if name not in inside and name != TARGET]


def effective_delays(layer: CausalLayer, panel: Panel) -> dict[str, int]:
    """Steps until everything a recomputed value was made of is published, by node."""
    return remade_delays(layer.graph, panel.schema)


def _later(panel: Panel, column: str, steps: int) -> Column:
    """The column, real-valued, with a delay of so many steps."""
    seconds = int(steps * step_length(panel.schema.freq).total_seconds())
    declared = panel.schema.columns[column]
    return replace(declared, delay=f"PT{seconds}S" if steps else None, integer=False)
