"""A finished run whose table changed since: ``skip_finished=true`` must not take its number."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lanecast.data.schema import ID, TARGET, TIME

SKIP = "stale_skip_finished"
SERIES, STEPS = 3, 60  # of the small table that is run twice
COMMAND = (
    "backtest", "data=panel_csv", "data.path=table.csv", "model=seasonal_naive", "tracking=none",
    "windows.context=14", "windows.horizon=7", "windows.min_context=7", "protocol.count=1",
    "name=skipped", "skip_finished=true",
)  # fmt: skip


def is_noticed(frame: pd.DataFrame, ids: Sequence[str], share: float) -> bool:
    """Whether the second run is refused, or runs anew, after a share of the rows has changed.

    The file keeps its size and its time where the new digits allow it; ``share`` 0 is one value,
    above 1 the last rows are gone.
    """
    names = [*ids[:SERIES], *(name for name in frame[ID].unique() if name not in ids)][:SERIES]
    rows = frame[frame[ID].isin(names)].groupby(ID).tail(STEPS)[[ID, TIME, TARGET]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        rows.to_csv(path, index=False)
        times = path.stat()
        first = _run(folder)
        if first.returncode:
            raise RuntimeError(first.stderr)
        _spoiled(rows, names[0], share).to_csv(path, index=False)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        record = next(Path(folder).glob("runs/skipped/*/seed1/record.json"))
        before = record.read_bytes()
        second = _run(folder)
        return second.returncode != 0 or record.read_bytes() != before


def _spoiled(rows: pd.DataFrame, name: str, share: float) -> pd.DataFrame:
    if share > 1:
        return rows.groupby(ID).head(STEPS - int(share))
    spoiled, of_series = rows.copy(), rows.index[rows[ID] == name]
    changed = of_series[: max(1, round(share * len(of_series)))]
    spoiled.loc[changed, TARGET] = 9 - spoiled.loc[changed, TARGET] % 10
    return spoiled


def _run(folder: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lanecast", *COMMAND]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
