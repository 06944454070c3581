"""Deep forecasters small enough to train in a blink, and a reporter that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.windows import WindowSpec
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.losses import Loss, MultiQuantile
from lanecast.models.deep.networks.base import Linear, Network, NetworkShape, NeuralforecastNetwork
from lanecast.models.deep.optimization import Hardware, Optimization

LEVELS = (0.1, 0.5, 0.9)
SPEC = WindowSpec(context=28, horizon=7, min_context=7)
HARDWARE = Hardware(progress=False, threads=1)
NHITS: dict[str, Any] = {
    "n_pool_kernel_size": [2, 1],
    "n_freq_downsample": [7, 1],
    "stack_types": ["identity", "identity"],
    "n_blocks": [1, 1],
    "mlp_units": [[16, 16], [16, 16]],
}
TFT: dict[str, Any] = {"hidden_size": 8, "n_head": 2, "dropout": 0.0}
ITRANSFORMER: dict[str, Any] = {
    "hidden_size": 8,
    "n_heads": 2,
    "e_layers": 1,
    "d_ff": 8,
    "use_norm": False,
}
NETWORKS: dict[str, Callable[..., Network]] = {
    "linear": Linear,
    "nhits": partial(NeuralforecastNetwork, name="NHITS", options=NHITS),
    "tft": partial(NeuralforecastNetwork, name="TFT", options=TFT),
    "itransformer": partial(NeuralforecastNetwork, name="iTransformer", options=ITRANSFORMER),
}


@dataclass
class Notes:
    """A `Reporter` in memory; ``stop_at`` raises KeyboardInterrupt from the row of that step on."""

    folder: Path
    rows: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stop_at: int | None = None

    def log(self, step: int, **values: float) -> None:
        self.rows.append((step, values))
        if self.stop_at is not None and step >= self.stop_at:
            raise KeyboardInterrupt

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def curve(self, name: str) -> list[float]:
        return [values[name] for _, values in self.rows if name in values]


def plan(**changes: Any) -> Optimization:
    """Four steps of Adam on batches of 16 with two weeks of validation."""
    values: dict[str, Any] = {
        "optimizer": partial(torch.optim.Adam, lr=1e-2),
        "max_steps": 4,
        "batch_size": 16,
        "val_steps": 14,
        "val_every": 2,
        **changes,
    }
    return Optimization(**values)


def small(
    network: str | Callable[..., Network] = "linear",
    *,
    loss: Loss | None = None,
    scaler: Callable[[], Scaler] = Scaler,
    windows: WindowSpec = SPEC,
    hardware: Hardware = HARDWARE,
    seed: int = 1,
    anchor: Any = None,
    resume: str | None = None,
    name: str | None = None,
    keep: int = 1,
    **changes: Any,
) -> DeepForecaster:
    """A forecaster of `NETWORKS`; ``changes`` go to `plan`."""
    return DeepForecaster(
        name=name or (network if isinstance(network, str) else "custom"),
        network=NETWORKS[network] if isinstance(network, str) else network,
        loss=loss or MultiQuantile(levels=LEVELS),
        scaler=scaler,
        windows=windows,
        optim=plan(**changes),
        hardware=hardware,
        seed=seed,
        anchor=anchor,
        resume=resume,
        keep_checkpoints=keep,
    )


def shape_of(panel: Panel, *, outputs: int = 3, spec: WindowSpec = SPEC) -> NetworkShape:
    """What a network must know of ``panel``."""
    return NetworkShape(
        context=spec.context,
        horizon=spec.horizon,
        num_observed=len(panel.schema.observed),
        num_known=len(panel.known_names),
        num_static=panel.statics.shape[1] if panel.statics.numel() else 0,
        num_outputs=outputs,
        num_series=panel.num_series,
    )
