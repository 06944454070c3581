"""End to end through the scripts: a table of one's own is trained on, backtested, forecast."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lane_table import HORIZON, LAST, ROLLING, lanes
from lanecast.runs.record import read_record
from script_runner import Script, scripts_in

TABLE = [
    "data=panel_csv",
    "data.path=lanes.csv",
    "data.future_path=future.csv",
    "+data.schema.columns.promo.role=known_future",
    "+data.schema.columns.late.role=observed",
]
SMALL = [
    "trainer=smoke",
    "trainer.progress=false",
    "optim.batch_size=16",
    "optim.val_every=2",
    "tracking=none",
    "paths.runs=runs",
]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Run a script in a folder with the table and its future; gives its exit code."""
    with scripts_in(tmp_path, monkeypatch) as run:
        table, future = lanes()
        table.to_csv("lanes.csv", index=False)
        future.to_csv("future.csv", index=False)
        yield run


def run_folder(name: str) -> Path:
    (folder,) = Path("runs").glob(f"{name}/*/*")
    return folder.absolute()


def record_of(name: str) -> dict[str, Any]:
    record = read_record(run_folder(name))
    assert record["status"] == "completed", record["error"]
    return record


def test_train_leaves_record_curves_checkpoints_and_model(script: Script) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    trained = run_folder("train")
    record = record_of("train")
    assert record["objective"]["name"] == "val/wape"
    assert record["objective"]["step"] == 2
    assert record["data"]["series"] == 2
    assert record["model"]["calibrated_on"] == "validation windows"
    for path in (
        "metrics.csv",
        "checkpoints/best.ckpt",
        "model/model.safetensors",
        ".hydra/config.yaml",
    ):
        assert (trained / path).is_file(), path
    assert [path.name for path in (trained / "checkpoints").iterdir()] == ["best.ckpt"]


