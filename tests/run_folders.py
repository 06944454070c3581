"""Run folders as a backtest leaves them, without running one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanecast.runs.semantics import SEMANTICS

CUTOFFS = [f"2024-0{month}-01T00:00:00" for month in range(1, 7)]
SUM_ABS_Y = np.array([100.0, 200.0, 100.0, 300.0, 200.0, 100.0])
ROLE = {"known_future": True, "observed": False}


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write one run folder below ``tmp_path``; ``errors`` are the sums of absolute errors."""

    def write(
        model: str,
        *,
        config_hash: str,
        errors: np.ndarray,
        seed: int = 1,
        role: str = "known_future",
        name: str = "demo",
        config: dict[str, Any] | None = None,
        **record: Any,
    ) -> Path:
        folder = tmp_path / name / f"{model}-flights-{config_hash}" / f"seed{seed}"
        folder.mkdir(parents=True)
        rows = [
            {"cutoff": cutoff, "wape": error / actual, "sum_abs_y": actual, "num_cells": 50}
            for cutoff, error, actual in zip(CUTOFFS, errors.tolist(), SUM_ABS_Y, strict=True)
        ]
        columns = {"scheduled": {"role": role}}
        facts = {
            "status": "completed",
            "choices": {"model": model, "data": "flights"},
            "objective": {"name": "test/wape", "value": 0.5, "step": None},
            "config": {"data": {"schema": {"columns": columns}}, **(config or {})},
            "config_hash": config_hash,
            "seed": seed,
            "scores": {"wape": float(errors.sum() / SUM_ABS_Y.sum()), "bias": 0.01, "mase": None},
            "counts": {"num_cells": 300},
            "by_cutoff": rows,
            "scored": "5c0ed",
            "semantics": SEMANTICS,
            "timings": {"total": 12.0 + seed},
        }
        (folder / "record.json").write_text(json.dumps(facts | record))
        return folder

    return write


@pytest.fixture
def demo(write_run: Callable[..., Path], tmp_path: Path) -> Path:
    """Two models with and without the schedule, three seeds of the deep one, one naive."""
    rng = np.random.default_rng(0)
    for at, role in enumerate(("known_future", "observed")):
        base = SUM_ABS_Y * (0.10 + 0.05 * at)
        write_run("lightgbm", config_hash=f"b{at}aaaaaa", errors=base, role=role)
        for seed in (1, 2, 3):
            mine = base * 0.9 + rng.uniform(0, 2, 6)
            write_run("nhits", config_hash=f"d{at}aaaaaa", errors=mine, seed=seed, role=role)
    write_run("seasonal_naive", config_hash="5eaaaaaa", errors=SUM_ABS_Y * 0.3, role="observed")
    return tmp_path / "demo"
