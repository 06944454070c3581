"""Residuals of every mechanism beside its own inputs: what tests of the graph are made of.

Axes: ``N`` series, ``T`` tested steps, ``J`` nodes, ``E`` slots, ``X`` nodes then joined columns,
``K`` columns, ``R`` rows of one node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lanecast.causal.scm.fitting import complete_rows
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.panel import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Innovations:
    """Over the steps ``first .. last``: ``u`` standardized, ``x - p`` for 0/1 nodes.

    ``weight`` is -du/dmu; ``x`` and ``seen`` reach ``reach`` steps further back; ``input`` are the
    parents as the mechanism reads them, deviations at own lags of a node with memories.
    """

    panel: Panel
    first: int
    last: int
    reach: int
    u_NTJ: np.ndarray
    mu_NTJ: np.ndarray
    weight_NTJ: np.ndarray
    valid_NTJ: np.ndarray
    input_NTJE: np.ndarray
    context_NTF: np.ndarray
    x_NTX: np.ndarray
    seen_NTX: np.ndarray

    def lagged(self, column: int, lag: int) -> tuple[np.ndarray, np.ndarray]:
        """Values of a column ``lag`` steps earlier and whether they are seen, [N, T] each."""
        steps = slice(self.reach - lag, self.x_NTX.shape[1] - lag)
        return self.x_NTX[:, steps, column], self.seen_NTX[:, steps, column]

    def features(self, node: int, open_E: np.ndarray, rows_NT: np.ndarray) -> np.ndarray:
        """What a node's mean may be made of, [R, K]: level, calendar, inputs, squares and the mean.

        Squares and the fitted mean itself keep a smooth misfit from passing for a missing edge.
        """
        inputs_RE = self.input_NTJE[:, :, node][rows_NT][:, open_E].astype(np.float64)
        squares_RE = inputs_RE**2
        mean_R1 = self.mu_NTJ[..., node][rows_NT][:, None].astype(np.float64)
        level_R1 = np.ones_like(mean_R1)
        return np.concatenate(
            [level_R1, self.context_NTF[rows_NT], inputs_RE, squares_RE, mean_R1], axis=1
        )


def innovations(
    layer: CausalLayer, panel: Panel, *, first: int, last: int, reach: int = 0
) -> Innovations:
    """Residuals of the steps ``first .. last`` from cells that are known at ``last``."""
    prepared, mechanisms, wiring = layer.prepare(panel), layer.mechanisms, layer.wiring
    nodes = wiring.num_nodes
    deep = wiring.lag + wiring.error_lag
    first = max(first, deep, reach)
    low, back = first - max(deep, reach), max(deep, reach)
    x = prepared.whole_NTX[:, low : last + 1]
    seen = prepared.seen_NTX[:, low : last + 1].clone()
    step_T = torch.arange(low, last + 1)
    newest = torch.from_numpy(prepared.newest_J)
    sources = torch.tensor([join.source for join in prepared.space.joins], dtype=torch.long)
    newest_X = torch.cat([newest, newest[sources]])
    seen &= step_T[:, None] <= last + newest_X
    valid = complete_rows(mechanisms, seen)[:, back:]
    parts, contexts = [], []
    for row in range(len(x)):
        context = prepared.context.whole(last + 1, first=low, rows=torch.tensor([row]))
        parts.append(_evaluated(layer, x[row : row + 1], context, back))
        contexts.append(context[:, back:])
    mu, spread, inputs = (torch.cat(part) for part in zip(*parts, strict=True))
    value = x[:, back:, :nodes]
    chance = torch.sigmoid(mu)
    binary = wiring.bernoulli_J
    u = torch.where(binary, value - chance, (value - mu) / spread)
    weight = torch.where(binary, chance * (1 - chance), 1 / spread)
    return Innovations(
        panel=panel,
        first=first,
        last=last,
        reach=reach,
        u_NTJ=u.numpy(),
        mu_NTJ=mu.numpy(),
        weight_NTJ=weight.numpy(),
        valid_NTJ=valid.numpy(),
        input_NTJE=inputs.numpy(),
        context_NTF=torch.cat(contexts).numpy().astype(np.float64),
        x_NTX=x[:, back - reach :].numpy(),
        seen_NTX=seen[:, back - reach :].numpy(),
    )


def _evaluated(
    layer: CausalLayer, x_NTX: torch.Tensor, context_NTF: torch.Tensor, back: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """``mu``, ``s`` and the inputs as each mechanism reads them, from step ``back`` on."""
    mechanisms, wiring = layer.mechanisms, layer.wiring
    with torch.inference_mode():
        mu, spread, g = mechanisms.teacher(x_NTX, context_NTF)
        inputs = mechanisms.parents(x_NTX, back)
        if mechanisms.finite and wiring.error_lag:
            deviation = x_NTX[:, wiring.lag :, : wiring.num_nodes] - g
            step_T = torch.arange(back - wiring.lag, deviation.shape[1])
            lag = torch.where(mechanisms.error, mechanisms.lag, 0)
            node = torch.arange(wiring.num_nodes)[:, None].expand_as(lag)
            own = deviation[:, step_T[:, None, None] - lag, node]
            inputs = torch.where(mechanisms.error, own, inputs)
    skip = back - wiring.lag
    return mu[:, skip:].clone(), spread[:, skip:].clone(), inputs.clone()
