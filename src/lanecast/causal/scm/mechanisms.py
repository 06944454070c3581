"""Structural equations of all nodes at once: ``x = mu(parents, context) + s(parents, context) u``.

``mu`` is a masked linear skip plus a small MLP per node, all nodes in two batched products.  A node
with edges of declared memory is ``x = g(actions, context) + z``: ``g`` sees those edges and the
calendar alone, and its own lags read ``z = x - g``, so that an action's effect ends when its memory
does.
A signed edge enters the linear skip alone, through a softplus weight: its effect is monotone and
linear in link space.  0/1 nodes are Bernoulli with logit ``mu`` (``s`` is not used).
Axes: ``R`` rows, ``T`` steps, ``N`` cells = T x R, ``J`` nodes, ``G`` some of them, ``A`` those
with a finite memory, ``E`` slots, ``F`` calendar columns, ``D`` hidden units, ``K`` outputs (``mu``
and raw scale), ``O`` = K + D.  Rows come last inside: a step of one node is one run of memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanecast.causal.scm.wiring import PackedSlots, Wiring, pack

FLOOR = 1e-3
_LOW, _HIGH, _TEMPERATURE = -0.1, 1.1, 0.66  # hard concrete gates, Louizos et al. 2018


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Of one part of some nodes, ready to multiply with."""

    parents_GOE: Tensor
    context_GOF: Tensor
    bias_GO: Tensor
    last_GKD: Tensor


