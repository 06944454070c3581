"""One run: its folder, its record, its curves; and what it tells the mirror."""

from __future__ import annotations

import csv
import logging
import os
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from omegaconf import DictConfig, OmegaConf

from lanecast.config import config_hash, instantiate, invocation, resolved_config
from lanecast.config.recorded import effective_choices
from lanecast.errors import RunFolderError
from lanecast.runs.contents import FILES, contents
from lanecast.runs.environment import device, git_state, versions
from lanecast.runs.folder import cannot_write, claim, plain, read_record, short, write_record
from lanecast.runs.objective import Objective
from lanecast.runs.owner import Claim, wall_clock
from lanecast.runs.semantics import SEMANTICS
from lanecast.runs.sources import source_facts
from lanecast.runs.stopping import status_after
from lanecast.runs.wandb_mirror import Mirror, NoMirror

__all__ = ["Objective", "Run", "current_run", "read_record"]

log = logging.getLogger(__name__)

_current: Run | None = None


def current_run() -> Run | None:
    """Return the run that is open in this process, if any."""
    return _current


class Run:
    """A run folder being written. Use it as ``with Run.open(cfg) as run:``.

    It keeps the `Reporter` contract. Leaving the block, or Hydra's ``on_job_end``, closes it with
    the status that is true; nothing that happens in the mirror can fail it.
    """

    def __init__(
        self,
        folder: Path,
        record: dict[str, Any],
        mirror: Mirror | NoMirror,
        *,
        hold: Claim | None = None,
    ) -> None:
        self.folder = folder
        self.hold = hold
        self.record = record
        self.mirror = mirror
        self.keep: dict[str, Any] = record["config"].get("keep") or {}
        self.is_open = True
        self.summary: str | None = None
        self._started = time.perf_counter()

    @property
    def leads(self) -> bool:
        """Whether this process writes the folder, and not one that was started beside it."""
        return self.hold is not None

    @classmethod
    def open(cls, cfg: DictConfig | Mapping[str, Any], *, seeded: bool = True) -> Run:
        """Claim ``paths.output``, write the first record, seed everything, start the mirror.

        Called again for the folder of the open run, it returns that run.  In a process that
        Lightning started beside the first (``LOCAL_RANK`` above 0) the run writes nothing.
        """
        config = cfg if isinstance(cfg, DictConfig) else OmegaConf.create(dict(cfg))
        resolved = resolved_config(config)
        folder = Path(str(resolved["paths"]["output"])).absolute()
        if _current is not None and _current.is_open:
            if _current.folder == folder:
                return _current
            raise RunFolderError(f"{_current.folder} is still open; finish it before {folder}")
        run = cls._start(config, resolved, folder)
        if seeded and resolved.get("seed") is not None:
            from lanecast.seeding import seed_everything

            seed_everything(int(resolved["seed"]))
        return run

    @classmethod
    def _start(cls, config: DictConfig, resolved: dict[str, Any], folder: Path) -> Run:
        hold = None
        if int(os.environ.get("LOCAL_RANK", "0")) == 0:
            keep = int((resolved.get("keep") or {}).get("previous", 1))
            hold = claim(folder, previous=keep, take_over=bool(resolved.get("take_over")))
        try:
            return cls._start_in(folder, config, resolved, hold)
        except BaseException:
            if hold is not None and (_current is None or _current.hold is not hold):
                hold.release(wall_clock())
            raise

    @classmethod
    def _start_in(
        cls, folder: Path, config: DictConfig, resolved: dict[str, Any], hold: Claim | None
    ) -> Run:
        global _current
        call = invocation()
        record = {
            "status": "running",
            "verb": resolved.get("verb"),
            "name": resolved.get("name"),
            "objective": None,
            "config_hash": config_hash(config),
            "semantics": SEMANTICS,
            "seed": resolved.get("seed"),
            "choices": effective_choices(config),
            "overrides": list(call.overrides),
            "git": git_state(),
            "versions": versions(),
            "device": None,
            "timings": {"started": wall_clock().isoformat(timespec="seconds")},
            "process": None if hold is None else {"pid": hold.owner.pid, "host": hold.owner.host},
            "wandb": None,
            "warnings": [],
            "error": None,
            "sources": source_facts(resolved.get("data")),
            "config": resolved,
        }
        if hold is not None:
            write_record(folder, record)
            _write_inputs(folder, config, call.hydra, call.overrides)
            hold.keep_alive(wall_clock)
        mirror = instantiate((hold is not None and resolved.get("tracking")) or NO_MIRROR)
        run = _current = cls(folder, record, mirror, hold=hold)
        record["wandb"] = mirror.start(folder=folder, record=record, warn=run.warn)
        run._save()
        return run

    def log(self, step: int, **values: float) -> None:
        """Append metrics (``val/wape``) to ``metrics.csv``, one row each, and to the mirror."""
        path = self.folder / "metrics.csv"
        numbers = {name: float(value) for name, value in values.items()}
        if self.hold is None:
            return
        self.hold.check()
        try:
            with path.open("a", newline="", encoding="utf-8") as file:
                rows = csv.writer(file)
                if file.tell() == 0:
                    rows.writerow(["step", "name", "value"])
                rows.writerows([int(step), name, repr(value)] for name, value in numbers.items())
        except OSError as full:
            raise cannot_write(path, full) from full
        self.mirror.log(int(step), numbers)

    def warn(self, message: str) -> None:
        """Leave a warning in the record, once."""
        log.warning(message)
        if message not in self.record["warnings"]:
            self.record["warnings"].append(message)
            self._save()

    def note(self, **facts: Any) -> None:
        """Merge facts into the record: ``run.note(data={"fingerprint": ...}, split={...})``."""
        _merge(self.record, plain(facts))
        self._save()

    def image(self, name: str, source: Any) -> None:
        """Give the mirror a picture: the path of a file in the folder, or a matplotlib figure."""
        self.mirror.image(name, source)

    def set_objective(self, objective: Objective, *, summary: str | None = None) -> None:
        """Record the number this run is judged by; ``summary`` says more to whoever reads along."""
        self.summary = summary
        self.note(objective=asdict(objective))

    def finish(self, status: str, *, error: BaseException | None = None) -> None:
        """Close the run as completed, failed or interrupted; a second call changes nothing."""
        global _current
        if not self.is_open:
            return
        self.is_open = False
        if _current is self:
            _current = None
        record = self.record
        record["status"] = status
        if error is not None:
            record["error"] = "".join(traceback.format_exception(error))
        record["device"] = record["device"] or device()
        record["timings"]["seconds"] = round(time.perf_counter() - self._started, 3)
        try:
            self._bound()
            # Before the mirror closes: nothing it does may cost us the status.
            self._save()
        finally:
            self.mirror.finish(
                summary={"status": status, "objective": record["objective"]},
                exit_code=0 if status == "completed" else 1,
            )
            if self.hold is not None:
                self.hold.release(wall_clock())
        if self.hold is not None and self.keep.get("wandb") is False:
            shutil.rmtree(self.folder / "wandb", ignore_errors=True)
        if self.leads and status == "completed":
            result = f": {self.summary}" if self.summary else _told(record["objective"])
            log.info("completed%s; see %s", result, short(self.folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.finish(status_after(error), error=error)

    def _save(self) -> None:
        if self.hold is not None:
            self.hold.check()
            write_record(self.folder, self.record)

    def _bound(self) -> None:
        """Take away what ``keep`` does not ask for, and list what a completed run leaves."""
        if self.hold is None:
            return
        if self.record["status"] == "completed":  # nothing is left to resume
            (self.folder / "checkpoints" / "last.ckpt").unlink(missing_ok=True)
        if self.keep.get("forecasts") is False:
            for name in ("forecasts.parquet", "forecasts.csv"):
                (self.folder / name).unlink(missing_ok=True)
        if self.record["status"] == "completed":
            self.record[FILES] = contents(self.folder)


NO_MIRROR = {"_target_": "lanecast.runs.wandb_mirror.NoMirror"}


def _told(objective: Mapping[str, Any] | None) -> str:
    if not objective or objective["value"] is None:
        return ""
    step = "" if objective["step"] is None else f" at step {objective['step']}"
    return f": {objective['name']} {objective['value']:.5g}{step}"


def _write_inputs(
    folder: Path, config: DictConfig, hydra: DictConfig | None, overrides: tuple[str, ...]
) -> None:
    """Write ``.hydra/``: the config as composed, which ``run=<folder>`` starts from again."""
    task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        (folder / ".hydra").mkdir(exist_ok=True)
        OmegaConf.save(task, folder / ".hydra" / "config.yaml")
        OmegaConf.save(OmegaConf.create(list(overrides)), folder / ".hydra" / "overrides.yaml")
        if hydra is not None:
            OmegaConf.save(OmegaConf.create({"hydra": hydra}), folder / ".hydra" / "hydra.yaml")
    except OSError as full:
        raise cannot_write(folder / ".hydra", full) from full


def _merge(into: dict[str, Any], facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
