"""Abduction and replay: the noise behind what happened, and what it makes of another action.

Location-scale mechanisms are invertible, ``u = (x - mu) / s``, so a replay is exact up to the
assumption that noise enters monotonically.  A 0/1 node leaves an interval of uniforms; where a
replay lets a policy act again, its uniform is drawn from that interval.
Axes: ``N`` series, ``T`` steps, ``X`` nodes then joined columns, ``J`` nodes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.fitting import complete_rows
from lanecast.causal.scm.mechanisms import Mechanisms
from lanecast.causal.scm.prepared import Prepared
from lanecast.causal.scm.rollout import Hooks, roll
from lanecast.errors import ConfigError
from lanecast.seeding import hashed_uniforms

_EDGE = 1e-5
_CHUNK = 1 << 20  # cells evaluated at once


def abducted(
    mechanisms: Mechanisms, prepared: Prepared, seen_NTX: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """``u`` of every cell, and where it and all its parents were seen; both [N, T, J].

    Next to a gap ``u`` is what the filled parents leave, so that a replay reproduces what
    happened; it is 0 where the cell itself is missing.
    """
    seen = prepared.seen_NTX if seen_NTX is None else seen_NTX
    x = prepared.whole_NTX[:, : seen.shape[1]]
    lag, nodes = mechanisms.wiring.lag, mechanisms.wiring.num_nodes
    u = torch.zeros(*x.shape[:2], nodes)
    valid = complete_rows(mechanisms, seen)
    if x.shape[1] <= lag:
        return u, valid
    size = max(1, _CHUNK // x.shape[1])
    with torch.no_grad():
        for first in range(0, len(x), size):
            rows = slice(first, first + size)
            part = x[rows]
            mu, spread, _ = mechanisms.teacher(
                part, prepared.context.whole(x.shape[1], rows=torch.arange(len(x))[rows])
            )
            u[rows, lag:] = (part[:, lag:, :nodes] - mu) / spread
    return u.masked_fill_(~seen[..., :nodes], 0.0), valid


def replayed(
    mechanisms: Mechanisms,
    prepared: Prepared,
    graph: Graph,
    *,
    do: Mapping[str, float | Tensor | None],
    first: int = 0,
    last: int | None = None,
    policies: bool = False,
    seed: int = 0,
) -> Tensor:
    """The history under do, same noise, from step ``first`` on; [N, T, X] in link space.

    ``do``: node -> one value in its unit, None for the series' typical level, or a path [N, T] in
    link space with NaN where it keeps its value.  Treatments not named keep theirs, unless
    ``policies`` lets them react to what changed.  Nodes that nothing in ``do`` reaches stay
    bit-equal.  The first ``wiring.lag`` steps of a series stay as they are.
    """
    x = prepared.whole_NTX.clone()
    wiring, nodes = mechanisms.wiring, mechanisms.wiring.num_nodes
    steps = x.shape[1]
    start = max(wiring.lag, first)
    u, _ = abducted(mechanisms, prepared)
    moving = _moved(graph, do, policies=policies)
    clamp = torch.ones(*x.shape[:2], nodes, dtype=torch.bool)
    begun = torch.arange(steps) >= prepared.start_N[:, None] + wiring.lag
    for name in moving:
        number = graph.order.index(name)
        clamp[..., number] = ~(begun & prepared.carried_NJ[:, number, None])
    inside = slice(start, steps if last is None else last + 1)
    for name, value in do.items():
        _set(x, prepared, graph, name, value, inside)
        clamp[..., graph.order.index(name)] = True
    rows = torch.arange(len(x))
    space = prepared.space
    with torch.no_grad():
        return roll(
            mechanisms,
            x,
            clamp_RTJ=clamp,
            context_RTF=prepared.context.whole(steps),
            start=start,
            noise_RTJ=u,
            uniform_RTJ=_posterior(mechanisms, prepared, x, seed) if policies else None,
            hooks=Hooks(join=lambda x, number: space.joined(x, rows, number)),
        )


def _moved(graph: Graph, do: Mapping[str, object], *, policies: bool) -> set[str]:
    """Nodes that a replay evaluates again: descendants of what is done, less untouched policies."""
    reached: set[str] = set()
    for name in do:
        reached |= graph.descendants(name, include_policy=policies)
    held = set() if policies else set(graph.treatments)
    return (reached & set(graph.order)) - held - set(do)


def _set(
    x: Tensor,
    prepared: Prepared,
    graph: Graph,
    name: str,
    value: float | Tensor | None,
    inside: slice,
) -> None:
    number = graph.order.index(name)
    if isinstance(value, Tensor):
        path = value[:, inside]
        x[:, inside, number] = torch.where(torch.isfinite(path), path, x[:, inside, number])
        return
    if value is None:
        x[:, inside, number] = 0.0
        return
    if not math.isfinite(value):
        raise ConfigError(f"do({name}): {value} is no value; give a number, or None for no action")
    rows = torch.arange(len(x))
    natural = torch.full((len(x), 1), float(value))
    x[:, inside, number] = prepared.space.to_link(natural, rows, number)


def _posterior(mechanisms: Mechanisms, prepared: Prepared, x: Tensor, seed: int) -> Tensor:
    """Uniforms of 0/1 nodes that agree with what happened: below p where 1, above it where 0."""
    wiring = mechanisms.wiring
    whole = prepared.whole_NTX
    steps, lag = whole.shape[1], wiring.lag
    keys_N, size = prepared.keys_N, steps * wiring.num_nodes
    drawn = hashed_uniforms(keys_N, np.zeros_like(keys_N), num=1, size=size, seed=seed)
    w = torch.from_numpy(drawn[0].reshape(len(x), steps, wiring.num_nodes)).float()
    w = w.clamp(_EDGE, 1 - _EDGE)  # rounding must not undo what happened
    with torch.no_grad():
        mu, _, _ = mechanisms.teacher(whole, prepared.context.whole(steps))
    chance = torch.sigmoid(mu)
    happened = whole[:, lag:, : wiring.num_nodes] > 0.5
    w[:, lag:] = torch.where(happened, w[:, lag:] * chance, chance + w[:, lag:] * (1 - chance))
    return w
