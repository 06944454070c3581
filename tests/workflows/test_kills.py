"""Two equal commands, kill -9 and what is left: nothing half-written is taken for whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from script_runner import ROOT

SMALL = [
    *("data=panel_csv", "data.path=t.csv", "windows.context=14", "windows.horizon=7"),
    *("windows.min_context=7", "protocol.val_steps=7", "tracking=none"),
]
QUICK = ["model=linear", "trainer=smoke", "trainer.progress=false", "optim.val_every=2"]
TWIN = ["data=midmile", "data.source.preset=tiny", "model=seasonal_naive", "tracking=none"]
DAILY = [
    *("protocol.first_cutoff=2023-06-01", "protocol.samples=8", "protocol.step=1"),
    *("protocol.count=2", "name=days"),
]
# Stops the process by SIGKILL at the n-th of the moments in which a file takes its name.
KILLER = """
import os, signal, sys
from pathlib import Path
left = int(os.environ["KILL_AT"])
def dying(rename):
    def run(*args, **kwargs):
        global left
        name = str(args[-1])
        if ".owner-" not in name and "/.hydra" not in name and "matplotlib" not in name:
            left -= 1
            if left == 0 and os.environ["KILL"] == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        result = rename(*args, **kwargs)
        if left == 0 and os.environ["KILL"] == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return run
os.replace = dying(os.replace)
Path.replace = dying(Path.replace)
sys.argv = sys.argv[1:]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    days = pd.date_range("2026-01-01", periods=90)
    y = np.random.default_rng(0).poisson(20, 90).astype(float)
    table = pd.DataFrame({"unique_id": "a", "ds": days, "y": y})
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "parts").mkdir()
    table.to_parquet(tmp_path / "parts" / "0.parquet", index=False)
    return tmp_path


