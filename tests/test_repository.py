"""The repository tests itself: what it says about itself is so."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from house import MODULES, PACKAGE, imports_of

ROOT = Path(__file__).parents[1]

HEAVY = (
    "torch",
    "lightning",
    "neuralforecast",
    "statsforecast",
    "mlforecast",
    "lightgbm",
    "ray",
    "wandb",
    "matplotlib",
    "pandera",
    "pandas",
)
DATA_SUFFIXES = {
    ".parquet", ".csv", ".tsv", ".npz", ".npy", ".zip", ".gz", ".feather", ".arrow", ".pkl", ".h5",
    ".ckpt", ".pt", ".pth", ".safetensors", ".onnx", ".wandb", ".xlsx",
}  # fmt: skip
FILES = sorted(MODULES.values())
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
CONFIGS = sorted([*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "benchmarks").rglob("*.yaml")])
READ_MES = [*sorted(PACKAGE.rglob("README.md")), ROOT / "benchmarks" / "README.md"]
ROOMS_WITH_READ_ME = (
    "audits", "benchmarks", "causal", "data", "evaluation", "models", "models/calibration",
    "models/classical", "models/deep", "models/hierarchy", "pipeline", "planning", "report",
    "runs", "twin", "whatif", "workflows",
)  # fmt: skip
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *READ_MES]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def prose(document: Path) -> str:
    """The text of a document without its HTML comments."""
    return re.sub(r"<!--.*?-->", "", document.read_text(), flags=re.DOTALL)


def git_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip(f"not a git checkout: {listing.stderr.strip()}")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


# --- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_document_names_only_paths_that_exist(document: Path) -> None:
    """Names that start with ``my_`` are examples of what a reader would add."""
    named = re.findall(
        r"(?<![\w/.])(?:scripts|conf|src|tests|experiments|docs|\.ci)/[\w./-]*\w",
        prose(document),
    )
    gone = {name for name in named if "my_" not in name and not (ROOT / name).exists()}
    assert not gone, f"{document.name} names {sorted(gone)}, which do not exist"


@pytest.mark.parametrize("caller", [*DOCUMENTS, ROOT / ".ci" / "run"], ids=relative)
def test_make_targets_named_exist(caller: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    calls = re.findall(r"(?:^|`)make((?: [a-z][a-z-]*)+)", caller.read_text(), re.MULTILINE)
    unknown = {word for call in calls for word in call.split()} - targets
    assert not unknown, f"{caller.name} calls make {sorted(unknown)}; the Makefile has {targets}"


def test_ci_calls_what_the_readme_calls() -> None:
    command = "make lint types test"
    assert command in (ROOT / ".ci" / "run").read_text()
    assert command in (ROOT / "README.md").read_text()


def links_of(document: Path) -> Iterator[str]:
    """Where the links and images of a document lead inside the repository."""
    for token in MarkdownIt().parse(document.read_text()):
        for child in token.children or ():
            target = str(child.attrGet("href") or child.attrGet("src") or "")
            if target and not re.match(r"https?:|mailto:", target):
                yield target


def anchors_of(document: Path) -> set[str]:
    """What ``#...`` may name: the headings, as GitHub and MyST spell them."""
    tokens = MarkdownIt().parse(document.read_text())
    titles = [after.content for at, after in pairwise(tokens) if at.type == "heading_open"]
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_document_links_lead_somewhere(document: Path) -> None:
    for link in links_of(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if target.parent == ROOT / "docs" / "gallery":  # written by `make docs`, from the notebooks
            source = "GALLERY_HEADER.rst" if target.stem == "index" else f"{target.stem}.py"
            target = ROOT / "docs" / "notebooks" / source
        assert target.exists(), f"{relative(document)} links to {link}, which does not exist"
        if anchor:
            assert anchor in anchors_of(target), f"{relative(document)}: {link} is no heading"


def test_readme_is_a_door() -> None:
    """What it is, two commands, one table, ten lines of Python; the rest is a page of docs/."""
    size = (ROOT / "README.md").stat().st_size
    assert size <= 12_288, f"README.md has {size} bytes; move what is beyond 12 KB to docs/"


@pytest.mark.parametrize("read_me", READ_MES, ids=relative)
def test_read_me_of_a_room_is_short_and_names_what_is_there(read_me: Path) -> None:
    text = read_me.read_text()
    assert 10 <= text.count("\n") <= 25
    assert "**To add " in text or "**To enter " in text, "it says how to add one"
    for name in re.findall(r"`([\w./-]+(?:\.py|/))`", text):
        places = [*read_me.parent.rglob(name.strip("/")), ROOT / name, PACKAGE / name]
        there = any(place.exists() for place in places) or name.startswith("my_")
        assert there, f"{relative(read_me)} names {name}, which is not there"


@pytest.mark.parametrize("room", ROOMS_WITH_READ_ME)
def test_large_room_has_a_read_me(room: str) -> None:
    assert PACKAGE / room / "README.md" in READ_MES


# --- configuration --------------------------------------------------------------------------------


def calls_in(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping with a literal ``_target_``, at any depth."""
    if isinstance(node, dict):
        target = node.get("_target_")
        if isinstance(target, str) and not target.startswith(("${", "???")):
            yield node
        for child in node.values():
            yield from calls_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from calls_in(child)


def resolve(dotted: str) -> Any:
    """Import the longest module of a dotted name, then walk its attributes."""
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        try:
            found = importlib.import_module(name)
        except ModuleNotFoundError as err:
            if err.name is None or not name.startswith(err.name):
                raise  # the module exists, but one of its own imports does not
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(f"no module of {dotted!r} can be imported", name=dotted)


@pytest.mark.parametrize("config", CONFIGS, ids=relative)
def test_config_names_only_calls_that_exist(config: Path) -> None:
    for call in calls_in(yaml.safe_load(config.read_text())):
        assert callable(resolve(call["_target_"])), f"{call['_target_']} cannot be called"


@pytest.mark.parametrize("config", CONFIGS, ids=relative)
def test_config_gives_only_arguments_that_the_call_takes(config: Path) -> None:
    for call in calls_in(yaml.safe_load(config.read_text())):
        parameters = inspect.signature(resolve(call["_target_"])).parameters
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            continue
        given = {key for key in call if not key.startswith("_")} - {"defaults"}  # Hydra's own list
        assert given <= set(parameters), (
            f"{call['_target_']} takes no {sorted(given - set(parameters))}"
        )


# --- dependencies ---------------------------------------------------------------------------------


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


def test_constraints_carry_versions_and_no_addresses() -> None:
    for number, line in enumerate((ROOT / "constraints.txt").read_text().splitlines(), 1):
        assert line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+", line), (
            f"constraints.txt:{number}: {line!r} is not name==version"
        )


def test_constraints_pin_every_direct_dependency_inside_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    for wanted in (Requirement(text) for texts in lists for text in texts):
        if wanted.name == project["name"]:
            continue
        pin = pins().get(canonicalize_name(wanted.name))
        assert pin is not None, f"{wanted.name} of pyproject.toml has no pin in constraints.txt"
        (version,) = (specifier.version for specifier in pin.specifier)
        assert wanted.specifier.contains(version), f"pin {pin} is outside {wanted}"


# --- the house ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("wandb", ("runs/",)),
        ("hydra", ("cli/", "config/", "runs/")),
        ("matplotlib", ("report/", "runs/", "api/")),
    ],
)
def test_library_stays_in_its_room(library: str, homes: tuple[str, ...]) -> None:
    for module in FILES:
        place = module.relative_to(PACKAGE).as_posix()
        if place.startswith(homes):
            continue
        lines = [line for line, name in imports_of(module) if name.split(".")[0] == library]
        assert not lines, f"{place}:{lines} imports {library}, which lives in {homes}"


def test_no_file_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
    found = [relative(p) for p in (*FILES, *SCRIPTS) if p.stem in drawers]
    assert not found, f"name {found} after what they hold"


@pytest.mark.parametrize("module", [*FILES, *SCRIPTS, *BENCHMARKS], ids=relative)
def test_module_is_short_enough_to_review(module: Path) -> None:
    text = module.read_text()
    assert text.count("\n") <= 400, f"{relative(module)}: more than 400 lines; split it by job"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            size = node.end_lineno - node.lineno + 1
            assert size <= 60, f"{relative(module)}:{node.lineno} {node.name}: {size} lines"


@pytest.mark.parametrize("script", SCRIPTS, ids=relative)
def test_script_is_one_sentence(script: Path) -> None:
    text = script.read_text()
    assert text.count("\n") <= 40, "a script has at most 40 lines"
    assert "wandb" not in text, "W&B lives in runs/"
    decisions = ast.If | ast.IfExp | ast.Match | ast.For | ast.While | ast.ListComp | ast.DictComp
    branches = [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, decisions) and "__name__" not in ast.unparse(node)
    ]
    assert not branches, f"{relative(script)}:{branches}: decisions and loops belong to src/"


@pytest.mark.parametrize("script", SCRIPTS, ids=relative)
def test_script_help_imports_nothing_heavy(script: Path) -> None:
    probe = (
        "import runpy, sys\n"
        f"sys.argv = [{str(script)!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        f"print('loaded:', *sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "loaded:", "import heavy packages where they are used"


# --- what git holds -------------------------------------------------------------------------------


def test_git_holds_no_data_and_no_weights() -> None:
    """Results of experiments, golden values and old runs are allowed, and small."""
    for path in git_files():
        allowed = path.match("experiments/*/results.csv") or relative(path).startswith(
            ("tests/golden/", "tests/fixtures/")
        )
        assert allowed or path.suffix not in DATA_SUFFIXES, f"{relative(path)} is data"
        assert path.stat().st_size <= 500_000, f"{relative(path)} is larger than 500 kB"


def test_git_holds_only_ascii_text() -> None:
    for path in git_files():
        if path.suffix in {".py", ".md", ".yaml", ".toml", ".txt"}:
            offending = [
                number
                for number, line in enumerate(path.read_text().splitlines(), 1)
                if not line.isascii()
            ]
            assert not offending, f"{relative(path)}:{offending} is not ASCII"


def test_test_modules_have_one_name_each():
    """pytest imports them by name alone: of two, one is lost."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
