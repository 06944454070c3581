import csv
import json
import os
import random
import subprocess

import numpy as np
import pytest

from lanecast.errors import RunFolderError
from lanecast.runs import folder as folder_module
from lanecast.runs.record import Objective, Run, current_run, read_record


@pytest.fixture
def cfg(tmp_path):
    return {
        "verb": "train",
        "name": "test",
        "seed": 4,
        "hidden": 8,
        "twice": "${hidden}",
        "paths": {"output": str(tmp_path / "run")},
        "keep": {"forecasts": True, "previous": 1},
    }


@pytest.fixture(autouse=True)
def _closed():
    yield
    left = current_run()
    if left is not None:
        left.finish("failed")


def test_a_run_is_running_then_completed_with_its_facts(cfg):
    with Run.open(cfg) as run:
        assert read_record(run.folder)["status"] == "running"
        run.note(data={"series": np.int64(3)}, split={"until": 10})
        run.note(data={"fingerprint": "ab"})
        run.set_objective(Objective(name="val/wape", value=0.5, step=7))
    record = read_record(run.folder)
    assert record["status"] == "completed"
    assert record["data"] == {"series": 3, "fingerprint": "ab"}
    assert record["objective"] == {"name": "val/wape", "value": 0.5, "step": 7}
    assert record["config"]["twice"] == 8
    assert len(record["config_hash"]) == 8
    assert {"git", "versions", "device", "timings", "seed", "overrides"} <= set(record)
    assert current_run() is None


def test_a_failing_block_is_recorded_as_failed_with_its_trace(cfg):
    with pytest.raises(ZeroDivisionError), Run.open(cfg) as run:
        1 / 0  # noqa: B018
    record = read_record(run.folder)
    assert record["status"] == "failed"
    assert "ZeroDivisionError" in record["error"]


def test_ctrl_c_in_the_block_is_recorded_as_interrupted(cfg):
    with pytest.raises(KeyboardInterrupt), Run.open(cfg) as run:
        raise KeyboardInterrupt
    assert read_record(run.folder)["status"] == "interrupted"


def test_metrics_are_on_disk_as_they_are_logged(cfg):
    run = Run.open(cfg)
    run.log(5, **{"val/wape": 0.5, "val/bias": float("nan")})
    run.log(6, **{"val/wape": 0.25})
    with (run.folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["name"], row["value"]) for row in rows] == [
        ("5", "val/wape", "0.5"),
        ("5", "val/bias", "nan"),
        ("6", "val/wape", "0.25"),
    ]


def test_opening_seeds_every_source_of_randomness(cfg, tmp_path):
    def draw(name: str) -> tuple[float, float]:
        with Run.open(cfg | {"paths": {"output": str(tmp_path / name)}}):
            return random.random(), float(np.random.rand())  # noqa: NPY002

    assert draw("one") == draw("two")


def test_a_record_is_strict_json_with_null_for_what_is_not_finite(cfg):
    run = Run.open(cfg)
    run.note(metrics={"nan": float("nan"), "inf": np.float32("inf"), "list": np.arange(2)})
    text = (run.folder / "record.json").read_text()
    record = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert record["metrics"] == {"nan": None, "inf": None, "list": [0, 1]}


def test_warnings_are_kept_once(cfg):
    run = Run.open(cfg)
    run.warn("3 short series")
    run.warn("3 short series")
    assert read_record(run.folder)["warnings"] == ["3 short series"]


def test_a_finished_folder_is_refused_with_the_ways_out(cfg):
    with Run.open(cfg):
        pass
    with pytest.raises(RunFolderError, match=r"skip_finished=true.*name=.*delete"):
        Run.open(cfg)


def test_a_folder_of_something_else_is_refused(cfg, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match=r"thesis\.tex"):
        Run.open(cfg)


def test_a_failed_attempt_is_moved_aside_and_the_oldest_deleted(cfg):
    for attempt in range(3):
        run = Run.open(cfg)
        run.log(attempt, loss=1.0)
        run.finish("failed")
    with Run.open(cfg) as run:
        pass
    assert [path.name for path in run.folder.glob("previous-*")] == ["previous-3"]
    assert (run.folder / "previous-3" / "metrics.csv").exists()
    assert not (run.folder / "metrics.csv").exists()
    assert len(list(run.folder.rglob("record.json"))) == 1


def test_a_folder_that_a_living_process_writes_is_refused(cfg):
    run = Run.open(cfg)
    run.is_open = False  # as if another process had it
    with pytest.raises(RunFolderError, match=rf"is being written by process {os.getpid()} on"):
        Run.open(cfg)
    run.is_open = True


def test_a_run_whose_process_is_gone_reads_as_interrupted(cfg):
    run = Run.open(cfg)
    gone = subprocess.Popen(["true"])
    gone.wait()
    run.note(process={"pid": gone.pid})
    (run.folder / ".owner-1.json").unlink()  # a run of an earlier lanecast
    assert read_record(run.folder)["status"] == "interrupted"


def test_opening_again_returns_the_open_run_and_another_folder_is_refused(cfg, tmp_path):
    run = Run.open(cfg)
    assert Run.open(cfg) is run
    with pytest.raises(RunFolderError, match="still open"):
        Run.open(cfg | {"paths": {"output": str(tmp_path / "other")}})


def test_an_unwritable_place_is_named_with_the_way_out(cfg, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=r"file/run.*paths\.runs=<folder>"):
        Run.open(cfg | {"paths": {"output": str(tmp_path / "file" / "run")}})


def test_a_full_disk_is_told_and_leaves_no_torn_record(cfg, monkeypatch):
    run = Run.open(cfg)
    before = (run.folder / "record.json").read_text()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(folder_module.os, "fsync", full)
        with pytest.raises(RunFolderError, match=r"record\.json \(No space left.*free space"):
            run.note(data={"series": 1})
    assert (run.folder / "record.json").read_text() == before
    left = sorted(path.name for path in run.folder.iterdir())
    assert left == [".hydra", ".owner-1.json", "record.json"]


def test_keep_bounds_what_a_run_leaves(cfg):
    with Run.open(cfg | {"keep": {"forecasts": False}}) as run:
        (run.folder / "forecasts.parquet").touch()
    assert not (run.folder / "forecasts.parquet").exists()


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted"])
def test_the_checkpoint_to_resume_from_stays_until_the_run_is_completed(cfg, status):
    run = Run.open(cfg)
    (run.folder / "checkpoints").mkdir()
    for name in ("best.ckpt", "last.ckpt"):
        (run.folder / "checkpoints" / name).touch()
    run.finish(status)
    kept = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    assert kept == (["best.ckpt"] if status == "completed" else ["best.ckpt", "last.ckpt"])


def test_a_process_beside_the_first_writes_nothing(cfg, monkeypatch, tmp_path):
    monkeypatch.setitem(os.environ, "LOCAL_RANK", "1")
    with Run.open(cfg) as run:
        run.log(1, loss=1.0)
        run.note(data={"series": 1})
    assert not (tmp_path / "run").exists()
