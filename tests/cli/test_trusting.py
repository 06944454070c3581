"""Whose classes YAML may name: what a person says counts, what a file says of itself does not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lanecast.config import config_hash, instantiate, recorded_config, trusted, trusting
from lanecast.errors import ConfigError

THEIRS = """\
import os


class Model:
    def __init__(self, **_):
        open("built", "a").write("x")
"""
NAMED = {"_target_": "theirs.Model"}


@pytest.fixture
def theirs(toy, monkeypatch):
    """The toy's folder, whose ./conf names a class of a package that is not lanecast's."""
    packages = toy.folder / "packages"
    packages.mkdir()
    (packages / "theirs.py").write_text(THEIRS)
    (packages / "theirs_evil.py").write_text(THEIRS)
    (toy.folder / "conf" / "model" / "theirs.yaml").write_text("_target_: theirs.Model\n")
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setattr("lanecast.workflows.train.run", build_in_a_run)
    yield toy.folder
    for name in ("theirs", "theirs_evil"):
        sys.modules.pop(name, None)


def build_in_a_run(cfg):
    """A verb that builds the model of the config, and nothing more."""
    from lanecast.runs.record import Run

    with Run.open(cfg):
        instantiate(cfg.model)


def built(folder: Path) -> bool:
    return (folder / "built").is_file()


TRAIN = ["train", "model=theirs"]


def test_a_foreign_class_is_refused_and_the_error_says_how_to_trust_it(command, theirs, capfd):
    assert command(*TRAIN) == 2
    error = capfd.readouterr().err
    assert "model._target_='theirs.Model'" in error
    for way in ("trust=[theirs.]", "LANECAST_TRUST=theirs.", "--config-dir"):
        assert way in error
    assert not built(theirs)


@pytest.mark.parametrize("trust", ["trust=[theirs.]", "trust=theirs", "++trust=[theirs.Model]"])
def test_the_command_line_can_trust(command, theirs, trust):
    assert command(*TRAIN, trust) == 0
    assert built(theirs)


def test_the_environment_can_trust(command, theirs, monkeypatch):
    monkeypatch.setenv("LANECAST_TRUST", "other.,theirs.")
    assert command(*TRAIN) == 0
    assert built(theirs)


@pytest.mark.parametrize("text", ["[theirs.]", "trust: theirs"])
def test_a_folder_that_was_named_can_trust_by_its_file(command, theirs, text):
    (theirs / "conf" / "trust.yaml").write_text(f"{text}\n")
    assert command(*TRAIN, "--config-dir", "conf") == 0
    assert built(theirs)


def test_a_folder_that_was_named_can_trust_by_its_root(command, theirs):
    with (theirs / "conf" / "train.yaml").open("a") as root:
        root.write("trust: [theirs.]\n")
    assert command(*TRAIN, "--config-dir", "conf") == 0
    assert built(theirs)


def test_a_conf_found_by_itself_cannot_trust(command, theirs, capfd):
    (theirs / "conf" / "trust.yaml").write_text("[theirs.]\n")
    assert command(*TRAIN) == 2
    with (theirs / "conf" / "train.yaml").open("a") as root:
        root.write("trust: [theirs.]\n")
    assert command(*TRAIN, "name=again") == 2
    assert "trust=[theirs.] stands in a config where it does not count" in capfd.readouterr().err
    assert not built(theirs)


def test_a_choice_cannot_trust_whoever_names_its_folder(command, theirs, capfd):
    (theirs / "conf" / "extra").mkdir()
    (theirs / "conf" / "extra" / "sly.yaml").write_text("# @package _global_\ntrust: [theirs.]\n")
    for folder in ([], ["--config-dir", "conf"]):
        assert command(*TRAIN, "+extra=sly", *folder) == 2
        assert "stands in a config where it does not count" in capfd.readouterr().err
    assert not built(theirs)


def test_a_recorded_run_cannot_trust(command, theirs, capfd):
    assert command(*TRAIN, "trust=[theirs.]", "name=first") == 0
    (theirs / "built").unlink()
    (record,) = (theirs / "runs" / "first").glob("*/*/record.json")
    assert json.loads(record.read_text())["config"]["trust"] == ["theirs."]
    assert command("train", f"run={record.parent}", "name=again") == 2
    assert "trust=[theirs.]" in capfd.readouterr().err
    assert not built(theirs)
    assert command("train", f"run={record.parent}", "name=trusted", "trust=[theirs.]") == 0
    assert built(theirs)


def test_a_recorded_run_is_read_without_what_it_trusted(command, theirs):
    assert command(*TRAIN, "trust=[theirs.]", "name=first") == 0
    (record,) = (theirs / "runs" / "first").glob("*/*/record.json")
    assert "trust" not in recorded_config(record.parent)


def test_trust_is_not_hashed():
    config = {"seed": 1, "model": NAMED}
    assert config_hash({**config, "trust": ["theirs."]}) == config_hash(config)


@pytest.mark.parametrize("prefix", ["", ".", "..", "*", "a b", "1st.", "theirs..x"])
def test_a_prefix_that_is_no_package_is_refused(prefix):
    with pytest.raises(ConfigError, match="is no package"), trusting([prefix]):
        pass


def test_an_empty_word_on_the_command_line_is_refused(command, theirs, capfd):
    for text in ("trust=['']", "trust=['.']", "trust={a: b}", "trust=a,b", "trust=[theirs"):
        assert command(*TRAIN, text) == 2
        assert capfd.readouterr().err.count("\n") == 1
    assert not built(theirs)


def test_a_package_whose_name_only_begins_so_is_not_trusted(theirs):
    with trusting(["theirs"]):
        instantiate(NAMED)
        with pytest.raises(ConfigError, match=r"theirs_evil"):
            instantiate({"_target_": "theirs_evil.Model"})


@pytest.mark.usefixtures("theirs")
def test_what_a_trusted_package_only_imports_is_not_trusted():
    with (
        trusting(["theirs."]),
        pytest.raises(ConfigError, match="outside lanecast and what is trusted"),
    ):
        instantiate({"_target_": "theirs.os.system", "command": "true"})


def test_trust_ends_with_its_scope():
    with trusting(["theirs."]):
        assert trusted() == ("theirs.",)
    assert trusted() == ()


ROOT = """\
defaults: [{data: toy}, {model: small}, {trainer: cpu}, {protocol: holdout}, {tracking: none}, EXTRA
  common, _self_]
