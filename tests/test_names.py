"""Names say what they hold: no local name that could be anything, one meaning per class name."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from house import MODULES, PACKAGE

ROOT = PACKAGE.parents[1]
FILES = sorted({*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")})

# Names that fit everything tell nothing: name the thing (forecasts, lines, row, plan, answer).
VAGUE = {
    "found", "told", "one", "asked", "made", "served", "done", "given", "here", "there", "two",
    "mine", "ours", "theirs", "what", "thing", "stuff", "tmp", "res", "ret", "foo", "data_", "obj",
}  # fmt: skip
AXES = re.compile(r"_[A-Z][A-Z0-9]*$")  # what a name of a tensor ends in
# Private words, and the field's term for each.
PRIVATE = {
    "border": "validation",
    "deaction": "reference_history",
    "misses": "root_causes",
    "surroundings": "environment",
    "sidebyside": "batch_threads",
}
# Columns of tables that were written before, under the names that they had.
WRITTEN = {("benchmarks/speed/rounds.py", "ours")}
# Rooms that are still to be done; a room that is done has to leave the list.
TO_DO: set[str] = set()


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    """``causal`` for src/lanecast/causal/..., ``benchmarks.speed`` for benchmarks/speed/..."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[:2] == ("src", "lanecast"):
        return "lanecast.benchmarks" if parts[2] == "benchmarks" else parts[2]
    return ".".join(parts[1:2] if parts[0] == "src" else parts[:2])


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def names_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything that is assigned or handed in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def vague_names(path: Path) -> list[str]:
    place = place_of(path)
    return [
        f"{place}:{line}: {name}"
        for line, name in names_of(tree_of(path))
        if AXES.sub("", name) in VAGUE and (place, name) not in WRITTEN
    ]


def private_words(path: Path) -> list[str]:
    """Functions, classes, modules, arguments and variables that use a private word."""
    tree = tree_of(path)
    defined = [
        (node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    return [
        f"{place_of(path)}:{line}: {name} ({PRIVATE[word]})"
        for line, name in [(1, path.stem), *defined, *names_of(tree)]
        for word in name.lower().split("_")
        if word in PRIVATE
    ]


def faults_of(path: Path) -> list[str]:
    return [*vague_names(path), *private_words(path)]


ROOMS = {room_of(path) for path in FILES}


@pytest.mark.parametrize("room", sorted(ROOMS - TO_DO))
def test_local_names_say_what_they_hold(room: str) -> None:
    assert [line for path in FILES if room_of(path) == room for line in faults_of(path)] == []


def test_rooms_that_are_done_leave_the_list() -> None:
    left = {room_of(path) for path in FILES if faults_of(path)}
    assert left >= TO_DO, f"take {sorted(TO_DO - left)} off TO_DO: no vague name is left there"


def test_public_class_names_have_one_meaning() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(place_of(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_the_names_are_read_from_every_module() -> None:
    assert set(MODULES.values()) <= set(FILES)
