"""Chaining: mechanisms applied step by step, generation by generation, on their own predictions.

At each step and node: a clamped cell (known, or set by do) keeps its value; any other becomes
``mu + s u``.  A row is one series of one sample; ``u`` is handed in, indexed by sample, series,
cutoff, node and step, so that two rolls with the same noise differ by what was done and nothing
else.  Axes: ``R`` rows, ``T`` steps, ``X`` nodes then joined columns (then deviations ``x - g``
inside), ``J`` nodes, ``G`` nodes of one generation, ``F`` calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from lanecast.causal.scm.mechanisms import Mechanisms, Weights, evaluate, scale_of
from lanecast.causal.scm.wiring import PackedSlots, pack

# (buffer [R, T, X], step) -> mu and s of one node, [R] each, in link space.
Override = Callable[[Tensor, int], tuple[Tensor, Tensor]]
# (value [R], step) -> value, in link space.
Adjust = Callable[[Tensor, int], Tensor]
Joiner = Callable[[Tensor, int], Tensor]  # (one step [R, X], joined column) -> [R]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What replaces or follows a mechanism, by node number; ``join`` fills joined columns."""

    override: Mapping[int, Override] = field(default_factory=dict)
    adjust: Mapping[int, Adjust] = field(default_factory=dict)
    join: Joiner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """One generation, ready to be evaluated at one step after another."""

    nodes: tuple[int, ...]
    joins: tuple[int, ...]
    rest: PackedSlots
    rest_weights: Weights
    finite: tuple[int, ...]  # places in ``nodes`` of those with a finite memory
    deviations: tuple[int, ...]  # their columns of x - g
    action: PackedSlots
    action_weights: Weights
    binary_G1: Tensor | None  # None: no 0/1 node


def roll(
    mechanisms: Mechanisms,
    x_RTX: Tensor,
    *,
    clamp_RTJ: Tensor,
    context_RTF: Tensor,
    start: int,
    noise_RTJ: Tensor | None = None,
    uniform_RTJ: Tensor | None = None,
    hooks: Hooks | None = None,
) -> Tensor:
    """Fill the steps from ``start`` on in a copy of ``x``; clamped cells and earlier steps stay.

    ``noise`` is ``u`` (None: 0); ``uniform`` decides 0/1 nodes (None: they take their probability,
    a mean-field path).  The first ``wiring.lag`` steps can only be read: start must not be earlier.
    """
    wiring, hooks = mechanisms.wiring, hooks or Hooks()
    if start < wiring.lag:
        raise ValueError(f"a rollout reads {wiring.lag} steps of history, but starts at {start}")
    gate_JE = mechanisms.gate_slots(mechanisms.gates())
    x, clamp, c = _rows_last(x_RTX), _rows_last(clamp_RTJ), _rows_last(context_RTF)
    noise = None if noise_RTJ is None else _rows_last(noise_RTJ)
    uniform = None if uniform_RTJ is None else _rows_last(uniform_RTJ)
    columns = x.shape[1]
    x = _with_deviations(mechanisms, x, c, gate_JE, start)
    groups = _groups(mechanisms, gate_JE)
    outside = x[:, :columns].permute(2, 0, 1)  # [R, T, X] as hooks know it
    for step in range(start, len(x)):
        for group in groups:
            nodes = list(group.nodes)
            mu, spread, g = _mechanism(group, x, c[step], step)
            mu, spread = _overridden(hooks, mu, spread, outside, step, group)
            value = mu if noise is None else mu + spread * noise[step, nodes]
            value = _decided(group, value, mu, uniform, step)
            value = _adjusted(hooks, value, step, group)
            value = torch.where(clamp[step, nodes], x[step, nodes], value)
            x[step, nodes] = value
            if g is not None:
                x[step, list(group.deviations)] = value[list(group.finite)] - g
            for number in group.joins:
                assert hooks.join is not None
                x[step, wiring.num_nodes + number] = hooks.join(outside[:, step], number)
    return x[:, :columns].permute(2, 0, 1).contiguous()


