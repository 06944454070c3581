"""CONTRIBUTING's table of rooms says what the dictionary says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from document_blocks import ROOT

from house import MAY_IMPORT, PACKAGE

MANY = 12  # from so many rooms on, a row says what it may not import


def imports_in_words(room: str, above: Sequence[str]) -> str:
    allowed = MAY_IMPORT[room]
    if len(allowed) >= MANY:
        others = [name for name in above if name not in allowed]
        return "every room above" + (f" but {in_code(others)}" if others else "")
    return in_code([name for name in MAY_IMPORT if name in allowed]) or "nothing"


def in_code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def test_contributing_lists_the_rooms_as_the_dictionary_has_them() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    rooms = list(MAY_IMPORT)
    assert [room for room, _, _ in rows] == rooms
    for position, (room, what, imports) in enumerate(rows):
        assert imports == imports_in_words(room, rooms[:position]), room
        path = PACKAGE.joinpath(*room.split("."))
        built = path.is_dir() or path.with_suffix(".py").exists()
        assert built != what.startswith("to come"), f"{room}: say whether it is there"
