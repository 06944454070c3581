import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from lanecast.cli.folders import ConfFolders
from lanecast.cli.help import help_text
from lanecast.config import check_targets, config_hash, resolved_config

CONF = Path(__file__).parents[2] / "conf"
HEAVY = ["torch", "lightning", "pandas", "numpy", "wandb", "neuralforecast", "matplotlib", "joblib"]


def test_the_entry_and_hydras_plugins_import_nothing_heavy():
    code = (
        "import sys, lanecast.config, lanecast.runs.callback;"
        "from hydra.core.plugins import Plugins; Plugins.instance();"
        f"sys.exit(' '.join({{*{HEAVY}}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("root", ["train", "backtest", "forecast", "scenario", "probe"])
def test_root_composes_with_allowed_targets_and_a_hash(root, tmp_path):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(root, overrides=[f"paths.output={tmp_path}"])
    check_targets(cfg)
    assert cfg.verb == root
    assert len(config_hash(cfg)) == 8


@pytest.mark.parametrize(
    "root", ["audit", "check", "falsify", "explain", "generate", "midmile_do", "runs"]
)
def test_a_root_that_makes_no_run_composes(root):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(root)
    check_targets(cfg)


def test_the_benchmark_composes_and_resolves():
    with initialize_config_dir(str(CONF.parent / "benchmarks" / "conf"), version_base="1.3"):
        cfg = compose("benchmark")
    assert resolved_config(cfg)["networks"] == ["nhits", "nhits512"]


@pytest.mark.parametrize("root", ["train", "backtest", "forecast"])
def test_help_lists_every_model(root):
    told = help_text(ConfFolders(main=CONF), root, door=str)
    for path in (CONF / "model").glob("[a-z]*.yaml"):
        assert path.stem in told


def test_help_of_a_verb_without_a_run_shows_its_own_keys_and_examples():
    told = help_text(ConfFolders(main=CONF), "audit", door="lanecast {}".format)
    assert "lanecast audit run=" in told
    assert "max_series=256" in told
    assert "skip_finished" not in told
    of_a_run = help_text(ConfFolders(main=CONF), "scenario", door=str)
    assert "promo_week2" in of_a_run
    assert "skip_finished" in of_a_run


@pytest.mark.parametrize("path", sorted((CONF / "experiment").glob("*.yaml")), ids=lambda p: p.stem)
def test_experiment_composes_and_names_its_runs_after_itself(path, tmp_path):
    overrides = [f"experiment={path.stem}", f"paths.output={tmp_path}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("backtest", overrides=overrides)
    check_targets(cfg)
    assert len(config_hash(cfg)) == 8
    assert cfg.name == path.stem


GROUPS = [
    (group.name, choice.stem)
    for group in sorted(CONF.iterdir())
    if group.is_dir() and group.name not in ("experiment", "hydra", "protocol")
    for choice in sorted(group.glob("[a-z]*.yaml"))
]


@pytest.mark.parametrize(("group", "choice"), GROUPS)
def test_every_choice_of_every_group_composes(group, choice, tmp_path):
    overrides = [f"{group}={choice}", f"paths.output={tmp_path}"]
    if choice in ("panel_csv", "panel_parquet"):
        overrides.append("data.path=table.csv")
    if choice in ("panel_store", "midmile_store"):
        overrides += ["data.path=parts", "data.store=store"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("scenario" if group == "scenario" else "backtest", overrides=overrides)
    check_targets(cfg)
    assert len(config_hash(cfg)) == 8
