"""A config keeps its hash whatever moves, and whatever keys are added later."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hydra import compose, initialize_config_dir

from lanecast.config import config_hash
from lanecast.config.identity import FIRST_MODULES, first_named, named_as_today
from lanecast.config.recorded import read_config

ROOT = Path(__file__).parents[2]
RECORDS = sorted(
    path.parent
    for path in (ROOT / "experiments").glob("*/results.csv")
    if "hash" in pd.read_csv(path, nrows=1)
)
OLD_RUNS = sorted((ROOT / "tests" / "fixtures" / "of-2026-11-29").glob("*/seed1"))


def test_thirteen_experiments_carry_a_recorded_hash():
    assert len(RECORDS) == 13


@pytest.mark.parametrize("folder", RECORDS, ids=lambda folder: folder.name)
def test_recorded_hash_comes_out_of_its_config(folder):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    recorded = set(pd.read_csv(folder / "results.csv", dtype=str)["hash"])
    assert config_hash(config) in recorded
    assert config_hash(named_as_today(config)) == config_hash(config)


@pytest.mark.parametrize("folder", OLD_RUNS, ids=lambda folder: folder.parent.name)
def test_old_run_keeps_its_hash(folder):
    record = json.loads((folder / "record.json").read_text())
    assert config_hash(read_config(folder)) == record["config_hash"]


@pytest.mark.parametrize(
    "path", ["new", "model.new", "model.windows.new", "data.schema.closes_after", "data.source.sep"]
)
@pytest.mark.parametrize("value", [None, [], {}, {"threshold": None}])
def test_unset_new_key_is_not_hashed(path, value):
    config = yaml.safe_load((RECORDS[0] / "config.yaml").read_text())
    before = config_hash(config)
    *parents, key = path.split(".")
    node = config
    for parent in parents:
        if not isinstance(node.get(parent), dict):  # an interpolation such as ${windows}
            node[parent] = config[parent]
        node = node[parent]
    node[key] = value
    assert config_hash(config) == before
    node[key] = 3
    assert config_hash(config) != before


def test_unset_key_of_the_first_day_is_hashed_as_it_was():
    config = yaml.safe_load((RECORDS[0] / "config.yaml").read_text())
    assert config["evaluates"] is None
    before = config_hash(config)
    del config["evaluates"]
    assert config_hash(config) != before


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("model.network.options", {"dropout": None}),
        ("dag", {"nodes": {"promo": {"kind": "treatment", "policy_parents": []}}}),
        ("data.calendar", {"days": {"peak": []}}),
    ],
)
def test_names_and_options_handed_on_are_hashed_even_where_empty(path, options):
    config = yaml.safe_load((RECORDS[0] / "config.yaml").read_text())
    *parents, key = path.split(".")
    node = config
    for parent in parents:
        node = node.setdefault(parent, {})

    def hash_with(value):
        node[key] = value
        return config_hash(config)

    def without(value):
        (name, child), *_ = value.items()
        if isinstance(child, dict) and child:
            return {name: without(child)}
        return {other: entry for other, entry in value.items() if entry not in (None, [])}

    assert hash_with(options) != hash_with(without(options))


def test_first_names_lead_back_to_the_names_of_today():
    assert len(set(FIRST_MODULES.values())) == len(FIRST_MODULES)
    assert not set(FIRST_MODULES) & set(FIRST_MODULES.values())
    for module in FIRST_MODULES:
        call = {"_target_": f"{module}.Name"}
        assert named_as_today(first_named(call)) == call


@pytest.mark.parametrize(
    ("model", "scheduled", "recorded"),
    [
        ("schedule", "known_future", "d87fd6b9"),
        ("nhits", "known_future", "afe6e891"),
        ("tft", "known_future", "e2962725"),
        ("lightgbm", "known_future", "59688e6e"),
        ("nhits", "observed", "5eaae22e"),
        ("lightgbm", "observed", "488f49f1"),
        ("auto_ets", "observed", "3fd89ba9"),
        ("seasonal_naive", "observed", "788d8fff"),
        ("tft", "observed", "eef7a934"),
    ],
)
def test_demo_keeps_its_hashes(model, scheduled, recorded):
    role = f"data.schema.columns.scheduled.role={scheduled}"
    overrides = ["experiment=demo", f"model={model}", role, "paths.output=."]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        assert config_hash(compose("backtest", overrides=overrides)) == recorded
