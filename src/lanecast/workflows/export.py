"""The verb *export*: a trained run as a `torch.export` or ONNX program, checked and timed."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.gather import Gatherer, WindowBatch
    from lanecast.data.windows import WindowIndex
    from lanecast.models.deep.module import ForecastModule

Program = Callable[..., Any]
PROGRAM, ONNX, INPUTS = "model.pt2", "model.onnx", "model.inputs.json"


def run(cfg: DictConfig) -> float:
    """Export the network of ``cfg.run`` into ``cfg.out``; the result is the largest difference.

    The program and the run forecast every series from the last cutoff; CheckpointError where they
    differ by more than ``cfg.tolerance``, relative to the largest forecast of the window.
    """
    import torch

    from lanecast.data.gather import BY_WINDOW, Gatherer
    from lanecast.data.windows import windows_at
    from lanecast.deploy.programs import TensorModule, tensors_of
    from lanecast.models.deep.forecaster import DeepForecaster
    from lanecast.pipeline.opening import open_run

    if cfg.get("run") is None:
        raise ConfigError("export needs the folder of a trained run: run=runs/.../seed1")
    opened = open_run(cfg)
    forecaster = opened.model
    if not isinstance(forecaster, DeepForecaster):
        raise ConfigError(
            f"model={cfg.model.name} of run={cfg.run} is no plain network; only networks without"
            " coupling, calibration and hierarchy are exported"
        )
    panel, spec = opened.panel(), opened.windows
    at = windows_at(panel, [panel.last_step], spec)[: int(cfg.series)]
    forecaster.bind(panel)
    module = forecaster.module.eval()
    gather = Gatherer(panel, spec)
    batch, _ = gather(at)
    tensors, out = tensors_of(batch), Path(str(cfg.out))
    programs = _written(module, batch, out, onnx=bool(cfg.onnx))
    facts = {name: list(tensor.shape[1:]) for name, tensor in zip(BY_WINDOW, tensors, strict=True)}
    (out / INPUTS).write_text(json.dumps(facts, indent=1) + "\n")
    with torch.inference_mode():
        reference = TensorModule(module)(*tensors)
    worst = 0.0
    for name, program in programs.items():
        worst = max(worst, difference := max(map(_difference, program(*tensors), reference)))
        if not difference <= cfg.tolerance:
            raise CheckpointError(
                f"{out / name} differs from the run by {difference:.1e}, relatively"
            )
        print(f"{out / name}: within {difference:.1e} of the run over {len(at)} series")

    def eager() -> Any:
        return forecaster.predict(panel, at=at, quantiles=list(cfg.protocol.quantiles))

    _tell("run", eager, len(at))
    for name, program in programs.items():
        _tell(name, partial(_served, program, gather, at), len(at))
    return worst


def _written(
    module: ForecastModule, batch: WindowBatch, out: Path, *, onnx: bool
) -> dict[str, Program]:
    """The programs, read back from their files."""
    import torch

    from lanecast.deploy.programs import export, export_onnx, onnx_session

    out.mkdir(parents=True, exist_ok=True)
    traced = export(module, batch, out / PROGRAM)
    loaded = torch.export.load(out / PROGRAM).module()
    programs: dict[str, Program] = {PROGRAM: torch.inference_mode()(loaded)}
    if onnx:
        export_onnx(traced, batch, out / ONNX)
        programs[ONNX] = onnx_session(out / ONNX, threads=torch.get_num_threads())
    return programs


def _served(program: Program, gather: Gatherer, at: WindowIndex) -> Any:
    from lanecast.deploy.programs import tensors_of

    return program(*tensors_of(gather(at)[0]))


def _tell(name: str, work: Callable[[], Any], count: int) -> None:
    seconds = _median(work)
    print(
        f"{name}: {1e3 * seconds:.1f} ms for {count} series from one origin,"
        f" {count / seconds:,.0f} series a second"
    )


def _difference(exported: Any, reference: Any) -> float:
    """Largest difference within each window over the window's largest value."""
    size = reference.abs().flatten(1).amax(dim=1).clamp(min=1e-6)
    return float(((exported - reference).abs().flatten(1).amax(dim=1) / size).max())


def _median(work: Callable[[], Any], rounds: int = 15) -> float:
    work()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
