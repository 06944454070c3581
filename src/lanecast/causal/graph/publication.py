"""When a value is published, and when one that is recomputed from others could have been.

Axes: ``J`` nodes in ``graph.order``.
"""

from __future__ import annotations

import numpy as np

from lanecast.causal.graph.graph import Graph
from lanecast.data.schema import Schema

_EVER = 10**6  # steps ahead that a column without a lead is known


def delays(graph: Graph, schema: Schema) -> dict[str, int]:
    """Steps until a node's value is published; negative for one that is known ahead."""
    newest = {name: schema.last_visible(str(graph.nodes[name].column)) for name in graph.order}
    return {name: -int(min(last, _EVER)) for name, last in newest.items()}


def moved(graph: Graph) -> frozenset[str]:
    """Nodes that some treatment moves, treatments aside."""
    reached: set[str] = set()
    for name in graph.treatments:
        reached |= graph.descendants(name, include_policy=False)
    return frozenset(reached & set(graph.order)) - set(graph.treatments)


def remade_delays(graph: Graph, schema: Schema) -> dict[str, int]:
    """As `delays`; of what a treatment moves, until all that a replay makes it from is published.

    A hole in a parent was filled from what that parent reads, which counts too.
    """
    plain = delays(graph, schema)
    remade = dict(plain)
    for _ in range(len(graph.order) + 1):
        for name in graph.order:
            edges = graph.parents(name)
            reach = [remade[e.source] - min(e.lags) for e in edges if e.source in remade]
            remade[name] = max([remade[name], *reach])
    recomputed = moved(graph)
    return {name: remade[name] if name in recomputed else plain[name] for name in graph.order}


def newest(delay_of: dict[str, int], graph: Graph) -> np.ndarray:
    """Newest visible step of each node relative to a cutoff, [J], from its delay."""
    return np.array([-float(delay_of[name]) for name in graph.order])
