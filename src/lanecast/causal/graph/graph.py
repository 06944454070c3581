"""The declared graph: what may move what, validated before any data is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.causal.graph.declaration import Edge, Join, Level, Node, NodeKind, Parent, hint
from lanecast.causal.graph.parsing import read
from lanecast.causal.graph.validity import check_against, check_structure
from lanecast.data.schema import TARGET
from lanecast.errors import GraphError

if TYPE_CHECKING:
    import networkx as nx

    from lanecast.data.schema import Schema

__all__ = ["Edge", "Graph", "Join", "Level", "Node", "NodeKind", "Parent"]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes, the edges between them, and the pairs that share a hidden common cause.

    ``edges`` are those declared, forbidden ones included; what a policy looks at stands in the
    treatments' ``policy_parents``.  Node order, order of generations and hash do not depend on the
    order of the declaration.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...] = ()
    bidirected: tuple[tuple[str, str], ...] = ()
    joins: Mapping[str, Join] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a graph that contradicts itself."""
        check_structure(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Graph:
        """Build a graph from the mappings of ``conf/dag/*.yaml``; GraphError names the culprit."""
        return cls(**read(config))

    def check(self, schema: Schema, *, context: int, attributes: Collection[str] = ()) -> None:
        """Hold the graph against the data config and the windows; GraphError if they disagree.

        ``attributes`` are static attributes that series have beyond the schema's static columns.
        """
        check_against(self, schema, context=context, attributes=attributes)

    @cached_property
    def dag_hash(self) -> str:
        """8 hex digits of all that is declared, whatever its order and its formatting."""
        nodes = {name: asdict(node) for name, node in self.nodes.items()}
        for node in nodes.values():
            if node["policy_parents"] is not None:
                looks = [(p["node"], lag) for p in node["policy_parents"] for lag in p["lags"]]
                node["policy_parents"] = sorted(looks)
        declared = {
            "nodes": nodes,
            "edges": sorted(json.dumps(asdict(e), sort_keys=True) for e in _split(self.edges)),
            "bidirected": sorted(sorted(pair) for pair in self.bidirected),
            "joins": {name: asdict(join) for name, join in self.joins.items()},
            "levels": {name: asdict(level) for name, level in self.levels.items()},
        }
        text = json.dumps(declared, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @cached_property
    def target(self) -> str:
        """The node that is forecast: its column is the panel's target."""
        return next(name for name, node in self.nodes.items() if node.column == TARGET)

    @cached_property
    def treatments(self) -> tuple[str, ...]:
        """Nodes that a planner can set, in order."""
        return tuple(n for n in self.order if self.nodes[n].kind is NodeKind.TREATMENT)

    @cached_property
    def policy_edges(self) -> tuple[Edge, ...]:
        """What each treatment's policy looks at, as edges."""
        return tuple(
            Edge(source=parent.node, target=name, lags=parent.lags, policy=True)
            for name, node in self.nodes.items()
            for parent in node.policy_parents or ()
        )

    @cached_property
    def causal(self) -> tuple[Edge, ...]:
        """Every edge that may carry influence: declared, not forbidden, and policy edges."""
        return (*(edge for edge in self.edges if not edge.forbidden), *self.policy_edges)

    def parents(self, name: str) -> tuple[Edge, ...]:
        """Causal and policy edges into a node, by source; hidden sources are left out."""
        self._known(name)
        into = (e for e in self.causal if e.target == name and not self.nodes[e.source].latent)
        return tuple(sorted(into, key=lambda edge: (edge.source, edge.lags)))

    @cached_property
    def generations(self) -> tuple[tuple[str, ...], ...]:
        """Seen nodes in layers: lag-0 parents lie in earlier layers; names sorted in each."""
        import networkx as nx

        layers = (sorted(layer) for layer in nx.topological_generations(self._instant()))
        seen = (tuple(n for n in layer if self._seen(n)) for layer in layers)
        return tuple(layer for layer in seen if layer)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Seen nodes, neither latent nor the calendar, lag-0 parents before children."""
        return tuple(name for layer in self.generations for name in layer)

    @cached_property
    def max_lag(self) -> int:
        """Steps that any mechanism looks back, memories included."""
        return max((max(*e.lags, e.memory or 0) for e in self.causal), default=0)

    def ancestors(self, name: str, *, include_policy: bool = True) -> frozenset[str]:
        """Nodes that reach ``name`` at any lag, without itself."""
        import networkx as nx

        self._known(name)
        return frozenset(nx.ancestors(self.to_networkx(include_policy=include_policy), name))

    def descendants(self, name: str, *, include_policy: bool = True) -> frozenset[str]:
        """Nodes that ``name`` reaches at any lag, without itself."""
        import networkx as nx

        self._known(name)
        return frozenset(nx.descendants(self.to_networkx(include_policy=include_policy), name))

    def without(self, *pairs: tuple[str, str]) -> Graph:
        """The graph less the given ``(source, target)`` edges, policy edges included."""
        gone = set(pairs)
        declared = {(edge.source, edge.target) for edge in (*self.edges, *self.policy_edges)}
        for source, target in gone - declared:
            named = [f"{a} -> {b}" for a, b in sorted(declared)]
            ends = f"{source} -> {target}"
            raise GraphError(f"there is no edge {ends} to leave out{hint(ends, named)}")
        nodes = {
            name: node
            if node.policy_parents is None
            else replace(
                node,
                policy_parents=tuple(p for p in node.policy_parents if (p.node, name) not in gone),
            )
            for name, node in self.nodes.items()
        }
        edges = tuple(edge for edge in self.edges if (edge.source, edge.target) not in gone)
        return replace(self, nodes=nodes, edges=edges)

    def to_networkx(self, *, include_policy: bool = True) -> nx.MultiDiGraph:
        """Every node and causal edge, with their declarations as attributes ``node``, ``edge``."""
        import networkx as nx

        multigraph = nx.MultiDiGraph()
        for name, node in self.nodes.items():
            multigraph.add_node(name, node=node)
        for edge in self.causal:
            if include_policy or not edge.policy:
                multigraph.add_edge(edge.source, edge.target, edge=edge)
        return multigraph

    def carriers(
        self, name: str, attributes: Mapping[str, np.ndarray], num_series: int
    ) -> np.ndarray:
        """Which series carry a node, [N] bool; ``attributes`` as in the panel."""
        self._known(name)
        return self._members(self.nodes[name].level, attributes, num_series)

    def pairs_of(
        self, join: Join, series_N: np.ndarray, attributes: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs of series that a join links: source, target and weight 1, each [P].

        GraphError if two series have one name, or a series of a split names none of the panel.  A
        series of a sum that names none adds to none.
        """
        ids = [str(name) for name in series_N]
        giver_N = self._members(join.from_level, attributes, len(ids))
        taker_N = self._members(join.to_level, attributes, len(ids))
        wanted = [str(value) for value in self._attribute(join.attribute, attributes)]
        names = ids
        if join.key is not None:
            names = [str(value) for value in self._attribute(join.key, attributes)]
        summed = join.kind == "sum_by"
        reader_N, named_N = (giver_N, taker_N) if summed else (taker_N, giver_N)
        row = _rows(join, ids, names, np.flatnonzero(named_N).tolist())
        pairs = [(n, row.get(wanted[n], -1)) for n in np.flatnonzero(reader_N).tolist()]
        lost = [n for n, named in pairs if named < 0]
        if lost and not summed:
            raise GraphError(
                f"join {join.name!r}: {ids[lost[0]]!r} has {join.attribute}={wanted[lost[0]]!r},"
                f" which names no series of level {join.from_level!r}; add it or mend the attribute"
            )
        pairs_P2 = np.array([pair for pair in pairs if pair[1] >= 0], dtype=np.int64).reshape(-1, 2)
        source_P, target_P = pairs_P2.T if summed else pairs_P2.T[::-1]
        return source_P.copy(), target_P.copy(), np.ones(len(pairs_P2), dtype=np.float32)

    def _members(
        self, level: str | None, attributes: Mapping[str, np.ndarray], num_series: int
    ) -> np.ndarray:
        if level is None:
            return np.ones(num_series, dtype=bool)
        declared = self.levels[level]
        value_N = self._attribute(declared.attribute, attributes)
        return np.array([str(value) == declared.value for value in value_N], dtype=bool)

    def _attribute(self, name: str, attributes: Mapping[str, np.ndarray]) -> np.ndarray:
        if name not in attributes:
            raise GraphError(
                f"the series have no static attribute {name!r}{hint(name, list(attributes))}"
            )
        return np.asarray(attributes[name])

    def _instant(self) -> nx.DiGraph:
        """The lag-0 graph."""
        import networkx as nx

        instant = nx.DiGraph()
        instant.add_nodes_from(sorted(self.nodes))
        instant.add_edges_from((e.source, e.target) for e in self.causal if 0 in e.lags)
        return instant

    def _seen(self, name: str) -> bool:
        node = self.nodes[name]
        return not node.latent and not node.calendar

    def _known(self, name: str) -> None:
        if name not in self.nodes:
            raise GraphError(f"there is no node {name!r}{hint(name, list(self.nodes))}")


def _rows(join: Join, ids: list[str], names: list[str], numbers: list[int]) -> dict[str, int]:
    """Row of each series by the name that a join knows it by."""
    row: dict[str, int] = {}
    for number in numbers:
        if row.setdefault(names[number], number) != number:
            twin = ids[row[names[number]]]
            raise GraphError(
                f"join {join.name!r}: {twin!r} and {ids[number]!r} have one {join.key or 'id'},"
                f" {names[number]!r}; it must name one series"
            )
    return row


def _split(edges: Iterable[Edge]) -> Iterable[Edge]:
    """One edge for each lag, so that how lags are grouped does not matter."""
    return (replace(edge, lags=(lag,)) for edge in edges for lag in edge.lags)
