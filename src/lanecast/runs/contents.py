"""What a finished run folder holds: size and sha256 of each file, and whether it is still so."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import LanecastError, RunFolderError
from lanecast.runs.owner import process_state

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

FILES, SEAL = "files", "sha256"  # keys of the record
_APART = ("wandb", "previous-", ".owner-", ".record.json", "record.json", "explained-")
Refused = Callable[[str], LanecastError]


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def facts_of(path: Path) -> dict[str, Any]:
    """Size in bytes and sha256."""
    return {"size": path.stat().st_size, "sha256": digest(path)}


def contents(folder: Path) -> dict[str, dict[str, Any]]:
    """Every file of a run by its path in the folder; not logs, the mirror and earlier attempts."""
    return {
        str(path.relative_to(folder)): facts_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix != ".log"
        and not path.relative_to(folder).parts[0].startswith(_APART)
    }


def seal(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record without its own seal."""
    rest = {key: value for key, value in record.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def is_edited(record: Mapping[str, Any]) -> bool:
    """Whether a record says other than what was written; False of one without a seal."""
    return SEAL in record and record[SEAL] != seal(record)


def edited(folder: Path, record: Mapping[str, Any]) -> str | None:
    """What to say of an edited record; None where there is nothing to say."""
    if not is_edited(record):
        return None
    return (
        f"{folder / 'record.json'} was changed after it was written (its sha256 is another): it"
        " does not say what the run did"
    )


def doubts(folder: Path) -> list[str]:
    """What was changed in the config and the record of a run that others start from."""
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []  # whoever reads it says so
    if not isinstance(record, dict):
        return []
    lines = list(damages(folder, record, ".hydra/config.yaml"))
    return [*lines, line] if (line := edited(folder, record)) else lines


def damages(
    folder: Path, record: Mapping[str, Any], *under: str, missing: bool = True
) -> Iterator[str]:
    """What is wrong with the files of these names, or below these folders, one line each.

    Nothing where the record lists no files; a file that is gone counts only with ``missing``.
    """
    listed = record.get(FILES)
    if not isinstance(listed, Mapping):
        return
    for name, facts in listed.items():
        if not any(name == part or name.startswith(f"{part}/") for part in under):
            continue
        path = folder / name
        if not path.is_file():
            if missing:
                yield f"{path} is gone"
        elif (size := path.stat().st_size) != facts.get("size"):
            yield f"{path} has {size:,} bytes, not the {facts.get('size')} it had"
        elif digest(path) != facts.get("sha256"):
            yield f"{path} is not what the run wrote (its sha256 is another)"


def check_files(
    folder: Path,
    record: Mapping[str, Any],
    *under: str,
    refused: Refused = RunFolderError,
    missing: bool = True,
) -> None:
    """Refuse files that are not as the run left them; warn where the record does not list them."""
    if FILES not in record:
        if record.get("status") == "completed":
            log.warning(
                "%s is of an earlier lanecast and lists no checksums: its files are read as they"
                " are", folder
            )  # fmt: skip
        return
    for line in damages(folder, record, *under, missing=missing):
        raise refused(f"{line}; put it back from a copy, or repeat the run")


@contextmanager
def readable(path: Path, *, refused: Refused = RunFolderError) -> Iterator[None]:
    """Whatever goes wrong with reading ``path`` in the block is one line with the way out."""
    try:
        yield
    except LanecastError:
        raise
    except MemoryError:
        raise
    except Exception as broken:  # a damaged file breaks its reader in any way
        lines = str(broken).strip().splitlines()
        reason = f"{type(broken).__name__}: {lines[0][:200]}" if lines else type(broken).__name__
        raise refused(
            f"{path} cannot be read ({reason}); put it back from a copy, or repeat the run"
        ) from broken


def is_parquet(path: Path) -> bool:
    """Whether a file starts and ends like Parquet: a cut or emptied one does not."""
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        return start == b"PAR1" == file.read(4)


def read_frame(folder: Path, name: str, record: Mapping[str, Any]) -> pd.DataFrame:
    """A Parquet table of a run folder, checked against its record; RunFolderError if damaged."""
    import pandas as pd

    check_files(folder, record, name)
    with readable(folder / name):
        return pd.read_parquet(folder / name)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A draft beside ``path`` (a file or a folder) that takes its name, whole and on disk, or not.

    A folder must not be there yet.
    """
    start = f".{path.name}.draft-{socket.gethostname()}-"
    for left in path.parent.glob(f"{glob.escape(start)}*"):
        pid = left.name.removeprefix(start)
        if pid == str(os.getpid()) or not (pid.isdigit() and _is_running(int(pid))):
            remove(left)  # of a process that was killed
    draft = path.with_name(f"{start}{os.getpid()}")
    try:
        yield draft
        flush(draft)
        os.replace(draft, path)
    finally:
        remove(draft)


def _is_running(pid: int) -> bool:
    state = process_state(pid)
    return state is None or state[0]


def flush(path: Path) -> None:
    """Have a file, or all files of a folder, on disk before something points to them."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def remove(path: Path) -> None:
    """Take a file or a folder away, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
