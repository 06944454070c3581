"""A model in a package outside the repository: its YAML, its trust, the command as ever."""

import json
import sys

import pandas as pd
import pytest

from command_runner import command
from lane_table import ROLLING, lanes
from package_of_others import write_their_package

__all__ = ["command"]

DATA = ["data=panel_csv", "data.path=lanes.csv", "+data.schema.columns.promo.role=known_future"]
DATA += ["+data.schema.columns.late.role=observed", "tracking=none"]
THEIRS = ["model=their_model", "--config-dir", "theirs/conf"]
TRUST = "trust=[their_package.]"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a table, and their package beside it, on the path."""
    lanes()[0].to_csv(tmp_path / "lanes.csv", index=False)
    monkeypatch.syspath_prepend(str(write_their_package(tmp_path / "theirs")))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "their_package"]:
        del sys.modules[name]


def test_their_model_trains_backtests_and_compares_as_any_other(command, folder, capfd):
    assert command("train", *DATA, *THEIRS, TRUST, "name=first") == 0
    assert command("backtest", *DATA, *THEIRS, TRUST, *ROLLING, "name=second") == 0
    assert command("backtest", *DATA, "model=seasonal_naive", *ROLLING, "name=second") == 0
    assert command("compare", "runs=runs/second/**", "page=false") == 0
    capfd.readouterr()
    table = pd.read_csv(folder / "runs" / "second" / "compare.csv")
    assert set(table["model"]) == {"their_model", "seasonal_naive"}
    (record,) = (folder / "runs" / "first").glob("their_model-panel_csv-*/seed1/record.json")
    facts = json.loads(record.read_text())
    assert facts["status"] == "completed"
    assert facts["config"]["trust"] == ["their_package."]


def test_their_model_of_a_recorded_run_is_refused_until_a_person_trusts_it(command, folder, capfd):
    until = "protocol.last_cutoff=2024-04-20"
    assert command("train", *DATA, *THEIRS, TRUST, until, "name=first") == 0
    (record,) = (folder / "runs" / "first").glob("*/*/record.json")
    backtest = ["backtest", f"run={record.parent}", *ROLLING, "name=second"]
    assert command(*backtest) == 2
    error = capfd.readouterr().err
    assert "model._target_='their_package.models.TheirModel'" in error
    assert TRUST in error
    assert command(*backtest, TRUST, "name=third") == 0


def test_their_model_stands_in_the_table_of_models(command, folder, capsys):
    assert command("models", "--config-dir", "theirs/conf", TRUST, "only=[their_model]") == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "their_model" in line]
    assert row.split()[:6] == ["their_model", "their_package", "-", "-", "-", "residuals"]


def test_a_misspelled_model_of_the_table_is_told_with_the_nearest(command, folder, capfd):
    assert command("models", "only=[nhit]") == 2
    assert "did you mean nhits" in capfd.readouterr().err
