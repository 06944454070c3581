"""What a graph may not say, by itself and beside the data config and the windows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from lanecast.causal.graph.declaration import JOINS, Edge, Join, Level, Node, NodeKind, hint, one_of
from lanecast.data.schema import TARGET, Role
from lanecast.errors import GraphError

if TYPE_CHECKING:
    from lanecast.data.schema import Schema


class Declared(Protocol):
    """What is checked of a graph."""

    @property
    def nodes(self) -> Mapping[str, Node]:
        """By name."""

    @property
    def edges(self) -> tuple[Edge, ...]:
        """As declared, forbidden ones included."""

    @property
    def bidirected(self) -> tuple[tuple[str, str], ...]:
        """Pairs with a hidden common cause."""

    @property
    def joins(self) -> Mapping[str, Join]:
        """By name."""

    @property
    def levels(self) -> Mapping[str, Level]:
        """By name."""

    @property
    def policy_edges(self) -> tuple[Edge, ...]:
        """What each treatment's policy looks at."""

    @property
    def causal(self) -> tuple[Edge, ...]:
        """Every edge that may carry influence."""

    @property
    def order(self) -> tuple[str, ...]:
        """Seen nodes, parents first."""


def check_structure(graph: Declared) -> None:
    """Refuse a graph that contradicts itself, before anything else is known."""
    _check_names(graph)
    _check_levels(graph)
    for edge in (*graph.edges, *graph.policy_edges):
        _check_ends(graph, edge)
        _check_join(graph, edge)
    _check_repeats(graph)
    _check_bidirected(graph)
    _check_columns(graph)
    _check_instant(graph.causal)


def check_against(
    graph: Declared, schema: Schema, *, context: int, attributes: Collection[str]
) -> None:
    """Refuse a graph that disagrees with the declared columns, statics or context."""
    for node in graph.nodes.values():
        if node.column is not None:
            _check_role(node, node.column, schema)
    for edge in graph.causal:
        _check_foresight(graph, edge, schema)
    _check_statics(graph, {*schema.static, *attributes})
    _check_reach(graph, schema, context)


def _check_names(graph: Declared) -> None:
    ends = [(str(edge), end) for edge in graph.edges for end in (edge.source, edge.target)]
    ends += [(f"policy_parents of {edge.target!r}", edge.source) for edge in graph.policy_edges]
    ends += [(f"bidirected [{', '.join(pair)}]", end) for pair in graph.bidirected for end in pair]
    for where, end in ends:
        if end not in graph.nodes:
            raise GraphError(f"{where}: there is no node {end!r}{hint(end, list(graph.nodes))}")
    for name, node in graph.nodes.items():
        if name != node.name:
            raise GraphError(f"node {node.name!r} is filed under {name!r}; use one name")


def _check_levels(graph: Declared) -> None:
    for node in graph.nodes.values():
        _check_level(graph, node.level, f"node {node.name!r}")
    for join in graph.joins.values():
        where = f"join {join.name!r}"
        one_of(join.kind, JOINS, f"{where}: kind")
        _check_level(graph, join.from_level, where)
        _check_level(graph, join.to_level, where)
        if join.from_level == join.to_level:
            raise GraphError(
                f"{where} leads from level {join.from_level!r} to itself; it must connect two"
            )


def _check_level(graph: Declared, level: str | None, where: str) -> None:
    if level is not None and level not in graph.levels:
        advice = hint(level, list(graph.levels)) or "; declare it under levels"
        raise GraphError(f"{where}: there is no level {level!r}{advice}")


def _check_ends(graph: Declared, edge: Edge) -> None:
    source, target = graph.nodes[edge.source], graph.nodes[edge.target]
    for end in (source, target):
        if end.calendar:
            raise GraphError(
                f"{edge}: the calendar {end.name!r} is context of every mechanism and policy"
                " already; remove this edge"
            )
    if edge.policy or edge.forbidden:
        return
    if target.kind is NodeKind.TREATMENT:
        raise GraphError(
            f"{edge}: {target.name!r} is a treatment, which its policy sets; declare"
            f" {source.name!r} under policy_parents of {target.name!r}"
        )
    inside = source.kind in (NodeKind.ENDOGENOUS, NodeKind.TREATMENT)
    if target.kind is NodeKind.EXOGENOUS and inside:
        raise GraphError(
            f"{edge}: {target.name!r} is exogenous, yet {source.name!r} ({source.kind}) moves it;"
            f" declare {target.name!r} endogenous or remove the edge"
        )
    if target.latent and source.name != target.name:
        raise GraphError(
            f"{edge}: {target.name!r} is latent, a hidden common cause that nothing moves; turn"
            " the edge around or remove it"
        )


