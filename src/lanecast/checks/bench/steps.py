"""What our training step costs beside the bare network.

The floor is the same network's forward, backward and step on batches that are ready and scaled.
Our step is that of the real fit: gather, scale, forward, loss, backward, clip, step, Trainer.
Both run in one process in interleaved rounds, so that only their ratio is read; a round whose floor
moved by more than a fifth is discarded.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig

from lanecast.config import instantiate, resolved_config
from lanecast.data.datamodule import ForecastDataModule
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.schema import Column, Role, Schema
from lanecast.data.windows import WindowSpec, split
from lanecast.errors import ConfigError
from lanecast.models.anchors import NoAnchor
from lanecast.models.fitting import fit_module
from lanecast.models.inputs import Inputs
from lanecast.models.losses import Loss
from lanecast.models.module import ForecastModule
from lanecast.models.networks import Network, NetworkShape
from lanecast.models.optimization import Hardware, Optimization

STEADY = 0.2  # how far the floor may move within a round


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Seconds per step: the floor before and after ours, and ours."""

    before: float
    ours: float
    after: float

    @property
    def floor(self) -> float:
        """Mean of the two floors around our step."""
        return (self.before + self.after) / 2

    @property
    def steady(self) -> bool:
        """Whether the machine was equally fast before and after."""
        return abs(self.before - self.after) <= STEADY * min(self.before, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is timed; ``network`` and ``scaler`` are factories."""

    network: Callable[..., Network]
    loss: Loss
    scaler: Callable[[], Scaler]
    windows: WindowSpec
    optim: Optimization
    hardware: Hardware
    steps: int
    warmup: int

    def __post_init__(self) -> None:
        """Refuse a round that times nothing."""
        if not 1 <= self.warmup <= self.steps:
            raise ConfigError(
                f"warmup={self.warmup} must lie in 1..steps={self.steps}; set warmup or steps"
            )


def run(cfg: DictConfig) -> float:
    """Time with and without covariates, print both, return the larger ratio."""
    plain = resolved_config(cfg)
    setting = Setting(
        network=instantiate(plain["model"]["network"]),
        loss=instantiate(plain["loss"]),
        scaler=instantiate(plain["scaler"]),
        windows=instantiate(plain["windows"]),
        optim=instantiate(plain["optim"]),
        hardware=instantiate(plain["trainer"]),
        steps=cfg.steps,
        warmup=cfg.warmup,
    )
    setting.hardware.set_threads()
    print(
        f"training step of {cfg.model.name}, batches of {setting.optim.batch_size} windows,"
        f" {cfg.num_series} series x {cfg.num_steps} steps, {torch.get_num_threads()} threads"
    )
    ratios = []
    for covariates in (False, True):
        panel = synthetic_panel(
            num_series=cfg.num_series, num_steps=cfg.num_steps, covariates=covariates
        )
        rounds = [measure(panel, setting) for _ in range(cfg.rounds)]
        ratios.append(report(rounds, label=f"{'with' if covariates else 'without'} covariates"))
    return max(ratios)


def report(rounds: list[Round], *, label: str) -> float:
    """Print medians over the steady rounds; return the median ratio, nan if none was steady."""
    steady = [each for each in rounds if each.steady]
    if not steady:
        print(f"{label}: the floor moved in each of {len(rounds)} rounds; run on a quiet machine")
        return float("nan")
    ratio = statistics.median(each.ours / each.floor for each in steady)
    floor = 1e3 * statistics.median(each.floor for each in steady)
    ours = 1e3 * statistics.median(each.ours for each in steady)
    print(
        f"{label}: floor {floor:.2f} ms, ours {ours:.2f} ms, ratio {ratio:.3f}"
        f" ({len(steady)} of {len(rounds)} rounds steady)"
    )
    return ratio


def measure(panel: Panel, setting: Setting) -> Round:
    """One round: floor, ours, floor."""
    until = panel.last_step
    data = _data(panel, setting, until=until)
    module = _module(panel, setting, until=until)
    floor = _floor(module, data, setting)
    before = floor()
    ours = _ours(module, data, setting)
    return Round(before=before, ours=ours, after=floor())


def synthetic_panel(*, num_series: int, num_steps: int, covariates: bool) -> Panel:
    """Daily random series; with covariates 4 observed, 4 known_future and 2 static columns."""
    rng = np.random.default_rng(1)
    each = 4 if covariates else 0
    columns = {"y": Column(role=Role.TARGET)}
    columns |= {f"observed_{i}": Column(role=Role.OBSERVED) for i in range(each)}
    columns |= {f"known_{i}": Column(role=Role.KNOWN_FUTURE) for i in range(each)}
    statics = 2 if covariates else 0
    columns |= {f"static_{i}": Column(role=Role.STATIC) for i in range(statics)}
    values = rng.normal(10.0, 1.0, (num_series * num_steps, 1 + 2 * each))
    return Panel(
        schema=Schema(freq="D", columns=columns),
        series=np.array([f"series_{i}" for i in range(num_series)], dtype=object),
        offsets=np.arange(num_series + 1, dtype=np.int64) * num_steps,
        start=np.zeros(num_series, dtype=np.int64),
        times=pd.date_range("2020-01-01", periods=num_steps, freq="D").to_numpy("datetime64[ns]"),
        values=torch.from_numpy(values).float(),
        calendar=torch.zeros(num_steps, 0),
        statics=torch.from_numpy(rng.normal(size=(num_series, statics))).float(),
        static_names=tuple(f"static_{i}" for i in range(statics)),
    )


class _Clocked(ForecastModule):
    """Notes when each training step of the real fit has ended."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.moments: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.moments.append(time.perf_counter())


def _data(panel: Panel, setting: Setting, *, until: int) -> ForecastDataModule:
    steps = setting.warmup + setting.steps
    return ForecastDataModule(
        panel,
        spec=setting.windows,
        split=split(until=until, horizon=setting.windows.horizon, val_steps=0, val_stride=1),
        batch_size=setting.optim.batch_size,
        steps_per_epoch=steps + 1,  # the epoch's end, with its checkpoint, is not a step
        seed=1,
    )


def _module(panel: Panel, setting: Setting, *, until: int) -> _Clocked:
    shape = NetworkShape(
        context=setting.windows.context,
        horizon=setting.windows.horizon,
        num_observed=len(panel.schema.observed),
        num_known=len(panel.known_names),
        num_static=len(panel.static_names),
        num_outputs=setting.loss.outputs,
        num_series=panel.num_series,
    )
    return _Clocked(
        network=setting.network(shape=shape),
        loss=setting.loss,
        scaler=setting.scaler().fit(panel, until=until),
        anchor=NoAnchor(),
        selection=Inputs().bind(panel),
        plan=setting.optim,
        total_steps=setting.warmup + setting.steps,
    )


def _ours(module: _Clocked, data: ForecastDataModule, setting: Setting) -> float:
    steps = setting.warmup + setting.steps
    fit_module(
        module, data, plan=setting.optim, hardware=setting.hardware, steps=steps, reporter=None
    )
    return (module.moments[-1] - module.moments[setting.warmup - 1]) / setting.steps


def _floor(
    module: ForecastModule, data: ForecastDataModule, setting: Setting
) -> Callable[[], float]:
    """A function that times the bare steps; network and optimizer are its own."""
    network = deepcopy(module.network).train()
    optimizer = setting.optim.optimizer(network.parameters())
    ready = []
    for step in range(setting.steps):
        windows, label = data.train_batch(step)
        scaled, scale = module.scaler.transform(windows)
        y_BH = module.scaler.scale_target(label.y_BH, scale)
        ready.append((scaled, y_BH, label.seen_BH.to(y_BH.dtype)))

    def run_steps(number: int) -> None:
        for scaled, y_BH, weight_BH in ready[:number]:
            optimizer.zero_grad()
            module.loss(network(scaled), y_BH, weight_BH).backward()
            optimizer.step()

    def seconds_per_step() -> float:
        run_steps(setting.warmup)
        start = time.perf_counter()
        run_steps(setting.steps)
        return (time.perf_counter() - start) / setting.steps

    return seconds_per_step
