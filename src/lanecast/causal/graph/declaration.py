"""The words a causal graph is declared in: nodes, edges, levels and joins.

Each type refuses by itself what has no meaning whatever surrounds it; what depends on the rest of
the graph, on the data config or on the windows is refused by `lanecast.causal.graph.validity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanecast.config.keys import near
from lanecast.errors import GraphError

LINKS = ("identity", "log", "log1p")
FAMILIES = ("location_scale", "bernoulli")
NOISES = ("gaussian", "student_t", "empirical")
SIGNS = ("positive", "negative")
JOINS = ("sum_by", "split_by")


class NodeKind(StrEnum):
    """What a node is to the graph."""

    EXOGENOUS = "exogenous"  # moved by nothing inside the graph but its own past
    TREATMENT = "treatment"  # set by a policy, hence by a planner
    ENDOGENOUS = "endogenous"  # moved by its parents
    LATENT = "latent"  # never seen: a hidden common cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """What a policy looks at: ``node``, so many steps ago; lag 0 is the same step."""

    node: str
    lags: tuple[int, ...]

    def __post_init__(self) -> None:
        """Sort the lags and refuse what is no lag."""
        object.__setattr__(self, "lags", _lags(self.lags, f"policy parent {self.node!r}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One variable.

    ``column`` is its column of the panel, by default of the same name; latent nodes and the
    calendar have none.  ``calendar`` marks the one node that stands for all calendar columns: it is
    context of every mechanism and policy, so no edge touches it.  ``level`` names the level whose
    series carry the node (None: every series).  ``family`` is ``bernoulli`` for 0/1 nodes.
    ``reference`` is the treatment's value that means "no action"; None is the series' own typical
    level.  ``policy_parents`` is what a treatment's policy looks at; ``()`` means randomized.
    """

    name: str
    kind: NodeKind
    link: str = "identity"
    column: str | None = None
    calendar: bool = False
    level: str | None = None
    family: str = "location_scale"
    noise: str = "gaussian"
    reference: float | None = None
    policy_parents: tuple[Parent, ...] | None = None

    def __post_init__(self) -> None:
        """Fill the column and refuse combinations that have no meaning."""
        where = f"node {self.name!r}"
        if not isinstance(self.name, str) or not self.name:
            raise GraphError(f"{where}: a node's name is text; quote it")
        object.__setattr__(
            self, "kind", NodeKind(one_of(self.kind, tuple(NodeKind), f"{where}: kind"))
        )
        one_of(self.link, LINKS, f"{where}: link")
        one_of(self.family, FAMILIES, f"{where}: family")
        one_of(self.noise, NOISES, f"{where}: noise")
        flag(self.calendar, f"{where}: calendar")
        self._check_column(where)
        self._check_treatment(where)
        if self.family == "bernoulli" and self.link != "identity":
            raise GraphError(f"{where}: a bernoulli node has no link; remove link: {self.link}")

    @property
    def latent(self) -> bool:
        """Whether nobody ever sees it."""
        return self.kind is NodeKind.LATENT

    def _check_column(self, where: str) -> None:
        if self.calendar and self.kind is not NodeKind.EXOGENOUS:
            raise GraphError(f"{where}: the calendar is exogenous, not {self.kind}")
        without = "a latent node" if self.latent else "the calendar" if self.calendar else None
        if without and self.column is not None:
            raise GraphError(
                f"{where}: {without} has no column of its own; remove column: {self.column}"
            )
        if not without and self.column is None:
            object.__setattr__(self, "column", self.name)

    def _check_treatment(self, where: str) -> None:
        if self.kind is NodeKind.TREATMENT:
            if self.policy_parents is None:
                raise GraphError(
                    f"{where}: a treatment must declare policy_parents, the nodes that its policy"
                    " looks at; [] says that it is randomized"
                )
            object.__setattr__(self, "policy_parents", tuple(self.policy_parents))
        elif self.policy_parents is not None:
            raise GraphError(
                f"{where}: only a treatment has policy_parents, and this node is {self.kind};"
                " declare edges into it instead, or make it a treatment"
            )
        elif self.reference is not None:
            raise GraphError(
                f"{where}: only a treatment has a reference, and this node is {self.kind}; remove"
                f" reference: {self.reference}"
            )
        if self.reference is not None:
            if isinstance(self.reference, bool) or not isinstance(self.reference, int | float):
                raise GraphError(f"{where}: reference={self.reference!r} is not a number")
            object.__setattr__(self, "reference", float(self.reference))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """``source`` at step t - lag moves ``target`` at step t, for every lag in ``lags``.

    ``memory=k`` says that the source acts through a finite memory of k steps, outside of the
    target's own autoregression.  ``forbidden`` documents an edge that must not exist.
    ``aggregate`` names the join that leads from the source's level to the target's.  ``policy``
    marks what a treatment's policy looks at; it comes from ``policy_parents``, never from
    ``edges``.
    """

    source: str
    target: str
    lags: tuple[int, ...]
    sign: str | None = None
    optional: bool = False
    forbidden: bool = False
    memory: int | None = None
    aggregate: str | None = None
    policy: bool = False

    def __post_init__(self) -> None:
        """Sort the lags and refuse combinations that have no meaning."""
        where = str(self)
        if self.memory is not None and not self.lags:
            raise GraphError(f"{where}: memory={self.memory} needs lags, such as lags: [0]")
        object.__setattr__(self, "lags", _lags(self.lags, where))
        if self.sign is not None:
            one_of(self.sign, SIGNS, f"{where}: sign")
        flag(self.optional, f"{where}: optional")
        flag(self.forbidden, f"{where}: forbidden")
        if self.optional and self.forbidden:
            raise GraphError(f"{where} is both optional and forbidden; remove one of the two")
        if self.source == self.target and 0 in self.lags and not self.forbidden:
            raise GraphError(f"{where} has lag 0: a node cannot move itself; start at lag 1")
        self._check_memory(where)

    def __str__(self) -> str:
        """``edge orders -> shipments``, as it stands in messages."""
        return f"{'policy edge' if self.policy else 'edge'} {self.source} -> {self.target}"

    def _check_memory(self, where: str) -> None:
        if self.memory is None:
            return
        whole(self.memory, f"{where}: memory")
        if self.source == self.target:
            raise GraphError(f"{where}: a node has no memory of itself; remove memory")
        if max(self.lags) > self.memory:
            raise GraphError(
                f"{where}: lag {max(self.lags)} reaches beyond memory={self.memory}; raise the"
                " memory or drop the lag"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The series whose static attribute ``attribute`` equals ``value``, e.g. kind = lane."""

    name: str
    attribute: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """How a node of one level is read at another, through the static ``attribute``.

    ``sum_by``: a series of ``to_level`` reads the sum over the series of ``from_level`` whose
    attribute names it (a site sums the lanes with ``dest`` = the site).
    ``split_by``: a series of ``to_level`` reads the one series of ``from_level`` that its own
    attribute names (a lane reads the center that is the lane's ``origin``).
    A series is named by its unique_id, or by its static attribute ``key`` if one is given.
    """

    name: str
    kind: str
    from_level: str
    to_level: str
    attribute: str
    key: str | None = None


def one_of(value: Any, choices: Sequence[str], where: str) -> str:
    """``value`` if it is one of ``choices``; else a GraphError with the nearest."""
    if isinstance(value, str) and value in choices:
        return value
    raise GraphError(f"{where}={value!r} is not one of {', '.join(choices)}{hint(value, choices)}")


def hint(name: Any, valid: Sequence[str]) -> str:
    """``; did you mean a?``, ``; valid names: a, b``, or nothing."""
    nearest = near(str(name), valid)
    return f"; {nearest}" if nearest else ""


def whole(value: Any, where: str) -> int:
    """``value`` if it is a whole number, at least 0."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise GraphError(f"{where}={value!r} is not a whole number of steps")
    if value < 0:
        raise GraphError(f"{where}={value} is negative: a cause cannot come after its effect")
    return value


def flag(value: Any, where: str) -> bool:
    """``value`` if it is true or false."""
    if not isinstance(value, bool):
        raise GraphError(f"{where}={value!r} is neither true nor false")
    return value


def _lags(lags: Any, where: str) -> tuple[int, ...]:
    if isinstance(lags, str) or not isinstance(lags, Sequence) or not lags:
        raise GraphError(f"{where}: lags={lags!r} is not a list of lags such as [0, 1]")
    ordered = sorted(whole(lag, f"{where}: lag") for lag in lags)
    if len(set(ordered)) < len(ordered):
        raise GraphError(f"{where}: lags={ordered} names a lag twice; name each once")
    return tuple(ordered)
