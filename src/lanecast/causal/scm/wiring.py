"""Which cell feeds which mechanism: the graph as index tensors, one slot per parent and lag.

Axes: ``J`` nodes in topological order, ``V`` joined columns behind them, ``E`` parent-lag slots,
``G`` some of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph, NodeKind

OWN_LAGS = tuple(range(1, 8))  # of a node that the graph gives no parents: it must be sampled too


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Padded to the widest node; ``mask_JE`` tells real slots from padding.

    ``action_JE``: slots of edges with a declared memory, which enter the finite-memory part;
    ``error_JE``: own lags of a node that has such edges, which read its deviation from that part.
    ``gate_JE``: number of the optional edge, -1 for one that is always open.
    """

    names: tuple[str, ...]
    source_JE: Tensor
    lag_JE: Tensor
    mask_JE: Tensor
    action_JE: Tensor
    error_JE: Tensor
    sign_JE: Tensor
    gate_JE: Tensor
    slots: tuple[tuple[str, ...], ...]  # per node: source name of each slot
    optional: tuple[str, ...]  # "source->target" of each gate
    bernoulli_J: Tensor
    generations: tuple[tuple[int, ...], ...]
    joins_after: tuple[tuple[int, ...], ...]  # joined columns computed once a generation is done
    joins: tuple[str, ...]
    lag: int  # steps of history that one evaluation reads
    error_lag: int  # largest own lag of an error

    @property
    def num_nodes(self) -> int:
        """J."""
        return len(self.names)

    @property
    def finite(self) -> tuple[int, ...]:
        """Nodes with a finite-memory part, in order."""
        return tuple(torch.nonzero(self.action_JE.any(dim=1)).flatten().tolist())


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedSlots:
    """Slots of one kind of some nodes, packed to the left; ``open_GE`` is 0 in what is padding.

    Sources count nodes, then joined columns, then the deviations ``x - g`` of `Wiring.finite`.
    """

    nodes_G: Tensor
    slot_GE: Tensor  # column of the wiring
    open_GE: Tensor
    source_GE: Tensor
    lag_GE: Tensor


def pack(wiring: Wiring, nodes: Sequence[int], *, action: bool) -> PackedSlots:
    """The slots of ``nodes`` that enter their finite-memory part (``action``), or the rest."""
    chosen = wiring.mask_JE & (wiring.action_JE if action else ~wiring.action_JE)
    columns = [torch.nonzero(chosen[node]).flatten() for node in nodes]
    width = max(1, *(len(column) for column in columns)) if columns else 1
    slot = torch.zeros(len(nodes), width, dtype=torch.long)
    open_ = torch.zeros(len(nodes), width)
    for row, column in enumerate(columns):
        slot[row, : len(column)], open_[row, : len(column)] = column, 1.0
    at = torch.tensor(nodes, dtype=torch.long)
    behind = wiring.num_nodes + len(wiring.joins)
    source = wiring.source_JE.clone()
    for place, node in enumerate(wiring.finite):
        source[node, wiring.error_JE[node]] = behind + place
    filled = open_ > 0
    return PackedSlots(
        nodes_G=at,
        slot_GE=slot,
        open_GE=open_,
        source_GE=torch.where(filled, source[at[:, None], slot], at[:, None]),
        lag_GE=torch.where(filled, wiring.lag_JE[at[:, None], slot], 1),
    )


def wire(graph: Graph) -> Wiring:
    """Turn the declared edges into slots."""
    names = graph.order
    position = {name: number for number, name in enumerate(names)}
    edges = {name: _slots_of(graph, name) for name in names}
    pairs = sorted(
        {(e.source, str(e.aggregate)) for e in graph.edges if e.aggregate and not e.forbidden}
    )
    optional = tuple(
        dict.fromkeys(
            f"{slot.source}->{name}" for name in names for slot in edges[name] if slot.optional
        )
    )
    width = max(1, *(len(slots) for slots in edges.values()))
    shape = (len(names), width)
    source, lag = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    mask, action = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    error, sign = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape)
    gate = torch.full(shape, -1, dtype=torch.long)
    for name, slots in edges.items():
        row = position[name]
        finite = any(slot.action for slot in slots)
        for column, slot in enumerate(slots):
            index = position[slot.source]
            if slot.aggregate is not None:
                index = len(names) + pairs.index((slot.source, slot.aggregate))
            source[row, column], lag[row, column], mask[row, column] = index, slot.lag, True
            action[row, column] = slot.action
            error[row, column] = finite and slot.source == name and slot.aggregate is None
            sign[row, column] = slot.sign
            if slot.optional:
                gate[row, column] = optional.index(f"{slot.source}->{name}")
    generations = tuple(tuple(position[name] for name in group) for group in graph.generations)
    place = {node: step for step, group in enumerate(generations) for node in group}
    after: list[list[int]] = [[] for _ in generations]
    for number, (giver, _) in enumerate(pairs):
        after[place[position[giver]]].append(number)
    errors = int((lag * error).max())
    return Wiring(
        names=tuple(names),
        source_JE=source,
        lag_JE=lag,
        mask_JE=mask,
        action_JE=action,
        error_JE=error,
        sign_JE=sign,
        gate_JE=gate,
        slots=tuple(tuple(slot.source for slot in edges[name]) for name in names),
        optional=optional,
        bernoulli_J=torch.tensor([graph.nodes[n].family == "bernoulli" for n in names]),
        generations=generations,
        joins_after=tuple(tuple(group) for group in after),
        joins=tuple(f"{giver}:{aggregate}" for giver, aggregate in pairs),
        lag=max(int((lag * ~error).max()), errors + int((lag * action).max()), 1),
        error_lag=errors,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    source: str
    lag: int
    action: bool = False
    sign: float = 0.0
    optional: bool = False
    aggregate: str | None = None


def _slots_of(graph: Graph, name: str) -> list[_Slot]:
    """Slots of one node; ``memory: k`` widens an edge to the lags ``0..k`` (or its own lags)."""
    slots: list[_Slot] = []
    for edge in graph.parents(name):
        source = graph.nodes[edge.source]
        if source.calendar or source.kind is NodeKind.LATENT:
            continue
        action = edge.memory is not None
        lags = sorted({*edge.lags, *range(min(edge.lags), (edge.memory or 0) + 1)})
        sign = {"positive": 1.0, "negative": -1.0}.get(str(edge.sign), 0.0)
        slots += [
            _Slot(
                source=edge.source,
                lag=lag,
                action=action,
                sign=sign,
                optional=edge.optional,
                aggregate=edge.aggregate,
            )
            for lag in (lags if action else sorted(edge.lags))
        ]
    if not slots:
        slots = [_Slot(source=name, lag=lag) for lag in OWN_LAGS]
    return slots
