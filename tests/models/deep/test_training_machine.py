"""Fitting where something is wrong or the machine is another one; what a fit shows."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.data.panel import Panel
from lanecast.data.windows import windows_at
from lanecast.errors import ConfigError
from lanecast.models.deep import progress
from lanecast.models.deep.optimization import Hardware
from lanecast.runs.record import read_record
from small_models import HARDWARE, SPEC, Notes, small

ROOT = Path(__file__).parents[3]
UNTIL = 100


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Lightning answers Ctrl-C by ignoring the next one; tests take the handler back."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def diverging(**changes: Any) -> dict[str, Any]:
    """A plan that improves at first and then runs away."""
    values = {"optimizer": partial(torch.optim.SGD, lr=2.0, momentum=0.9), "clip": None}
    return {**values, "schedule": "constant", "max_steps": 8, "patience": 99, **changes}


# --- trouble and hardware -------------------------------------------------------------------------


def test_loss_that_is_not_finite_ends_the_fit_with_its_place(panel: Panel, tmp_path: Path) -> None:
    changes = diverging(optimizer=partial(torch.optim.SGD, lr=1e38))
    with pytest.raises(FloatingPointError, match=r"training loss became \S+ by step 2; lower"):
        small(**changes).fit(panel, until=UNTIL, reporter=Notes(tmp_path))


@pytest.mark.parametrize("network", ["linear", "nhits", "tft"])
def test_bf16_trains_on_a_cpu(panel: Panel, network: str) -> None:
    hardware = Hardware(progress=False, threads=1, precision="bf16-mixed")
    model = small(network, hardware=hardware).fit(panel, until=UNTIL)
    found = model.predict(panel, at=windows_at(panel, [UNTIL], SPEC), quantiles=(0.1, 0.9))
    assert np.isfinite(found.point_WH).all()
    assert model.report is not None
    plain = small(network, hardware=HARDWARE).fit(panel, until=UNTIL)
    assert plain.report is not None
    assert model.report.value == pytest.approx(plain.report.value, rel=0.1)


def test_bf16_clips_under_a_fused_optimizer(panel: Panel) -> None:
    """Lightning alone refuses the two together."""
    hardware = Hardware(progress=False, threads=1, precision="bf16-mixed")

    def loss(clip: float | None) -> float:
        changes = diverging(optimizer=partial(torch.optim.AdamW, lr=1e-2, fused=True), clip=clip)
        report = small("nhits", hardware=hardware, **changes).fit(panel, until=UNTIL).report
        assert report is not None
        return report.value

    assert loss(1e-6) != loss(None)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler: g++")
def test_a_compiled_network_takes_the_steps_of_the_plain_one(panel: Panel) -> None:
    found = []
    for mode, fuse in ((None, False), ("default", False), ("default", True)):
        hardware = Hardware(progress=False, threads=1, compile=mode)
        model = small("nhits", hardware=hardware)
        model._optim = replace(model._optim, fused_layers=fuse)
        model.fit(panel, until=UNTIL)
        found.append(model.predict(panel, at=windows_at(panel, [UNTIL], SPEC)).point_WH)
        assert "forward" not in vars(model.module.network)  # it was compiled for the fit alone
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-3)


def test_an_unknown_compile_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="reduce-overhead"):
        Hardware(compile="fast")


class Terminal(io.StringIO):
    """Where bars may be drawn."""

    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_is_one_bar_of_all_steps_with_the_metric(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    small(hardware=Hardware(progress=True, threads=1)).fit(panel, until=UNTIL)
    drawn = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.getvalue())
    assert drawn.count("\n") == 1
    steps = [int(step) for step in re.findall(r" (\d)/4 ", drawn)]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0, 4)
    assert "val/wape" in drawn.split("\r")[-1]
    assert "Validation" not in drawn


def test_progress_in_a_log_is_a_line_now_and_then_without_a_bar(
    panel: Panel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("INFO", logger="lanecast")
    model = small(hardware=Hardware(progress=True, threads=1))
    model.fit(panel, until=UNTIL, reporter=Notes(tmp_path / "linear" / "seed1"))
    assert caplog.messages == []
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    notes = Notes(tmp_path / "linear" / "seed1")
    model.fit(panel, until=UNTIL, reporter=notes)
    expected = [f"val/wape {value:.4g}" for value in notes.curve("val/wape")]
    assert caplog.messages == [
        f"linear/seed1: step {step} of 4, {value}"
        for step, value in zip((2, 4), expected, strict=True)
    ]
    assert capfd.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["nhits", "tft"])
def test_two_processes_train_one_run(tmp_path: Path, model: str) -> None:
    """Through the script: Lightning starts it again for the second process."""
    days = pd.date_range("2024-01-01", periods=150, freq="D")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(["A>B", "A>C", "B>C"], len(days)),
            "ds": np.tile(days, 3),
            "y": rng.poisson(20, 3 * len(days)),
        }
    )
    frame.to_csv(tmp_path / "lanes.csv", index=False)
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "scripts" / "train.py"),
            "data=panel_csv",
            f"data.path={tmp_path / 'lanes.csv'}",
            f"model={model}",
            "trainer=ddp",
            "trainer.progress=false",
            "trainer.step_limit=4",
            "optim.val_every=2",
            "optim.batch_size=16",
            "tracking=none",
            "name=two",
            f"paths.runs={tmp_path / 'runs'}",
        ],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").glob("*/*/*")
    record = read_record(folder)
    assert record["status"] == "completed"
    assert record["objective"]["name"] == "val/wape"
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert [row for row in rows if row.startswith("4,val/wape")]
    assert len(rows) == len(set(rows)) == 1 + 2 * 5
    assert (folder / "model" / "model.safetensors").is_file()


def test_second_fit_with_several_processes_is_refused(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    with pytest.raises(ConfigError, match=r"can train once; set protocol\.refit=never"):
        small().fit(panel, until=UNTIL)
