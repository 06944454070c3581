"""The run folder on disk: claimed before anything heavy, written atomically, never overwritten."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import socket
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lanecast.errors import RunFolderError

log = logging.getLogger(__name__)

RECORD = "record.json"


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``record.json``; a run whose process is gone counts as interrupted, not as running."""
    path = Path(folder) / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFolderError(f"{folder} is not a run folder: it has no {RECORD}") from None
    except (OSError, ValueError) as broken:
        raise RunFolderError(f"{path} cannot be read ({broken})") from broken
    if not isinstance(record, dict):
        raise RunFolderError(f"{path} holds no record")
    if record.get("status") == "running" and not _alive(record.get("process", {})):
        record["status"] = "interrupted"
    return record


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``record.json`` so that a reader sees the old one or the new one, whole."""
    path = folder / RECORD
    passing = folder / f".{RECORD}.{os.getpid()}"
    try:
        passing.unlink(missing_ok=True)
        with passing.open("x", encoding="utf-8") as file:  # never through a link
            json.dump(plain(record), file, indent=1, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        passing.replace(path)
    except OSError as full:
        passing.unlink(missing_ok=True)
        raise cannot_write(path, full) from full


def cannot_write(path: Path, trouble: OSError) -> RunFolderError:
    """Name the path that cannot be written, and the ways out."""
    return RunFolderError(
        f"cannot write {path} ({trouble.strerror or trouble}); free space, or point "
        "paths.runs=<folder> to a place you may write"
    )


def short(folder: Path) -> str:
    """Return the folder as one would type it here."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def claim(folder: Path, *, previous: int) -> None:
    """Make ``folder`` ready for a new run.

    A completed run is never touched. What a failed or interrupted one left is moved into
    ``previous-<n>/``, of which the newest ``previous`` are kept.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = [path for path in folder.iterdir() if not _belongs(path)]
    except OSError as trouble:
        raise cannot_write(folder, trouble) from trouble
    if not (folder / RECORD).exists():
        if strangers:
            raise RunFolderError(
                f"{folder} holds {strangers[0].name!r} but no {RECORD}: it is not a run folder; "
                "choose another name= or empty it"
            )
        return
    try:
        status = read_record(folder)["status"]
    except (RunFolderError, KeyError):
        status = "unreadable"
    if status == "completed":
        raise RunFolderError(
            f"{folder} holds a finished run; skip_finished=true takes its result, another "
            "name=<slug> starts a new folder, or delete it to run again"
        )
    if status == "running":
        raise RunFolderError(
            f"{folder} is being written by another process; wait for it, or choose another name="
        )
    try:
        _retire(folder, status=status, previous=previous)
    except OSError as trouble:
        raise cannot_write(folder, trouble) from trouble


def _belongs(path: Path) -> bool:
    """Tell what Hydra or an earlier attempt puts there from a stranger's file."""
    return (
        path.name == ".hydra"
        or path.suffix == ".log"
        or path.name.startswith(("previous-", f".{RECORD}"))
    )


def _retire(folder: Path, *, status: str, previous: int) -> None:
    attempts = sorted(
        (path for path in folder.glob("previous-*") if path.name[9:].isdigit()),
        key=lambda path: int(path.name[9:]),
    )
    number = int(attempts[-1].name[9:]) + 1 if attempts else 1
    target = folder / f"previous-{number}"
    moved = [
        path
        for path in folder.iterdir()
        if not path.name.startswith("previous-") and path.suffix != ".log"
    ]
    target.mkdir()
    for path in moved:
        # Another name, so that a search for record.json finds runs and not attempts.
        path.rename(target / ("previous.json" if path.name == RECORD else path.name))
    log.warning("%s held an %s run; it was moved to %s", folder, status, target.name)
    for old in [*attempts, target][: max(0, len(attempts) + 1 - previous)]:
        shutil.rmtree(old)
        log.warning("deleted %s (keep.previous=%d)", old, previous)


def _alive(process: Mapping[str, Any]) -> bool:
    if process.get("host") != socket.gethostname():
        return True  # cannot be known from here
    try:
        os.kill(int(process["pid"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it: NumPy as numbers, times as ISO, nan as null."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(child) for child in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    for method in ("item", "tolist"):
        if callable(getattr(value, method, None)):
            try:
                return plain(getattr(value, method)())
            except (ValueError, RuntimeError):
                continue
    return str(value)
