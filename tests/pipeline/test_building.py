"""Through the scripts: what a config sets and its model cannot use is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lanecast.runs.record import read_record
from script_runner import Script, scripts_in

NAIVE = ["data=midmile", "data.source.preset=tiny", "tracking=none", "paths.runs=runs"]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with scripts_in(tmp_path, monkeypatch) as run:
        yield run


@pytest.mark.parametrize("model", ["seasonal_naive", "nhits_seeds", "ensemble"])
def test_weights_are_refused_for_a_model_that_takes_no_weigher(
    script: Script, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    assert script("train", *NAIVE, f"model={model}", "weights=duals", "name=w") == 2
    assert f"model={model} takes no weigher; leave weights out" in capsys.readouterr().err


def test_a_group_of_networks_is_refused_for_another_model_before_data_are_read(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ["data=panel_csv", "data.path=nowhere.csv"]
    chosen = ["model=seasonal_naive", "scaler=standard", "name=idle"]
    assert script("train", *NAIVE[2:], *missing, *chosen) == 2
    told = capsys.readouterr().err
    assert "scaler=standard configures a network, and model=seasonal_naive reads nothing" in told
    assert "leave it out, or choose a network" in told


def test_a_sweep_refuses_only_the_job_where_a_group_does_nothing(script: Script) -> None:
    chosen = ["model=linear,seasonal_naive", "scaler=robust", "name=sweep", "optim.max_steps=2"]
    assert script("train", "-m", *NAIVE, *chosen, "trainer.progress=false") != 0
    status = {
        record.parents[1].name.split("-")[0]: read_record(record.parent)["status"]
        for record in Path("runs/sweep").rglob("record.json")
    }
    assert status == {"linear": "completed", "seasonal_naive": "failed"}


def test_what_an_experiment_sets_for_networks_is_no_fault_of_a_baseline(script: Script) -> None:
    chosen = ["experiment=midmile_do", "model=seasonal_naive", "dag=none", "coupling=none"]
    assert script("backtest", *NAIVE[1:], *chosen, "name=mixed", "protocol.first_cutoff=2023-05-15",
                  "protocol.count=1") == 0  # fmt: skip
