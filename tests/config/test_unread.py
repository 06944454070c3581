"""A group that the model never reads is refused where it is chosen; a key of it is told."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir

from lanecast.config import unread as unread_module
from lanecast.config.recipe import composed_config
from lanecast.config.unread import OF_NETWORKS, refuse_unread, unread
from lanecast.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf"


def model_of(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return composed_config(compose("train", [f"model={name}"]))["model"]


@pytest.mark.parametrize("model", ["nhits", "nhits_seeds"])
@pytest.mark.parametrize("group", OF_NETWORKS)
def test_a_network_reads_every_group_of_networks(model, group):
    overrides = [f"{group}=any", f"{group}.key=1"]
    assert unread(model_of(model), overrides=overrides, groups=OF_NETWORKS) == []


@pytest.mark.parametrize("model", ["lightgbm", "seasonal_naive", "ensemble", "nf_nhits"])
@pytest.mark.parametrize("override", ["scaler=robust", "++optim.max_steps=3", "inputs.calendar=[]"])
def test_what_another_model_does_not_read_is_named_as_it_was_set(model, override):
    found = unread(model_of(model), overrides=["seed=2", override], groups=OF_NETWORKS)
    assert found == [override.lstrip("+")]


def test_an_anchor_of_a_models_own_is_not_the_group():
    model = model_of("lightgbm")
    assert model["anchor"] == "scheduled"
    assert unread(model, overrides=["anchor=season"], groups=OF_NETWORKS) == ["anchor=season"]
    assert unread(model, overrides=["model.anchor=null"], groups=OF_NETWORKS) == []


@pytest.fixture
def called_with(monkeypatch):
    """The command line of a job, as Hydra would tell it."""

    def set_words(*overrides):
        call = SimpleNamespace(overrides=overrides, choices=dict.fromkeys(OF_NETWORKS))
        monkeypatch.setattr(unread_module, "invocation", lambda: call)

    return set_words


@pytest.mark.parametrize("model", ["seasonal_naive", "lightgbm"])
def test_keys_for_other_models_of_a_command_line_are_told(model, called_with):
    called_with("optim.val_steps=7", "++scaler.floor=1")
    warning = refuse_unread({"model": model_of(model)})
    assert warning.startswith("optim.val_steps=7, scaler.floor=1 configure networks")
    assert refuse_unread({"model": model_of("nhits")}) is None


def test_a_group_that_is_chosen_for_a_model_without_it_is_refused(called_with):
    called_with("optim.val_steps=7", "scaler=robust")
    with pytest.raises(ConfigError, match="scaler=robust configures a network"):
        refuse_unread({"model": model_of("lightgbm")})