def _check_join(graph: Declared, edge: Edge) -> None:
    source, target = graph.nodes[edge.source], graph.nodes[edge.target]
    if edge.forbidden and edge.aggregate is None:
        return
    between = f"level {source.level!r} ({source.name}) to {target.level!r} ({target.name})"
    if edge.aggregate is None:
        if source.level not in (None, target.level) and not source.latent:
            way = "name a join in aggregate" if not edge.policy else "a policy sees its own series"
            raise GraphError(f"{edge} leads from {between} without aggregate; {way}")
        return
    if edge.aggregate not in graph.joins:
        advice = hint(edge.aggregate, list(graph.joins)) or "; declare it under joins"
        raise GraphError(f"{edge}: there is no join {edge.aggregate!r}{advice}")
    join = graph.joins[edge.aggregate]
    if (join.from_level, join.to_level) != (source.level, target.level):
        raise GraphError(
            f"{edge} leads from {between}, but its aggregate {join.name!r} from level"
            f" {join.from_level!r} to {join.to_level!r}; choose a join between the nodes' levels"
        )


def _check_repeats(graph: Declared) -> None:
    declared: dict[tuple[str, str, int], Edge] = {}
    for edge in (*graph.edges, *graph.policy_edges):
        for lag in edge.lags:
            first = declared.setdefault((edge.source, edge.target, lag), edge)
            if first is edge:
                continue
            if first.forbidden == edge.forbidden:
                raise GraphError(f"{edge} is declared twice at lag {lag}; keep one of the two")
            status = (
                "a policy parent" if edge.policy else "optional" if edge.optional else "allowed"
            )
            if edge.forbidden:
                status = "optional" if first.optional else "allowed"
            raise GraphError(
                f"{edge} is both forbidden and {status} at lag {lag}; remove one of the two"
            )


def _check_bidirected(graph: Declared) -> None:
    seen: set[frozenset[str]] = set()
    for pair in graph.bidirected:
        where = f"bidirected [{', '.join(pair)}]"
        for end in (graph.nodes[name] for name in pair):
            if end.latent or end.calendar:
                raise GraphError(
                    f"{where}: {end.name!r} is {'latent' if end.latent else 'the calendar'};"
                    " only seen nodes share a hidden cause"
                )
        if pair[0] == pair[1]:
            raise GraphError(f"{where}: a node shares every cause with itself; name two nodes")
        if frozenset(pair) in seen:
            raise GraphError(f"{where} is declared twice; keep one")
        seen.add(frozenset(pair))


def _check_columns(graph: Declared) -> None:
    owner: dict[str, Node] = {}
    for node in graph.nodes.values():
        if node.column is not None and owner.setdefault(node.column, node) is not node:
            raise GraphError(
                f"nodes {owner[node.column].name!r} and {node.name!r} both read column"
                f" {node.column!r}; keep one"
            )
    calendars = [node.name for node in graph.nodes.values() if node.calendar]
    if len(calendars) > 1:
        raise GraphError(f"nodes {calendars} are all the calendar; keep one")
    if TARGET not in owner:
        raise GraphError(
            f"no node is the target; say column: {TARGET} at the node that is forecast"
        )
    target = owner[TARGET]
    if target.kind is not NodeKind.ENDOGENOUS:
        raise GraphError(
            f"node {target.name!r} is the target (column: {TARGET}) and {target.kind}; what is"
            " forecast is not known in advance: declare it endogenous"
        )


def _check_instant(edges: Iterable[Edge]) -> None:
    import networkx as nx

    instant = nx.DiGraph((edge.source, edge.target) for edge in edges if 0 in edge.lags)
    try:
        cycle = [source for source, _ in nx.find_cycle(instant)]
    except nx.NetworkXNoCycle:
        return
    shift = cycle.index(min(cycle))
    names = [*cycle[shift:], *cycle[:shift], min(cycle)]
    raise GraphError(
        f"the lag-0 edges form a cycle: {' -> '.join(names)}; within one step causes come before"
        " effects: give one of these edges lags of at least 1"
    )


