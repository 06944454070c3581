"""What this machine lacks is one line, before data are read or anything is submitted."""

import sys

import pytest
import torch

from lanecast.config.packages import require_package
from lanecast.errors import ConfigError
from lanecast.models.deep.optimization import Hardware
from lanecast.pipeline.machine import HARDWARE, require_gpus
from script_runner import scripts_in

# Its file does not exist: whatever is told was told before data were read.
NO_DATA = ["data=panel_csv", "data.path=nowhere.csv", "tracking=none", "paths.runs=runs"]


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with scripts_in(tmp_path, monkeypatch) as run:
        yield run


@pytest.mark.parametrize("verb", ["train", "backtest", "probe"])
def test_gpu_that_is_not_there_is_one_line_before_data_are_read(script, capfd, verb):
    assert script(verb, *NO_DATA, "model=linear", "trainer=gpu") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "asks for 1 GPU, and torch sees none" in line
    assert "trainer=cpu" in line


def test_too_few_gpus_are_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    Hardware(accelerator="gpu").require()
    with pytest.raises(ConfigError, match="asks for 2 GPUs, and torch sees 1 on this machine"):
        Hardware(accelerator="gpu", devices=2).require()


def test_gpu_of_a_member_is_looked_for_and_that_of_no_network_is_not(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    hardware = {"_target_": HARDWARE, "accelerator": "cuda"}
    require_gpus({"_target_": "lanecast.models.classical.naive.SeasonalNaive"})
    with pytest.raises(ConfigError, match="accelerator=cuda asks for 1 GPU"):
        require_gpus({"members": {"a": {"hardware": hardware}}})


def test_model_that_needs_no_gpu_runs_with_trainer_gpu(script, capfd):
    assert script("train", *NO_DATA, "model=seasonal_naive", "trainer=gpu") == 2
    assert "no data at nowhere.csv" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("package", "arguments", "words"),
    [
        ("lightgbm", ["model=lightgbm"], "model=lightgbm needs the package lightgbm"),
        ("mlforecast", ["model=lightgbm"], "model=lightgbm needs the package mlforecast"),
        ("statsforecast", ["model=auto_ets"], "model=auto_ets needs the package statsforecast"),
        (
            "highspy",
            ["model=linear", "plan=mean", "network=midmile", "protocol.samples=10"],
            "plan= needs the package highspy",
        ),
    ],
)
def test_missing_package_is_one_line_before_data_are_read(
    script, capfd, monkeypatch, package, arguments, words
):
    monkeypatch.setitem(sys.modules, package, None)
    assert script("backtest", *NO_DATA, *arguments) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert words in line
    assert "pip install 'lanecast[" in line


def test_installed_package_is_not_asked_for():
    require_package("numpy", extra="none", needed_by="this test")


def test_slurm_that_is_not_there_is_one_line_before_anything_is_submitted(
    script, capfd, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    sweep = ["-m", "seed=1,2", "hydra/launcher=slurm", "model=linear"]
    assert script("train", *NO_DATA, *sweep) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "hydra/launcher=slurm submits jobs with sbatch" in line
    assert not (tmp_path / "runs").exists()
