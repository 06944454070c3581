"""Sweeps: how many jobs a minute a multirun gets through, with one worker and with two."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.speed.rounds import Figure
from lanecast.config import packaged_conf

JOBS = 8
ASKED = [
    "model=nhits", "data=midmile", "data.source.preset=tiny", "optim.max_steps=50",
    "optim.val_steps=28", "trainer.threads=1", "trainer.progress=false",
    "protocol.first_cutoff=2023-06-14", "protocol.step=7", "protocol.count=2",
    "name=sweep", "tracking=none",
]  # fmt: skip


def sweep_rows() -> Iterator[dict[str, Any]]:
    """Seconds a job of ``JOBS`` seeds of one small backtest; the floor is that of one worker."""
    first = math.nan
    for workers in (1, 2):
        launcher = (
            [] if workers == 1 else ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"]
        )
        seconds = _seconds(launcher) / JOBS
        first = seconds if workers == 1 else first
        medians = Figure(
            ours=seconds,
            neuralforecast=math.nan,
            floor=first,
            ratio_to_floor=seconds / first,
            neuralforecast_to_ours=math.nan,
            rounds=1,
            discarded=0,
        )
        yield {
            "case": f"{JOBS} jobs, {workers} workers", "covariates": "", "network": "nhits",
            "windows": "", "precision": "fp32", "figure": "sweep", **asdict(medians),
        }  # fmt: skip


def _seconds(launcher: list[str]) -> float:
    seeds = "seed=" + ",".join(str(k) for k in range(1, JOBS + 1))
    script = str(packaged_conf().parent / "scripts" / "backtest.py")
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            script,
            "-m",
            *ASKED,
            seeds,
            f"paths.runs={scratch}",
            *launcher,
        ]
        started = time.perf_counter()
        subprocess.run(
            command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        return time.perf_counter() - started
