"""``coupling=auto`` and the coupling it stands for are one config, unless ``auto`` was recorded."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from lanecast.config import config_hash
from lanecast.config.recorded import effective_config

CONF = Path(__file__).parents[2] / "conf"


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*overrides, "paths.output=."])


@pytest.mark.parametrize(
    ("graph", "mode"),
    [
        (["data=midmile", "dag=midmile"], "delta"),
        (["data=midmile_network", "dag=midmile_network"], "delta"),
        (["data=flights", "dag=flights"], "features"),
        (["data=bike_sharing", "dag=bike_sharing"], "features"),
    ],
)
def test_auto_has_the_hash_of_the_coupling_it_stands_for_and_of_no_other(graph, mode):
    auto = effective_config(composed(*graph, "coupling=auto"))
    assert auto.coupling.mode == mode
    same = {
        name
        for name in ("delta", "delta_policy", "features", "mechanism", "no_future", "none")
        if config_hash(effective_config(composed(*graph, f"coupling={name}"))) == config_hash(auto)
    }
    assert same == {mode}


def test_auto_without_a_graph_stays_as_it_is():
    plain = composed("coupling=auto")
    assert effective_config(plain) is plain


def test_a_graph_that_cannot_be_read_is_left_to_its_own_error():
    for nodes in ("null", "[promo]", "{promo: treatment}"):
        broken = composed("dag=midmile", "~dag.nodes", f"+dag.nodes={nodes}", "coupling=auto")
        assert effective_config(broken).coupling.mode == "features"


@pytest.fixture
def recorded(tmp_path):
    """A run folder whose config was recorded with ``auto``, as before it was named."""
    config = composed("data=midmile", "dag=midmile", "coupling=auto")
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(config, tmp_path / ".hydra" / "config.yaml")
    facts = {"config_hash": config_hash(config), "seed": 1, "config": {}, "verb": "train"}
    (tmp_path / "record.json").write_text(json.dumps(facts))
    return tmp_path, facts["config_hash"]


def test_a_config_recorded_with_auto_is_repeated_under_its_own_hash(recorded):
    folder, hash_of_record = recorded
    repeated = effective_config(composed(f"run={folder}"))
    assert repeated.coupling.mode == "auto"
    assert config_hash(repeated) == hash_of_record
