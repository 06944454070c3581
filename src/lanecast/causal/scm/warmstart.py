"""Linear mechanisms in closed form, from which the fit starts.

A node with a finite-memory part is a regression with autoregressive errors: generalized least
squares in turns with the errors' lags (Cochrane and Orcutt 1949), series weighted by their noise.
Gradient steps alone need many times the budget to part an action's effect from the errors it
answers.
Axes: ``N`` series, ``T`` steps, ``Q`` regressors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lanecast.causal.scm.context import Context
from lanecast.causal.scm.mechanisms import FLOOR, Mechanisms
from lanecast.causal.scm.wiring import Wiring

_SERIES = 2000  # evenly spaced series that the regression of a node reads at most
_ROUNDS = 6
_RIDGE = 1e-6  # of the mean square of the regressors


def start_linear(
    mechanisms: Mechanisms, x_NTX: Tensor, valid_NTJ: Tensor, context: Context
) -> None:
    """Set the linear parameters of every node; 0/1 nodes start from their share of ones."""
    for node in range(mechanisms.wiring.num_nodes):
        chosen = _chosen(valid_NTJ[..., node])
        x, valid = x_NTX[chosen], valid_NTJ[chosen]
        if mechanisms.wiring.bernoulli_J[node]:
            _start_share(mechanisms, x, valid, node)
        else:
            dates = context.whole(x.shape[1], rows=chosen)
            _start_node(mechanisms, x, valid, dates, node)


def _chosen(valid_NT: Tensor) -> Tensor:
    """Series to read, of those with a row: a node of a small level must not be skipped over."""
    series = torch.nonzero(valid_NT.any(dim=1)).flatten()
    return series[:: max(1, -(-len(series) // _SERIES))]


def _start_share(mechanisms: Mechanisms, x: Tensor, valid: Tensor, node: int) -> None:
    share = float(x[..., node][valid[..., node]].mean().clamp(0.01, 0.99))
    with torch.no_grad():
        mechanisms.bias[node] = math.log(share / (1 - share))


def _start_node(mechanisms: Mechanisms, x: Tensor, valid: Tensor, dates: Tensor, node: int) -> None:
    wiring = mechanisms.wiring
    slots = torch.nonzero(wiring.mask_JE[node]).flatten()
    error = wiring.error_JE[node, slots]
    finite = bool(wiring.action_JE[node].any())
    first = wiring.lag - wiring.error_lag if finite else wiring.lag
    steady = slots[wiring.action_JE[node, slots]] if finite else slots
    design = torch.cat([_lagged(x, wiring, node, steady, first), dates[:, first:]], dim=-1)
    design = torch.cat([design, torch.ones_like(design[..., :1])], dim=-1).double()
    y = x[:, first:, node].double()
    rows = valid[:, wiring.lag :, node]
    own = [int(lag) for lag in wiring.lag_JE[node, slots[error]]] if finite else []
    others = slots[~error & ~wiring.action_JE[node, slots]] if finite else slots[:0]
    rest = _lagged(x, wiring, node, others, wiring.lag).double()
    beta, after = _alternate(design, y, rest, own, rows)
    with torch.no_grad():
        width = len(steady)
        _put(mechanisms, node, steady, beta[:width])
        mechanisms.context[node] = beta[width:-1].float()
        mechanisms.bias[node] = beta[-1].float()
        _put(mechanisms, node, slots[error] if finite else slots[:0], after[: len(own)])
        _put(mechanisms, node, others, after[len(own) :])
        spread = _left(design, y, rest, own, beta, after)[rows].std()
        raw = max(float(spread) - FLOOR, 1e-4)
        mechanisms.spread[node] = math.log(math.expm1(raw)) if raw < 20 else raw


def _alternate(
    design: Tensor, y: Tensor, rest: Tensor, own: list[int], rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Coefficients of the steady part [Q], then of own lags and other parents."""
    after = design.new_zeros(len(own) + rest.shape[-1])
    back = y.shape[1] - rows.shape[1]
    weight = design.new_ones(len(y), 1)
    for _ in range(_ROUNDS):
        filtered, target = design[:, back:].clone(), y[:, back:].clone()
        for number, lag in enumerate(own):
            filtered -= after[number] * design[:, back - lag : design.shape[1] - lag]
            target -= after[number] * y[:, back - lag : y.shape[1] - lag]
        if rest.shape[-1]:
            target = target - rest @ after[len(own) :]
        root = weight.sqrt().expand_as(rows)[rows]
        beta = _ridge(filtered[rows] * root[:, None], target[rows] * root)
        left = y - design @ beta
        if len(after):
            lagged = [left[:, back - lag : left.shape[1] - lag] for lag in own]
            inputs = torch.cat([torch.stack(lagged, -1), rest], -1) if own else rest
            after = _ridge(inputs[rows] * root[:, None], left[:, back:][rows] * root)
        weight = _weights(_left(design, y, rest, own, beta, after), rows)
    return beta, after


def _weights(left: Tensor, rows: Tensor) -> Tensor:
    """One over the residual variance of each series, [N, 1]; small lanes are mostly noise."""
    count = rows.sum(dim=1).clamp(min=1)
    variance = (left.square() * rows).sum(dim=1) / count
    floor = 0.01 * variance[rows.any(dim=1)].mean().clamp(min=1e-12)
    return (1.0 / variance.clamp(min=float(floor)))[:, None]


def _left(
    design: Tensor, y: Tensor, rest: Tensor, own: list[int], beta: Tensor, after: Tensor
) -> Tensor:
    left = y - design @ beta
    back = y.shape[1] - rest.shape[1]
    out = left[:, back:] - rest @ after[len(own) :]
    for number, lag in enumerate(own):
        out = out - after[number] * left[:, back - lag : left.shape[1] - lag]
    return out


def _ridge(inputs: Tensor, target: Tensor) -> Tensor:
    """By Cholesky: LAPACK's pivoted least squares gives other bits from call to call."""
    gram = inputs.T @ inputs
    weight = _RIDGE * gram.diagonal().mean().clamp(min=1e-12)
    gram = gram + weight * torch.eye(len(gram), dtype=gram.dtype)
    return torch.cholesky_solve((inputs.T @ target)[:, None], torch.linalg.cholesky(gram))[:, 0]


def _lagged(x: Tensor, wiring: Wiring, node: int, slots: Tensor, first: int) -> Tensor:
    """Parent values of the steps ``first ..`` for some slots of a node, [N, T - first, slots]."""
    source, lag = wiring.source_JE[node, slots], wiring.lag_JE[node, slots]
    steps = torch.arange(first, x.shape[1])
    return x[:, (steps[:, None] - lag).clamp(min=0), source]


def _put(mechanisms: Mechanisms, node: int, slots: Tensor, values: Tensor) -> None:
    """Write linear weights; a signed one keeps its sign, near 0 where the data say otherwise."""
    sign = mechanisms.sign[node, slots]
    size = (values.float() * sign).clamp(min=1e-3)
    raw = torch.where(size < 20, torch.log(torch.expm1(size)), size)
    mechanisms.linear[node, slots] = torch.where(sign == 0, values.float(), raw)
