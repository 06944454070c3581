"""Fitting all mechanisms by teacher-forced likelihood on what is known at one step.

No multi-step loss is ever trained on a logged future treatment path: each step is explained by its
own parents.  Rows with a missing parent are left out, and counted.
Axes: ``N`` series, ``T`` steps, ``X`` nodes then joined columns, ``J`` nodes, ``R`` segments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lanecast.causal.scm.context import Context
from lanecast.causal.scm.mechanisms import Mechanisms
from lanecast.causal.scm.noise import STUDENT_DF
from lanecast.causal.scm.warmstart import start_linear
from lanecast.errors import ConfigError, SchemaError

_GATE_RATE = 20.0  # learning rate of gates, in rates of the weights


@dataclass(frozen=True, slots=True, kw_only=True)
class FitBudget:
    """Budget of one fit.  ``batch`` segments of ``segment`` steps per optimizer step.

    ``gate_penalty`` is lambda of the L0 norm of the optional edges, in nats per row and edge.
    """

    steps: int = 400
    batch: int = 64
    segment: int = 64
    lr: float = 5e-3
    weight_decay: float = 1e-3
    gate_penalty: float = 2e-3
    hidden: int = 16

    def __post_init__(self) -> None:
        """Refuse a budget that fits nothing."""
        for name in ("steps", "batch", "segment", "hidden"):
            if getattr(self, name) < 1:
                raise ConfigError(f"mechanisms.{name}={getattr(self, name)} must be at least 1")


def fit_mechanisms(
    mechanisms: Mechanisms,
    x_NTX: Tensor,
    seen_NTX: Tensor,
    context: Context,
    *,
    noises: tuple[str, ...],
    budget: FitBudget,
    generator: torch.Generator,
) -> dict[str, float]:
    """Train in place; return the last mean negative log-likelihood of each node."""
    wiring = mechanisms.wiring
    valid_NTJ = complete_rows(mechanisms, seen_NTX)
    _refuse_empty(mechanisms, valid_NTJ)
    x_NTX = torch.where(seen_NTX, x_NTX, 0.0)
    start_linear(mechanisms, x_NTX, valid_NTJ, context)
    steps = x_NTX.shape[1]
    length = min(steps, budget.segment + wiring.lag)
    places = _segments(valid_NTJ, length=length, lag=wiring.lag)
    optimizer = _optimizer(mechanisms, budget)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=budget.steps)
    ahead = torch.arange(length)
    losses = torch.zeros(wiring.num_nodes)
    for _ in range(budget.steps):
        rows = torch.randint(len(places), (budget.batch,), generator=generator)
        series, first = places[rows, 0], places[rows, 1]
        when = first[:, None] + ahead
        x = x_NTX[series[:, None], when]
        valid = valid_NTJ[series[:, None], when][:, wiring.lag :]
        gates = mechanisms.gates(sampled=True)
        mu, spread, _ = mechanisms.teacher(x, context(series, when), gates=gates)
        target = x[:, wiring.lag :, : wiring.num_nodes]
        loss = negative_log_likelihood(mechanisms, mu, spread, target, noises)
        count = valid.sum(dim=(0, 1)).clamp(min=1)
        losses = (loss * valid).sum(dim=(0, 1)) / count
        total = losses.sum() + budget.gate_penalty * mechanisms.open_probability().sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(mechanisms.parameters(), 10.0)
        optimizer.step()
        schedule.step()
    return _finite(wiring.names, losses.detach().tolist())


def _refuse_empty(mechanisms: Mechanisms, valid_NTJ: Tensor) -> None:
    """SchemaError for a node without one complete row."""
    wiring = mechanisms.wiring
    for name, slots, count in zip(
        wiring.names, wiring.slots, valid_NTJ.sum(dim=(0, 1)).tolist(), strict=True
    ):
        if not count:
            raise SchemaError(
                f"node {name!r} has no row with all its parents"
                f" ({', '.join(dict.fromkeys(slots))}) present before the end of"
                " training; supply more history, or take the parent that is missing out of the dag"
            )


def _optimizer(mechanisms: Mechanisms, budget: FitBudget) -> torch.optim.Optimizer:
    """AdamW that decays the bent parts alone: the linear start is left as it was found.

    Gates have no such start: at the rate of the weights they would end where they began.
    """
    bent: list[torch.nn.Parameter] = []
    gates: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, value in mechanisms.named_parameters():
        kind = bent if name.startswith(("first", "last")) else others
        (gates if name == "gate_logit" else kind).append(value)
    groups = [
        {"params": bent, "weight_decay": budget.weight_decay},
        {"params": others, "weight_decay": 0.0},
        {"params": gates, "weight_decay": 0.0, "lr": _GATE_RATE * budget.lr},
    ]
    return torch.optim.AdamW(groups, lr=budget.lr)


def _finite(names: tuple[str, ...], losses: list[float]) -> dict[str, float]:
    """Losses by node; FloatingPointError for one that is not finite."""
    for name, loss in zip(names, losses, strict=True):
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the mechanism of {name!r} has no finite likelihood; lower mechanisms.lr or check"
                " the link of its column"
            )
    return dict(zip(names, losses, strict=True))


def negative_log_likelihood(
    mechanisms: Mechanisms, mu: Tensor, spread: Tensor, x: Tensor, noises: tuple[str, ...]
) -> Tensor:
    """Of every cell, up to a constant; cross-entropy for 0/1 nodes.  Same shape as ``x``."""
    u = (x - mu) / spread
    gaussian = torch.log(spread) + 0.5 * u**2
    if "student_t" in noises:
        heavy = torch.tensor([kind == "student_t" for kind in noises], device=x.device)
        tail = 0.5 * (STUDENT_DF + 1) * torch.log1p(u**2 / STUDENT_DF) + torch.log(spread)
        gaussian = torch.where(heavy, tail, gaussian)
    binary = mechanisms.wiring.bernoulli_J.to(x.device)
    if not binary.any():
        return gaussian
    entropy = functional.binary_cross_entropy_with_logits(mu, x.clamp(0, 1), reduction="none")
    return torch.where(binary, entropy, gaussian)


def complete_rows(mechanisms: Mechanisms, seen_NTX: Tensor) -> Tensor:
    """Rows whose value and every parent are seen, [N, T, J]; none before ``wiring.lag``."""
    wiring = mechanisms.wiring
    steps = seen_NTX.shape[1]
    valid = torch.zeros(*seen_NTX.shape[:2], wiring.num_nodes, dtype=torch.bool)
    if steps <= wiring.lag:
        return valid
    seen = seen_NTX[:, wiring.lag :, : wiring.num_nodes].clone()
    for node in range(wiring.num_nodes):
        for slot in torch.nonzero(wiring.mask_JE[node]).flatten().tolist():
            source, lag = int(wiring.source_JE[node, slot]), int(wiring.lag_JE[node, slot])
            seen[..., node] &= seen_NTX[:, wiring.lag - lag : steps - lag, source]
            if wiring.error_JE[node, slot]:
                for action in torch.nonzero(wiring.action_JE[node]).flatten().tolist():
                    back = lag + int(wiring.lag_JE[node, action])
                    source = int(wiring.source_JE[node, action])
                    seen[..., node] &= seen_NTX[:, wiring.lag - back : steps - back, source]
    valid[:, wiring.lag :] = seen
    return valid


def _segments(valid_NTJ: Tensor, *, length: int, lag: int) -> Tensor:
    """(series, first step) of every segment that holds a valid row, [K, 2]."""
    any_NT = valid_NTJ.any(dim=-1)
    count = functional.pad(any_NT.long().cumsum(dim=1), (1, 0))
    last = any_NT.shape[1] - length
    first = torch.arange(last + 1)
    held = count[:, first + length] - count[:, first + lag]
    return torch.nonzero(held > 0)
