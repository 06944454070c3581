"""What a declared graph says is absent, pair by pair and lag by lag, and what of it can be tested.

Local Markov property: given its own inputs, a node at step t does not depend on any earlier cell,
nor on a cell of its own step that it does not move.  Hidden causes break it for some pairs; each
pair is therefore checked for d-separation on the unrolled graph before it is called testable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from lanecast.causal.graph.graph import Graph
from lanecast.causal.graph.identify import unroll
from lanecast.causal.scm.wiring import Wiring


class AbsenceKind(StrEnum):
    """What a declared absence is about."""

    FORBIDDEN = "forbidden"  # an edge documented as absent
    EDGE = "edge"  # an edge that is simply not there
    HIDDEN_CAUSE = "hidden cause"  # no bidirected edge: residuals of one step are independent


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """One declared absence; ``column`` is the source's number behind ``x``, joined columns last.

    ``reason`` says why it cannot be tested, or is empty.
    """

    kind: AbsenceKind
    source: str
    target: str
    lag: int
    column: int = -1
    reason: str = ""


def declared_absences(graph: Graph, wiring: Wiring, *, max_lag: int) -> list[Absence]:
    """Every absence of the graph, documented exclusions first, those within a step last."""
    guard = _Guard(graph, wiring, max_lag)
    pairs = [(s, t) for t in graph.order for s in graph.order]
    forbidden = {
        (edge.source, edge.target, lag)
        for edge in graph.edges
        if edge.forbidden
        for lag in edge.lags
    }
    known = set(graph.order)
    first = [
        _edge(graph, wiring, guard, AbsenceKind.FORBIDDEN, *triple)
        for triple in sorted(forbidden)
        if {triple[0], triple[1]} <= known
    ]
    rest = [
        _edge(graph, wiring, guard, AbsenceKind.EDGE, source, target, lag)
        for source, target in pairs
        for lag in range(max_lag + 1)
        if (source, target, lag) not in forbidden
        and not (source == target and lag == 0)
        and (source, lag) not in guard.parents[target]
        and not guard.moves_now(target, source, lag)
    ]
    return [*first, *rest, *_hidden(graph, guard)]


def _edge(
    graph: Graph,
    wiring: Wiring,
    guard: _Guard,
    kind: AbsenceKind,
    source: str,
    target: str,
    lag: int,
) -> Absence:
    column, reason = _column(graph, wiring, source, target)
    if guard.moves_now(target, source, lag):
        reason = f"{target} moves {source} within the step"
    elif not reason and not guard.separated(source, target, lag):
        reason = f"a hidden cause ties {source} to {target}"
    return Absence(kind=kind, source=source, target=target, lag=lag, column=column, reason=reason)


def _column(graph: Graph, wiring: Wiring, source: str, target: str) -> tuple[int, str]:
    """Where the target's series find the source: as a column of their own, or through a join."""
    from_level, to_level = graph.nodes[source].level, graph.nodes[target].level
    if from_level == to_level or from_level is None:
        return graph.order.index(source), ""
    for number, name in enumerate(wiring.joins):
        node, aggregate = name.split(":", 1)
        if node == source and graph.joins[aggregate].to_level == to_level:
            return wiring.num_nodes + number, ""
    return -1, f"no join that an edge uses leads {source} to {target}'s level"


def _hidden(graph: Graph, guard: _Guard) -> Iterator[Absence]:
    tied = {frozenset(pair) for pair in graph.bidirected}
    for first, second in combinations(graph.order, 2):
        if frozenset((first, second)) in tied:
            continue
        reason = ""
        if graph.nodes[first].level != graph.nodes[second].level:
            reason = f"{first} and {second} are of different levels"
        elif (first, 0) in guard.parents[second] or (second, 0) in guard.parents[first]:
            reason = "an edge of lag 0 joins them, and its fit absorbs a hidden cause"
        elif guard.share_a_cause(first, second):
            reason = "a declared hidden cause reaches both"
        number = graph.order.index(first)
        yield Absence(
            kind=AbsenceKind.HIDDEN_CAUSE,
            source=first,
            target=second,
            lag=0,
            column=number,
            reason=reason,
        )


class _Guard:
    """d-separation given a node's own inputs; trivial where the graph has no hidden cause."""

    def __init__(self, graph: Graph, wiring: Wiring, max_lag: int) -> None:
        self.graph = graph
        self.hidden = bool(graph.bidirected) or any(n.latent for n in graph.nodes.values())
        self.parents = {name: _inputs(wiring, name) for name in graph.order}
        self.instant = _instant_descendants(graph)
        past = 2 * max(max_lag, wiring.lag)
        self._unrolled = unroll(graph, past=past, future=1) if self.hidden else None

    def moves_now(self, target: str, source: str, lag: int) -> bool:
        """Whether the supposed source is moved by the target within the step."""
        return lag == 0 and source in self.instant[target]

    def separated(self, source: str, target: str, lag: int) -> bool:
        import networkx as nx

        if self._unrolled is None:
            return True
        parents = {(name, -back) for name, back in self.parents[target]} - {(source, -lag)}
        return nx.is_d_separator(self._unrolled, {(target, 0)}, {(source, -lag)}, parents)

    def share_a_cause(self, first: str, second: str) -> bool:
        """Whether residuals of one step may be tied by hidden causes that are declared."""
        import networkx as nx

        if not self.hidden:
            return False
        ties = nx.Graph(list(self.graph.bidirected))
        for edge in self.graph.causal:
            if self.graph.nodes[edge.source].latent:
                ties.add_edge(edge.source, edge.target)
        return first in ties and second in ties and nx.has_path(ties, first, second)


def _inputs(wiring: Wiring, name: str) -> set[tuple[str, int]]:
    """(source, lag) of every slot of a node, widened memories and assumed own lags included."""
    row = wiring.names.index(name)
    lags = wiring.lag_JE[row][: len(wiring.slots[row])].tolist()
    return set(zip(wiring.slots[row], lags, strict=True))


def _instant_descendants(graph: Graph) -> dict[str, frozenset[str]]:
    import networkx as nx

    instant = nx.DiGraph()
    instant.add_nodes_from(graph.order)
    instant.add_edges_from((e.source, e.target) for e in graph.causal if 0 in e.lags)
    return {name: frozenset(nx.descendants(instant, name)) for name in graph.order}
