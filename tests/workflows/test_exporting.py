"""A trained run leaves as a torch.export program that forecasts what the run does."""

import json
from pathlib import Path

import pytest
import torch

from script_runner import scripts_in

SMALL = [
    "trainer=smoke", "trainer.progress=false", "optim.batch_size=16", "optim.val_every=2",
    "tracking=none", "data=midmile", "data.source.preset=tiny", "paths.runs=runs",
]  # fmt: skip


@pytest.mark.parametrize("model", ["nhits", pytest.param("tft", marks=pytest.mark.slow), "dlinear"])
def test_a_program_is_within_1e4_of_its_run(tmp_path, monkeypatch, capsys, model):
    with scripts_in(tmp_path, monkeypatch) as run:
        assert run("train", *SMALL, f"model={model}") == 0
        folder = next(Path("runs").rglob("record.json")).parent
        assert run("export", f"run={folder}", "out=served", "onnx=true") == 0
    told = capsys.readouterr().out
    assert "within" in told
    assert "series a second" in told
    assert "model.onnx: within" in told
    program = torch.export.load(tmp_path / "served" / "model.pt2").module()
    shapes = json.loads((tmp_path / "served" / "model.inputs.json").read_text())
    assert next(iter(shapes)) == "past_BLP"
    for count in (2, 5):  # any number of windows
        tensors = []
        for name, shape in shapes.items():
            kind = (
                torch.bool
                if "seen" in name
                else torch.long
                if name in ("series_B", "cutoff_B")
                else torch.float32
            )
            tensors.append(torch.ones(count, *shape, dtype=kind))
        point, grid = program(*tensors)
        assert point.shape[0] == count
        assert grid.shape[:2] == point.shape


def test_a_model_without_a_network_is_refused(tmp_path, monkeypatch, capsys):
    with scripts_in(tmp_path, monkeypatch) as run:
        words = [word for word in SMALL if not word.startswith("optim.")]  # it has no optimizer
        assert run("train", *words, "model=seasonal_naive") == 0
        folder = next(Path("runs").rglob("record.json")).parent
        assert run("export", f"run={folder}") != 0
    assert "no plain network" in capsys.readouterr().err
