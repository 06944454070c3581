"""A trained module as one `torch.export` or ONNX program: windows in, points and quantiles out.

The program holds scaler, anchor, network and loss; it needs torch, or an ONNX runtime, but nothing
of ours.
Axes as in `lanecast.data.gather`; ``Q`` levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lanecast.data.gather import BY_WINDOW, WindowBatch
from lanecast.errors import ConfigError
from lanecast.models.deep.module import ForecastModule


class TensorModule(nn.Module):
    """The module as a function of plain tensors, in the order of `BY_WINDOW`."""

    def __init__(self, module: ForecastModule) -> None:
        super().__init__()
        self.network, self.scaler, self.loss = module.network, module.scaler, module.loss
        self._inputs, self._output = module.inputs, module.output

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        """Points [B, H] and the sorted grid [B, H, Q] in the target's unit."""
        batch = WindowBatch(**dict(zip(BY_WINDOW, tensors, strict=True)))
        inputs, future_BH, scale = self._inputs(batch)
        point, grid = self.loss.read(self._output(self.network(inputs), future_BH, scale).raw_BHm)
        point = self.scaler.inverse(point, scale)
        return point, point[..., None] if grid is None else self.scaler.inverse(grid, scale)


def export(module: ForecastModule, example: WindowBatch, path: Path) -> Any:
    """Write the program of a univariate network and return it; it takes any number of windows.

    A network that reads all series at once is refused: its series are part of its shape.
    """
    if module.network.multivariate:
        raise ConfigError(
            "a network that reads all series at once is served by the verb forecast, not exported;"
            " choose a univariate network"
        )
    tensors = tensors_of(example)
    windows = torch.export.Dim("windows", min=2)
    shapes = tuple({0: windows} for _ in tensors)
    function = TensorModule(module.eval().cpu())
    program = _traced(function, tensors, shapes)
    torch.export.save(program, path)
    return program


def export_onnx(program: Any, example: WindowBatch, path: Path) -> None:
    """Write what `export` returned as ONNX; inputs are named as in `BY_WINDOW`."""
    try:
        import onnxscript  # noqa: F401
    except ImportError as err:
        raise ConfigError(
            f"onnx=true needs onnxscript ({err}); pip install 'lanecast[onnx]' brings it"
        ) from err
    torch.onnx.export(
        program,
        tensors_of(example),
        path,
        input_names=list(BY_WINDOW),
        output_names=["point", "quantiles"],
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def onnx_session(path: Path, *, threads: int) -> Callable[..., tuple[Tensor, ...]]:
    """The ONNX program as a function of the same tensors; inputs that nothing reads are left out.

    ConfigError where onnxruntime is not there.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise ConfigError(
            f"checking ONNX needs onnxruntime ({err}); pip install 'lanecast[onnx]' brings it"
        ) from err
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = {each.name for each in session.get_inputs()}

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        named = zip(BY_WINDOW, tensors, strict=True)
        outputs = session.run(None, {name: x.numpy() for name, x in named if name in wanted})
        return tuple(map(torch.from_numpy, outputs))

    return run


def _traced(function: TensorModule, tensors: tuple[Tensor, ...], shapes: tuple[Any, ...]) -> Any:
    """The program; some networks can be traced by running them, others only by their source."""
    problems = []
    for strict in (False, True):
        try:
            with torch.no_grad():
                return torch.export.export(
                    function, tensors, dynamic_shapes={"tensors": shapes}, strict=strict
                )
        except (RuntimeError, ValueError, torch._dynamo.exc.TorchDynamoException) as err:
            problems.append(f"{type(err).__name__} with strict={strict}: {str(err)[:200]}")
    raise ConfigError("torch.export cannot trace this network: " + "; ".join(problems))


def tensors_of(batch: WindowBatch) -> tuple[Tensor, ...]:
    """The inputs of a program, from a batch: dense, each mask in its own memory."""
    batch = replace(batch, ragged_R=None)
    return tuple(getattr(batch, name).contiguous() for name in BY_WINDOW)
