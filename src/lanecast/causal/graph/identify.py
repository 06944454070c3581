"""Whether an effect can be told from hidden confounding, and how far off it may be otherwise.

The graph is unrolled over time, hidden common causes with it: they persist from step to step, so
they confound across steps too.  At the first action the history is seen, and later actions are set.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

from lanecast.causal.graph.declaration import hint, whole
from lanecast.causal.graph.graph import Graph
from lanecast.errors import GraphError, NotIdentified

if TYPE_CHECKING:
    import networkx as nx

Cell = tuple[str, int]  # a node and a step; step 0 is that of the first action


def check_effect(graph: Graph, *, treatment: str, outcome: str, horizon: int) -> None:
    """Raise NotIdentified, naming an open path, if do(``treatment``) -> ``outcome`` may be biased.

    The effect of setting the treatment over ``horizon`` steps is identified if one of these holds.
    It has no way to the outcome: it is 0.  Sequential back-door (Pearl and Robins 1995): given
    the observed history and what is seen within the step before the action, no open path enters the
    first action, outgoing edges of which are cut, as are the edges into later actions.  Districts
    (Tian and Pearl 2002): no chain of hidden causes ties the treatment to a node that it moves.
    Any action after the first has the same graph around it, and a longer history.
    """
    _check_query(graph, treatment, outcome, horizon)
    # Longer ways than every node at its longest lag do not exist.
    steps = min(horizon, len(graph.nodes) * (graph.max_lag + 1))
    unrolled = unroll(graph, past=graph.max_lag, future=steps)
    outcomes = {(outcome, step) for step in range(steps)}
    if not _reaches(unrolled, (treatment, 0), outcomes):
        return
    separator = _separator(graph, unrolled, treatment, outcomes)
    path = open_path(_cut(unrolled, treatment), (treatment, 0), outcomes, separator)
    if path is None or not _confounded_child(graph, treatment, outcome):
        return
    raise NotIdentified(
        f"do({treatment}) -> {outcome} is not identified: {_arrows(path)} stays open given the"
        " observed history; add the hidden cause as a measured node, drop the bidirected pair or"
        " latent node if there is no such cause, randomize the treatment for a while, or ask for"
        " bounds (lanecast.causal.graph.identify.bounds)"
    )


def bounds(
    beta: float, s_outcome: float, s_treatment: float, *, max_correlation: float
) -> tuple[float, float]:
    """Where the effect may lie if hidden causes correlate the residuals by up to r.

    World: a = m + u_a and y = n + b a + u_y, with m and n functions of what is observed, and
    normal u_a, u_y of sds S_a, S_y and correlation rho, |rho| <= r.  Given the observed,
    E[u_y given a] = rho S_y/S_a u_a, so that regression finds beta = b + rho S_y/S_a and leaves a
    residual of sd s_y = S_y sqrt(1 - rho^2), while s_a = S_a.  The bias is therefore
    beta - b = rho / sqrt(1 - rho^2) s_y/s_a, which grows with rho: the ends lie at +-r.

    ``s_outcome`` is the outcome mechanism's residual sd, treatment regressed out; ``s_treatment``
    the policy's.  Sampling error of ``beta`` comes on top.
    """
    if not 0 <= max_correlation < 1:
        raise GraphError(
            f"max_correlation={max_correlation} must lie in [0, 1); at 1 the band is the whole line"
        )
    if s_outcome < 0 or s_treatment <= 0:
        raise GraphError(
            f"residual sds s_outcome={s_outcome}, s_treatment={s_treatment}: the first must not be"
            " negative, the second must be positive; a treatment that never varies tells nothing"
        )
    odds = max_correlation / math.sqrt(1 - max_correlation**2)
    widest = odds * s_outcome / s_treatment
    return beta - widest, beta + widest


def unroll(graph: Graph, *, past: int, future: int) -> nx.DiGraph:
    """The graph over the steps ``-past .. future - 1``; hidden causes persist, and are marked."""
    import networkx as nx

    unrolled = nx.DiGraph()
    steps = range(-past, future)
    edges = [(e.source, e.target, lag) for e in graph.causal for lag in e.lags]
    hidden = {name for name, node in graph.nodes.items() if node.latent}
    for pair in graph.bidirected:
        name = f"hidden({', '.join(pair)})"
        hidden.add(name)
        edges += [(name, end, 0) for end in pair]
    edges += [(name, name, 1) for name in hidden]
    for name in sorted({*graph.order, *hidden}):
        unrolled.add_nodes_from(((name, step) for step in steps), hidden=name in hidden)
    for source, target, lag in edges:
        unrolled.add_edges_from(
            ((source, step - lag), (target, step)) for step in steps if step - lag >= -past
        )
    return unrolled


def open_path(
    unrolled: nx.DiGraph, start: Cell, goals: set[Cell], separator: set[Cell]
) -> list[tuple[Cell, str]] | None:
    """A shortest path from ``start`` left open by ``separator``, with its arrows; None if closed.

    Each step of a path holds a cell and the arrow that leads to it, ``->`` or ``<-``.
    """
    import networkx as nx

    if nx.is_d_separator(unrolled, {start}, goals, separator):
        return None
    above = set(separator)  # a collider is open if it or a descendant is given
    for cell in separator:
        above |= nx.ancestors(unrolled, cell)
    first: tuple[Cell, str] = (start, "<-")
    came: dict[tuple[Cell, str], tuple[Cell, str] | None] = {first: None}
    queue = deque([first])
    while queue:
        cell, arrow = state = queue.popleft()
        if cell in goals:
            break
        free = cell not in separator
        upward = free if arrow == "<-" else cell in above
        ways = [(child, "->") for child in sorted(unrolled.successors(cell)) if free]
        ways += [(parent, "<-") for parent in sorted(unrolled.predecessors(cell)) if upward]
        for way in ways:
            if way not in came:
                came[way] = state
                queue.append(way)
    path: list[tuple[Cell, str]] = []
    at: tuple[Cell, str] | None = state
    while at is not None:
        path.append(at)
        at = came[at]
    return path[::-1]


def _check_query(graph: Graph, treatment: str, outcome: str, horizon: int) -> None:
    for name in (treatment, outcome):
        if name not in graph.order:
            raise GraphError(f"there is no node {name!r} to ask about{hint(name, graph.order)}")
    if treatment == outcome:
        raise GraphError(f"do({treatment}) -> {outcome}: name an outcome other than the treatment")
    if whole(horizon, "horizon") < 1:
        raise GraphError(f"horizon={horizon} must be at least 1 step")


def _reaches(unrolled: nx.DiGraph, start: Cell, goals: set[Cell]) -> bool:
    import networkx as nx

    return not goals.isdisjoint(nx.descendants(unrolled, start))


def _cut(unrolled: nx.DiGraph, treatment: str) -> nx.DiGraph:
    """Without the edges out of the first action and into the later ones."""
    mutilated = unrolled.copy()
    mutilated.remove_edges_from(list(unrolled.out_edges((treatment, 0))))
    later = [cell for cell in unrolled if cell[0] == treatment and cell[1] > 0]
    mutilated.remove_edges_from(list(unrolled.in_edges(later)))
    return mutilated


def _separator(
    graph: Graph, unrolled: nx.DiGraph, treatment: str, outcomes: set[Cell]
) -> set[Cell]:
    """What may be conditioned on, as far as it is an ancestor of the action or an outcome.

    If any set of what may be conditioned on separates the two, then this one does (van der Zander,
    Liskiewicz and Textor 2014).
    """
    import networkx as nx

    action = (treatment, 0)
    after = nx.descendants(unrolled, action)
    allowed = {(name, step) for name, step in unrolled if name in graph.order and step <= 0}
    mutilated = _cut(unrolled, treatment)
    above = set().union(*(nx.ancestors(mutilated, cell) for cell in {action, *outcomes}))
    return (allowed & (above | outcomes)) - after - {action} - outcomes


def _confounded_child(graph: Graph, treatment: str, outcome: str) -> bool:
    """Whether hidden causes, chained, tie the treatment to a node that it moves to the outcome."""
    import networkx as nx

    relevant = {outcome, *graph.ancestors(outcome)}
    ties: Any = nx.Graph()
    ties.add_node(treatment)
    ties.add_edges_from(pair for pair in graph.bidirected if relevant.issuperset(pair))
    for edge in graph.causal:
        if graph.nodes[edge.source].latent and edge.target in relevant:
            ties.add_edge(edge.source, edge.target)
    district = nx.node_connected_component(ties, treatment)
    moved = {e.target for e in graph.causal if e.source == treatment} & relevant
    moved -= {treatment}  # later actions are set as well
    return not moved.isdisjoint(district)


def _arrows(path: list[tuple[Cell, str]]) -> str:
    """``price(t) <- hidden(orders, price)(t) -> orders(t)``."""
    words = []
    for number, ((name, step), arrow) in enumerate(path):
        cell = f"{name}(t{step:+d})" if step else f"{name}(t)"
        words.append(f"{arrow} {cell}" if number else cell)
    return " ".join(words)
