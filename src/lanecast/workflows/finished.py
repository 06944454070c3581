"""``skip_finished=true``: the number of a finished run, where it would still come out the same."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import LanecastError, RunFolderError
from lanecast.runs.contents import is_edited
from lanecast.runs.folder import RECORD, read_record
from lanecast.runs.semantics import SEMANTICS, semantics_of
from lanecast.runs.sources import SOURCES, changes, source_facts

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)


def finished_objective(cfg: DictConfig) -> float | None:
    """The objective of the completed run in ``cfg.paths.output``, nan where it has none.

    None where the folder holds no completed run.  RunFolderError, which names what changed, where
    its data, its record or the rules it was made under are others than today's.
    """
    folder = Path(str(cfg.paths.output))
    if not (folder / RECORD).is_file():
        return None
    try:
        record = read_record(folder)
    except RunFolderError:
        return None  # it is moved away like any attempt that came to nothing
    if record["status"] != "completed":
        return None
    _require_same(folder, record, cfg)
    log.info("skipped: %s is finished (skip_finished=true)", folder)
    value = (record.get("objective") or {}).get("value")
    return math.nan if value is None else float(value)


def _require_same(folder: Path, record: dict[str, Any], cfg: DictConfig) -> None:
    way_out = "another name= runs it anew beside it, or delete the folder"
    if (version := semantics_of(record)) != SEMANTICS:
        raise RunFolderError(
            f"{folder} is finished, but under the rules of semantics {version}, and this lanecast"
            f" computes under {SEMANTICS} (noise, statics and absence): {way_out}"
        )
    if is_edited(record):
        raise RunFolderError(
            f"{folder / RECORD} was changed after it was written (its sha256 is another): {way_out}"
        )
    if SOURCES not in record:
        log.warning("%s does not say which files it read; they are taken as unchanged", folder)
        return
    lines = changes(record[SOURCES], source_facts(cfg.get("data")))
    if not lines:
        return
    if (before := (record.get("data") or {}).get("fingerprint")) is not None:
        after = _fingerprint(cfg, folder)
        if before == after:
            log.info("%s: other files, but the same panel: %s", folder, "; ".join(lines))
            return
        lines.append(f"panel {before} before, {after} now")
    raise RunFolderError(
        f"{folder} is finished, but its data changed since: {'; '.join(lines)}; {way_out}"
    )


def _fingerprint(cfg: DictConfig, folder: Path) -> str:
    from lanecast.data.ingest.loading import load_panel

    try:
        return load_panel(cfg.data).fingerprint
    except LanecastError as broken:
        raise RunFolderError(
            f"{folder} is finished, but its data cannot be read any more: {broken}"
        ) from broken
