"""The files of a store: written whole or not at all; their damage is told by file and place."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from lanecast.errors import ConfigError, SchemaError

log = logging.getLogger(__name__)

BLOCK = 1 << 24  # bytes under one checksum
SEAL = "sha256"  # key of the manifest
ANEW = "remove the store and write it anew with lanecast prepare"


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A draft that becomes ``folder`` when the block ends, its files on disk.

    ConfigError where another process is writing it; what a killed one left is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.draft")
    lock = folder.with_name(f".{folder.name}.lock")
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"{folder} is being written by another process; wait for it, or set data.store to"
                " a new folder"
            ) from None
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            yield draft
            for file in draft.iterdir():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
            os.replace(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            lock.unlink(missing_ok=True)


def whole_facts(path: Path) -> dict[str, Any]:
    """Size and sha256 of a file that is always read whole."""
    return {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def block_facts(path: Path) -> dict[str, Any]:
    """Size, and the CRC-32 of each `BLOCK`, of a file that is read in pieces."""
    return {"size": path.stat().st_size, "block": BLOCK, "crc32": list(_sums(path, BLOCK))}


def write_manifest(path: Path, facts: Mapping[str, Any]) -> None:
    """``store.json``, with a checksum of its own."""
    path.write_text(json.dumps({**facts, SEAL: _seal(facts)}, indent=1) + "\n")


def _seal(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read_manifest(path: Path) -> dict[str, Any]:
    """What ``store.json`` says; ConfigError where there is none, SchemaError if it is damaged."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path.parent} is no store; write it with lanecast prepare and this data group"
        ) from None
    except (OSError, ValueError) as broken:
        raise SchemaError(f"{path} cannot be read ({broken}); {ANEW}") from broken
    if not isinstance(facts, dict) or not isinstance(facts.get("counts"), dict):
        raise SchemaError(f"{path} describes no store; {ANEW}")
    if facts.pop(SEAL, None) not in (None, _seal(facts)):
        raise SchemaError(f"{path} is not what was written (its sha256 is another); {ANEW}")
    return facts


def read_series(path: Path, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """The table of series, checked; SchemaError where it is damaged."""
    try:
        facts = _facts(path, manifest)
        if facts is not None and whole_facts(path) != facts:
            raise SchemaError(f"{path} is not what was written (its sha256 is another); {ANEW}")
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise SchemaError(f"{path} is gone; {ANEW}") from None
    except (OSError, ValueError) as broken:  # pyarrow's own errors are both
        if isinstance(broken, SchemaError):
            raise
        raise SchemaError(f"{path} cannot be read ({broken}); {ANEW}") from broken


def check_size(path: Path, expected: int) -> None:
    """SchemaError unless the file has as many bytes as its cells."""
    if not path.is_file():
        raise SchemaError(f"{path} is gone; {ANEW}")
    if (size := path.stat().st_size) != expected:
        raise SchemaError(f"{path} has {size:,} bytes, not {expected:,}; {ANEW}")


def check_blocks(path: Path, manifest: Mapping[str, Any]) -> None:
    """SchemaError for the first damaged block; a warning where a store lists no checksums."""
    facts = _facts(path, manifest)
    if facts is None:
        log.warning(
            "%s is of an earlier lanecast and lists no checksums: its values are read as they are",
            path.parent,
        )
        return
    block = int(facts["block"])
    sums = enumerate(zip(_sums(path, block), facts["crc32"], strict=False))
    if (damaged := next((at for at, (now, then) in sums if now != then), None)) is not None:
        raise SchemaError(
            f"{path} is damaged between the bytes {damaged * block:,} and"
            f" {(damaged + 1) * block:,} (their checksum is another); {ANEW}"
        )


def _facts(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    files = manifest.get("files")
    facts = files.get(path.name) if isinstance(files, Mapping) else None
    if facts is None or not isinstance(facts, dict):
        return None
    if path.name.endswith(".f32") and not (
        isinstance(facts.get("block"), int)
        and facts["block"] > 0
        and isinstance(facts.get("crc32"), list)
    ):
        raise SchemaError(f"store.json beside {path} lists no checksums of its blocks; {ANEW}")
    return facts


def _sums(path: Path, block: int) -> Iterator[int]:
    with path.open("rb") as file:
        while piece := file.read(block):
            yield zlib.crc32(piece)
