"""A stranger's run folder is data: it runs nothing, writes nothing outside, resolves no secret."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hostile_folders import CASES, OLD, PRIVATE, SECRET, SHELL, Case, nothing, put, sound, write
from lanecast.config import instantiate
from lanecast.errors import ConfigError

WORD = "correct-horse-battery-staple"
VERBS = ("train", "backtest", "forecast", "scenario", "explain", "audit", "export", "plan",
         "replan", "probe", "falsify", "check")  # fmt: skip

RAN: set[Any] = set()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a victim works: a table, a folder that is precious to them, a secret."""
    home = tmp_path / "a" / "home"
    (home / "precious").mkdir(parents=True)
    (home / "precious" / "thesis.txt").write_text("years of work")
    shutil.copy(OLD / "lanes.csv", home)
    monkeypatch.chdir(home)
    monkeypatch.setenv(SECRET, WORD)
    monkeypatch.setattr("lanecast.workflows.train.run", build_all)
    return home


def build_all(cfg: Any) -> None:
    """A verb that builds all that a config describes, and fits nothing."""
    from lanecast.pipeline.building import build_forecaster
    from lanecast.runs.record import Run

    with Run.open(cfg):
        build_forecaster(cfg)
        for key in ("windows", "scaler", "loss", "optim", "trainer", "inputs", "anchor"):
            instantiate(cfg[key])
        instantiate(cfg.data.source)
        for trigger in (cfg.get("strategies") or {}).values():
            instantiate(trigger)


def outside(place: Path) -> dict[str, bytes | None]:
    """Every file but those of new run folders and of the stranger's, with its content."""
    ours = [place / name for name in ("runs", "theirs", "twin")]
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(place.parents[1].rglob("*"))
        if not any(path.is_relative_to(folder) for folder in ours)
    }


def holds_secret(folder: Path) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and WORD.encode() in path.read_bytes()
    ]


@pytest.mark.parametrize("name", CASES)
def test_a_poisoned_folder_is_refused_for_its_own_reason_and_its_twin_runs(
    command, place, capfd, name
):
    case = CASES[name]
    sound(place / "twin", case, poisoned=False)
    theirs = sound(place / "theirs", case, poisoned=True)
    before = outside(place)
    assert command("train", f"run={theirs}", "name=victim") in (1, 2)
    error = capfd.readouterr().err
    assert "Traceback" not in error
    assert case.reason in error.splitlines()[-1], error
    assert outside(place) == before
    assert not holds_secret(place)
    if case.prepare not in RAN:  # the twins of most cases are one folder
        assert command("train", f"run={place / 'twin'}", "name=twin") == 0, capfd.readouterr().err
        RAN.add(case.prepare)


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_builds_what_a_strangers_folder_names(command, place, capfd, verb):
    theirs = sound(place / "theirs", CASES["model is a private helper"], poisoned=True)
    before = outside(place)
    assert command(verb, f"run={theirs}", "hydra.run.dir=runs/x") == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert "is no public name" in error
    assert outside(place) == before


@pytest.mark.parametrize("verb", ["backtest", "forecast", "export", "check"])
def test_no_verb_resolves_the_environment_for_a_strangers_folder(command, place, capfd, verb):
    theirs = sound(place / "theirs", CASES["the environment"], poisoned=True)
    assert command(verb, f"run={theirs}") == 2
    assert "model.name=" in capfd.readouterr().err.splitlines()[-1]
    assert not holds_secret(place)


def test_what_reaches_beyond_the_config_can_be_given_again(command, place):
    theirs = sound(place / "theirs", CASES["the environment"], poisoned=True)
    assert command("train", f"run={theirs}", "model.name=mine", "name=again") == 0
    assert not holds_secret(place)


def test_weights_to_go_on_from_can_be_said_again_and_left_out(command, place):
    theirs = sound(place / "theirs", CASES["weights to go on from"], poisoned=True)
    for number, said in enumerate(("model.resume=mine.ckpt", "model.resume=null")):
        assert command("train", f"run={theirs}", said, f"name=again{number}") == 0


OURS: dict[str, Any] = {
    "engine": put("engine", PRIVATE),
    "tracking": put("tracking", SHELL),
    "sweeper": put("hydra", {"sweeper": SHELL, "launcher": SHELL, "callbacks": {"x": SHELL}}),
    "environment of the job": put("hydra.job.env_set", {"PYTHONPATH": "evil"}),
    "paths": put("paths", {"runs": "precious", "output": "precious", "data": "precious"}),
    "name": put("name", "../../precious"),
    "out": put("out", "precious"),
    "trust": put("trust", ["os."]),
}


