"""Structural equations written out one node and one step at a time, to hold the fast ones against.

Axes: ``R`` rows, ``T`` steps, ``X`` nodes then joined columns, ``F`` context columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.mechanisms import FLOOR, Mechanisms
from lanecast.causal.scm.wiring import wire

CONTEXT = 3


def random_mechanisms(graph: Graph, *, seed: int = 0, hidden: int = 4) -> Mechanisms:
    """Every parameter drawn at random, so that no part is silently zero."""
    mechanisms = Mechanisms(wire(graph), num_context=CONTEXT, hidden=hidden)
    generator = torch.Generator().manual_seed(seed)
    for name, value in mechanisms.named_parameters():
        size = 2.0 if name == "gate_logit" else 0.35
        value.data = size * torch.randn(value.shape, generator=generator)
    return mechanisms.eval().requires_grad_(False)


def inputs(mechanisms: Mechanisms, *, rows: int = 5, steps: int = 24, seed: int = 1):
    """Values [R, T, X] and context [R, T, F]; 0/1 nodes are 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    wiring = mechanisms.wiring
    x = torch.randn(rows, steps, wiring.num_nodes + len(wiring.joins), generator=generator)
    for node in torch.nonzero(wiring.bernoulli_J).flatten().tolist():
        x[..., node] = (x[..., node] > 0).float()
    return x, torch.randn(rows, steps, CONTEXT, generator=generator)


def finite_part(m: Mechanisms, x: Tensor, c: Tensor, node: int, step: int) -> Tensor:
    """``g`` of one node at one step, [R]: bias, context and edges of declared memory."""
    wiring = m.wiring
    total = m.bias[node] + c[:, step] @ m.context[node]
    hidden = m.shift_action[node] + c[:, step] @ m.first_action[node, wiring.mask_JE.shape[1] :]
    for slot, weight, bent, value in _slots(m, x, node, step):
        if wiring.action_JE[node, slot]:
            total = total + weight * value
            hidden = hidden + bent * value[:, None] * m.first_action[node, slot]
    return total + torch.tanh(hidden) @ m.last_action[node]


def equation(m: Mechanisms, x: Tensor, c: Tensor, node: int, step: int) -> tuple[Tensor, Tensor]:
    """``mu`` and ``s`` of one node at one step from its parents, [R] each."""
    wiring = m.wiring
    finite = bool(wiring.action_JE[node].any())
    mu = x.new_zeros(len(x)) if finite else m.bias[node] + c[:, step] @ m.context[node]
    hidden = m.shift_rest[node] + c[:, step] @ m.first_rest[node, wiring.mask_JE.shape[1] :]
    for slot, weight, bent, value in _slots(m, x, node, step):
        if wiring.action_JE[node, slot]:
            continue
        if wiring.error_JE[node, slot]:  # an own lag reads what its finite part leaves
            value = value - finite_part(m, x, c, node, step - int(wiring.lag_JE[node, slot]))
        mu = mu + weight * value
        hidden = hidden + bent * value[:, None] * m.first_rest[node, slot]
    mu = mu + torch.tanh(hidden) @ m.last_rest[node]
    if finite:
        mu = mu + finite_part(m, x, c, node, step)
    raw = m.spread[node] + c[:, step] @ m.spread_context[node]
    raw = raw + torch.tanh(hidden) @ m.spread_hidden[node]
    return mu, torch.nn.functional.softplus(raw) + FLOOR


def _slots(m: Mechanisms, x: Tensor, node: int, step: int):
    """Of each parent: slot, weight in the linear skip, gate of the bent part, value [R]."""
    wiring, gates = m.wiring, m.gates()
    for slot in torch.nonzero(wiring.mask_JE[node]).flatten().tolist():
        number, sign = int(wiring.gate_JE[node, slot]), float(wiring.sign_JE[node, slot])
        gate = 1.0 if number < 0 else float(gates[number])
        weight = m.linear[node, slot]
        if sign:
            weight = sign * torch.nn.functional.softplus(weight)
        value = x[:, step - int(wiring.lag_JE[node, slot]), int(wiring.source_JE[node, slot])]
        yield slot, gate * weight, 0.0 if sign else gate, value


def chained(m: Mechanisms, x: Tensor, c: Tensor, *, clamp, start: int, noise, uniform) -> Tensor:
    """`rollout.roll` without joins and hooks, cell by cell."""
    wiring, x = m.wiring, x.clone()
    order = [node for group in wiring.generations for node in group]
    for step in range(start, x.shape[1]):
        for node in order:
            mu, spread = equation(m, x, c, node, step)
            value = mu if noise is None else mu + spread * noise[:, step, node]
            if wiring.bernoulli_J[node]:
                value = torch.sigmoid(mu)
                if uniform is not None:
                    value = (uniform[:, step, node] < value).float()
            x[:, step, node] = torch.where(clamp[:, step, node], x[:, step, node], value)
    return x
