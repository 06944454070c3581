"""Offline means offline: a run with its W&B mirror, traced with its children, opens no socket."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STRACE = shutil.which("strace")
RUN = """\
from lanecast.runs.record import Objective, Run

cfg = {
    "seed": 1, "name": "quiet", "verb": "train", "paths": {"output": "run"},
    "tracking": {"_target_": "lanecast.runs.wandb_mirror.Mirror", "mode": "offline"},
}
with Run.open(cfg) as run:
    run.log(1, **{"val/wape": 0.5})
    run.set_objective(Objective(name="val/wape", value=0.5, step=1))
assert run.record["wandb"]["id"], run.record
assert run.record["warnings"] == [], run.record
"""
LOOKED_UP = (
    "import socket\ntry:\n    socket.getaddrinfo('lanecast.invalid', 80)\nexcept OSError: pass\n"
)
INTERNET = re.compile(r"sin6?_addr.*?\"([^\"]+)\"")


def addresses(folder: Path, code: str) -> list[str]:
    """Internet addresses other than the loopback's that Python and its children spoke to."""
    trace = folder / "trace.txt"
    command = [
        str(STRACE),
        "-f",
        "-e",
        "trace=%network",
        "-o",
        str(trace),
        sys.executable,
        "-c",
        code,
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    places = {f"WANDB_{kind}_DIR": str(folder / kind) for kind in ("CACHE", "CONFIG")}
    done = subprocess.run(
        command, cwd=folder, env=environment | places, capture_output=True, text=True, timeout=180
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip(f"this machine lets nobody trace: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    met = INTERNET.findall(trace.read_text(errors="replace"))
    return [address for address in met if address != "::1" and not address.startswith("127.")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if STRACE is None:
        pytest.skip("no strace on the PATH; install it to watch what an offline run sends")
    return tmp_path


def test_an_offline_run_and_its_children_speak_to_nobody(folder):
    assert addresses(folder, RUN) == []
    assert list(folder.glob("run/wandb/offline-run-*/*.wandb"))


def test_the_trace_sees_a_host_name_that_is_looked_up(folder):
    if (
        not Path("/etc/resolv.conf").is_file()
        or "nameserver" not in Path("/etc/resolv.conf").read_text()
    ):
        pytest.skip("this machine has no name server that could be asked")
    assert addresses(folder, LOOKED_UP) != []
