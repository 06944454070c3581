"""Reads an offline W&B run without a server: its id, config, curves and exit code.

An offline run is one ``.wandb`` file: protobuf records in a LevelDB log of 32 KiB blocks.  The file
lies in the run folder it mirrors, and names it in its config, so that a reviewer gets from either
to the other.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADER, BLOCK, PART = 7, 32768, 7
WHOLE, LAST = 1, 4


@dataclass(slots=True)
class OfflineRun:
    """What an offline run holds.  ``curves``: metric -> (step, value) in the order of logging.

    ``exit_code`` is None where the run was never closed.
    """

    id: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def folder(self) -> str:
        """The run folder it mirrors, as ``<name>/<config>/seed<k>``."""
        return str(self.config.get("run_folder", ""))


def read_offline(path: Path) -> OfflineRun:
    """Read a ``.wandb`` file, or the newest below a folder (``offline-run-*``, a run folder)."""
    run = OfflineRun()
    for record in _records(wandb_file(path)):
        if record.HasField("run"):
            run.id = record.run.run_id
            for item in record.run.config.update:
                run.config[item.key] = json.loads(item.value_json)
        elif record.HasField("history"):
            _add_row(run, record.history)
        elif record.HasField("exit"):
            run.exit_code = int(record.exit.exit_code)
    return run


def wandb_file(path: Path) -> Path:
    """The newest ``.wandb`` file at or below ``path``."""
    if path.is_file():
        return path
    return max(path.rglob("*.wandb"), key=lambda file: file.stat().st_mtime)


def record_of(path: Path) -> Path:
    """``record.json`` of the run folder that an offline run lies in."""
    folders = wandb_file(path).resolve().parents
    return next(folder / "record.json" for folder in folders if (folder / "record.json").is_file())


def _add_row(run: OfflineRun, history: Any) -> None:
    row = {
        (item.nested_key[0] if item.nested_key else item.key): json.loads(item.value_json)
        for item in history.item
    }
    step = row.get("step")
    for name, value in row.items():
        number = isinstance(value, (int, float)) or value in ("NaN", "Infinity", "-Infinity")
        if step is not None and number and name != "step" and not name.startswith("_"):
            run.curves.setdefault(name, []).append((int(step), float(value)))


def _records(path: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2 as protocol

    message: Any = protocol
    raw, at, row = path.read_bytes(), HEADER, b""
    while at + PART <= len(raw):
        if (left := BLOCK - at % BLOCK) < PART:  # a block's tail too short for a part is padding
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", raw[at : at + PART])
        row += raw[at + PART : at + PART + size]
        at += PART + size
        if kind in (WHOLE, LAST):
            yield message.Record.FromString(row)
            row = b""
