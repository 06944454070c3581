"""One dictionary says who may import whom; no circle among rooms, none among files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from house import MAY_IMPORT, MODULES, PACKAGE, imports_of, room_of

FOLDERS = sorted({path.parent for path in MODULES.values()})


def arrows() -> Iterator[tuple[str, str, str]]:
    """Importing module, imported module, and where."""
    for module, path in MODULES.items():
        for line, imported in imports_of(path):
            if imported in MODULES and imported != module:
                yield module, imported, f"{path.relative_to(PACKAGE)}:{line}"


@pytest.mark.parametrize("module", MODULES)
def test_room_imports_only_what_its_row_names(module: str) -> None:
    room = room_of(module)
    assert room in MAY_IMPORT, f"{room!r} is a new room: give it a row in tests/house.py"
    for line, imported in imports_of(MODULES[module]):
        other = room_of(imported) if imported.partition(".")[0] == "lanecast" else room
        allowed = other == room or other in MAY_IMPORT[room]
        assert allowed, f"{module}:{line} imports {imported}, but {room} may not import {other}"


def test_rows_name_rooms_that_have_rows() -> None:
    for room, others in MAY_IMPORT.items():
        assert others <= set(MAY_IMPORT), f"{room}: {others - set(MAY_IMPORT)}"


def test_rooms_form_no_circle() -> None:
    graph = nx.DiGraph((room_of(a), room_of(b)) for a, b, _ in arrows() if room_of(a) != room_of(b))
    assert list(nx.simple_cycles(graph)) == []
    declared = nx.DiGraph((room, other) for room in MAY_IMPORT for other in MAY_IMPORT[room])
    assert list(nx.simple_cycles(declared)) == []


def test_files_form_no_circle() -> None:
    circles = nx.strongly_connected_components(nx.DiGraph((a, b) for a, b, _ in arrows()))
    assert [sorted(circle) for circle in circles if len(circle) > 1] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(PACKAGE)))
def test_folder_is_small_enough_to_find_ones_way_in(folder: Path) -> None:
    files = sorted(folder.glob("*.py"))
    lines = sum(path.read_text().count("\n") for path in files)
    assert len(files) <= 24, f"{folder} holds {len(files)} files: is there a room inside?"
    assert lines <= 3_000, f"{folder} holds {lines} lines directly"
