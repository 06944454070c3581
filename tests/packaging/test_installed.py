"""The wheel in an environment and a folder of its own: a table goes all the way, by the command.

The environment borrows the packages of the one that runs the tests; with LANECAST_REAL_INSTALL=1 it
is made as a user makes it, by pip and the constraints: minutes, and some 2 GB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from built_wheel import ROOT
from lane_table import ROLLING, lanes
from package_of_others import write_their_package

pytestmark = pytest.mark.slow

MY_LANES = """\
defaults: [panel_csv, _self_]
path: lanes.csv
future_path: future.csv
schema:
  columns:
    y: {role: target, non_negative: true}
    promo: {role: known_future, manipulable: true}
    late: {role: observed}
"""
MY_DAG = """\
nodes:
  promo: {kind: treatment, policy_parents: []}
  calendar: {kind: exogenous, calendar: true}
  orders: {kind: endogenous, column: y, link: log1p}
edges:
  - {from: promo, to: orders, lags: [0]}
  - {from: orders, to: orders, lags: [1, 7]}
"""
SMALL = ["data=my_lanes", "dag=my_lanes", "model=linear", "optim.max_steps=20"]
SMALL += ["coupling.mechanisms.steps=20", "trainer.progress=false", "trainer.threads=1"]

Lanecast = Callable[..., str]


def run(*call: str | Path, folder: Path, path: Path | None = None) -> str:
    """What a command prints; PYTHONPATH holds nothing but ``path``."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    answer = subprocess.run(
        list(map(str, call)), cwd=folder, env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, f"{call}\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin`` of a fresh environment that holds the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    real = os.environ.get("LANECAST_REAL_INSTALL") == "1"
    venv.create(folder, with_pip=real)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    if real:
        constraints = ROOT / "constraints.txt"
        run(*pip, f"{wheel}[planning]", "--constraint", constraints, folder=folder)
        return folder / "bin"
    run(*pip, "--no-deps", "--no-index", wheel, folder=folder)
    borrowed = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=borrowed))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: a table, its future, and YAML of one's own in ./conf."""
    folder = tmp_path_factory.mktemp("user")
    past, future = lanes()
    past.to_csv(folder / "lanes.csv", index=False)
    future.to_csv(folder / "future.csv", index=False)
    for group, text in (("data", MY_LANES), ("dag", MY_DAG)):
        (folder / "conf" / group).mkdir(parents=True)
        (folder / "conf" / group / "my_lanes.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def lanecast(environment: Path, folder: Path) -> Lanecast:
    """``lanecast("train", ...)`` in the user's folder gives what it prints."""
    return lambda *words: run(environment / "lanecast", *words, folder=folder)


@pytest.fixture(scope="module")
def trained(lanecast: Lanecast, folder: Path) -> str:
    lanecast("train", *SMALL, "name=mine")
    (record,) = (folder / "runs" / "mine").glob("linear-my_lanes-*/seed1/record.json")
    return f"run={record.parent.relative_to(folder)}"


def test_the_package_comes_from_the_wheel_and_import_loads_nothing_heavy(environment, folder):
    code = (
        "import sys, lanecast; print(lanecast.__file__);"
        "print(*({'torch', 'pandas', 'hydra', 'numpy'} & set(sys.modules)))"
    )
    place, loaded = run(environment / "python", "-c", code, folder=folder).split("\n")[:2]
    assert Path(place).is_relative_to(environment.parent)
    assert loaded == ""


def test_the_command_tells_verbs_version_and_ones_own_choices(lanecast):
    assert "\n  backtest " in lanecast("--help")
    assert lanecast("--version").startswith("lanecast ")
    assert "my_lanes" in lanecast("train", "--help")


def test_a_table_is_trained_forecast_and_asked_what_if(lanecast, folder, trained):
    lanecast("check", "data=my_lanes")
    lanecast("forecast", trained, "name=next")
    (forecasts,) = (folder / "runs" / "next").rglob("forecasts.parquet")
    frame = pd.read_parquet(forecasts)
    assert set(frame["unique_id"]) == {"A>B", "A>C"}
    assert len(frame) == 28
    lanecast("scenario", trained, "scenario=promo_on", "samples=20", "name=asked")
    (asked,) = (folder / "runs" / "asked").rglob("scenario.parquet")
    assert pd.read_parquet(asked)["difference"].abs().sum() > 0
    lanecast("audit", trained, "samples=4")
    lanecast("falsify", trained)


def test_backtests_of_two_models_are_compared(lanecast, folder):
    naive = ["data=my_lanes", "model=seasonal_naive", "model.stride=7,14"]
    lanecast("backtest", "-m", *naive, *ROLLING, "name=many")
    lanecast("backtest", *SMALL, *ROLLING, "name=many")
    assert "seasonal_naive" in lanecast("compare", "runs=runs/many/**")
    assert len(pd.read_csv(folder / "runs" / "many" / "compare.csv")) == 3
    assert (folder / "runs" / "many" / "review.html").is_file()


def test_models_are_listed(lanecast):
    assert "nhits" in lanecast("models", "only=[nhits,seasonal_naive]")


def test_workers_of_a_sweep_find_ones_own_yaml(lanecast, folder):
    words = ["-m", "data=my_lanes", "model=seasonal_naive", "seed=1,2", "name=side"]
    lanecast("train", *words, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert len(list((folder / "runs" / "side").glob("*/*/record.json"))) == 2


def test_a_package_of_others_is_trained_from_its_own_folder(environment, folder):
    theirs = write_their_package(folder / "theirs")
    model = (theirs / "conf" / "model" / "their_model.yaml").read_text()
    (folder / "conf" / "model").mkdir()
    (folder / "conf" / "model" / "my_copy.yaml").write_text(model)  # beside data=my_lanes
    table = ["data=panel_csv", "data.path=lanes.csv", "data.source.drop=[promo,late]"]
    for words in (
        ["data=my_lanes", "model=my_copy", "name=copied"],
        [*table, "model=their_model", "name=theirs", "--config-dir", "theirs/conf"],
    ):
        call = [environment / "lanecast", "train", *words, "trust=[their_package.]"]
        run(*call, folder=folder, path=theirs)
    code = "from their_package.models import TheirModel as M; from lanecast.testing import *; "
    run(environment / "python", "-c", code + "check_forecaster(M)", folder=folder, path=theirs)
