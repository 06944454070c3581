"""The Hydra callback that closes every job's record and W&B run, whether or not the job failed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lanecast.errors import LanecastError
from lanecast.runs.folder import short
from lanecast.runs.stopping import RunInterrupted, Stop, status_after
from lanecast.runs.sweep import Sweep, is_finished

log = logging.getLogger(__name__)


class RunRecord(Callback):
    """Closes the record after each job, and lets a sweep outlive a failed job.

    It travels to the processes that a launcher starts, and notes there how the sweep's jobs stand.
    """

    def __init__(self) -> None:
        self.sweep: Sweep | None = None
        self._finished_before = False

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Open the list of this sweep's jobs; the entry closes it and sums up."""
        self.sweep = Sweep.begin(Path(str(config.hydra.sweep.dir)).absolute())

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Note a sweep's job before anything can kill it."""
        if self.sweep is not None:
            self._finished_before = is_finished(_folder(config))
            self._note(config, "running")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Close the job's run with the status that is true; stop everything if it was stopped."""
        # The property would print Hydra's own line and raise.
        failure = job_return._return_value if job_return.status is not JobStatus.COMPLETED else None
        folder = _folder(config)
        _close(config, folder, failure)
        if self.sweep is not None:
            skipped = failure is None and self._finished_before
            self._note(config, "skipped" if skipped else status_after(failure))
        if isinstance(failure, RunInterrupted):
            # Only a BaseException gets past Hydra; the next jobs of a sweep must not start.
            raise Stop(failure.signum)
        if failure is not None:
            if config.hydra.mode == RunMode.MULTIRUN:
                _announce(job_return, folder, failure)
            # Hydra's sweeper raises at the first failed job, without the batches to come; the
            # failure is in the record, and the exit code tells of it.
            job_return.status = JobStatus.COMPLETED
            job_return.return_value = float("nan")

    def _note(self, config: DictConfig, status: str) -> None:
        if self.sweep is not None:
            self.sweep.note(int(config.hydra.job.num), _folder(config), status)


def _folder(config: DictConfig) -> Path:
    """The job's run folder; ``job_return.working_dir`` is the current directory."""
    return Path(str(config.hydra.runtime.output_dir))


def _close(config: DictConfig, folder: Path, failure: Exception | None) -> None:
    # Imported late: the callback is built before the job, also where the job only skips.
    from lanecast.runs.record import current_run

    run = current_run()
    try:
        if run is None and failure is not None:
            run = _open_for(config, folder)
        if run is not None:
            run.finish(status_after(failure), error=failure)
    except (LanecastError, OSError) as trouble:
        log.error("the record in %s could not be closed: %s", folder, trouble)


def _open_for(config: DictConfig, folder: Path) -> Any:
    """Open a record for a job that failed before it opened one; never over another run's."""
    from lanecast.config.recorded import effective_config
    from lanecast.runs.folder import RECORD
    from lanecast.runs.owner import holder
    from lanecast.runs.record import Run

    owner = holder(folder)
    if (folder / RECORD).exists() or (owner is not None and not owner.released):
        return None
    task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return Run.open(effective_config(task), seeded=False)


def _announce(job_return: JobReturn, folder: Path, failure: Exception) -> None:
    trace = None if isinstance(failure, LanecastError) else failure
    overrides = " ".join(job_return.overrides or ())
    log.error("job failed (%s): %s; see %s", overrides, failure, short(folder), exc_info=trace)
