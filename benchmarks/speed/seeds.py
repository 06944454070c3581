"""Several seeds in one pass: seconds per seed and step, beside the same seeds one by one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import torch

from benchmarks.speed.clock import now
from benchmarks.speed.steps import Setting, forecaster_of
from lanecast.data.panel import Panel
from lanecast.models.deep.seeds import SeedStack


def stacked_of(panel: Panel, setting: Setting, *, seeds: int) -> Callable[[], float]:
    """Seconds per seed and step of ``seeds`` seeds trained at once."""
    begun = []
    for seed in range(1, seeds + 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = forecaster_of(setting, steps=setting.warmup + setting.steps, seed=seed)
            begun.append(model.begin(panel, until=panel.last_step))
    stack, numbers = SeedStack(begun, plan=setting.optim), count()

    def seconds_per_step() -> float:
        for _ in range(setting.warmup):
            stack.step(next(numbers))
        started = now(setting.device)
        for _ in range(setting.steps):
            stack.step(next(numbers))
        return (now(setting.device) - started) / setting.steps / seeds

    return seconds_per_step
