"""The command lanecast: its verbs, where it looks for YAML, what it says where there is none."""

import importlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lanecast
from lanecast.cli.verbs import VERBS
from lanecast.config import packaged_conf

ROOT = Path(__file__).parents[2]
MY_LANES = "defaults: [panel_csv, _self_]\npath: lanes.csv\nunit: parcels\n"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_verb_has_its_config_its_function_and_its_script(verb):
    row = VERBS[verb]
    module, _, function = str(row.run).partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert (packaged_conf() / f"{row.root}.yaml").is_file()
    script = ROOT / "scripts" / f"{verb.replace('-', '_')}.py"
    assert f'main("{script.stem}")' in script.read_text()


def test_overview_names_every_verb_with_a_line(command, capsys):
    assert command("--help") == 0
    lines = capsys.readouterr().out.splitlines()
    for verb, row in VERBS.items():
        assert any(line.split() == [verb, *row.line.split()] for line in lines)


def test_version_is_the_packages(command, capsys):
    assert command("--version") == 0
    assert capsys.readouterr().out == f"lanecast {lanecast.__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_overview_and_version_import_nothing_but_the_table(words):
    code = (
        "import sys; from lanecast.cli import main\n"
        f"sys.argv = ['lanecast', *{words}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*({'hydra', 'omegaconf', 'yaml', 'torch', 'pandas'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "", answer.stderr


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["trian"], "did you mean train"),
        (["model=tft"], "lanecast train model=tft"),
        (["train", "--config-dir", "nowhere"], "nowhere: there is no such folder"),
        (["train", "--config-dir"], "names no folder"),
    ],
)
def test_words_that_mean_nothing_are_answered_in_one_line(command, capsys, words, answer):
    assert command(*words) == 2
    error = capsys.readouterr().err
    assert answer in error
    assert error.count("\n") == 1


def test_help_of_a_verb_is_in_the_words_of_its_door(command, capsys):
    assert command("midmile_do", "--help") == 0
    assert "\n  lanecast midmile-do networks=[tft]" in capsys.readouterr().out
    of_script = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "midmile_do.py"), "--help"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "\n  python scripts/midmile_do.py networks=[tft]" in of_script


def test_help_read_only_in_part_is_no_failure():
    command = f"{sys.executable} -m lanecast train --help | head -1"
    answer = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert answer.stderr == ""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working folder outside the checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_conf_of_the_working_folder_comes_before_the_packaged_one(command, elsewhere, capfd):
    write(elsewhere / "conf" / "data" / "my_lanes.yaml", MY_LANES)
    write(elsewhere / "conf" / "windows" / "daily_14.yaml", "context: 21\nhorizon: 7\n")
    assert command("train", "data=my_lanes", "--cfg", "job") == 0
    composed = capfd.readouterr().out
    assert "unit: parcels" in composed
    assert "CsvTable" in composed
    assert "context: 21" in composed
    assert command("train", "--help") == 0
    assert "my_lanes" in capfd.readouterr().out


def test_a_named_folder_takes_the_place_of_conf(command, elsewhere, capfd):
    write(elsewhere / "conf" / "data" / "my_lanes.yaml", MY_LANES)
    write(elsewhere / "other" / "data" / "my_lanes.yaml", MY_LANES.replace("parcels", "pallets"))
    for option in (["--config-dir", "other"], ["--config-dir=other"], ["-cd", "other"]):
        assert command("train", *option, "data=my_lanes", "--cfg", "job") == 0
        assert "unit: pallets" in capfd.readouterr().out


def test_a_root_of_ones_own_is_taken_before_the_packaged_one(command, elsewhere, capfd):
    write(
        elsewhere / "conf" / "train.yaml", "defaults: [_pipeline, common, _self_]\ndepot: north\n"
    )
    assert command("train", "--cfg", "job") == 0
    assert "depot: north" in capfd.readouterr().out


def test_a_choice_that_is_nowhere_is_answered_with_the_folders_and_the_way_out(
    command, elsewhere, capfd
):
    assert command("train", "data=my_lanes") == 2
    error = capfd.readouterr().err
    assert "there is no data/my_lanes.yaml in lanecast's own" in error
    assert "./conf/data/my_lanes.yaml" in error
    assert "--config-dir" in error
    write(elsewhere / "conf" / "data" / "my_lane.yaml", MY_LANES)
    assert command("train", "data=my_lanes") == 2
    error = capfd.readouterr().err
    assert "in ./conf or in lanecast's own; did you mean my_lane" in error


def test_a_key_of_ones_own_choice_is_known_to_the_nearest_names(command, elsewhere, capfd):
    write(elsewhere / "conf" / "data" / "my_lanes.yaml", MY_LANES + "depot: north\n")
    assert command("train", "data=my_lanes", "data.depo=south") == 2
    assert "did you mean data.depot" in capfd.readouterr().err


def test_further_processes_are_started_with_the_whole_command(command, elsewhere, monkeypatch):
    """Lightning reads ``sys.argv`` while the job runs, and Hydra has read it before."""
    seen = []
    monkeypatch.setattr("lanecast.workflows.train.run", lambda cfg: seen.append(sys.argv[1:]))
    words = ["train", "--config-dir", ".", "trust=[theirs]", "model=linear"]
    assert command(*words) == 0
    assert seen == [words]


@pytest.mark.slow
def test_help_takes_at_most_one_and_a_half_times_an_empty_hydra_program(tmp_path):
    empty = tmp_path / "empty.py"
    empty.write_text(
        "import hydra\n"
        "@hydra.main(version_base='1.3', config_path=None)\n"
        "def main(cfg): pass\n"
        "main()\n"
    )
    calls = {"empty": [str(empty), "--help"], "ours": ["-m", "lanecast", "train", "--help"]}
    seconds = {name: [] for name in calls}
    for _ in range(5):
        for name, call in calls.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *call], check=True, capture_output=True, cwd=tmp_path)
            seconds[name].append(time.perf_counter() - started)
    ours, floor = (statistics.median(seconds[name]) for name in ("ours", "empty"))
    print(f"lanecast train --help {ours:.3f} s, an empty Hydra program {floor:.3f} s")
    assert ours <= 1.5 * floor