def _rows_last(values_RTX: Tensor) -> Tensor:
    """The same as [T, X, R], in memory of its own."""
    return values_RTX.permute(1, 2, 0).clone(memory_format=torch.contiguous_format)


def _groups(mechanisms: Mechanisms, gate_JE: Tensor) -> list[_Group]:
    wiring = mechanisms.wiring
    behind = wiring.num_nodes + len(wiring.joins)
    groups = []
    for nodes, joins in zip(wiring.generations, wiring.joins_after, strict=True):
        finite = [place for place, node in enumerate(nodes) if node in wiring.finite]
        rest = pack(wiring, nodes, action=False)
        action = pack(wiring, [nodes[place] for place in finite], action=True)
        binary = wiring.bernoulli_J[list(nodes)]
        groups.append(
            _Group(
                nodes=nodes,
                joins=joins,
                rest=rest,
                rest_weights=mechanisms.weights(rest, gate_JE, action=False),
                finite=tuple(finite),
                deviations=tuple(behind + wiring.finite.index(nodes[p]) for p in finite),
                action=action,
                action_weights=mechanisms.weights(action, gate_JE, action=True),
                binary_G1=binary[:, None] if binary.any() else None,
            )
        )
    return groups


def _with_deviations(
    mechanisms: Mechanisms, x: Tensor, c: Tensor, gate_JE: Tensor, start: int
) -> Tensor:
    """Columns ``x - g`` behind, over the steps before ``start`` that own lags will read."""
    finite = list(mechanisms.wiring.finite)
    if not finite:
        return x
    first = start - mechanisms.wiring.error_lag
    x = functional.pad(x, (0, 0, 0, len(finite)))
    if first < start:
        g_ATR = mechanisms.actions(x[:start], c[:start], gate_JE, first)
        x[first:start, -len(finite) :] = x[first:start, finite] - g_ATR.transpose(0, 1)
    return x


def _mechanism(
    group: _Group, x: Tensor, c_FR: Tensor, step: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """``mu`` and ``s`` of a generation, [G, R], and ``g`` of those with a finite memory."""
    out = evaluate(group.rest_weights, x[step - group.rest.lag_GE, group.rest.source_GE], c_FR)
    mu, spread = out[:, 0], scale_of(out[:, 1])
    if not group.finite:
        return mu, spread, None
    z = x[step - group.action.lag_GE, group.action.source_GE]
    g = evaluate(group.action_weights, z, c_FR)[:, 0]
    return mu.index_add(0, torch.tensor(group.finite), g), spread, g


def _overridden(
    hooks: Hooks, mu: Tensor, spread: Tensor, x_RTX: Tensor, step: int, group: _Group
) -> tuple[Tensor, Tensor]:
    for place, node in enumerate(group.nodes):
        if node in hooks.override:
            new_mu, new_spread = hooks.override[node](x_RTX, step)
            mu, spread = mu.clone(), spread.clone()
            mu[place], spread[place] = new_mu, new_spread
    return mu, spread


def _decided(
    group: _Group, value: Tensor, logit: Tensor, uniform: Tensor | None, step: int
) -> Tensor:
    """0/1 nodes: 1 where the uniform lies below the probability, or the probability itself."""
    if group.binary_G1 is None:
        return value
    chance = torch.sigmoid(logit)
    if uniform is not None:
        chance = (uniform[step, list(group.nodes)] < chance).to(value.dtype)
    return torch.where(group.binary_G1, chance, value)


def _adjusted(hooks: Hooks, value: Tensor, step: int, group: _Group) -> Tensor:
    for place, node in enumerate(group.nodes):
        if node in hooks.adjust:
            value = value.clone()
            value[place] = hooks.adjust[node](value[place], step)
    return value
