import pytest

from lanecast.config import config_hash, recorded_config
from lanecast.errors import ConfigError


@pytest.fixture
def trained(toy):
    assert toy("model=large", "model.depth=5", "seed=3", "name=trained") == 0
    (record,) = toy.records("trained")
    return record


def test_recorded_config_is_the_runs_own_though_conf_changed(toy, trained):
    (toy.folder / "conf" / "model" / "large.yaml").write_text("name: changed\n")
    config = recorded_config(trained["folder"])
    assert config.model.depth == 5
    assert config_hash(config) == trained["config_hash"]


def test_an_override_of_a_recorded_config_reaches_every_place_that_uses_it(trained):
    config = recorded_config(trained["folder"], ["seed=9", "trainer.threads=1"])
    assert config.model.seed == 9
    assert config.model.hardware.threads == 1


def test_an_unknown_key_is_refused_with_the_nearest_of_the_recorded_config(trained):
    with pytest.raises(ConfigError, match=r"did you mean model\.depth"):
        recorded_config(trained["folder"], ["model.dept=9"])


def test_a_folder_without_a_record_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"record\.json does not exist"):
        recorded_config(tmp_path)


def test_repeating_a_run_keeps_model_seed_and_hash(toy, trained):
    assert toy(f"run={trained['folder']}", "name=again") == 0
    (again,) = toy.records("again")
    assert again["config_hash"] == trained["config_hash"]
    assert again["folder"].parts[-2:] == trained["folder"].parts[-2:]


def test_repeating_a_run_into_its_own_folder_is_refused(toy, trained, capfd):
    assert toy(f"run={trained['folder']}", "name=trained") == 1
    assert "finished run" in capfd.readouterr().err


def test_a_value_that_only_the_recorded_model_has_can_be_overridden(toy, trained):
    assert toy(f"run={trained['folder']}", "model.depth=7", "name=again") == 0
    (again,) = toy.records("again")
    assert again["config"]["model"]["depth"] == 7
    assert again["config_hash"] != trained["config_hash"]


def test_another_verb_takes_its_own_protocol_and_says_what_it_evaluates(toy, trained):
    given = [f"run={trained['folder']}", "protocol.step=1", "name=tested"]
    assert toy(*given, verb="backtest") == 0
    (tested,) = toy.records("tested")
    assert tested["config"]["protocol"] == {"kind": "rolling", "step": 1}
    assert tested["config"]["evaluates"] == f"{trained['config_hash']}/seed3"
    assert tested["config"]["model"]["depth"] == 5
    assert tested["choices"]["model"] == "large"


def test_a_group_chosen_beside_run_comes_from_todays_conf(toy, trained):
    assert toy(f"run={trained['folder']}", "trainer=gpu", "name=again") == 0
    (again,) = toy.records("again")
    assert again["config"]["model"]["hardware"]["accelerator"] == "gpu"
    assert again["config_hash"] == trained["config_hash"]


def test_a_misspelled_key_beside_run_is_refused_before_any_folder(toy, trained, capfd):
    assert toy(f"run={trained['folder']}", "model.dept=7", "name=again") == 2
    assert "did you mean model.depth" in capfd.readouterr().err
    assert not toy.records("again")
