"""Run folders of 2026-11-29, before the code moved, still load, forecast, compare and repeat.

Their points are those of that day; quantiles off the median come of draws, which have been keyed by
the name of the series since (`lanecast.runs.semantics`), and were recorded anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from script_runner import Script, scripts_in

FIXTURE = Path(__file__).parent / "fixtures" / "of-2026-11-29"
OLD = {path.parent.name.split("-")[0]: path for path in FIXTURE.glob("*/seed1")}
MODELS = sorted(OLD)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with scripts_in(tmp_path, monkeypatch) as run:
        shutil.copy(FIXTURE / "lanes.csv", tmp_path)
        shutil.copytree(FIXTURE, tmp_path / "runs" / "old", ignore=lambda *_: ["lanes.csv"])
        yield run


def run_of(name: str) -> Path:
    (folder,) = Path("runs").glob(f"{name}/*/seed1")
    return folder


@pytest.mark.parametrize("model", MODELS)
def test_old_run_forecasts_what_it_forecast(script: Script, model: str) -> None:
    old = Path("runs/old") / OLD[model].parent.name / "seed1"
    assert script("forecast", f"run={old}", "data.path=lanes.csv", "name=again") == 0
    forecasts = pd.read_parquet(run_of("again") / "forecasts.parquet")
    before = pd.read_csv(FIXTURE / f"{model}-forecast.csv", parse_dates=["ds", "cutoff"])
    pd.testing.assert_frame_equal(
        forecasts, before.astype(forecasts.dtypes.to_dict()), check_exact=False, rtol=1e-5
    )


def test_panel_of_an_old_run_keeps_its_fingerprint(script: Script) -> None:
    old = Path("runs/old") / OLD["nhits"].parent.name / "seed1"
    assert script("train", f"run={old}", "name=repeated") == 0
    before, after = (
        json.loads((folder / "record.json").read_text()) for folder in (old, run_of("repeated"))
    )
    assert after["data"]["fingerprint"] == before["data"]["fingerprint"]
    assert after["config_hash"] == before["config_hash"]
    assert after["objective"]["value"] == pytest.approx(before["objective"]["value"], rel=1e-4)


def test_old_run_stands_beside_a_new_seed_of_it(script: Script) -> None:
    old = Path("runs/old") / OLD["linear"].parent.name / "seed1"
    assert script("backtest", f"run={old}", "seed=2", "name=old") == 0
    assert script("compare", "runs=runs/old/linear*/*", "out=table") == 0
    (row,) = pd.read_csv("table/compare.csv", dtype=str).to_dict("records")
    assert row["hash"] == json.loads((old / "record.json").read_text())["config_hash"]
    assert {path.name for path in old.parent.iterdir()} == {"seed1", "seed2"}
