import csv
import subprocess
import sys
from pathlib import Path

import pytest

from lanecast.runs.record import Run, read_record
from lanecast.runs.wandb_mirror import Mirror
from offline_runs import read_offline, record_of


def test_no_tracking_does_not_import_wandb(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert toy("tracking=none") == 0
    (record,) = toy.records()
    assert record["warnings"] == []


def test_a_broken_mirror_is_a_warning_and_not_a_failure(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert toy("tracking=offline") == 0
    (record,) = toy.records()
    assert record["status"] == "completed"
    assert "W&B start failed" in record["warnings"][0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("WANDB_MODE", "disabled"), ("WANDB_DISABLED", "true"), ("WANDB_DISABLED", "1")],
)
def test_an_environment_without_wandb_switches_the_mirror_off_and_the_record_says_so(
    toy, monkeypatch, name, value
):
    monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "wandb", None)  # it is not even imported
    assert toy("tracking=offline") == 0
    (record,) = toy.records()
    assert record["wandb"] == {"off": f"{name}={value}"}
    assert record["warnings"] == []
    assert not (record["folder"] / "wandb").exists()


class Recorder:
    """A wandb that notes how a run was started."""

    Settings = dict

    def __init__(self):
        self.modes = []

    def init(self, *, mode, **_):
        self.modes.append(mode)
        raise RuntimeError("noted")


@pytest.mark.parametrize(
    ("config", "environment", "mode", "said"),
    [
        ("offline", "online", "offline", "WANDB_MODE=online is not followed"),
        ("online", "offline", "offline", None),
        ("online", "online", "online", None),
        ("offline", "", "offline", None),
    ],
)
def test_the_environment_keeps_a_mirror_here_but_never_sends_it(
    toy, monkeypatch, config, environment, mode, said
):
    monkeypatch.setenv("WANDB_MODE", environment)
    wandb = Recorder()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    assert toy("tracking=offline", f"tracking.mode={config}") == 0
    (record,) = toy.records()
    assert wandb.modes == [mode]
    not_followed = [line for line in record["warnings"] if "WANDB_MODE" in line]
    assert [line[: len(said or "")] for line in not_followed] == ([said] if said else [])


class Exploding:
    """A W&B run whose every call fails."""

    def __getattr__(self, name):
        raise RuntimeError(name)


def test_every_call_of_the_mirror_is_harmless():
    mirror, told = Mirror(), []
    mirror._run, mirror._warn = Exploding(), told.append
    mirror.log(1, {"loss": 1.0})
    mirror.image("forecast", "forecast.png")
    mirror.finish(summary={}, exit_code=0)
    assert len(told) == 3


@pytest.fixture
def two_jobs(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    toy("-m", "seed=1,2", "job=second", "tracking=offline", "name=sweep")
    return toy.records("sweep")


def test_each_job_of_a_process_gets_its_own_finished_offline_run(two_jobs, capfd):
    first, second = two_jobs
    assert first["wandb"]["id"] != second["wandb"]["id"]
    assert [record["status"] for record in two_jobs] == ["completed", "failed"]
    for record, code in zip(two_jobs, (0, 1), strict=True):
        mirrored = read_offline(record["folder"])
        assert mirrored.config["model"]["seed"] == record["seed"]
        assert "${" not in str(mirrored.config)
        assert mirrored.exit_code == code
    assert "wandb:" not in capfd.readouterr().out


def test_the_curves_of_wandb_are_those_of_the_folder(two_jobs):
    for record in two_jobs:
        mine = {}
        with (record["folder"] / "metrics.csv").open() as file:
            for row in csv.DictReader(file):
                mine.setdefault(row["name"], []).append((int(row["step"]), float(row["value"])))
        mirrored = read_offline(record["folder"]).curves
        assert str({name: mirrored[name] for name in mine}) == str(mine)  # nan equals nan


def test_a_reviewer_gets_from_wandb_to_the_record_and_back(two_jobs):
    for record in two_jobs:
        place = record["folder"] / record["wandb"]["dir"]
        mirrored = read_offline(place)
        assert mirrored.id == record["wandb"]["id"]
        assert record_of(place) == record["folder"] / "record.json"
        assert record["folder"].as_posix().endswith(mirrored.folder)


def test_wandbs_own_inspector_tells_the_same_run(two_jobs):
    record = two_jobs[0]
    place = record["folder"] / record["wandb"]["dir"]
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--summary"]
    done = subprocess.run([*command, str(place)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert record["wandb"]["id"] in done.stdout
    assert "val/wape" in done.stdout
    assert "0.25" in done.stdout


def test_an_image_is_kept_in_the_offline_run(tmp_path):
    from PIL import Image

    cfg = {
        "seed": 1,
        "paths": {"output": str(tmp_path / "run")},
        "tracking": {"_target_": "lanecast.runs.wandb_mirror.Mirror"},
    }
    with Run.open(cfg) as run:
        Image.new("RGB", (4, 4)).save(run.folder / "forecast.png")
        run.image("forecast", run.folder / "forecast.png")
    assert read_record(run.folder)["warnings"] == []
    assert list((run.folder / "wandb").rglob("media/images/*.png"))
