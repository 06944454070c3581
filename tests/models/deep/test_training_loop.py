"""Fitting: the best weights win, a stop loses nothing, and what diverges says so."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lanecast.data.datamodule import Batch, ForecastDataModule
from lanecast.data.panel import Panel
from lanecast.errors import CheckpointError
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.networks.base import NeuralforecastNetwork
from lanecast.models.deep.optimization import Hardware
from small_models import SPEC, TFT, Notes, small

ROOT = Path(__file__).parents[3]
UNTIL = 100


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Lightning answers Ctrl-C by ignoring the next one; tests take the handler back."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def weights(model: DeepForecaster) -> dict[str, torch.Tensor]:
    assert model._module is not None
    return {name: value.clone() for name, value in model._module.state_dict().items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def diverging(**changes: Any) -> dict[str, Any]:
    """A plan that improves at first and then runs away."""
    values = {"optimizer": partial(torch.optim.SGD, lr=2.0, momentum=0.9), "clip": None}
    return {**values, "schedule": "constant", "max_steps": 8, "patience": 99, **changes}


# --- the objective --------------------------------------------------------------------------------


def test_objective_is_that_of_the_best_checkpoint_not_of_the_last_epoch(
    panel: Panel, tmp_path: Path
) -> None:
    notes = Notes(tmp_path)
    model = small(**diverging()).fit(panel, until=UNTIL, reporter=notes)
    curve = notes.curve("val/wape")
    assert model.report is not None
    assert min(curve) < curve[-1]
    assert model.report.value == pytest.approx(min(curve), rel=1e-6)
    assert model.report.step == 2 * (int(np.argmin(curve)) + 1)
    assert model.report.steps_run == 8


def test_best_weights_are_the_ones_that_forecast(panel: Panel, tmp_path: Path) -> None:
    model = small(**diverging()).fit(panel, until=UNTIL, reporter=Notes(tmp_path))
    assert model.report is not None
    assert model.report.step < 8
    stopped = small(**diverging(max_steps=model.report.step)).fit(panel, until=UNTIL)
    assert same(weights(model), weights(stopped))


@pytest.mark.parametrize("objective", ["val/wql", "val/mse", "val/loss"])
def test_objective_is_the_one_of_the_plan(panel: Panel, tmp_path: Path, objective: str) -> None:
    notes = Notes(tmp_path)
    model = small(objective=objective).fit(panel, until=UNTIL, reporter=notes)
    assert model.report is not None
    assert model.report.objective == objective
    assert model.report.value == pytest.approx(min(notes.curve(objective)), rel=1e-6)


def test_without_validation_the_last_weights_and_the_training_loss_count(
    panel: Panel, tmp_path: Path
) -> None:
    notes = Notes(tmp_path)
    model = small(val_steps=0).fit(panel, until=UNTIL, reporter=notes)
    assert model.report is not None
    assert (model.report.objective, model.report.step) == ("train/loss", 4)
    assert model.report.value == pytest.approx(notes.curve("train/loss")[-1])
    assert not notes.curve("val/wape")


@pytest.mark.parametrize("val_steps", [0, 14])
def test_fit_without_a_bar_says_nothing(
    panel: Panel, val_steps: int, caplog: pytest.LogCaptureFixture, recwarn: Any
) -> None:
    """Also where neuralforecast has turned Lightning's log lines to a logger of its own."""
    small("nhits", val_steps=val_steps).fit(panel, until=UNTIL)
    assert caplog.messages == []
    assert [str(warning.message) for warning in recwarn] == []


def test_objective_without_a_value_is_warned_of(panel: Panel, tmp_path: Path) -> None:
    zero = replace(panel, values=torch.zeros_like(panel.values))
    notes = Notes(tmp_path)
    small().fit(zero, until=UNTIL, reporter=notes)
    (warning,) = notes.warnings
    assert "val/wape is not a number" in warning


def test_patience_stops_early(panel: Panel) -> None:
    model = small(**diverging(max_steps=40, patience=2)).fit(panel, until=UNTIL)
    assert model.report is not None
    assert model.report.steps_run < 40


