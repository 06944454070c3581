"""A training step: ours, and the bare network's.

The floor is the same network's forward, loss, backward, clip and optimizer step, on batches that
are ready and scaled.  Ours is the step of a real fit: gather, scale and Lightning's loop as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.clock import now
from lanecast.data.datamodule import ForecastDataModule
from lanecast.data.gather import WindowBatch
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.windows import WindowSpec, split
from lanecast.errors import ConfigError
from lanecast.models.deep.anchors import NoAnchor
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.inputs import Inputs
from lanecast.models.deep.losses import Loss
from lanecast.models.deep.module import ForecastModule
from lanecast.models.deep.networks.base import Network, NetworkShape
from lanecast.models.deep.optimization import Hardware, Optimization
from lanecast.models.deep.training import fit_module

Ready = tuple[WindowBatch, Tensor, Tensor]


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
    levels: tuple[float, ...] = (0.05, 0.1, 0.5, 0.9, 0.95)  # of a backtest
    name: str = ""  # of the network in neuralforecast
    options: Mapping[str, Any] = field(default_factory=dict)  # of the network there

    @property
    def multivariate(self) -> bool:
        """Whether a batch holds whole cutoffs."""
        return self.name == "iTransformer"

    @property
    def device(self) -> torch.device:
        """Where panel and network lie."""
        return self.hardware.device()

    @property
    def marks(self) -> tuple[int, int]:
        """The steps of a fit between whose ends the clock runs."""
        return self.warmup - 1, self.warmup + self.steps - 1

    def __post_init__(self) -> None:
        """Refuse a round that times nothing."""
        if not 1 <= self.warmup <= self.steps:
            raise ConfigError(
                f"warmup={self.warmup} must lie in 1..steps={self.steps}; set warmup or steps"
            )


def floor_of(panel: Panel, setting: Setting) -> Callable[[], float]:
    """Seconds per bare step, on batches that are ready and scaled."""
    module = unfitted(panel, setting)
    return _floor(module, ready_batches(module, panel, setting, count=setting.steps), setting)


def ours_of(panel: Panel, setting: Setting) -> Callable[[], float]:
    """Seconds per step of a fit of ours, Trainer included; each call fits afresh."""

    def seconds_per_step() -> float:
        data = _data(panel, setting, until=panel.last_step)
        return _ours(_module(panel, setting, until=panel.last_step), data, setting)

    return seconds_per_step


def unfitted(panel: Panel, setting: Setting) -> ForecastModule:
    """The module of a fit that has not begun, on its device."""
    return _module(panel, setting, until=panel.last_step).to(setting.device).train()


def ready_batches(
    module: ForecastModule, panel: Panel, setting: Setting, *, count: int
) -> list[Ready]:
    """The first ``count`` batches of the fit, scaled: windows, labels and their weights."""
    data, ready = _data(panel, setting, until=panel.last_step), []
    for step in range(count):
        windows, label = data.train_batch(step)
        scaled, scale = module.scaler.transform(windows)
        y_BH = module.scaler.scale_target(label.y_BH, scale)
        ready.append((scaled, y_BH, label.seen_BH.to(y_BH.dtype)))
    return ready


def forecaster_of(setting: Setting, *, steps: int, seed: int = 1) -> DeepForecaster:
    """The model that a run of this setting would fit, on all of the panel."""
    return DeepForecaster(
        name=setting.name,
        network=setting.network,
        loss=setting.loss,
        scaler=setting.scaler,
        windows=setting.windows,
        optim=replace(setting.optim, max_steps=steps, val_steps=0),
        hardware=setting.hardware,
        seed=seed,
    )


class _Clocked(ForecastModule):
    """Notes when some training steps of the real fit have ended; no other waits for the device."""

    def __init__(self, *, marks: tuple[int, int], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.marks = marks
        self.moments: list[float] = []

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        if batch_idx in self.marks:
            self.moments.append(now(self.device))


def _data(panel: Panel, setting: Setting, *, until: int) -> ForecastDataModule:
    steps = setting.warmup + setting.steps
    return ForecastDataModule(
        panel,
        spec=setting.windows,
        split=split(until=until, horizon=setting.windows.horizon, val_steps=0, val_stride=1),
        batch_size=setting.optim.batch_size,
        steps_per_epoch=steps + 1,  # the epoch's end, with its checkpoint, is not a step
        seed=1,
        whole_cutoffs=setting.multivariate,
        device=setting.device,
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
        marks=setting.marks,
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
    begun, ended = module.moments
    return (ended - begun) / setting.steps


def _floor(module: ForecastModule, ready: Sequence[Ready], setting: Setting) -> Callable[[], float]:
    """A function that times the bare steps of this module's network."""
    device, network = setting.device, module.network
    optimizer = setting.optim.optimizer(network.parameters())
    clip, mixed = setting.optim.clip, setting.hardware.precision.startswith("bf16")

    def run_steps(number: int) -> None:
        for scaled, y_BH, weight_BH in ready[:number]:
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
                loss = module.loss(network(scaled), y_BH, weight_BH)
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()

    def seconds_per_step() -> float:
        run_steps(setting.warmup)
        start = now(device)
        run_steps(setting.steps)
        return (now(device) - start) / setting.steps

    return seconds_per_step