class Mechanisms(nn.Module):
    """All mechanisms of a graph; inputs in link space, joined columns behind the nodes."""

    source: Tensor
    lag: Tensor
    error: Tensor
    sign: Tensor
    gate_of: Tensor
    is_finite: Tensor

    def __init__(self, wiring: Wiring, *, num_context: int, hidden: int = 16) -> None:
        super().__init__()
        self.wiring = wiring
        nodes, slots = wiring.mask_JE.shape
        buffers = {
            "source": wiring.source_JE,
            "lag": wiring.lag_JE,
            "error": wiring.error_JE,
            "sign": wiring.sign_JE,
            "gate_of": wiring.gate_JE,
            "is_finite": wiring.action_JE.any(dim=1).float(),
        }
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)
        self.finite = bool(wiring.finite)
        self.rest = pack(wiring, range(nodes), action=False)
        self.action = pack(wiring, wiring.finite, action=True)
        self.bias = nn.Parameter(torch.zeros(nodes))
        self.context = nn.Parameter(torch.zeros(nodes, num_context))
        self.linear = nn.Parameter(torch.zeros(nodes, slots))
        width = slots + num_context
        self.first_rest = nn.Parameter(_uniform(nodes, width, hidden))
        self.first_action = nn.Parameter(_uniform(nodes, width, hidden))
        self.shift_rest = nn.Parameter(torch.zeros(nodes, hidden))
        self.shift_action = nn.Parameter(torch.zeros(nodes, hidden))
        self.last_rest = nn.Parameter(torch.zeros(nodes, hidden))
        self.last_action = nn.Parameter(torch.zeros(nodes, hidden))
        self.spread = nn.Parameter(torch.zeros(nodes))
        self.spread_context = nn.Parameter(torch.zeros(nodes, num_context))
        self.spread_hidden = nn.Parameter(torch.zeros(nodes, hidden))
        self.gate_logit = nn.Parameter(torch.full((len(wiring.optional),), 1.0))

    # --- gates ------------------------------------------------------------------------------------

    def gates(self, *, sampled: bool = False) -> Tensor:
        """Openness of each optional edge in [0, 1]; ``sampled`` draws hard concrete noise."""
        logit = self.gate_logit
        if sampled:
            uniform = torch.rand_like(logit).clamp(1e-6, 1 - 1e-6)
            noise = torch.log(uniform) - torch.log1p(-uniform)
            soft = torch.sigmoid((logit + noise) / _TEMPERATURE)
        else:
            soft = torch.sigmoid(logit)
        return (soft * (_HIGH - _LOW) + _LOW).clamp(0.0, 1.0)

    def open_probability(self) -> Tensor:
        """P(gate > 0) of each optional edge: what the L0 penalty counts."""
        shift = _TEMPERATURE * torch.log(torch.tensor(-_LOW / _HIGH))
        return torch.sigmoid(self.gate_logit - shift)

    def gate_slots(self, gates: Tensor) -> Tensor:
        """Gates laid over the slots, [J, E]; 1 where an edge is not optional."""
        if not len(gates):
            return torch.ones_like(self.sign)
        return torch.where(self.gate_of >= 0, gates[self.gate_of.clamp(min=0)], 1.0)

    # --- one part of some nodes -------------------------------------------------------------------

    def weights(self, part: PackedSlots, gate_JE: Tensor, *, action: bool) -> Weights:
        """What `evaluate` multiplies by: gates, signs and padding folded in."""
        nodes, slots = part.nodes_G, self.source.shape[1]
        at = (nodes[:, None], part.slot_GE)
        open_GE = part.open_GE * gate_JE[at]
        first = self.first_action if action else self.first_rest
        free_GE = open_GE * (self.sign[at] == 0)
        linear_G1E = (self._linear()[at] * open_GE)[:, None]
        hidden_GDE = (first[at] * free_GE[..., None]).transpose(1, 2)
        hidden_GDF = first[nodes, slots:].transpose(1, 2)
        context_G1F, bias_G1 = self.context[nodes][:, None], self.bias[nodes][:, None]
        if action:
            return Weights(
                parents_GOE=torch.cat([linear_G1E, hidden_GDE], dim=1),
                context_GOF=torch.cat([context_G1F, hidden_GDF], dim=1),
                bias_GO=torch.cat([bias_G1, self.shift_action[nodes]], dim=1),
                last_GKD=self.last_action[nodes][:, None],
            )
        alone_G1 = 1.0 - self.is_finite[nodes][:, None]  # otherwise g holds calendar and bias
        spread_G1F = self.spread_context[nodes][:, None]
        return Weights(
            parents_GOE=torch.cat([linear_G1E, torch.zeros_like(linear_G1E), hidden_GDE], dim=1),
            context_GOF=torch.cat(
                [context_G1F * alone_G1[..., None], spread_G1F, hidden_GDF], dim=1
            ),
            bias_GO=torch.cat(
                [bias_G1 * alone_G1, self.spread[nodes][:, None], self.shift_rest[nodes]], dim=1
            ),
            last_GKD=torch.stack([self.last_rest[nodes], self.spread_hidden[nodes]], dim=1),
        )

    def action_part(self, z_RGE: Tensor, c_RF: Tensor, gate_JE: Tensor, at: Tensor) -> Tensor:
        """``g`` of the nodes ``at`` from their slots, [R, G]; 0 for one without finite memory."""
        g_RG = self._evaluated(z_RGE, c_RF, gate_JE, at, action=True)[:, 0].T
        return g_RG * self.is_finite[at]

    def rest_part(
        self, z_RGE: Tensor, c_RF: Tensor, gate_JE: Tensor, at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the other parents add to ``mu``, and the scale ``s``, both [R, G]."""
        out_GKR = self._evaluated(z_RGE, c_RF, gate_JE, at, action=False)
        return out_GKR[:, 0].T, scale_of(out_GKR[:, 1]).T

    def parents(self, x_RTX: Tensor, first: int) -> Tensor:
        """Values in all slots at the steps ``first ..``, [R, T - first, J, E]."""
        steps = torch.arange(first, x_RTX.shape[1], device=x_RTX.device)
        when = (steps[:, None, None] - self.lag).clamp(min=0)
        return x_RTX[:, when, self.source]

    def _evaluated(
        self, z_RGE: Tensor, c_RF: Tensor, gate_JE: Tensor, at: Tensor, *, action: bool
    ) -> Tensor:
        part = pack(self.wiring, at.tolist(), action=action)
        rows = torch.arange(len(at))[:, None]
        z_GER = z_RGE.permute(1, 2, 0)[rows, part.slot_GE]
        return evaluate(self.weights(part, gate_JE, action=action), z_GER, c_RF.T)

    def _linear(self) -> Tensor:
        signed = self.sign * functional.softplus(self.linear)
        return torch.where(self.sign == 0, self.linear, signed)

    # --- whole segments, teacher forced -----------------------------------------------------------

    def teacher(
        self, x_RTX: Tensor, c_RTF: Tensor, *, gates: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """``mu``, ``s`` and ``g`` of the steps from ``wiring.lag`` on, [R, T - lag, J] each.

        Every parent is read from ``x`` itself.  X: nodes, then joined columns.
        """
        wiring = self.wiring
        gate_JE = self.gate_slots(self.gates() if gates is None else gates)
        x_TXR, c_TFR = x_RTX.permute(1, 2, 0).contiguous(), c_RTF.permute(1, 2, 0).contiguous()
        g = x_TXR.new_zeros(wiring.num_nodes, len(x_TXR) - wiring.lag, x_TXR.shape[2])
        if wiring.finite:
            early = wiring.lag - wiring.error_lag
            g_ATR = self.actions(x_TXR, c_TFR, gate_JE, early)
            finite = list(wiring.finite)
            deviation = x_TXR[early:, finite] - g_ATR.transpose(0, 1)
            deviation = functional.pad(deviation, (0, 0, 0, 0, early, 0))
            x_TXR = torch.cat([x_TXR, deviation], dim=1)
            g = g.index_copy(0, torch.tensor(finite), g_ATR[:, wiring.error_lag :])
        weights = self.weights(self.rest, gate_JE, action=False)
        z, c = gathered(x_TXR, self.rest, wiring.lag), c_TFR[wiring.lag :]
        out = evaluate(weights, z, c.transpose(0, 1).flatten(1)).view(
            wiring.num_nodes, 2, *g.shape[1:]
        )
        parts = (out[:, 0] + g, scale_of(out[:, 1]), g)
        mu, spread, g = (part.permute(2, 1, 0) for part in parts)
        return mu, spread, g

    def actions(self, x_TXR: Tensor, c_TFR: Tensor, gate_JE: Tensor, first: int) -> Tensor:
        """``g`` of the nodes ``wiring.finite`` from step ``first`` on, [A, T - first, R]."""
        weights = self.weights(self.action, gate_JE, action=True)
        c = c_TFR[first:].transpose(0, 1).flatten(1)
        g = evaluate(weights, gathered(x_TXR, self.action, first), c)[:, 0]
        return g.view(len(self.wiring.finite), len(x_TXR) - first, x_TXR.shape[2])


def gathered(x_TXR: Tensor, part: PackedSlots, first: int) -> Tensor:
    """Parent values of the steps from ``first`` on, [G, E, (T - first) x R]."""
    steps = torch.arange(first, len(x_TXR), device=x_TXR.device)
    when_GET = (steps - part.lag_GE[..., None]).clamp(min=0)
    return x_TXR[when_GET, part.source_GE[..., None]].flatten(2)


def evaluate(weights: Weights, z_GEN: Tensor, c_FN: Tensor) -> Tensor:
    """Linear skip plus MLP of every node: ``mu`` or ``g``, then the raw scale if any; [G, K, N]."""
    nodes, outputs = weights.bias_GO.shape
    context = weights.context_GOF.reshape(nodes * outputs, -1)
    c_GON = torch.addmm(weights.bias_GO.reshape(-1, 1), context, c_FN)
    before = torch.baddbmm(c_GON.view(nodes, outputs, -1), weights.parents_GOE, z_GEN)
    kept = weights.last_GKD.shape[1]
    return torch.baddbmm(before[:, :kept], weights.last_GKD, torch.tanh(before[:, kept:]))


def scale_of(raw: Tensor) -> Tensor:
    """``s`` from the raw scale."""
    return functional.softplus(raw) + FLOOR


def _uniform(*shape: int) -> Tensor:
    bound = 1.0 / max(1, shape[-2]) ** 0.5
    return (torch.rand(*shape) * 2 - 1) * bound
