"""A sweep of 24 small jobs on the table of `lane_table`, run as commands of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lane_table import ROLLING, lanes

__all__ = ["JOBS", "ROLLING", "ROOT", "finished", "mirrors", "sweep", "write_table"]

ROOT = Path(__file__).parents[1]
JOBS = ["model=linear,dlinear", "loss=mae,mse,huber", "seed=1,2,3,4"]
TABLE = [
    "data=panel_csv",
    "data.path=lanes.csv",
    "data.future_path=future.csv",
    "+data.schema.columns.promo.role=known_future",
    "+data.schema.columns.late.role=observed",
    "trainer=smoke",
    "trainer.progress=false",
    "optim.batch_size=16",
    "optim.val_every=2",
    "paths.runs=runs",
]


def write_table(folder: Path) -> None:
    """Write the table and its future where the sweep reads them."""
    table, future = lanes()
    table.to_csv(folder / "lanes.csv", index=False)
    future.to_csv(folder / "future.csv", index=False)


def sweep(folder: Path, *argv: str, verb: str = "train") -> subprocess.Popen[str]:
    """Start ``scripts/<verb>.py -m`` in ``folder``, in a process group of its own."""
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / f"{verb}.py"), "-m", *TABLE, *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return the completed records of a sweep by ``<config>/<seed>``."""
    records = {}
    for path in sorted((folder / "runs" / name).glob("*/*/record.json")):
        record = json.loads(path.read_text())
        if record["status"] == "completed":
            records[str(path.parent.relative_to(folder / "runs" / name))] = record
    return records


def mirrors(folder: Path, name: str) -> set[str]:
    """Return the run folders that hold exactly one W&B run, of the id in their record."""
    found = set()
    for run, record in finished(folder, name).items():
        kept = list((folder / "runs" / name / run / "wandb").glob("offline-run-*"))
        if len(kept) == 1 and kept[0].name.endswith(record["wandb"]["id"]):
            found.add(run)
    return found
