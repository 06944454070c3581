"""Which files a run read its data from, and whether they still are what they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lanecast.runs.contents import facts_of

SOURCES = "sources"  # key of the record
# Keys of a `data` group whose value is the path of a file or a folder.
PATHS = ("path", "future_path", "statics", "store", "folder", "root")
# Of a store, the manifest holds the checksums of the rest: sizes are enough.
MANIFEST = "store.json"


def source_facts(data: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Size and sha256 of every file that a ``data`` group names, by its path as given.

    A folder stands for all files below it.  Files that are not there are left to their reader.
    """
    facts: dict[str, dict[str, Any]] = {}
    if not isinstance(data, Mapping):
        return facts
    is_store = data.get("store") is not None
    for path in _named({"store": data["store"]} if is_store else data):
        try:
            for file in _files(path):
                whole = not is_store or file.name == MANIFEST
                facts[str(file)] = facts_of(file) if whole else {"size": file.stat().st_size}
        except OSError:  # its reader says why
            continue
    return facts


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Which files are not what they were: name, before and after; empty if all are."""
    lines = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old != new:
            lines.append(f"{name}: {_shown(old)} before, {_shown(new)} now")
    return lines


def _shown(facts: Any) -> str:
    if not isinstance(facts, Mapping):
        return "not there"
    checksum = str(facts.get("sha256") or "")[:12]
    return f"{facts.get('size')} bytes" + (f" with sha256 {checksum}" if checksum else "")


def _named(config: Any) -> Iterator[Path]:
    """Paths below a config, each once."""
    seen: set[str] = set()

    def walk(node: Any) -> Iterator[Path]:
        for key, value in node.items():
            if isinstance(value, Mapping):
                yield from walk(value)
            elif key in PATHS and isinstance(value, str) and value not in seen:
                seen.add(value)
                yield Path(value)

    yield from walk(config)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = path.rglob("*") if path.is_dir() else ()
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))
