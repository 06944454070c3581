"""Weights & Biases as a mirror of the run folder: offline unless asked, never failing a job."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Warn = Callable[[str], None]
YES = frozenset({"1", "true", "t", "yes", "y", "on"})


class NoMirror:
    """Mirrors nothing, and does not import wandb."""

    def start(self, *, folder: Path, record: Mapping[str, Any], warn: Warn) -> None:
        """Do nothing."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def image(self, name: str, source: Any) -> None:
        """Do nothing."""

    def finish(self, *, summary: Mapping[str, Any], exit_code: int) -> None:
        """Do nothing."""


class Mirror:
    """One W&B run per job, kept in ``<run folder>/wandb``; its errors become warnings.

    ``mode`` is wandb's: ``offline`` (send it later with ``wandb sync``), ``online`` or
    ``disabled``.  The environment (``WANDB_MODE``, ``WANDB_DISABLED``) may switch the mirror off or
    keep it offline, never send what the config keeps here.
    """

    def __init__(
        self,
        *,
        project: str = "lanecast",
        entity: str | None = None,
        mode: str = "offline",
        tags: Sequence[str] = (),
    ) -> None:
        self.project = project
        self.entity = entity
        self.mode = mode
        self.tags = list(tags)
        self._run: Any = None
        self._warn: Warn = lambda _: None

    def start(
        self, *, folder: Path, record: Mapping[str, Any], warn: Warn
    ) -> dict[str, str] | None:
        """Start a run of its own, also where a job before left one open.

        Return its id and dir, or what switched it off.
        """
        self._warn = warn
        if off := switched_off(self.mode, os.environ):
            return {"off": off}
        return self._harmless("start", self._start, folder, record)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Mirror one row of the curves."""
        if self._run is not None:
            # A step of our own: wandb drops rows whose built-in step does not grow, as in a refit.
            self._harmless("log", self._log, {"step": step, **values})

    def image(self, name: str, source: Any) -> None:
        """Mirror a picture: a path or a matplotlib figure."""
        if self._run is not None:
            self._harmless(f"image {name}", self._image, name, source)

    def finish(self, *, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close the run so that the next job gets its own."""
        if self._run is not None:
            self._harmless("finish", self._finish, summary, exit_code)
            self._run = None

    def _start(self, folder: Path, record: Mapping[str, Any]) -> dict[str, str]:
        mode = self._mode()
        if mode != "online":  # or its service reports on itself, and looks up a host for that
            os.environ["WANDB_ERROR_REPORTING"] = "false"
        import wandb

        self._run = wandb.init(
            project=self.project,
            entity=self.entity,
            mode=mode,  # type: ignore[arg-type]
            dir=folder,
            id=run_id(record),
            name=f"{folder.parent.name}/{folder.name}",
            group=folder.parent.name,
            job_type=record.get("verb"),
            tags=self.tags,
            config={
                **record["config"],
                "config_hash": record["config_hash"],
                "run_folder": "/".join(folder.parts[-3:]),
            },
            reinit="finish_previous",
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                x_disable_stats=True,
                x_disable_machine_info=True,  # the record has it
                x_disable_viewer=True,
            ),
        )
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        place = Path(self._run.dir).parent
        inside = place.relative_to(folder) if place.is_relative_to(folder) else place
        return {"id": str(self._run.id), "dir": str(inside)}

    def _mode(self) -> str:
        wish = os.environ.get("WANDB_MODE", "").lower()
        if wish in ("offline", "dryrun"):
            return "offline"
        if wish == "online" != self.mode:
            self._warn(
                f"WANDB_MODE=online is not followed: the W&B mirror stays {self.mode} in the run"
                " folder; send it with wandb sync, or choose tracking.mode=online"
            )
        return self.mode

    def _log(self, row: Mapping[str, float]) -> None:
        self._run.log(dict(row))

    def _image(self, name: str, source: Any) -> None:
        import wandb

        picture = str(source) if isinstance(source, (str, Path)) else source
        self._run.log({name: wandb.Image(picture)})

    def _finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        try:
            self._run.summary.update(dict(summary))
        finally:
            self._run.finish(exit_code=exit_code)

    def _harmless(self, purpose: str, call: Callable[..., T], *arguments: Any) -> T | None:
        try:
            return call(*arguments)
        except Exception as trouble:
            self._warn(
                f"W&B {purpose} failed ({type(trouble).__name__}: {trouble}); the run goes on"
            )
            return None


def switched_off(mode: str, environment: Mapping[str, str]) -> str | None:
    """What switches the mirror off, if anything does: ``WANDB_MODE=disabled``."""
    if environment.get("WANDB_DISABLED", "").lower() in YES:
        return f"WANDB_DISABLED={environment['WANDB_DISABLED']}"
    if environment.get("WANDB_MODE", "").lower() == "disabled":
        return f"WANDB_MODE={environment['WANDB_MODE']}"
    return "tracking.mode=disabled" if mode == "disabled" else None


def run_id(record: Mapping[str, Any]) -> str:
    """Return the id of a run: the same for the same name, config and seed."""
    name = hashlib.sha256(str(record.get("name")).encode()).hexdigest()[:4]
    return f"{record['config_hash']}-{name}-seed{record.get('seed')}"
