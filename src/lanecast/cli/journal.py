"""The journal of a study after a kill: whole up to its last whole line."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from lanecast.errors import ConfigError

log = logging.getLogger(__name__)


def keep_whole_lines(path: Path) -> None:
    """Cut off what was not written to its end; ConfigError for a line inside that is damaged.

    What is cut is one step of one trial, which the search asks for again.
    """
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        if not _is_step(line):
            raise ConfigError(
                f"{path}: line {number} is no step of a study; put the file back from a copy, or"
                " remove it: trials that are finished are not run again (skip_finished)"
            )
    if whole != content:
        log.warning("%s ends in half a line; it goes on from its last whole one", path)
        with path.open("r+b") as file:
            file.truncate(len(whole))


def _is_step(line: bytes) -> bool:
    try:
        step = json.loads(line)
    except ValueError:
        return False
    return isinstance(step, dict) and isinstance(step.get("op_code"), int)