verb: train
period: 7
job: well
"""
CALLBACK = "{callbacks: {theirs: {_target_: theirs.Model}}}"
HANDLER = "{x: {(): theirs.Model}}"
BUILDS = "theirs: {_target_: theirs.Model}\n"
# Files of a ./conf by which Hydra would run theirs.Model, and the words that start it.
HOSTILE = {
    "callback": ({"train.yaml": f"{ROOT}hydra: {CALLBACK}\n"}, ()),
    "logger": (
        {"train.yaml": f"{ROOT}hydra: {{job_logging: {{handlers: {HANDLER}}}}}\n"},
        (),
    ),
    "stream": (
        {"train.yaml": f"{ROOT}hydra: {{job_logging: {{x: 'ext://theirs.Model'}}}}\n"},
        (),
    ),
    "search path": ({"train.yaml": f"{ROOT}hydra: {{searchpath: ['pkg://theirs']}}\n"}, ()),
    "environment": ({"train.yaml": f"{ROOT}hydra: {{job: {{env_set: {{A: b}}}}}}\n"}, ()),
    "choice that only a sweep makes": (
        {
            "train.yaml": ROOT.replace("EXTRA", "{depot: '???'},") + f"hydra: {CALLBACK}\n",
            "depot/north.yaml": "x: 1\n",
            "depot/south.yaml": "x: 2\n",
        },
        ("-m", "depot=north,south"),
    ),
    "model of a sweep": (
        {"model/evil.yaml": f"# @package _global_\nhydra: {CALLBACK}\n"},
        ("-m", "model=small,evil"),
    ),
    "group of Hydra's": ({"hydra/callbacks/evil.yaml": BUILDS}, ("hydra/callbacks=[evil]",)),
    "package of a file": (
        {"model/evil.yaml": f"# @package hydra.callbacks\n{BUILDS}"},
        ("model=evil",),
    ),
    "package of a choice": (
        {
            "train.yaml": ROOT.replace("EXTRA", '{"model@\\x68ydra.callbacks": evil},'),
            "model/evil.yaml": BUILDS,
        },
        (),
    ),
    "file out of the folder": (
        {
            "train.yaml": ROOT.replace("EXTRA", "{model: ../../evil},"),
            "../evil.yaml": f"# @package _global_\nhydra: {CALLBACK}\n",
        },
        (),
    ),
    "choice put together": (
        {
            "train.yaml": ROOT.replace("EXTRA", "{depot: '${trainer}l'},"),
            "depot/cpul.yaml": "x: 1\n",
        },
        (),
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_conf_found_by_itself_sets_nothing_that_hydra_runs(command, theirs, capfd, case):
    files, words = HOSTILE[case]
    for name, text in files.items():
        path = theirs / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("EXTRA", ""))
    assert command("train", *words) == 2
    assert "was found by itself" in capfd.readouterr().err
    assert not built(theirs)
    assert "theirs" not in sys.modules


def test_files_behind_a_link_are_read_as_well(command, theirs, capfd, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "evil.yaml").write_text(f"# @package _global_\nhydra: {CALLBACK}\n")
    (theirs / "conf" / "depot").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(theirs / "conf")
    assert command("train") == 2
    assert "depot/evil.yaml" in capfd.readouterr().err


@pytest.mark.parametrize("target", [".", "harmless"])
def test_a_link_called_hydra_is_refused_wherever_it_leads(command, theirs, capfd, target):
    (theirs / "conf" / "harmless" / "callbacks").mkdir(parents=True)
    (theirs / "conf" / "harmless" / "callbacks" / "evil.yaml").write_text(BUILDS)
    if (theirs / "conf" / "hydra").is_dir():
        shutil.rmtree(theirs / "conf" / "hydra")
    (theirs / "conf" / "hydra").symlink_to(target, target_is_directory=True)
    assert command("train", "hydra/callbacks=[evil]") == 2
    assert "was found by itself" in capfd.readouterr().err
    assert not built(theirs)


def test_copies_of_lanecasts_own_files_may_set_what_hydra_runs(command, theirs):
    assert "hydra:" in (theirs / "conf" / "common.yaml").read_text()
    assert command(*TRAIN, "trust=[theirs.]") == 0
    assert built(theirs)


def test_a_config_cannot_trust_through_the_environment_of_its_job(command, theirs, monkeypatch):
    with (theirs / "conf" / "train.yaml").open("a") as root:
        root.write("hydra: {job: {env_set: {LANECAST_TRUST: theirs.}}}\n")
    seen = []
    monkeypatch.setattr(
        "lanecast.workflows.train.run", lambda _: seen.append(os.environ["LANECAST_TRUST"])
    )
    assert command("train", "--config-dir", "conf", "name=named") == 0
    assert seen == [""]


def test_the_command_line_may_set_the_environment_of_a_job(command, theirs, monkeypatch):
    seen = []
    monkeypatch.setattr("lanecast.workflows.train.run", lambda _: seen.append(os.environ["DEPOT"]))
    assert command("train", "+hydra.job.env_set.DEPOT=north") == 0
    assert seen == ["north"]


def test_trust_reaches_the_workers_of_a_launcher(theirs):
    script = (
        "from lanecast.cli import main\n\n"
        "def run(cfg):\n"
        "    from lanecast.config import instantiate\n"
        "    instantiate(cfg.model)\n\n"
        "main('train', run)\n"
    )
    (theirs / "scripts" / "train.py").write_text(script)
    words = [*TRAIN[1:], "-m", "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    places = [str(theirs / "packages"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    for trust, code in (([], 1), (["trust=[theirs.]"], 0)):
        call = [sys.executable, str(theirs / "scripts" / "train.py"), *words, *trust]
        answer = subprocess.run(
            call, cwd=theirs, env=environment, capture_output=True, text=True, check=False
        )
        assert answer.returncode == code, answer.stderr
    assert (theirs / "built").read_text() == "xx"


def test_instantiate_takes_trust_from_its_scope_and_not_from_its_config(theirs):
    config = OmegaConf.create({"trust": ["theirs."], "model": NAMED})
    with pytest.raises(ConfigError, match="may not be built"):
        instantiate(config.model)
    assert not built(theirs)