def _check_role(node: Node, column: str, schema: Schema) -> None:
    where = f"node {node.name!r}: column {column!r}"
    if column not in schema.columns:
        raise GraphError(f"{where} is not declared{hint(column, list(schema.stored))}")
    declared = schema.columns[column]
    if declared.role is Role.STATIC:
        raise GraphError(f"{where} is static, and a node moves; static columns are context anyway")
    if node.kind is NodeKind.ENDOGENOUS and declared.role is Role.KNOWN_FUTURE:
        raise GraphError(
            f"{where} is known_future, and an endogenous node is not known in advance; declare the"
            " column observed, or the node exogenous"
        )
    if node.kind is NodeKind.TREATMENT and not declared.manipulable:
        raise GraphError(
            f"{where} is a treatment that nobody can set; add manipulable: true to the column, or"
            " declare the node exogenous"
        )
    if node.kind is not NodeKind.TREATMENT and declared.manipulable:
        raise GraphError(
            f"{where} is manipulable, yet the node is {node.kind}; declare it a treatment, or"
            " remove manipulable from the column"
        )
    if node.link != "identity" and not declared.non_negative:
        raise GraphError(
            f"{where} may be negative, which link: {node.link} cannot take; add non_negative: true"
            " to the column, or remove the link"
        )


def _check_foresight(graph: Declared, edge: Edge, schema: Schema) -> None:
    """A value that is fixed ``lead`` steps ahead cannot react to what it precedes."""
    column, cause = graph.nodes[edge.target].column, graph.nodes[edge.source].column
    hidden = graph.nodes[edge.source].latent  # it persists, and its own past is hidden as well
    if column not in schema.known or edge.source == edge.target or hidden:
        return
    ahead: int | None = 0
    if cause is not None and cause in schema.known:
        ahead = schema.lead_steps(cause)
    if ahead is None:  # the cause is known for ever
        return
    lead = schema.lead_steps(column)
    soonest = min(edge.lags) + ahead
    if lead is None or soonest < lead:
        when = "for ever" if lead is None else f"{lead} steps ahead"
        way = "remove the edge" if lead is None else f"use lags of at least {lead - ahead}"
        raise GraphError(
            f"{edge}: {edge.target!r} is known {when} (known_future), so it cannot react to"
            f" {edge.source!r} at lag {min(edge.lags)}, which it precedes; {way}, or give column"
            f" {column!r} a shorter lead"
        )


def _check_statics(graph: Declared, attributes: set[str]) -> None:
    used = {node.level for node in graph.nodes.values()} - {None}
    needed = [(f"level {n!r}", graph.levels[n].attribute) for n in sorted(map(str, used))]
    for edge in graph.causal:
        if edge.aggregate is not None:
            join = graph.joins[edge.aggregate]
            where = f"{edge}: join {join.name!r}"
            needed += [(where, name) for name in (join.attribute, join.key) if name is not None]
    for where, attribute in needed:
        if attribute not in attributes:
            advice = hint(attribute, sorted(attributes)) or "; declare it in the data config"
            raise GraphError(f"{where} needs the static column {attribute!r}{advice}")


def _check_reach(graph: Declared, schema: Schema, context: int) -> None:
    """A rollout starts at the oldest value not yet published and looks back from there."""
    columns = [str(graph.nodes[name].column) for name in graph.order]
    delay, late = max((schema.delay_steps(column), column) for column in columns)
    for edge in graph.causal:
        lag = max(*edge.lags, edge.memory or 0)
        reach = f"lag {lag}" if lag == max(edge.lags) else f"memory {lag}"
        own = [max(e.lags) for e in graph.causal if e.source == e.target == edge.target]
        if edge.memory is not None and own:  # what is left of the target lags with its own lags
            lag += max(own)
            reach += f" plus its target's own lag {max(own)}"
        if lag + delay > context:
            late_by = f" plus {delay} steps that {late!r} is published late" if delay else ""
            raise GraphError(
                f"{edge}: {reach}{late_by} exceeds the context of {context} steps; shorten the lag"
                " or choose windows with a longer context"
            )
