"""Configs by name from Python: what settings mean, what is refused, and what Hydra is left with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from lanecast.config import packaged_conf
from lanecast.config.choosing import composed, data_config, model_config, options_of, plan_config
from lanecast.errors import ConfigError


def test_settings_are_groups_dotted_keys_or_last_words() -> None:
    cfg = model_config(
        "tft",
        {"calibration": "aci", "optim": {"batch_size": 8}, "max_steps": 20, "hidden_size": 4},
        {"optim.optimizer.lr": 0.5},
    )
    assert cfg.calibration.method.name == "aci"
    assert (cfg.optim.batch_size, cfg.optim.max_steps, cfg.optim.optimizer.lr) == (8, 20, 0.5)
    assert cfg.model.network.options.hidden_size == 4


def test_settings_give_the_config_of_the_command() -> None:
    with initialize_config_dir(str(packaged_conf()), version_base="1.3"):
        command = compose(
            "backtest",
            overrides=["model=nhits", "windows.horizon=7", "loss=huber", "optim.max_steps=20"],
        )
    python = model_config("nhits", {"horizon": 7, "loss": "huber", "max_steps": 20})
    for key in ("model", "windows", "loss", "optim", "trainer", "scaler", "inputs"):
        ours, theirs = (OmegaConf.to_container(cfg[key], resolve=True) for cfg in (python, command))
        assert ours == theirs


def test_overrides_are_lines_of_the_command_or_a_mapping() -> None:
    lines = model_config("nhits", {}, ["trainer.threads=1", "loss=mae", "seed=4"])
    mapping = model_config("nhits", {}, {"trainer.threads": 1, "loss": "mae", "seed": 4})
    assert lines == mapping
    assert lines.trainer.threads == 1
    assert lines.model.seed == 4


def test_a_seed_reaches_everything_that_is_drawn() -> None:
    cfg = model_config("nhits", {"seed": 3, "dag": "midmile"})
    assert cfg.model.seed == cfg.coupling.seed == 3


def test_numbers_of_numpy_and_tuples_are_plain_values() -> None:
    cfg = model_config("lightgbm", {"season": np.int64(24), "lags": (1, 24)})
    assert cfg.model.season == 24
    assert list(cfg.model.lags) == [1, 24]


def test_options_of_a_class_that_is_not_ours_may_be_new() -> None:
    cfg = model_config("nhits", {"options": {"n_blocks": [2, 2, 2]}})
    assert list(cfg.model.network.options.n_blocks) == [2, 2, 2]
    assert "mlp_units" in cfg.model.network.options


def test_a_short_context_and_a_long_horizon_need_no_further_setting() -> None:
    cfg = model_config("nhits", {"context": 7, "horizon": 35})
    assert cfg.windows.min_context == 7
    assert cfg.optim.val_steps == 35
    assert model_config("nhits", {"horizon": 35, "val_steps": 70}).optim.val_steps == 70


@pytest.mark.parametrize(
    ("name", "settings", "overrides", "message"),
    [
        ("nhitz", {}, (), "model=nhitz: there is no nhitz.yaml.*did you mean nhits"),
        ("nhits", {"max_step": 3}, (), "no setting 'max_step'; did you mean max_steps"),
        ("nhits", {"calibration": "acy"}, (), "no acy.yaml.*did you mean aci"),
        ("nhits", {"optim": {"max_step": 3}}, (), "did you mean optim.max_steps"),
        ("nhits", {}, ["optim.max_step=3"], "did you mean optim.max_steps"),
        ("nhits", {}, ["a b"], "cannot read overrides"),
        ("lightgbm", {"max_steps": 3}, (), "model=lightgbm has no setting 'max_steps'"),
        ("lightgbm", {"optim": {"max_steps": 3}}, (), "does not read optim"),
        ("lightgbm", {"loss": "mae"}, (), "model=lightgbm does not read loss"),
        ("ensemble", {"season": 24}, (), "season could be model.members"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    name: str, settings: dict[str, Any], overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        model_config(name, settings, overrides)


def test_nothing_of_hydra_is_left_behind() -> None:
    model_config("nhits", {})
    assert not GlobalHydra.instance().is_initialized()


def test_a_hydra_that_runs_is_as_it_was() -> None:
    with initialize_config_dir(str(packaged_conf()), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        model_config("nhits", {})
        model_config("lightgbm", {})
        assert GlobalHydra.instance().hydra is before
        assert compose("backtest", overrides=["model=tft"]).model.name == "tft"


def test_data_settings_are_keys_of_the_group() -> None:
    data = data_config("midmile", {"preset": "tiny"}, ["source.lanes=4", "data.unit=boxes"])
    assert (data.source.preset, data.source.lanes, data.unit) == ("tiny", 4, "boxes")
    with pytest.raises(ConfigError, match="data=midmile has no setting 'prest'; did you mean pre"):
        data_config("midmile", {"prest": "tiny"})


def test_plan_settings_are_keys_of_the_policy_or_the_network() -> None:
    cfg = plan_config("quantile", "midmile", {"quantile": 0.8, "history_days": 28})
    assert cfg.plan.quantile == 0.8
    assert cfg.network.history_days == 28


def test_yaml_of_the_working_folder_is_found_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    file = tmp_path / "conf" / "model" / "wide.yaml"
    file.write_text("defaults: [nhits, _self_]\nname: wide\n")
    monkeypatch.chdir(tmp_path)
    assert {"wide", "nhits"} <= set(options_of("model"))
    assert model_config("wide", {}).model.name == "wide"


def test_python_reads_no_search_path_from_a_conf_found_by_itself(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text("hydra: {searchpath: ['pkg://theirs']}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="was found by itself"):
        composed({})
