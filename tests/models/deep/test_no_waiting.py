"""No training step waits for its device.

Shown on torch's meta device, which has shapes and no values: whatever asks for a value raises, as
it would make a step wait for a GPU; whatever is sent there in a way that waits is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lanecast.data import contiguous
from lanecast.data.datamodule import ForecastDataModule
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.windows import split
from lanecast.models.deep.anchors import SeasonalAnchor
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.inputs import Inputs
from small_models import SPEC, small

META = torch.device("meta")
UNTIL = 100


class Copies(TorchDispatchMode):
    """Notes every copy from the CPU to the device that waits, and every mixture of the two."""

    def __init__(self, waited: list[str]) -> None:
        super().__init__()
        self.waited = waited

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        waits = not (kwargs.get("non_blocking") or any(one is True for one in args[2:3]))
        if func is torch.ops.aten._to_copy.default:
            sent = args[0].device.type == "cpu" and kwargs.get("device") == META
        else:
            flat = tree_leaves((args, kwargs))
            devices = {one.device for one in flat if isinstance(one, torch.Tensor) and one.ndim}
            sent = len(devices) > 1
        if sent and waits:
            self.waited.append(str(func))
        return func(*args, **kwargs)


class Literals(TorchFunctionMode):
    """Notes every tensor that is made from Python's numbers on the device."""

    def __init__(self, waited: list[str]) -> None:
        super().__init__()
        self.waited = waited

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if (
            func in (torch.tensor, torch.as_tensor)
            and torch.device(kwargs.get("device") or "cpu") == META
        ):
            self.waited.append(func.__name__)
        return func(*args, **kwargs)


@contextmanager
def watch() -> Iterator[list[str]]:
    """What waited so far."""
    noted: list[str] = []
    with Literals(noted), Copies(noted):
        yield noted


@pytest.fixture
def meta(monkeypatch):
    monkeypatch.setattr(contiguous, "_gapless", lambda _: True)


def waited(panel: Panel, model: DeepForecaster, *, weights: bool = False) -> list[str]:
    """The copies of the second step that wait; the first one may move what stays."""
    module = model.begin(panel, until=UNTIL).module
    if weights:
        module.series_weight_N = torch.ones(panel.num_series)
    module.to(META)
    data = ForecastDataModule(
        panel,
        spec=SPEC,
        split=split(until=UNTIL, horizon=SPEC.horizon, val_steps=0, val_stride=1),
        batch_size=8,
        steps_per_epoch=2,
        seed=1,
        device=META,
    )
    for number in range(2):
        with watch() as noted:
            module.training_step(data.train_batch(number), number).backward()
    return noted


@pytest.mark.parametrize("network", ["linear", "nhits"])
@pytest.mark.parametrize("per", ["window", "series"])
def test_no_step_waits_for_its_device(panel, meta, network, per):
    model = small(network, scaler=partial(Scaler, per=per))
    assert waited(panel, model, weights=True) == []


def test_inputs_and_anchors_do_not_wait_either(panel, meta):
    model = small(anchor=SeasonalAnchor(season=7))
    model._inputs = Inputs(known_future=True, calendar=(), known_past=False)
    assert waited(panel, model) == []


def test_what_waits_is_seen(meta):
    there = torch.ones(3, device=META)
    with watch() as noted:
        torch.ones(3).to(META)
        there[torch.tensor([0, 1])]
        torch.tensor([1, 2], device=META)
        torch.ones(3).to(META, non_blocking=True)
    assert noted == ["aten._to_copy.default", "aten.index.Tensor", "tensor"]
    with pytest.raises((NotImplementedError, RuntimeError)):
        there.sum().item()