def test_run_trained_on_the_labels_is_not_backtested_on_them(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    command = [f"run={run_folder('train')}", "name=test", "tracking=none", "paths.runs=runs"]
    assert script("backtest", *command, *ROLLING) == 1
    assert "may not forecast from the earlier cutoff 2024-04-20" in capfd.readouterr().err
    assert read_record(run_folder("test"))["status"] == "failed"


def test_cutoffs_past_the_last_label_are_refused(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    late = ["protocol.first_cutoff=2024-05-29", "protocol.count=null"]
    assert script("backtest", *TABLE, *SMALL, *late, "model=linear", "name=late") == 2
    assert "protocol.first_cutoff=2024-05-29 is no cutoff" in capfd.readouterr().err


def test_backtest_writes_forecasts_and_scores(script: Script) -> None:
    code = script("backtest", *TABLE, *SMALL, *ROLLING, "model=linear", "name=bt")
    assert code == 0
    record, folder = record_of("bt"), run_folder("bt")
    frame = pd.read_parquet(folder / "forecasts.parquet")
    assert len(frame) == 2 * 2 * HORIZON
    assert {"unique_id", "ds", "cutoff", "linear", "linear-q0.1", "linear-q0.9"} <= set(frame)
    assert frame["cutoff"].unique().tolist() == [
        pd.Timestamp("2024-04-20"),
        pd.Timestamp("2024-04-27"),
    ]
    assert record["objective"]["name"] == "test/wape"
    assert np.isfinite(record["objective"]["value"])
    assert "test/wape" in (folder / "metrics.csv").read_text()


def test_trained_run_is_backtested_as_it_is(script: Script) -> None:
    held = ["protocol.last_cutoff=2024-04-20"]
    assert script("train", *TABLE, *SMALL, *held, "model=linear", "name=train") == 0
    trained = run_folder("train")
    again = ["tracking=none", "paths.runs=runs", "name=again", *ROLLING]
    assert script("backtest", f"run={trained}", *again) == 0
    record, folder = record_of("again"), run_folder("again")
    source = read_record(trained)
    assert record["config"]["evaluates"] == f"{source['config_hash']}/seed{source['seed']}"
    assert len(pd.read_parquet(folder / "forecasts.parquet")) == 2 * 2 * HORIZON
    assert not (folder / "checkpoints").exists()


@pytest.mark.parametrize("refit", ["each", "2"])
def test_backtest_refits(script: Script, refit: str) -> None:
    code = script(
        "backtest", *TABLE, *SMALL, *ROLLING, "model=linear", "name=refit",
        f"protocol.refit={refit}", "protocol.window=90", "protocol.count=3", "protocol.step=5",
    )  # fmt: skip
    assert code == 0
    until = record_of("refit")["split"]["fitted_until"]
    assert len(until) == (3 if refit == "each" else 2)


def test_refits_do_not_go_on_with_one_checkpoint(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    refits = ["protocol.refit=each", "model.resume=last.ckpt", "name=resumed"]
    assert script("backtest", *TABLE, *SMALL, *ROLLING, "model=linear", *refits) == 2
    assert "protocol.refit=each asks for 2" in capfd.readouterr().err


def test_forecast_goes_beyond_the_last_row(script: Script) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    trained = run_folder("train")
    code = script("forecast", f"run={trained}", "name=ahead", "tracking=none", "paths.runs=runs")
    assert code == 0
    frame = pd.read_parquet(run_folder("ahead") / "forecasts.parquet")
    assert len(frame) == 2 * HORIZON
    assert frame["cutoff"].unique().tolist() == [LAST]
    assert frame["ds"].min() == LAST + pd.Timedelta(days=1)
    assert frame["ds"].max() == LAST + pd.Timedelta(days=HORIZON)
    assert np.isfinite(frame["linear"]).all()
    assert (frame["linear-q0.9"] >= frame["linear-q0.1"]).all()


def test_series_without_history_is_left_out_and_said(script: Script) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    table, future = lanes()
    silent = (table["unique_id"] == "A>C") & (table["ds"] > LAST - pd.Timedelta(days=90))
    table[~silent].to_csv("newer.csv", index=False)
    future[future["unique_id"] == "A>B"].to_csv("future.csv", index=False)
    command = [f"run={run_folder('train')}", "tracking=none", "paths.runs=runs", "name=left"]
    assert script("forecast", *command, "data.path=newer.csv") == 0
    record = record_of("left")
    assert record["windows"]["windows_without_history"] == 1
    (warning,) = record["warnings"]
    assert warning.startswith("1 of 2 series are not forecast")
    assert warning.endswith(": 'A>C'")


def test_series_without_any_history_is_no_forecast(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    command = [f"run={run_folder('train')}", "tracking=none", "paths.runs=runs", "name=none"]
    assert script("forecast", *command, "cutoff=2024-01-02") == 1
    assert "2 of 2 series are not forecast" in capfd.readouterr().err


def test_series_new_since_training_is_forecast_and_counted(script: Script) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    for number, part in enumerate(lanes()):
        new = part[part["unique_id"] == "A>C"].assign(unique_id="B>D")
        pd.concat([part, new]).to_csv(("lanes.csv", "future.csv")[number], index=False)
    command = [f"run={run_folder('train')}", "tracking=none", "paths.runs=runs", "name=new"]
    assert script("forecast", *command) == 0
    assert record_of("new")["model"]["counts"]["series_unseen_in_training"] == 1
    frame = pd.read_parquet(run_folder("new") / "forecasts.parquet")
    assert frame["unique_id"].unique().tolist() == ["A>B", "A>C", "B>D"]


def test_missing_known_future_leaves_its_series_out_or_is_refused(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    _, future = lanes()
    late = (future["unique_id"] == "A>C") & (future["ds"] > LAST + pd.Timedelta(days=3))
    future[~late].to_csv("short.csv", index=False)
    command = [f"run={run_folder('train')}", "tracking=none", "paths.runs=runs"]
    command.append("data.future_path=short.csv")
    assert script("forecast", *command, "name=short") == 0
    (warning,) = record_of("short")["warnings"]
    assert "1 of 2 series are not forecast" in warning
    assert "'A>C' (promo from 2024-06-02)" in warning
    assert "strict=true" in warning
    assert warning in capfd.readouterr().out
    frame = pd.read_csv(run_folder("short") / "forecasts.csv")
    assert frame["unique_id"].unique().tolist() == ["A>B"]

    assert script("forecast", *command, "name=strict", "strict=true") == 1
    assert "column 'promo' is known_future but missing for series 'A>C'" in capfd.readouterr().err
    assert read_record(run_folder("strict"))["status"] == "failed"

    future[future["ds"] < LAST + pd.Timedelta(days=3)].to_csv("short.csv", index=False)
    assert script("forecast", *command, "name=nobody") == 1
    assert "2 of 2 windows lack some of it" in capfd.readouterr().err


def test_forecast_ends_with_what_it_forecast(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    assert script("train", *TABLE, *SMALL, "model=linear", "name=train") == 0
    capfd.readouterr()
    command = [f"run={run_folder('train')}", "tracking=none", "paths.runs=runs", "name=ahead"]
    assert script("forecast", *command, 'plot=["A>B", "A>D"]', "data.unit=parcels") == 0
    lines = capfd.readouterr().out.splitlines()
    folder = run_folder("ahead")
    table = pd.read_csv(folder / "forecasts.csv", parse_dates=["ds", "cutoff"])
    twin = pd.read_parquet(folder / "forecasts.parquet")
    assert list(table) == list(twin)
    np.testing.assert_allclose(table["linear"], twin["linear"], rtol=1e-6)
    assert lines[0].split() == ["total", "per", "step", "parcels"]
    totals = twin.groupby("ds")["linear"].sum()
    for line, (day, total) in zip(lines[1:], totals.items(), strict=False):
        assert line.split()[0] == f"{day:%F}"
        assert float(line.split()[1]) == pytest.approx(total, rel=1e-3)
    closing = "completed: 2 series, 14 steps of D, 2024-05-30 to 2024-06-12; see runs/ahead/"
    assert lines[-1].startswith(closing)
    assert len(lines) == 1 + HORIZON + 2  # the warning below, and the closing line
    assert (folder / "forecast.png").read_bytes().startswith(b"\x89PNG")
    (warning,) = record_of("ahead")["warnings"]
    assert (
        warning == "plot names 'A>D', which is no series that is forecast; did you mean A>C or A>B?"
    )


def test_sweep_ends_with_the_command_that_compares_it(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    assert script("train", "-m", *TABLE, *SMALL, "model=linear,dlinear", "name=sweep") == 0
    last = capfd.readouterr().out.splitlines()[-1]
    counts, _, command = last.partition("; compare with: ")
    assert counts == "2 completed, 0 failed"
    python, program, *argv = shlex.split(command)
    assert (python, Path(program).name) == ("python", "compare.py")
    assert script("compare", *argv) == 0
    table = pd.read_csv("runs/sweep/compare.csv")
    assert set(table["model"]) == {"linear", "dlinear"}
    assert np.isfinite(table["objective"]).all()


def test_same_command_gives_the_same_losses(script: Script) -> None:
    for name in ("one", "two"):
        assert script("train", *TABLE, *SMALL, "model=nhits", f"name={name}") == 0
    one, two = (run_folder(name) / "metrics.csv" for name in ("one", "two"))
    assert one.read_text() == two.read_text()


def test_a_score_that_fails_loses_neither_model_nor_forecasts(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError("no score")

    monkeypatch.setattr("lanecast.pipeline.backtesting.evaluate", failing)
    assert script("backtest", *TABLE, *SMALL, *ROLLING, "model=linear", "name=lost") == 1
    folder = run_folder("lost")
    assert (folder / "forecasts.parquet").is_file()
    assert (folder / "model" / "model.safetensors").is_file()