@pytest.mark.parametrize("key", OURS)
@pytest.mark.parametrize("words", [[], ["-m", "seed=1,2"]], ids=["one job", "sweep"])
def test_what_belongs_to_this_call_is_never_taken_from_a_record(command, place, capfd, key, words):
    theirs = sound(place / "theirs", Case(OURS[key], "", nothing), poisoned=True)
    before = outside(place)
    environment = dict(os.environ)
    assert command("train", f"run={theirs}", "name=mine", *words) == 0, capfd.readouterr().err
    assert outside(place) == before
    assert dict(os.environ).get("PYTHONPATH") == environment.get("PYTHONPATH")
    records = sorted((place / "runs" / "mine").glob("*/*/record.json"))
    assert len(records) == (2 if words else 1)


FACTS: dict[str, tuple[dict[str, Any], str]] = {
    "hash": ({"config_hash": "../../../precious"}, "config_hash="),
    "hash with markup": ({"config_hash": "<script>alert(1)</script>"}, "config_hash="),
    "seed": ({"seed": "1/../../../precious"}, "is no whole number"),
    "model": ({"choices": {"model": "../../precious", "data": "x"}}, "model="),
    "choices": ({"choices": "../.."}, "choices="),
    "verb": ({"verb": "train; touch p"}, "verb="),
}


@pytest.mark.parametrize("name", FACTS)
def test_what_a_record_says_of_itself_has_its_type(command, place, capfd, name):
    facts, reason = FACTS[name]
    theirs = sound(place / "theirs", Case(nothing, ""), poisoned=False)
    config: Any = OmegaConf.to_container(
        OmegaConf.load(theirs / ".hydra" / "config.yaml"), resolve=False
    )
    write(theirs, config, **facts)
    before = outside(place)
    assert command("train", f"run={theirs}", "name=victim") == 2
    assert reason in capfd.readouterr().err.splitlines()[-1]
    assert command("compare", "runs=theirs", "out=table") != 0
    assert reason in capfd.readouterr().err
    assert outside(place) == before


def test_a_link_that_leads_out_of_the_folder_is_refused(command, place, capfd):
    theirs = sound(place / "theirs", Case(nothing, ""), poisoned=False)
    (theirs / "explained-2024-01-01T00").symlink_to(place / "precious")
    assert command("train", f"run={theirs}", "name=victim") == 2
    assert "is a link that leads out" in capfd.readouterr().err


@pytest.mark.parametrize("slug", ["../..", "a/b", "/tmp/x", "..", ""])
def test_a_slug_that_leads_elsewhere_is_refused(command, place, capfd, slug):
    sound(place / "theirs", Case(nothing, ""), poisoned=False)
    before = outside(place)
    assert command("record", "runs=theirs", f"slug='{slug}'", "question=a", "factor=b", "fixed=c",
                   "verdict=d.", "month=2026-11") == 2  # fmt: skip
    assert "slug=" in capfd.readouterr().err
    assert outside(place) == before


def test_a_config_dumped_by_hydra_is_not_unpickled(command, place, capfd):
    (place / "config.pickle").write_bytes(bomb("ran"))
    assert command("train", "--experimental-rerun", "config.pickle") == 2
    assert "could run code" in capfd.readouterr().err
    assert not (place / "ran").exists()


def bomb(path: str) -> bytes:
    """A pickle that makes a file when it is read."""
    import pickle

    class Bomb:
        def __reduce__(self) -> Any:
            return (open, (path, "w"))

    return pickle.dumps(Bomb())


def test_the_record_of_a_stranger_is_json_and_stays_so(place):
    theirs = sound(place / "theirs", Case(nothing, ""), poisoned=False)
    assert json.loads((theirs / "record.json").read_text())["config"]["seed"] == 1
    assert sys.modules.get("precious") is None


@pytest.mark.parametrize("name", ["the environment", "the environment, hidden", "seed is a path"])
def test_the_api_judges_a_strangers_folder_as_the_command_does(place, name):
    from lanecast.config import recorded_config
    from lanecast.config.recorded import read_config

    theirs = sound(place / "theirs", CASES[name], poisoned=True)
    for read in (read_config, recorded_config):
        with pytest.raises(ConfigError, match="theirs"):
            read(theirs)


def test_paths_of_a_record_reach_no_secret_from_python(place):
    from lanecast.config.recorded import read_config

    poison = put("paths.data", f"${{oc.env:{SECRET}}}")
    theirs = sound(place / "theirs", Case(poison, ""), poisoned=True)
    assert "data" not in read_config(theirs).paths