def test_every_budget_ends_with_a_validation(panel: Panel, tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    small(max_steps=5, val_every=2).fit(panel, until=UNTIL, reporter=notes)
    assert [step for step, values in notes.rows if "val/wape" in values] == [2, 4, 5]


def test_step_limit_cuts_every_budget_short(panel: Panel) -> None:
    hardware = Hardware(progress=False, threads=1, step_limit=2)
    model = small(hardware=hardware, max_steps=1000, val_every=100).fit(panel, until=UNTIL)
    assert model.report is not None
    assert model.report.steps_run == 2


# --- checkpoints ----------------------------------------------------------------------------------


def stop_before(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the batch of ``step`` is gathered."""
    gathered = ForecastDataModule.train_batch

    def stopping(data: ForecastDataModule, number: int) -> Batch:
        if number == step:
            raise KeyboardInterrupt
        return gathered(data, number)

    monkeypatch.setattr(ForecastDataModule, "train_batch", stopping)


@pytest.mark.parametrize("stop", [1, 2, 5])
def test_resumed_fit_ends_with_the_weights_of_an_uninterrupted_one(
    panel: Panel, tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped within epochs and between them, with a schedule and dropout on the way."""
    network = partial(NeuralforecastNetwork, name="TFT", options={**TFT, "dropout": 0.3})
    fit = partial(small, network, max_steps=6, val_every=3, patience=99)
    fit().fit(panel, until=UNTIL, reporter=Notes(tmp_path / "through"))
    stop_before(stop, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit().fit(panel, until=UNTIL, reporter=Notes(tmp_path / "stopped"))
    monkeypatch.undo()
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=False)["global_step"] == stop
    notes = Notes(tmp_path / "resumed")
    fit(resume=str(last)).fit(panel, until=UNTIL, reporter=notes)
    assert [step for step, values in notes.rows if "val/wape" in values][-1] == 6
    ends = [
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]
        for name in ("through", "resumed")
    ]
    assert same(ends[0], ends[1])


def test_stop_during_a_validation_leaves_a_checkpoint_that_resumes(
    panel: Panel, tmp_path: Path
) -> None:
    through = small(max_steps=6).fit(panel, until=UNTIL, reporter=Notes(tmp_path / "through"))
    with pytest.raises(KeyboardInterrupt):
        small(max_steps=6).fit(panel, until=UNTIL, reporter=Notes(tmp_path / "b", stop_at=4))
    last = tmp_path / "b" / "checkpoints" / "last.ckpt"
    resumed = small(max_steps=6, resume=str(last)).fit(panel, until=UNTIL)
    assert same(weights(through), weights(resumed))
    assert through.report is not None
    assert resumed.report is not None
    assert resumed.report.value == through.report.value


def test_ctrl_c_is_passed_on_and_leaves_the_last_checkpoint(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_before(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        small().fit(panel, until=UNTIL, reporter=Notes(tmp_path))
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()
    assert (tmp_path / "checkpoints" / "best.ckpt").is_file()


def test_checkpoint_that_is_not_there_is_refused_with_its_path(
    panel: Panel, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*gone\.ckpt; give the path"):
        small(resume=str(tmp_path / "gone.ckpt")).fit(panel, until=UNTIL)


def test_checkpoint_of_another_config_is_refused_with_what_differs(
    panel: Panel, tmp_path: Path
) -> None:
    small().fit(panel, until=UNTIL, reporter=Notes(tmp_path))
    last = tmp_path / "checkpoints" / "last.ckpt"
    longer = replace(SPEC, context=35)
    with pytest.raises(CheckpointError, match=r"belongs to another config: network\.layer\.weight"):
        small(windows=longer, resume=str(last)).fit(panel, until=UNTIL)


def test_weights_of_the_best_checkpoint_alone_are_kept_and_cannot_be_resumed(
    panel: Panel, tmp_path: Path
) -> None:
    model = small("nhits").fit(panel, until=UNTIL, reporter=Notes(tmp_path))
    best, last = (tmp_path / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    assert same(torch.load(best, weights_only=False)["state_dict"], weights(model))
    assert best.stat().st_size < last.stat().st_size / 2
    with pytest.raises(CheckpointError, match=r"best\.ckpt holds weights alone.*last\.ckpt"):
        small("nhits", resume=str(best)).fit(panel, until=UNTIL)


def test_checkpoint_of_another_budget_is_refused(panel: Panel, tmp_path: Path) -> None:
    """Its cosine would rise again after the steps it was made for."""
    small().fit(panel, until=UNTIL, reporter=Notes(tmp_path))
    last = tmp_path / "checkpoints" / "last.ckpt"
    with pytest.raises(CheckpointError, match=r"'optim\.max_steps': 4, .* but here it is .*: 8"):
        small(max_steps=8, resume=str(last)).fit(panel, until=UNTIL)


def test_refits_of_a_run_keep_the_checkpoints_of_the_last_fit_alone(
    panel: Panel, tmp_path: Path
) -> None:
    for max_steps in (6, 4):
        model = small(**diverging(max_steps=max_steps), keep=3)
        model.fit(panel, until=UNTIL, reporter=Notes(tmp_path))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best-step=2.ckpt", "best-step=4.ckpt", "last.ckpt"]


def test_no_reporter_leaves_no_file(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small().fit(panel, until=UNTIL)
    assert not list(tmp_path.iterdir())
