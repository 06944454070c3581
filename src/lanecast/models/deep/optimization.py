"""How a network is fitted: budget, optimizer, validation; and on which hardware."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from lanecast.errors import ConfigError

OBJECTIVES = ("val/wape", "val/wql", "val/mse", "val/loss", "train/loss")
ACCELERATORS = ("cpu", "gpu", "cuda")
SCHEDULES = ("constant", "cosine", "onecycle")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """Budget and validation of one fit; steps are optimizer steps.

    ``val_steps`` is the length of the validation span, in steps of the panel, at the end of what is
    known; 0 trains on everything for exactly ``max_steps``.  ``patience`` counts validations.
    ``batch_size`` counts windows of one step, over all processes together.
    ``weight`` 1 weighs each window by the size of its series, as WAPE does; 0 weighs all alike.
    ``fused_layers`` trains N-HiTS in fewer products
    (`lanecast.models.deep.networks.nhits_fused`): the same gradients up to rounding, so that the
    last bits of a run differ.
    """

    optimizer: Callable[..., torch.optim.Optimizer]
    max_steps: int
    batch_size: int
    val_steps: int
    val_stride: int = 1
    val_every: int = 100
    patience: int = 5
    schedule: str = "cosine"
    objective: str = "val/wape"
    clip: float | None = 1.0
    weight: float = 0.0
    fused_layers: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"optim.schedule={self.schedule!r} is not one of {SCHEDULES}")
        if self.objective not in OBJECTIVES:
            raise ConfigError(f"optim.objective={self.objective!r} is not one of {OBJECTIVES}")
        for name in ("max_steps", "batch_size", "val_steps", "val_stride", "val_every", "patience"):
            low = 0 if name == "val_steps" else 1
            if getattr(self, name) < low:
                raise ConfigError(f"optim.{name}={getattr(self, name)} must be at least {low}")

    def configure(self, parameters: Any, steps: int) -> dict[str, Any]:
        """Optimizer and schedule in Lightning's form."""
        optimizer = self.optimizer(parameters)
        if self.schedule == "constant":
            return {"optimizer": optimizer}
        if self.schedule == "cosine":
            scheduler: Any = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        else:
            scheduler = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, max_lr=optimizer.param_groups[0]["lr"], total_steps=steps, pct_start=0.2
            )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Where a fit runs.  ``step_limit`` cuts every budget short (smoke tests).

    ``gpu`` is the one that a fit on one device takes, counted round those this process can see; a
    sweep gives the number of its job.  None takes the first, and under DDP each process its own.
    ``compile`` is a mode of `torch.compile`, for the network while it trains: the first steps cost
    a compilation, and the losses move by rounding.  ``reduce-overhead`` replays CUDA graphs.
    """

    accelerator: str = "cpu"
    devices: int = 1
    gpu: int | None = None
    strategy: str = "auto"
    precision: str = "32-true"
    threads: int | None = None
    progress: bool = True
    step_limit: int | None = None
    compile: str | None = None

    def __post_init__(self) -> None:
        """Refuse an accelerator that the panel cannot lie on, and a fit without a step."""
        if self.step_limit is not None and self.step_limit < 1:
            raise ConfigError(f"trainer.step_limit={self.step_limit} must be at least 1, or null")
        if self.accelerator not in ACCELERATORS:
            raise ConfigError(
                f"trainer.accelerator={self.accelerator!r} is not one of {', '.join(ACCELERATORS)}"
            )
        if self.compile is not None and self.compile not in COMPILE_MODES:
            raise ConfigError(
                f"trainer.compile={self.compile!r} is not null or one of {', '.join(COMPILE_MODES)}"
            )

    def require(self) -> None:
        """ConfigError unless this machine has the GPUs that are asked for."""
        if self.accelerator == "cpu":
            return
        num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if num_gpus < max(1, self.devices):
            raise ConfigError(
                f"trainer.accelerator={self.accelerator} asks for {max(1, self.devices)} GPU"
                f"{'s' if self.devices > 1 else ''}, and torch sees {num_gpus or 'none'} on this"
                " machine; set trainer=cpu, lower trainer.devices, or install a CUDA build of torch"
                " on a machine that has one"
            )

    @property
    def alone(self) -> str:
        """The setting that only Lightning's own loop follows; empty where there is none."""
        if self.devices > 1:
            return f"trainer.devices={self.devices}"
        if self.precision != "32-true":
            return f"trainer.precision={self.precision}"
        return "" if self.compile is None else f"trainer.compile={self.compile}"

    def steps(self, budget: int) -> int:
        """Optimizer steps of a fit whose plan allows ``budget``."""
        return budget if self.step_limit is None else min(budget, self.step_limit)

    def device(self) -> torch.device:
        """The device on which panel and network lie; under DDP each process has its own."""
        if self.accelerator == "cpu":
            return torch.device("cpu")
        return torch.device("cuda", self.index())

    def index(self) -> int:
        """Number of this process's GPU: of ``gpu`` where it is given, else its rank."""
        if self.gpu is None or self.devices != 1:
            return int(os.environ.get("LOCAL_RANK", "0"))
        return self.gpu % max(torch.cuda.device_count(), 1)

    def trainer_devices(self) -> int | list[int]:
        """Lightning's ``devices``: the one GPU of this job by index, else how many."""
        one_gpu = self.accelerator != "cpu" and self.devices == 1
        return [self.index()] if one_gpu else self.devices

    def set_threads(self) -> None:
        """Apply ``threads``; None keeps what the process has."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)
