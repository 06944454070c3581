"""What the documents show works: commands compose, YAML composes, Python runs."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from document_blocks import DOCUMENTS, ROOT, Block, all_blocks, blocks_of, command_lines, jobs
from hydra import compose, initialize_config_dir

from lanecast.cli.entry import as_overrides
from lanecast.cli.folders import ConfFolders
from lanecast.cli.verbs import VERBS

BENCHMARKS = ROOT / "benchmarks" / "conf"
SHELL = all_blocks("bash")
YAML = all_blocks("yaml")
USER_FILES = [block for block in YAML if block.user_file]
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# Tools of others: what is written behind them is theirs to check.
FOREIGN = {"wandb", "pip", "export", "python3.11", "cd"}
PYTHON_PAGES = [page for page in DOCUMENTS if any(b.language == "python" for b in blocks_of(page))]


def place(block: Block) -> str:
    return block.place


def test_every_fence_says_its_language() -> None:
    known = {"bash", "yaml", "python", "text", "{toctree}", "{eval-rst}"}
    odd = [b.place for page in DOCUMENTS for b in blocks_of(page) if b.language not in known]
    assert not odd, f"{odd}: a fence without a language is tested by nobody; name one of {known}"


def compose_all(root: str, arguments: Sequence[str], conf: Path) -> None:
    """Compose every job of a command line; with ``run=`` the recorded config owns other keys."""
    words = as_overrides(arguments, ConfFolders(main=conf), root)
    recorded = any(word.startswith("run=") for word in words)
    overrides = [
        f"++{word}" if recorded and word.startswith(("data.", "model.")) else word
        for word in words
        if word != "-m" and not word.startswith("trust=")
    ]
    with initialize_config_dir(str(conf), version_base="1.3"):
        for job in jobs(overrides) if "-m" in words else [overrides]:
            compose(root, overrides=job)


def check(words: Sequence[str], reader: Path) -> None:
    """Fail where a command could not be typed as it stands."""
    match [Path(words[0]).name, *words[1:]]:
        case ["make", *rest]:
            targets = {word for word in rest if "=" not in word}
            assert targets <= TARGETS, f"make has no {targets - TARGETS}"
            settings = [word.removeprefix("ARGS=") for word in rest if word.startswith("ARGS=")]
            for text in settings:
                compose_all("benchmark", shlex.split(text), BENCHMARKS)
        case ["python", "-m", "pytest", *rest]:
            gone = [word for word in rest if word.endswith(".py") and not (ROOT / word).exists()]
            assert not gone, f"{gone} do not exist"
        case ["python", "-m", module, *rest] if module.startswith("benchmarks."):
            root = module.removeprefix("benchmarks.")
            compose_all(root, rest, BENCHMARKS)
        case ["lanecast", "--help" | "--version"]:
            pass
        case ["lanecast", verb, *rest]:
            assert verb in VERBS, f"there is no verb {verb}"
            compose_all(VERBS[verb].root, rest, reader / "conf")
        case [program, *_]:
            assert program in FOREIGN, f"nobody checks {' '.join(words)!r}"


@pytest.mark.parametrize("block", SHELL, ids=place)
def test_command_can_be_typed_as_it_stands(block: Block, reader: Path) -> None:
    for words in command_lines(block.text):
        check(words, reader)


@pytest.mark.parametrize("block", YAML, ids=place)
def test_yaml_parses(block: Block) -> None:
    assert yaml.safe_load(block.text) is not None


@pytest.mark.parametrize("block", USER_FILES, ids=place)
def test_file_of_ones_own_composes(block: Block, reader: Path) -> None:
    _, group, name = Path(str(block.user_file)).with_suffix("").parts
    compose_all("train", [f"{group}={name}"], reader / "conf")


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=lambda page: page.name)
def test_python_of_a_page_runs_from_top_to_bottom(
    page: Path, reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the reader's folder, one namespace for the page, as in one session."""
    shutil.copytree(reader, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page):
        if block.language == "python" and block.runs:
            padded = "\n" * block.line + block.text  # a traceback names the line of the page
            exec(compile(padded, str(page), "exec"), namespace)


def test_every_model_is_on_the_page_of_models() -> None:
    page = (ROOT / "docs" / "models.md").read_text()
    names = {path.stem for path in (ROOT / "conf" / "model").glob("[a-z]*.yaml")}
    assert not {name for name in names if f"`{name}`" not in page}


def test_every_group_of_choices_is_on_the_page_about_extending() -> None:
    page = (ROOT / "docs" / "extend.md").read_text()
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()} - {"hydra"}
    assert not {name for name in groups if f"`{name}`" not in page}
