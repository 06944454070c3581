"""The panel had nobody acted: treatments at their reference, what they moved recomputed.

Axes: ``N`` series, ``T`` steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from lanecast.causal.layer import CausalLayer
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Column, Role, step_length
from lanecast.data.views import with_roles, with_values


def reference_panel(layer: CausalLayer, panel: Panel) -> Panel:
    """De-actioned history: no column in it carries a trace of a treatment, if the graph is right.

    Treatments and columns outside the graph are left out (they might carry an action), and each
    recomputed column is published as late as the latest value it was recomputed from.  Cells that
    were missing stay missing; the first ``wiring.lag`` steps of a series stay as they were.
    """
    graph = layer.graph
    moved = descendants_of_treatments(layer)
    x_NTX = layer.reference_history(panel)
    space = layer.prepare(panel).space
    rows = torch.arange(panel.num_series)
    lengths = np.diff(panel.offsets)
    owner = np.repeat(np.arange(panel.num_series), lengths)
    step = np.arange(panel.num_cells) + np.repeat(panel.start - panel.offsets[:-1], lengths)
    columns: dict[str, np.ndarray] = {}
    roles: dict[str, Column | None] = dict.fromkeys(outside(layer, panel))
    delays = effective_delays(layer, panel)
    for name in graph.order:
        column = str(graph.nodes[name].column)
        if name in graph.treatments:
            roles[column] = None
        elif name in moved:
            number = layer.node(name)
            natural = space.to_natural(x_NTX[..., number], rows, number).numpy()
            found = natural[owner, step].astype(np.float32)
            held = panel.column(column).numpy()
            columns[column] = np.where(np.isfinite(held), found, np.nan)
            roles[column] = _later(panel, column, delays[name])
    return with_roles(with_values(panel, columns), roles)


def descendants_of_treatments(layer: CausalLayer) -> frozenset[str]:
    """Nodes that some treatment moves, treatments aside."""
    graph = layer.graph
    reached: set[str] = set()
    for name in graph.treatments:
        reached |= graph.descendants(name, include_policy=False)
    return frozenset(reached & set(graph.order)) - set(graph.treatments)


def outside(layer: CausalLayer, panel: Panel) -> list[str]:
    """Stored columns that no node reads."""
    inside = {layer.graph.nodes[name].column for name in layer.graph.order}
    return [name for name in panel.schema.stored if name not in inside and name != TARGET]


def effective_delays(layer: CausalLayer, panel: Panel) -> dict[str, int]:
    """Steps until everything a recomputed value was made of is published, by node."""
    graph, schema = layer.graph, panel.schema
    delay = {}
    for name in graph.order:
        column = str(graph.nodes[name].column)
        known = schema.columns[column].role is Role.KNOWN_FUTURE
        lead = schema.lead_steps(column) if known else None
        delay[name] = (
            schema.delay_steps(column) if not known else -(10**6 if lead is None else lead)
        )
    moved = descendants_of_treatments(layer)
    for _ in range(len(graph.order) + 1):
        for name in graph.order:
            if name in moved:
                edges = graph.parents(name)
                reach = [delay[e.source] - min(e.lags) for e in edges if e.source in delay]
                delay[name] = max([delay[name], *reach])
    return delay


def _later(panel: Panel, column: str, steps: int) -> Column:
    """The column, real-valued, with a delay of so many steps."""
    seconds = int(steps * step_length(panel.schema.freq).total_seconds())
    declared = panel.schema.columns[column]
    return replace(declared, delay=f"PT{seconds}S" if steps else None, integer=False)
