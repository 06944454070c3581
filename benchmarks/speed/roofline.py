"""The roofline of a training step: what its arithmetic or its traffic takes at this device's best.

Best is measured, not read from a data sheet: a large matrix product and a large copy.  Traffic is
the least that any program needs: weights, gradients, moments and the batch, each once a pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.clock import now
from benchmarks.speed.steps import Setting, ready_batches, unfitted
from lanecast.data.gather import BY_WINDOW
from lanecast.data.panel import Panel
from lanecast.models.deep.networks.nhits_fused import fused

# Weights are read twice (forward, backward) and read and written by AdamW, with two moments read
# and written; gradients are written once and read twice (clip, AdamW).
PASSES = 2 + 2 + 4 + 3
SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices multiplied
COPIED = {"cpu": 1 << 26, "cuda": 1 << 30}  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one step has to do at least."""

    flops: int
    bytes: int


def work_of(panel: Panel, setting: Setting) -> Work:
    """Counted on one step: products of forward and backward, and the least traffic."""
    module = unfitted(panel, setting)
    forward = fused(module.network) if setting.optim.fused_layers else module.network
    (scaled, y_BH, weight_BH), *_ = ready_batches(module, panel, setting, count=1)
    with FlopCounterMode(display=False) as counter:
        module.loss(forward(scaled), y_BH, weight_BH).backward()
    weights = sum(p.numel() * p.element_size() for p in module.network.parameters())
    read: list[Tensor] = [getattr(scaled, name) for name in BY_WINDOW]
    batch = sum(x.numel() * x.element_size() for x in (*read, y_BH, weight_BH))
    return Work(flops=counter.get_total_flops(), bytes=PASSES * weights + batch)


def attainable(work: Work, setting: Setting) -> Callable[[], float]:
    """Seconds that the work takes at the device's best, measured at each call."""
    device, precision = setting.device, setting.hardware.precision
    kind = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    side = SIDE[device.type]
    left, right = (torch.ones(side, side, dtype=kind, device=device) for _ in range(2))
    source = torch.ones(COPIED[device.type] // 4, device=device)
    target = torch.empty_like(source)

    def seconds() -> float:
        product = _best(lambda: torch.mm(left, right), device) / (2 * side**3)
        copy = _best(lambda: target.copy_(source), device) / (2 * COPIED[device.type])
        return max(work.flops * product, work.bytes * copy)

    return seconds


def _best(work: Callable[[], Tensor], device: torch.device, rounds: int = 5) -> float:
    work()
    seconds = []
    for _ in range(rounds):
        started = now(device)
        work()
        seconds.append(now(device) - started)
    return min(seconds)
