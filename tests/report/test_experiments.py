"""Experiment records: written from runs, and held to their results."""

import re
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from lanecast.config import check_builds, composed_roots
from lanecast.errors import ConfigError
from lanecast.report.table import compare
from lanecast.workflows.record import (
    BEGIN,
    commands,
    disagreements,
    index_text,
    verdict_of,
    with_table,
    write_record,
)
from script_runner import scripts_in

ROOT = Path(__file__).parents[2]
RECORDS = sorted(path.parent for path in (ROOT / "experiments").glob("*/README.md"))
PROSE = {
    "question": "Does it?",
    "factor": "it",
    "nuisance": None,
    "fixed": "all",
    "verdict": "Yes. So.",
}
SUM_ABS_Y = np.array([100.0, 200.0, 100.0, 300.0, 200.0, 100.0])


@pytest.fixture
def compared(tmp_path, write_run):
    for seed in (1, 2, 3):
        folder = write_run(
            "nhits",
            config_hash="d0aaaaaa",
            errors=SUM_ABS_Y * 0.1 + seed,
            seed=seed,
            verb="backtest",
            overrides=["model=nhits", f"seed={seed}", "paths.runs=/somewhere"],
            timings={"total": 1.0, "started": f"2026-0{seed}-03T00:00:00"},
        )
        (folder / ".hydra").mkdir()
        (folder / ".hydra" / "config.yaml").write_text("seed: 1\n")
    return compare(str(tmp_path / "demo"), metrics=["wape", "bias"])


def test_a_record_agrees_with_its_results(compared, tmp_path):
    write_record(tmp_path / "2026-03-it", compared, prose=PROSE)
    assert disagreements(tmp_path / "2026-03-it") == []
    text = (tmp_path / "2026-03-it" / "README.md").read_text()
    assert text.startswith("# Does it?\n")
    assert "python scripts/backtest.py -m model=nhits seed=1,2,3" in text
    assert "/somewhere" not in text


def test_a_number_that_was_touched_is_named(compared, tmp_path):
    folder = tmp_path / "2026-03-it"
    write_record(folder, compared, prose=PROSE)
    readme = folder / "README.md"
    found = re.search(r"0\.1\d\d\d", readme.read_text())[0]
    readme.write_text(readme.read_text().replace(found, "0.0999", 1))
    assert re.search(
        r"wape of d0aaaaaa is 0\.1\d+ in results.csv and 0\.0999", disagreements(folder)[0]
    )


def test_the_script_refuses_an_index_over_a_record_that_was_touched(
    compared, tmp_path, monkeypatch, capfd
):
    readme = tmp_path / "experiments" / "2026-03-it" / "README.md"
    write_record(readme.parent, compared, prose=PROSE)
    with scripts_in(tmp_path, monkeypatch) as script:
        assert script("record", "index_only=true", "out=nowhere") == 2
        assert script("record", "index_only=true") == 0
        readme.write_text(re.sub(r"0\.1\d\d\d", "0.0999", readme.read_text(), count=1))
        assert script("record", "index_only=true") == 2
    assert "and 0.0999 in README.md; renew what stands" in capfd.readouterr().err


def test_renewing_a_record_keeps_what_a_person_wrote(compared, tmp_path):
    folder = tmp_path / "2026-03-it"
    write_record(folder, compared, prose=PROSE)
    readme = folder / "README.md"
    readme.write_text(readme.read_text().replace("Yes. So.", "No, on second thoughts."))
    write_record(folder, compared, prose=dict.fromkeys(PROSE))
    assert "No, on second thoughts." in readme.read_text()


def test_a_new_record_without_a_question_is_refused(compared, tmp_path):
    with pytest.raises(ConfigError, match="needs question="):
        write_record(tmp_path / "x", compared, prose={**PROSE, "question": None})


def test_a_readme_without_markers_is_refused():
    with pytest.raises(ConfigError, match="add the markers"):
        with_table("# Question", "| a |", where=Path("README.md"))


def test_commands_join_the_seeds(compared):
    assert commands(compared.runs).count("\n") == 0


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("**Verdict.** Yes: 0.29 against\n0.30. More.", "Yes: 0.29 against 0.30."),
        ("**Verdict:** no! And so on", "no!"),
        ("nothing", "none yet"),
    ],
)
def test_the_index_tells_the_first_sentence_of_a_verdict(text, verdict):
    assert verdict_of(text) == verdict


# --- the records of this repository ---------------------------------------------------------------


@pytest.mark.parametrize("folder", RECORDS, ids=lambda path: path.name)
def test_every_record_agrees_with_its_results(folder):
    assert disagreements(folder) == []
    assert {path.name for path in folder.iterdir()} >= {"README.md", "config.yaml", "results.csv"}


@pytest.mark.parametrize("folder", RECORDS, ids=lambda path: path.name)
def test_the_config_of_every_record_still_builds(folder):
    config = OmegaConf.load(folder / "config.yaml")
    config = OmegaConf.masked_copy(config, [key for key in config if key not in ("paths", "hydra")])
    config["paths"] = {"data": "data", "runs": "runs", "output": "out"}
    check_builds(config)


def first_choice(override: str) -> str:
    """The first of ``a,b,c``, where the commas are not inside brackets or quotes."""
    key, equals, value = override.partition("=")
    if not equals or value[:1] in "[{'\"":
        return override
    return f"{key}={value.split(',')[0]}"


@pytest.mark.parametrize("folder", RECORDS, ids=lambda path: path.name)
def test_the_commands_of_every_record_still_compose(folder):
    text = (folder / "README.md").read_text().replace("\\\n", " ")
    found = re.findall(r"scripts/(backtest|train)\.py((?: +\S+)+)", text)
    for root, arguments in found:
        words = [first_choice(word.strip("'\"`")) for word in arguments.split() if "=" in word]
        overrides = [word for word in words if not word.startswith(("run=", "<"))]
        assert composed_roots(ROOT / "conf", root, [overrides])


def test_the_index_of_experiments_is_that_of_its_records():
    assert (ROOT / "experiments" / "README.md").read_text() == index_text(ROOT / "experiments")
    assert BEGIN not in index_text(ROOT / "experiments")
