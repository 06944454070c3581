"""Through which ways an action moves a node: edge Jacobians integrated along the action.

The mean path is rolled at ``a(alpha)``, from what would have been done (0) to what is done (1), and
tangents are pushed forward along each way of node names.  Their integral over alpha (Gauss and
Legendre) is the whole change, and the sum over ways is exact up to the quadrature.
A way lists nodes in the order of their first visit: own lags, and returns to a node that was passed
already, do not lengthen it, so that a loop counts with the way that entered it.
Axes: ``W`` windows, ``H`` horizon, ``R`` rows, ``T`` steps, ``X`` nodes then joined columns, ``J``
nodes, ``G`` nodes of one generation, ``E`` slots.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action
from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.unrolled import Unrolled
from lanecast.data.links import torch_inverse, torch_link
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError

Way = tuple[int, ...]  # nodes in the order of their first visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """What each way contributes to the change of ``outcome`` in its own unit, [W, H] by way.

    ``total_WH`` is the change itself, from two rollouts.
    """

    outcome: str
    total_WH: np.ndarray
    by_way: dict[tuple[str, ...], np.ndarray]

    @property
    def gap(self) -> float:
        """Largest cell of sum less total, relative to the largest change; quadrature error."""
        zero = np.zeros_like(self.total_WH)
        missing = sum(self.by_way.values(), zero) - self.total_WH
        largest = float(np.abs(self.total_WH).max(initial=0.0))
        return float(np.abs(missing).max(initial=0.0)) / largest if largest else 0.0

    @property
    def totals(self) -> dict[str, float]:
        """``promo -> orders -> backlog``: sum over windows and steps, the largest first."""
        sums = {" -> ".join(way): float(part.sum()) for way, part in self.by_way.items()}
        return dict(sorted(sums.items(), key=lambda item: -abs(item[1])))


def path_contributions(
    layer: CausalLayer,
    panel: Panel,
    at: WindowIndex,
    *,
    horizon: int,
    action: Action,
    outcome: str | None = None,
    baseline: Action | None = None,
    order: int = 8,
) -> Contributions:
    """Split the change of the mean path of ``outcome`` under ``action`` by ways.

    Hard actions only.  Where ``baseline`` says nothing, a node starts from what it would have done:
    its policy's mean path, or what is known of it.  ``order`` is the number of quadrature points.
    """
    name = outcome or layer.graph.target
    base = baseline or Action()
    if action.soft or base.soft:
        raise ConfigError(
            "path contributions take hard actions; give the paths that soft ones make"
        )
    if order < 1:
        raise ConfigError(f"order={order} must be at least 1 quadrature point")
    plain = Unrolled.of(layer, panel, at, horizon)
    before = plain.with_paths({n: plain.to_link(n, p) for n, p in base.hard.items()})
    untouched = before.rolled()[:, plain.back :]
    paths = {n: plain.to_link(n, p) for n, p in {**base.hard, **action.hard}.items()}
    change = {n: p - untouched[..., layer.node(n)] for n, p in paths.items()}
    node = layer.node(name)
    moved = before.with_paths(paths).rolled()[:, plain.back :, node]
    total = plain.natural(moved, node) - plain.natural(untouched[..., node], node)
    points, weights = np.polynomial.legendre.leggauss(order)
    sums: dict[Way, Tensor] = {}
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        between = {n: p - float(1 - point) * change[n] for n, p in paths.items()}
        tangents = _Tangents(before.with_paths(between), change, name)
        for way, part in tangents.outcome().items():
            sums[way] = sums.get(way, torch.zeros_like(part)) + float(weight) * part
    names = layer.wiring.names
    return Contributions(
        outcome=name,
        total_WH=total.double().numpy(),
        by_way={tuple(names[k] for k in way): part.numpy() for way, part in sums.items()},
    )


def relevant_nodes(graph: Graph, outcome: str) -> set[str]:
    """Nodes that can carry a change to the outcome, policies included."""
    return {outcome, *graph.ancestors(outcome)}


@dataclass(slots=True)
class _Tangents:
    """Forward tangents by way.  ``moved[x][way]``: d x / d alpha, [R, T]; ``acted``: of g alone."""

    rolled: Unrolled
    change: dict[str, Tensor]
    name: str
    moved: dict[int, dict[Way, Tensor]] = field(default_factory=lambda: defaultdict(dict))
    acted: dict[int, dict[Way, Tensor]] = field(default_factory=lambda: defaultdict(dict))

    def outcome(self) -> dict[Way, Tensor]:
        """Change of the outcome in its own unit per unit of alpha, [W, H] by way, float64."""
        layer, window = self.rolled.layer, self.rolled.window
        x_RTX = self.rolled.rolled()
        g_RTJ = self._action_parts(x_RTX)
        self._seed(x_RTX)
        graph, nodes = layer.graph, layer.wiring.num_nodes
        names = layer.wiring.names
        carriers = relevant_nodes(graph, self.name)
        for step in range(self.rolled.back, x_RTX.shape[1]):
            for group, joins in zip(
                layer.wiring.generations, layer.wiring.joins_after, strict=True
            ):
                chosen = [node for node in group if names[node] in carriers]
                if chosen:
                    self._advance(x_RTX, g_RTJ, step, torch.tensor(chosen))
                for number in joins:
                    self._join(x_RTX, step, number, nodes + number)
        node = layer.node(self.name)
        paths = x_RTX[:, window.back :, node]
        with torch.enable_grad():
            leaf = paths.clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.rolled.natural(leaf, node).sum(), leaf)
        return {
            way: (tangent[:, window.back :] * slope).double()
            for way, tangent in self.moved[node].items()
        }

    def _seed(self, x_RTX: Tensor) -> None:
        for name, change in self.change.items():
            node = self.rolled.layer.node(name)
            tangent = x_RTX.new_zeros(x_RTX.shape[:2])
            tangent[:, self.rolled.back :] = torch.nan_to_num(change)
            self.moved[node][(node,)] = tangent

    def _action_parts(self, x_RTX: Tensor) -> Tensor:
        """``g`` of every step that an own lag can read, [R, T, J]."""
        mechanisms, wiring = self.rolled.layer.mechanisms, self.rolled.layer.wiring
        g = x_RTX.new_zeros(*x_RTX.shape[:2], wiring.num_nodes)
        if not mechanisms.finite:
            return g
        first = int((wiring.lag_JE * wiring.action_JE).max())
        z = mechanisms.parents(x_RTX, first)
        everyone, gates = torch.arange(wiring.num_nodes), _gates(self.rolled.layer)
        for step in range(first, x_RTX.shape[1]):
            context = self.rolled.window.context_WTF[:, step]
            g[:, step] = mechanisms.action_part(z[:, step - first], context, gates, everyone)
        return g

    def _advance(self, x_RTX: Tensor, g_RTJ: Tensor, step: int, at: Tensor) -> None:
        """Push tangents into the nodes ``at`` of one step."""
        acting, resting, gain = self._jacobians(x_RTX, g_RTJ, step, at)
        wiring = self.rolled.layer.wiring
        clamp = self.rolled.window.clamp_WTJ[:, step]
        for place, node in enumerate(at.tolist()):
            free = ~clamp[:, node]
            for slot in torch.nonzero(wiring.mask_JE[node]).flatten().tolist():
                source, lag = int(wiring.source_JE[node, slot]), int(wiring.lag_JE[node, slot])
                error = bool(wiring.error_JE[node, slot])
                slope = (acting if wiring.action_JE[node, slot] else resting)[:, place, slot]
                for way, tangent in self._read(source, error=error):
                    push = slope * tangent[:, step - lag]
                    if not push.any():
                        continue
                    longer = way if node in way else (*way, node)
                    if wiring.action_JE[node, slot]:
                        self._add(self.acted[node], longer, step, push)
                    self._add(self.moved[node], longer, step, push * gain[:, place] * free)

    def _read(self, source: int, *, error: bool) -> list[tuple[Way, Tensor]]:
        """Tangents that a slot sees; an own lag of a node with memories sees ``x - g``."""
        seen = self.moved[source]
        if not error:
            return list(seen.items())
        acted = self.acted[source]
        zero = torch.zeros_like(next(iter((*seen.values(), *acted.values())), torch.zeros(0)))
        ways = dict.fromkeys((*seen, *acted))
        return [(way, seen.get(way, zero) - acted.get(way, zero)) for way in ways]

    def _add(self, into: dict[Way, Tensor], way: Way, step: int, push: Tensor) -> None:
        if way not in into:
            shape = self.rolled.window.x_WTX.shape[:2]
            into[way] = push.new_zeros(shape)
        into[way][:, step] += push

    def _jacobians(
        self, x_RTX: Tensor, g_RTJ: Tensor, step: int, at: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """d g / d z and d rest / d z, [R, G, E]; d value / d mu, [R, G]."""
        mechanisms = self.rolled.layer.mechanisms
        context, gates = self.rolled.window.context_WTF[:, step], _gates(self.rolled.layer)
        z = x_RTX[:, step - mechanisms.lag[at], mechanisms.source[at]]
        error = mechanisms.error[at]
        lag = torch.where(error, mechanisms.lag[at], 0)
        node = at[:, None].expand_as(lag)
        deviation = x_RTX[:, step - lag, node] - g_RTJ[:, step - lag, node]
        with torch.enable_grad():
            plain = z.clone().requires_grad_()
            mu = torch.zeros(z.shape[:2])
            acting = torch.zeros_like(z)
            if mechanisms.finite:
                part = mechanisms.action_part(plain, context, gates, at)
                (acting,) = torch.autograd.grad(part.sum(), plain)
                mu = mu + part.detach()
            read = torch.where(error, deviation, z).clone().requires_grad_()
            rest, _ = mechanisms.rest_part(read, context, gates, at)
            (resting,) = torch.autograd.grad(rest.sum(), read)
        mu = mu + rest.detach()
        chance = torch.sigmoid(mu)
        binary = self.rolled.layer.wiring.bernoulli_J[at]
        return acting, resting, torch.where(binary, chance * (1 - chance), 1.0)

    def _join(self, x_RTX: Tensor, step: int, number: int, column: int) -> None:
        """A joined column moves with the nodes that it sums; it adds nothing to a way."""
        space, rows = self.rolled.prepared.space, self.rolled.rows
        join = space.joins[number]
        scale = space.scale_J[join.source]
        linked = x_RTX[:, step, join.source] * scale + space.center_NJ[rows, join.source]
        with torch.enable_grad():
            leaf = linked.clone().requires_grad_()
            natural = torch_inverse(leaf, join.link)
            (slope,) = torch.autograd.grad(natural.sum(), leaf)
            total = join.sums(natural.detach().view(-1, len(space.center_NJ))).requires_grad_()
            (gain,) = torch.autograd.grad(torch_link(total, join.link).sum(), total)
        for way, tangent in self.moved[join.source].items():
            parts = (slope * scale * tangent[:, step]).view(-1, len(space.center_NJ))
            push = (gain * join.sums(parts) / space.join_scale_V[number]).reshape(-1)
            self._add(self.moved[column], way, step, push)


def _gates(layer: CausalLayer) -> Tensor:
    return layer.mechanisms.gate_slots(layer.mechanisms.gates())
