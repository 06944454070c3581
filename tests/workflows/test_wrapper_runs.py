"""Through the scripts: a run of a wrapper is judged, trained and asked as the wrapper it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.runs.record import read_record
from script_runner import Script, scripts_in

DAYS = 150
LANES = {"A>B": "A", "A>C": "A", "B>A": "B", "B>C": "B"}
TABLE = [
    "data=panel_csv", "data.path=lanes.csv", "data.source.statics=statics.csv",
    "+data.schema.columns.y.non_negative=true",
    "+data.schema.columns.origin.role=static", "windows.context=14", "windows.horizon=7",
    "windows.min_context=7",
]  # fmt: skip
SMALL = [
    "trainer=smoke", "trainer.progress=false", "optim.batch_size=16", "optim.val_every=2",
    "tracking=none", "paths.runs=runs", "inputs.calendar=[]",
]  # fmt: skip
HIERARCHY = ["hierarchy.structure.levels=[[], [origin]]"]


def lanes(days: int = DAYS) -> pd.DataFrame:
    """Daily lanes around a level, with a week."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-01-01", periods=days, freq="D")
    frame = pd.DataFrame({"unique_id": np.repeat([*LANES], days), "ds": np.tile(dates, len(LANES))})
    level = np.repeat(np.arange(1, len(LANES) + 1) * 20.0, days)
    week = 1 + 0.4 * np.sin(2 * np.pi * np.tile(np.arange(days), len(LANES)) / 7)
    frame["y"] = rng.poisson(level * week)
    return frame


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Run a script in a folder with the table and its statics; gives its exit code."""
    with scripts_in(tmp_path, monkeypatch) as run:
        lanes().to_csv("lanes.csv", index=False)
        statics = pd.DataFrame({"unique_id": [*LANES], "origin": [*LANES.values()]})
        statics.to_csv("statics.csv", index=False)
        yield run


def folder_of(name: str) -> Path:
    (folder,) = Path("runs").glob(f"{name}/*/*")
    return folder.absolute()


def objective_of(name: str) -> dict[str, Any]:
    record = read_record(folder_of(name))
    assert record["status"] == "completed", record["error"]
    return dict(record["objective"])


def test_every_hierarchy_method_has_an_objective_of_its_own(script: Script) -> None:
    methods = ("bottom_up", "top_down", "ols")
    for method in methods:
        chosen = [f"hierarchy={method}", *HIERARCHY, "hierarchy.past.steps=42"]
        assert script("train", *TABLE, *SMALL, *chosen, "model=linear", f"name={method}") == 0
    objectives = [objective_of(method) for method in methods]
    assert {objective["name"] for objective in objectives} == {"val/wape"}
    assert len({objective["value"] for objective in objectives}) == len(methods)


def test_calibration_is_ranked_by_its_own_quantiles(script: Script) -> None:
    for name in ("none", "aci"):
        chosen = [f"calibration={name}", "optim.objective=val/wql", "model=linear"]
        assert script("train", *TABLE, *SMALL, *chosen, f"name={name}") == 0
    raw, corrected = objective_of("none"), objective_of("aci")
    assert raw["name"] == corrected["name"] == "val/wql"
    assert raw["value"] != corrected["value"]


@pytest.mark.parametrize("model", ["ensemble", "nhits_seeds"])
def test_a_newer_table_is_forecast_with_the_vocabulary_of_the_training_table(
    script: Script, model: str
) -> None:
    fewer = {"ensemble": ["model.members.lightgbm.params.n_estimators=10",
                          "model.members.lightgbm.anchor=null"],
             "nhits_seeds": ["model.seeds=2", *SMALL]}[model]  # fmt: skip
    common = ["tracking=none", "paths.runs=runs"]
    assert script("train", *TABLE, *fewer, *common, f"model={model}", "name=old") == 0
    statics = pd.DataFrame({"unique_id": [*LANES], "origin": ["A", "B", "C", "B"]})
    statics.to_csv("statics.csv", index=False)  # an origin that was not there before
    assert script("forecast", f"run={folder_of('old')}", "name=new", *common) == 0
    forecasts = pd.read_parquet(folder_of("new") / "forecasts.parquet")
    assert np.isfinite(forecasts[model]).all()


def test_seeds_of_an_ensemble_are_trained_once(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    begin = DeepForecaster.begin

    def counted(self: DeepForecaster, *given: Any, **options: Any) -> Any:
        begun.append(self.seed)
        return begin(self, *given, **options)

    monkeypatch.setattr(DeepForecaster, "begin", counted)
    chosen = ["model=nhits_seeds", "model.seeds=2", "name=seeds"]
    assert script("train", *TABLE, *SMALL, *chosen) == 0
    assert begun == [1, 2]
    assert objective_of("seeds")["name"] == "val/wape"


def test_a_loss_that_only_a_network_has_does_not_judge_what_stands_around_it(
    script: Script,
) -> None:
    chosen = ["calibration=aci", "optim.objective=val/loss", "model=linear", "name=loss"]
    assert script("train", *TABLE, *SMALL, *chosen) == 0
    assert objective_of("loss")["name"] == "val/wape"
    (warning,) = read_record(folder_of("loss"))["warnings"]
    assert "optim.objective=val/loss is of a network alone" in warning


def test_a_wrapper_with_nothing_held_out_has_no_objective_and_says_so(script: Script) -> None:
    chosen = ["calibration=aci", "protocol.val_steps=0", "model=linear", "name=nothing"]
    assert script("train", *TABLE, *SMALL, *chosen) == 0
    assert objective_of("nothing")["value"] is None
    (warning,) = read_record(folder_of("nothing"))["warnings"]
    assert "protocol.val_steps=0 holds nothing out" in warning


def test_the_record_of_a_wrapper_has_its_own_scores_beside_the_curves_of_the_network(
    script: Script,
) -> None:
    assert script("train", *TABLE, *SMALL, "calibration=aci", "model=linear", "name=both") == 0
    record = read_record(folder_of("both"))
    assert record["objective"]["value"] == record["validation"]["val/wape"]
    assert record["model"]["quantiles"] == "conformal"
    assert {"val/wql", "val/coverage_80"} <= set(record["validation"])
    curves = pd.read_csv(folder_of("both") / "metrics.csv")
    assert set(curves["step"]) == {2}  # of the network's fit alone
