"""The run folder on disk: claimed before anything heavy, written atomically, never overwritten."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lanecast.errors import RunFolderError
from lanecast.runs.contents import SEAL, seal
from lanecast.runs.owner import (
    PREFIX,
    SILENT,
    Claim,
    Owner,
    holder,
    process_state,
    take,
    wall_clock,
)

log = logging.getLogger(__name__)

RECORD = "record.json"


def read_record(folder: Path, *, now: datetime | None = None) -> dict[str, Any]:
    """Read ``record.json``; a run whose process is gone counts as interrupted, not as running.

    RunFolderError with the path and the way out where it cannot be read.
    """
    path = Path(folder) / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFolderError(f"{folder} is not a run folder: it has no {RECORD}") from None
    except (OSError, ValueError) as broken:
        reason = broken.strerror if isinstance(broken, OSError) else broken
        raise RunFolderError(
            f"{path} cannot be read ({reason or 'no text'}); repeat the run, or delete the folder"
        ) from broken
    if not isinstance(record, dict) or not isinstance(record.get("status"), str):
        raise RunFolderError(f"{path} holds no record of a run; repeat it, or delete the folder")
    if record["status"] == "running" and not _is_written(path.parent, record, now or wall_clock()):
        record["status"] = "interrupted"
    return record


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``record.json`` so that a reader sees the old one or the new one, whole."""
    path = folder / RECORD
    passing = folder / f".{RECORD}.{os.getpid()}"
    try:
        passing.unlink(missing_ok=True)
        with passing.open("x", encoding="utf-8") as file:  # never through a link
            content = plain(record)
            json.dump(content | {SEAL: seal(content)}, file, indent=1, allow_nan=False)
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


def claim(
    folder: Path, *, previous: int, now: datetime | None = None, take_over: bool = False
) -> Claim:
    """Make ``folder`` ready for a new run that this process alone writes.

    A completed run is never touched.  What a failed or interrupted one left is moved into
    ``previous-<n>/``, of which the newest ``previous`` are kept.  ``take_over`` as in `take`.
    """
    now = now or wall_clock()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = [path for path in folder.iterdir() if not _belongs(path)]
    except OSError as trouble:
        raise cannot_write(folder, trouble) from trouble
    if not (folder / RECORD).exists() and strangers and holder(folder) is None:
        raise RunFolderError(
            f"{folder} holds {strangers[0].name!r} but no {RECORD}: it is not a run folder; "
            "choose another name= or empty it"
        )
    _refuse_finished(folder)
    if unowned := holder(folder) is None:
        _refuse_unowned(folder, now, take_over=take_over)
    try:
        hold = take(folder, now=now, take_over=take_over)
    except RunFolderError:
        raise
    except OSError as trouble:
        raise cannot_write(folder, trouble) from trouble
    try:
        _refuse_finished(folder)  # by whoever held it a moment ago
        is_left = not unowned and any(not _stays(path) for path in folder.iterdir())
        if is_left or (folder / RECORD).exists():
            _retire(folder, status=_status(folder), previous=previous)
    except RunFolderError:
        hold.release(now)
        raise
    except OSError as trouble:
        hold.release(now)
        raise cannot_write(folder, trouble) from trouble
    return hold


def _status(folder: Path) -> str:
    """Of a run that nobody writes any more."""
    try:
        status = str(json.loads((folder / RECORD).read_text(encoding="utf-8"))["status"])
        return "interrupted" if status == "running" else status
    except FileNotFoundError:
        return "interrupted"
    except (OSError, ValueError, KeyError, TypeError):
        return "unreadable"


def _refuse_finished(folder: Path) -> None:
    if _status(folder) == "completed":
        raise RunFolderError(
            f"{folder} holds a finished run; skip_finished=true takes its result, another "
            "name=<slug> starts a new folder, or delete it to run again"
        )


def _refuse_unowned(folder: Path, now: datetime, *, take_over: bool) -> None:
    """Refuse a run of an earlier lanecast, which left no owner's file, while it may be alive."""
    try:
        record = read_record(folder, now=now)
    except RunFolderError:
        return
    if record["status"] == "running" and not take_over:
        process = record.get("process") or {}
        raise RunFolderError(
            f"{folder} is being written by process {process.get('pid')} on"
            f" {process.get('host')}, since {(record.get('timings') or {}).get('started')}; wait"
            " for it, choose another name=, or start again with take_over=true if it is gone"
        )


def _belongs(path: Path) -> bool:
    """Tell what Hydra or an earlier attempt puts there from a stranger's file."""
    return (
        path.name == ".hydra"
        or path.suffix == ".log"
        or path.name.startswith(("previous-", PREFIX, f".{RECORD}"))
    )


def _stays(path: Path) -> bool:
    """What is no part of an attempt: the logs, earlier attempts, and who held the folder."""
    return path.suffix == ".log" or path.name.startswith(("previous-", PREFIX))


def _retire(folder: Path, *, status: str, previous: int) -> None:
    attempts = sorted(
        (path for path in folder.glob("previous-*") if path.name[9:].isdigit()),
        key=lambda path: int(path.name[9:]),
    )
    number = int(attempts[-1].name[9:]) + 1 if attempts else 1
    target = folder / f"previous-{number}"
    moved = [path for path in folder.iterdir() if not _stays(path)]
    target.mkdir()
    for path in sorted(moved, key=lambda path: path.name == RECORD):
        # Another name, so that a search for record.json finds runs and not attempts.
        path.rename(target / ("previous.json" if path.name == RECORD else path.name))
    log.warning("%s held an %s run; it was moved to %s", folder, status, target.name)
    for old in [*attempts, target][: max(0, len(attempts) + 1 - previous)]:
        shutil.rmtree(old)
        log.warning("deleted %s (keep.previous=%d)", old, previous)


def _is_written(folder: Path, record: Mapping[str, Any], now: datetime) -> bool:
    """Whether the process that a record calls running may still be there at ``now``."""
    observer = Owner.this_process(now)
    if (owner := holder(folder)) is not None:
        return owner.is_alive(observer, now)
    process = record.get("process") or {}
    if process.get("host") != observer.host:
        # Of an earlier lanecast, without a heartbeat: its last word is all there is.
        written = datetime.fromtimestamp((folder / RECORD).stat().st_mtime, now.tzinfo)
        return now - written < 24 * 12 * SILENT
    try:
        state = process_state(int(process["pid"]))
    except (KeyError, ValueError, TypeError):
        return False
    return state is None or state[0]


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
