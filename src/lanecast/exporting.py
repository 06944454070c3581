"""The verb *export*: a trained run as a `torch.export` program, checked and timed."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import CheckpointError, ConfigError
from lanecast.verbs import build_forecaster, saved_model

if TYPE_CHECKING:
    from omegaconf import DictConfig

PROGRAM, INPUTS = "model.pt2", "model.inputs.json"


def run(cfg: DictConfig) -> float:
    """Export the network of ``cfg.run`` into ``cfg.out``; the result is the largest difference.

    The program and the run forecast every series from the last cutoff; CheckpointError where they
    differ by more than ``cfg.tolerance``, relative to the largest forecast of the window.
    """
    import torch

    from lanecast.config import instantiate
    from lanecast.data.gather import BY_WINDOW, Gatherer
    from lanecast.data.loading import load_panel
    from lanecast.data.windows import windows_at
    from lanecast.models.deep import DeepForecaster
    from lanecast.models.exported import Served, export, tensors_of

    if cfg.get("run") is None:
        raise ConfigError("export.py needs the folder of a trained run: run=runs/.../seed1")
    forecaster = build_forecaster(cfg)
    if not isinstance(forecaster, DeepForecaster):
        raise ConfigError(
            f"model={cfg.model.name} of run={cfg.run} is no plain network; only networks without"
            " coupling, calibration and hierarchy are exported"
        )
    forecaster.load(saved_model(cfg.run))
    panel, spec = load_panel(cfg.data), instantiate(cfg.windows)
    at = windows_at(panel, [panel.last_step], spec)[: int(cfg.series)]
    forecaster.bind(panel)
    module = forecaster.module.eval()
    gather = Gatherer(panel, spec)
    batch, _ = gather(at)
    out = Path(str(cfg.out))
    out.mkdir(parents=True, exist_ok=True)
    export(module, batch, out / PROGRAM)
    tensors = tensors_of(batch)
    facts = {name: list(tensor.shape[1:]) for name, tensor in zip(BY_WINDOW, tensors, strict=True)}
    (out / INPUTS).write_text(json.dumps(facts, indent=1) + "\n")
    program = torch.export.load(out / PROGRAM).module()
    with torch.inference_mode():
        theirs, ours = program(*tensors), Served(module)(*tensors)
    worst = max(_difference(a, b) for a, b in zip(theirs, ours, strict=True))
    if worst > cfg.tolerance:
        raise CheckpointError(f"{out / PROGRAM} differs from the run by {worst:.1e}, relatively")

    def eager() -> Any:
        return forecaster.predict(panel, at=at, quantiles=list(cfg.protocol.quantiles))

    def exported() -> Any:
        with torch.inference_mode():
            return program(*tensors_of(gather(at)[0]))

    print(f"{out / PROGRAM}: within {worst:.1e} of the run over {len(at)} series")
    for name, work in (("run", eager), ("program", exported)):
        seconds = _median(work)
        print(
            f"{name}: {1e3 * seconds:.1f} ms for {len(at)} series from one origin,"
            f" {len(at) / seconds:,.0f} series a second"
        )
    return worst


def _difference(theirs: Any, ours: Any) -> float:
    """Largest difference within each window over the window's largest value."""
    size = ours.abs().flatten(1).amax(dim=1).clamp(min=1e-6)
    return float(((theirs - ours).abs().flatten(1).amax(dim=1) / size).max())


def _median(work: Callable[[], Any], rounds: int = 15) -> float:
    work()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
