"""`backtest` and `compare` as commands: recomputed scores, claims, and the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lane_table import lanes
from lanecast.report.recomputing import disagreements
from lanecast.runs.reading import read_runs
from script_runner import Script, scripts_in

BACKTEST = [
    "data=panel_csv",
    "data.path=lanes.csv",
    "tracking=none",
    "paths.runs=runs",
    "windows.horizon=7",
    "protocol.step=7",
    "protocol.count=5",
    "model.season=7",
]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Run a script in a folder with a table that has gaps, written and unwritten ones."""
    with scripts_in(tmp_path, monkeypatch) as run:
        table = lanes()[0][["unique_id", "ds", "y"]].astype({"y": float})
        rng = np.random.default_rng(0)
        table.loc[rng.random(len(table)) < 0.05, "y"] = np.nan
        dropped = (rng.random(len(table)) < 0.05) & (table["ds"] > "2024-01-03")
        table[~dropped].to_csv("lanes.csv", index=False)
        yield run


def test_the_scores_of_a_backtest_are_those_of_its_forecasts(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, more in (("plain", []), ("late", ["+data.schema.columns.y.delay=P2D"])):
        assert script("backtest", *BACKTEST, *more, "model=seasonal_naive", f"name={name}") == 0
        (run,) = read_runs(f"runs/{name}").runs
        for metric in ("wape", "bias", "mse", "wql", "coverage_80"):
            assert disagreements(run, [metric]) == []

    command = ["backtest", *BACKTEST, "model=seasonal_naive", "model.season=14", "name=plain"]
    assert script(*command) == 0
    two = ["compare", "runs=runs/plain/*", "page=false", "metrics=[wape,bias]"]
    hashes = sorted(run.config_hash for run in read_runs("runs/plain").runs)
    assert script(*two, f"baseline={hashes[0]}") == 0
    printed = capfd.readouterr().out
    assert "no difference" in printed or "better" in printed or "worse" in printed
    assert "no claim" not in printed.partition("Verdict:")[0]

    (edited,) = [run.folder for run in read_runs("runs/plain").runs if run.config_hash == hashes[1]]
    record = json.loads((edited / "record.json").read_text())
    record["scores"]["wape"] = 0.01
    (edited / "record.json").write_text(json.dumps(record))
    assert script(*two) == 0
    assert f"Left out: {edited}: its record disagrees" in capfd.readouterr().out.partition("|")[0]
    assert pd.read_csv("runs/plain/compare.csv")["hash"].astype(str).tolist() == hashes[:1]
