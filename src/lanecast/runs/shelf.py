"""All run folders below a root: what each holds and weighs; and taking some of them away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lanecast.errors import RunFolderError
from lanecast.runs.folder import RECORD, cannot_write, read_record

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run folder; ``bytes`` counts its files, those of earlier attempts among them."""

    folder: Path
    record: Mapping[str, Any]
    bytes: int

    @property
    def status(self) -> str:
        """As recorded; interrupted where the process is gone."""
        return str(self.record.get("status", UNREADABLE))

    @property
    def started(self) -> datetime:
        """When the run was started; when its record was last written where it does not say."""
        text = (self.record.get("timings") or {}).get("started")
        try:
            started = datetime.fromisoformat(str(text))
        except ValueError:
            return datetime.fromtimestamp((self.folder / RECORD).stat().st_mtime, UTC)
        return started if started.tzinfo else started.replace(tzinfo=UTC)

    def fact(self, name: str) -> str:
        """``model`` and ``data`` as chosen, ``name``, ``verb`` and ``seed`` as recorded; or ''.

        Without what is no text: a terminal would follow it.
        """
        choices = self.record.get("choices") or {}
        value = choices.get(name) if name in ("model", "data") else self.record.get(name)
        return "" if value is None else "".join(filter(str.isprintable, str(value)))


def entries(root: Path) -> list[Entry]:
    """Every run folder below ``root``; symbolic links are not followed."""
    if not root.is_dir():
        raise RunFolderError(f"{root} is no folder; point root=<folder> to the one with your runs")
    return [
        Entry(folder=folder, record=_record(folder), bytes=_size(folder))
        for folder in _run_folders(root)
    ]


def delete(entry: Entry, *, root: Path) -> None:
    """Delete a run folder, its record last, and the folders above it that are empty then.

    RunFolderError unless it is a run folder below ``root``, itself and not by a link, that no
    process is writing.
    """
    folder, top = entry.folder, root.resolve()
    if folder.resolve() != top / folder.relative_to(root) or folder == root:
        raise RunFolderError(f"{folder} does not lie below {root}; a link is not followed")
    if not (folder / RECORD).is_file():
        raise RunFolderError(f"{folder} is not a run folder: it has no {RECORD}")
    record = _record(folder)  # as it is now
    if record.get("status") == "running":
        process = record.get("process") or {}
        raise RunFolderError(
            f"{folder} is being written by process {process.get('pid')} on {process.get('host')};"
            " stop it first, or delete the folder by hand if that process is gone"
        )
    try:
        for path in folder.iterdir():
            if path.name != RECORD:
                _remove(path)
        (folder / RECORD).unlink()
        folder.rmdir()
        _remove_empty(folder.parent, root)
    except OSError as trouble:
        raise cannot_write(folder, trouble) from trouble


def _run_folders(root: Path) -> Iterator[Path]:
    """Depth first; what lies inside a run folder belongs to it."""
    with os.scandir(root) as inside:
        children = sorted(inside, key=lambda child: child.name)
    if any(child.name == RECORD and child.is_file(follow_symlinks=False) for child in children):
        yield root
        return
    for child in children:
        if child.is_dir(follow_symlinks=False):
            yield from _run_folders(root / child.name)


def _record(folder: Path) -> dict[str, Any]:
    try:
        return read_record(folder)
    except RunFolderError:
        return {}


def _size(folder: Path) -> int:
    total = 0
    with os.scandir(folder) as inside:
        for child in inside:
            if child.is_dir(follow_symlinks=False):
                total += _size(folder / child.name)
            else:
                total += child.stat(follow_symlinks=False).st_size
    return total


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
