"""A sweep can be killed and resumed, and says the same under every launcher."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweep_project import JOBS, ROLLING, ROOT, finished, mirrors, sweep, write_table

LAUNCHERS = {
    "basic": [],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local", "hydra.sweeper.max_batch_size=4"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.num_cpus=2"],
}


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    told, _ = process.communicate(timeout=500)
    return process.returncode, told


def stop_half_way(folder: Path, process: subprocess.Popen[str], signum: int) -> None:
    """Send ``signum`` to the process of the sweep once half of its records are completed."""
    deadline = time.monotonic() + 400
    while len(finished(folder, "sweep")) < 12:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signum)
    process.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "ray"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_a_sweep_killed_half_way_is_resumed_and_nothing_runs_twice(
    tmp_path: Path, signum: signal.Signals, launcher: str
) -> None:
    write_table(tmp_path)
    command = [*JOBS, "name=sweep", "skip_finished=true", *LAUNCHERS[launcher]]
    stop_half_way(tmp_path, sweep(tmp_path, *command), signum)
    before = finished(tmp_path, "sweep")
    assert 12 <= len(before) < 24
    code, told = ended(sweep(tmp_path, *command))
    assert code == 0, told
    after = finished(tmp_path, "sweep")
    assert len(after) == 24
    assert len(mirrors(tmp_path, "sweep")) == 24
    assert {run: after[run] for run in before} == before


def table(folder: Path, name: str) -> bytes:
    """Return ``compare.csv`` without the column of seconds and the path of the runs."""
    compare = ROOT / "scripts" / "compare.py"
    columns = "metrics=[wape,bias,mase,wql,coverage_80,coverage_90]"
    subprocess.run(
        [sys.executable, str(compare), f"runs=runs/{name}/**", columns, f"out={name}"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return (folder / name / "compare.csv").read_bytes().replace(name.encode(), b"sweep")


@pytest.mark.slow
def test_all_four_launchers_give_the_same_table_bit_for_bit(tmp_path: Path) -> None:
    write_table(tmp_path)
    for name, launcher in LAUNCHERS.items():
        started = time.monotonic()
        code, told = ended(
            sweep(tmp_path, *JOBS, *ROLLING, f"name={name}", *launcher, verb="backtest")
        )
        assert code == 0, told
        assert "24 completed, 0 failed; compare with: python" in told
        print(f"{name}: 24 jobs in {time.monotonic() - started:.0f} s")
        assert len(finished(tmp_path, name)) == 24
        assert len(mirrors(tmp_path, name)) == 24
        assert {record["device"]["threads"] for record in finished(tmp_path, name).values()} == {1}
    curves = {
        name: {
            run: (tmp_path / "runs" / name / run / "metrics.csv").read_bytes()
            for run in finished(tmp_path, name)
        }
        for name in LAUNCHERS
    }
    assert all(curves[name] == curves["basic"] for name in LAUNCHERS)
    tables = {name: table(tmp_path, name) for name in LAUNCHERS}
    assert len(tables["basic"].splitlines()) == 7  # a heading and six configs
    assert all(tables[name] == tables["basic"] for name in LAUNCHERS)