def start(folder: Path, verb: str, *argv: str, **environment: str) -> subprocess.Popen[str]:
    script = str(ROOT / "scripts" / f"{verb}.py")
    head = [sys.executable, "-c", KILLER] if environment else [sys.executable]
    return subprocess.Popen(
        [*head, script, *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out + err


def call(folder: Path, verb: str, *argv: str) -> tuple[int, str]:
    return ended(start(folder, verb, *argv))


def kill(folder: Path, at: int, when: str, verb: str, *argv: str) -> int:
    return ended(start(folder, verb, *argv, KILL_AT=str(at), KILL=when))[0]


def records(folder: Path, name: str) -> list[dict]:
    paths = (folder / "runs" / name).glob("*/*/record.json")
    return [{**json.loads(path.read_text()), "folder": path.parent} for path in paths]


@pytest.mark.slow
def test_of_twenty_equal_starts_one_completes_and_rows_are_written_once(folder: Path) -> None:
    argv = ["train", *SMALL, *QUICK, "name=many"]
    processes = [start(folder, *argv) for _ in range(20)]
    ends = [ended(process) for process in processes]
    codes = [code for code, _ in ends]
    print(sorted(codes), *(text.strip().splitlines()[-1] for _, text in ends), sep="\n")
    assert (codes.count(0), codes.count(1)) == (1, 19)
    for code, text in ends:
        if code:
            assert "Traceback" not in text
            errors = [line for line in text.splitlines() if line.startswith("error: ")]
            assert len(errors) == 1
            assert "is being written by process" in text or "holds a finished run" in text
    (record,) = records(folder, "many")
    assert record["status"] == "completed"
    rows = (record["folder"] / "metrics.csv").read_text().splitlines()
    assert len(rows) == len(set(rows)) > 1


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("moved", ["same host", "pid reused", "another host", "take over"])
def test_a_killed_run_is_taken_up_wherever_it_was_killed(folder: Path, moved: str) -> None:
    endless = ["optim.max_steps=1000000", "optim.patience=1000000", "trainer=cpu"]
    quick = [word for word in QUICK if word != "trainer=smoke"]
    argv = ["train", *SMALL, *quick, *endless]
    process = start(folder, *argv, "name=killed")
    curve = "runs/killed/*/*/metrics.csv"
    until(lambda: bool(list(folder.glob(curve))), process)
    code, text = call(folder, *argv, "name=killed")
    assert code == 1
    assert f"process {process.pid} on" in text
    process.send_signal(signal.SIGKILL)
    process.wait()
    (path,) = folder.glob("runs/killed/*/*/.owner-1.json")
    owner = json.loads(path.read_text())
    argv, take = [*argv, "name=killed"], []
    if moved == "pid reused":  # by this very process
        owner["pid"] = os.getpid()
    elif moved in ("another host", "take over"):
        owner["host"], owner["boot"] = "node-7", "another"
        if moved == "another host":
            owner["beat"] = owner["since"] = "2026-01-01T00:00:00+00:00"
        else:
            take = ["take_over=true"]
    path.write_text(json.dumps(owner))
    if take:
        code, text = call(folder, *argv)
        assert (code, "take_over=true" in text) == (1, True)
    process = start(folder, *argv, *take)
    again = "runs/killed/*/*/previous-1/metrics.csv"
    until(lambda: bool(list(folder.glob(again))) and bool(list(folder.glob(curve))), process)
    process.send_signal(signal.SIGTERM)
    code, text = ended(process)
    assert (code, "Traceback" in text) == (128 + signal.SIGTERM, False)
    (record,) = records(folder, "killed")
    assert record["status"] == "interrupted"


MOMENTS = [(1, "before"), (1, "after"), (2, "before"), (3, "after")]


def prepared(folder: Path) -> Sequence[str]:
    return ["prepare", "data=panel_store", "data.path=parts", "data.store=s.store"]


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when"), [(1, "before"), (1, "after")])
def test_a_killed_prepare_leaves_a_whole_store_or_none(folder: Path, at: int, when: str) -> None:
    assert kill(folder, at, when, *prepared(folder)) == -signal.SIGKILL
    code, text = call(folder, *prepared(folder))
    if when == "before":
        assert not list(folder.glob("s.store")) or code == 0
        assert code == 0, text
    else:
        assert "is there already" in text
    data = ["data=panel_store", "data.path=parts", "data.store=s.store"]
    assert call(folder, "check", *data, "windows.context=14", "windows.horizon=7")[0] == 0
    assert not list(folder.glob(".s.store.draft"))


@pytest.mark.slow
def test_a_prepare_killed_among_its_parts_leaves_no_store(folder: Path) -> None:
    words = [*prepared(folder)]
    script = str(ROOT / "scripts" / "prepare.py")
    program = (
        "import os, runpy, sys, lanecast.data.ingest.store as store;"
        "store._series_of = lambda panel: os.kill(os.getpid(), 9);"
        f"sys.argv = {[script, *words[1:]]!r}; runpy.run_path({script!r}, run_name='__main__')"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "s.store").exists()
    assert call(folder, *words)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when"), MOMENTS)
def test_a_killed_generate_is_not_taken_for_a_world(folder: Path, at: int, when: str) -> None:
    words = ["generate", "preset=tiny", "out=world", "write=true"]
    assert kill(folder, at, when, *words) == -signal.SIGKILL
    manifest = folder / "world" / "world.json"
    if manifest.exists():
        assert json.loads(manifest.read_text())["complete"] is False
    lanes = folder / "world" / "lanes"
    if lanes.exists():
        code, text = call(folder, "check", "data=panel_parquet", f"data.path={lanes}")
        assert code != 0
        assert "not complete" in text or "no data" in text
    assert call(folder, *words)[0] == 0
    assert json.loads(manifest.read_text())["complete"] is True


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    assert call(folder, "backtest", *TWIN, *DAILY)[0] == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when"), [(2, "after"), (4, "before"), (6, "after")])
@pytest.mark.parametrize("verb", ["plan", "replan"])
def test_a_killed_plan_is_interrupted_and_repeated_whole(days: Path, verb, at, when) -> None:
    run = f"run={records(days, 'days')[0]['folder']}"
    name = f"{verb}-{at}"
    words = [verb, run, f"name={name}", "planning.days=2", "tracking=none"]
    assert kill(days, at, when, *words) == -signal.SIGKILL
    (record,) = records(days, name)
    assert record["status"] != "completed"
    code, text = call(days, "runs", f"root=runs/{name}")
    assert (code, "interrupted" in text) == (0, True)
    code, text = call(days, *words)
    assert code == 0, text
    (record,) = records(days, name)
    assert record["status"] == "completed"
    assert record["files"]


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when"), [(1, "before"), (1, "after"), (3, "before")])
@pytest.mark.parametrize("verb", ["compare", "record"])
def test_a_killed_table_is_old_or_new_and_written_again(days: Path, verb, at, when) -> None:
    out = f"{verb}-{at}-{when}"
    words = [verb, "runs=runs/days", f"out={out}"]
    words += [] if verb == "compare" else [
        *("slug=s", "question=q", "factor=f", "fixed=x", "verdict=v."),
    ]  # fmt: skip
    code = kill(days, at, when, *words)
    if (verb, at) == ("record", 3):
        assert code in (0, -signal.SIGKILL)
    else:
        assert code == -signal.SIGKILL
    whole = [path for path in (days / out).rglob("*") if path.is_file() and path.name[0] != "."]
    assert all(path.read_text().strip() for path in whole)
    code, text = call(days, *words)
    assert code == 0, text
    left = [path for path in (days / out).rglob(".*") if "draft" in path.name]
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
def test_a_killed_check_leaves_nothing(folder: Path, seconds: float) -> None:
    before = sorted(folder.rglob("*"))
    process = start(folder, "check", *SMALL, "model=linear")
    time.sleep(seconds)
    process.kill()
    process.wait()
    assert sorted(folder.rglob("*")) == before
