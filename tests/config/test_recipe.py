import pytest
from omegaconf import OmegaConf

from lanecast.config import check_targets, config_hash, instantiate, resolved_config
from lanecast.errors import ConfigError

CONFIG = {
    "seed": 1,
    "name": "adhoc",
    "run": None,
    "skip_finished": False,
    "keep": {"checkpoints": 1},
    "paths": {"data": "data", "output": "out"},
    "tracking": {"mode": "offline"},
    "trainer": {"accelerator": "cpu", "threads": 2, "precision": "32-true"},
    "data": {"path": "${paths.data}/lanes.csv", "columns": ["y"]},
    "model": {"seed": "${seed}", "hardware": "${trainer}", "hidden": 8},
}


def with_value(path: str, value: object) -> object:
    config = OmegaConf.create(CONFIG)
    OmegaConf.update(config, path, value)
    return config


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 2),
        ("name", "other"),
        ("skip_finished", True),
        ("keep.checkpoints", 5),
        ("paths.data", "/elsewhere"),
        ("tracking.mode", "online"),
        ("trainer.accelerator", "gpu"),
        ("trainer.threads", 8),
    ],
)
def test_config_hash_ignores_what_cannot_change_a_result_even_interpolated(path, value):
    assert config_hash(with_value(path, value)) == config_hash(CONFIG)


@pytest.mark.parametrize(
    ("path", "value"),
    [("model.hidden", 16), ("trainer.precision", "bf16-mixed"), ("data.columns", ["y", "x"])],
)
def test_config_hash_changes_with_whatever_can_change_a_result(path, value):
    assert config_hash(with_value(path, value)) != config_hash(CONFIG)


def test_config_hash_is_eight_hex_digits_whatever_the_order_of_keys():
    value = config_hash(CONFIG)
    assert len(value) == 8
    assert int(value, 16) >= 0
    assert config_hash(dict(reversed(CONFIG.items()))) == value


def test_resolved_config_has_no_interpolation_left():
    resolved = resolved_config(CONFIG)
    assert resolved["data"]["path"] == "data/lanes.csv"
    assert "${" not in str(resolved)


def test_resolved_config_names_the_key_that_cannot_be_resolved():
    with pytest.raises(ConfigError, match="modle"):
        resolved_config({"model": {"width": "${modle.hidden}"}})


def test_resolved_config_names_the_key_that_is_missing():
    with pytest.raises(ConfigError, match=r"model\.hidden"):
        resolved_config({"model": {"hidden": "???"}})


def test_check_targets_names_the_dotted_path_of_a_foreign_target():
    config = {"model": {"networks": [{"_target_": "lanecast.a.B"}, {"_target_": "os.system"}]}}
    with pytest.raises(ConfigError, match=r"model\.networks\[1\]\._target_='os.system'"):
        check_targets(config)


def test_instantiate_builds_a_target_that_is_allowed():
    built = instantiate(
        {"_target_": "lanecast.data.windows.WindowSpec", "context": 8, "horizon": 2}
    )
    assert built.horizon == 2


def test_instantiate_resolves_a_node_against_the_root_it_hangs_in():
    root = OmegaConf.create(
        {
            "steps": 5,
            "windows": {
                "_target_": "lanecast.data.windows.WindowSpec",
                "context": "${steps}",
                "horizon": 1,
            },
        }
    )
    assert instantiate(root.windows).context == 5


def test_instantiate_refuses_a_foreign_function_behind_an_allowed_module():
    with pytest.raises(ConfigError, match="outside lanecast"):
        instantiate({"_target_": "lanecast.cli.entry.os.system", "command": "true"})


def test_instantiate_suggests_the_nearest_class():
    with pytest.raises(ConfigError, match="did you mean WindowSpec"):
        instantiate({"_target_": "lanecast.data.windows.WindowSpek"})


def test_instantiate_passes_our_own_refusals_on_unwrapped():
    with pytest.raises(ConfigError, match=r"windows\.horizon=0 must be at least 1"):
        instantiate({"_target_": "lanecast.data.windows.WindowSpec", "context": 5, "horizon": 0})


def test_a_config_accepts_the_parameters_of_its_class():
    from lanecast.config.recipe import accepts

    point = {"_target_": "lanecast.models.deep.losses.Point", "kind": "mae"}
    assert accepts(point, "kind")
    assert not accepts(point, "weigher")
