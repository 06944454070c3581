"""From the mappings of ``conf/dag/*.yaml`` to nodes and edges; unknown keys are refused.

levels: {lane: {}, site: {attribute: kind, value: site}}  # defaults: attribute kind, own name
joins: {sum_by_dest: {from: lane, to: site, by: dest, how: sum}}  # how: sum or split
nodes: {promo: {kind: treatment, policy_parents: [{node: orders, lags: [1, 7]}]}, ...}
edges: [{from: promo, to: orders, lags: [0, 1], memory: 1}, ...]
bidirected: [[orders, price]]  # hidden common causes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lanecast.causal.graph.declaration import Edge, Join, Level, Node, Parent, hint, one_of
from lanecast.errors import GraphError

PARTS = ("levels", "joins", "nodes", "edges", "bidirected")
NODE_KEYS = (
    "kind", "link", "column", "calendar", "level", "family", "noise", "reference", "policy_parents",
)  # fmt: skip
EDGE_KEYS = ("from", "to", "lags", "sign", "optional", "forbidden", "memory", "aggregate")
JOIN_KEYS = ("from", "to", "by", "how", "key")
HOWS = {"sum": "sum_by", "split": "split_by"}


def read(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `lanecast.causal.graph.graph.Graph`, out of plain mappings."""
    config = _mapping(config, "the graph", PARTS)
    if not config.get("nodes"):
        raise GraphError("the graph declares no nodes; list them under nodes")
    edges = [_edge(options) for options in _sequence(config.get("edges"), "edges")]
    pairs = [_pair(pair) for pair in _sequence(config.get("bidirected"), "bidirected")]
    return {
        "levels": _named(config, "levels", _level),
        "joins": _named(config, "joins", _join),
        "nodes": _named(config, "nodes", _node),
        "edges": tuple(edges),
        "bidirected": tuple(pairs),
    }


def _node(name: str, declared: Any) -> Node:
    options = dict(_mapping(declared, f"node {name!r}", NODE_KEYS, required=("kind",)))
    _texts(options, ("column", "level"), f"node {name!r}")
    if options.get("policy_parents") is not None:
        where = f"node {name!r}: policy_parents"
        options["policy_parents"] = tuple(
            Parent(**_mapping(parent, where, ("node", "lags"), required=("node", "lags")))
            for parent in _sequence(options["policy_parents"], where)
        )
    return Node(name=name, **options)


def _edge(declared: Any) -> Edge:
    ends = "?"
    if isinstance(declared, Mapping):
        ends = f"{declared.get('from', '?')} -> {declared.get('to', '?')}"
    options = dict(_mapping(declared, f"edge {ends}", EDGE_KEYS, required=("from", "to")))
    _texts(options, ("from", "to", "aggregate"), f"edge {ends}")
    source, target = options.pop("from"), options.pop("to")
    return Edge(source=source, target=target, lags=options.pop("lags", ()), **options)


def _level(name: str, declared: Any) -> Level:
    options = {"attribute": "kind", "value": name}
    options |= _mapping(declared or {}, f"level {name!r}", ("attribute", "value"))
    _texts(options, ("attribute", "value"), f"level {name!r}")
    return Level(name=name, **options)


def _join(name: str, declared: Any) -> Join:
    where = f"join {name!r}"
    options = _mapping(declared, where, JOIN_KEYS, required=JOIN_KEYS[:4])
    _texts(options, ("from", "to", "by", "key"), where)
    kind = HOWS[one_of(options["how"], tuple(HOWS), f"{where}: how")]
    return Join(
        name=name,
        kind=kind,
        from_level=options["from"],
        to_level=options["to"],
        attribute=options["by"],
        key=options.get("key"),
    )


def _pair(declared: Any) -> tuple[str, str]:
    pair = _sequence(declared, "bidirected")
    if len(pair) != 2 or not all(isinstance(name, str) for name in pair):
        raise GraphError(f"bidirected: {pair} is not a pair of nodes such as [orders, price]")
    first, second = sorted(pair)
    return first, second


def _named(config: Mapping[str, Any], part: str, build: Any) -> dict[str, Any]:
    declarations = config.get(part)
    if declarations is None:
        return {}
    if not isinstance(declarations, Mapping):
        raise GraphError(f"{part} is not a mapping from names to their declarations")
    return {name: build(name, options) for name, options in declarations.items()}


def _mapping(
    declared: Any, where: str, keys: Sequence[str], *, required: Sequence[str] = ()
) -> Mapping[str, Any]:
    if not isinstance(declared, Mapping):
        raise GraphError(f"{where}: {declared!r} is not a mapping with the keys {', '.join(keys)}")
    for key in declared:
        if key not in keys:
            raise GraphError(f"{where}: there is no key {key!r}{hint(key, keys)}")
    for key in required:
        if declared.get(key) is None:
            raise GraphError(f"{where}: {key} is missing")
    return declared


def _sequence(declared: Any, where: str) -> Sequence[Any]:
    if declared is None:
        return ()
    if isinstance(declared, str) or not isinstance(declared, Sequence):
        raise GraphError(f"{where}: {declared!r} is not a list")
    return list(declared)


def _texts(options: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in keys:
        if options.get(key) is not None and not isinstance(options[key], str):
            raise GraphError(f"{where}: {key}={options[key]!r} is not text; quote it")
