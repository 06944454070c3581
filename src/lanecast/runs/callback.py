"""The Hydra callback that closes every job's record and W&B run, whether or not the job failed."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lanecast.errors import LanecastError
from lanecast.runs.folder import short
from lanecast.runs.stopping import RunInterrupted, Stop

log = logging.getLogger(__name__)


class RunRecord(Callback):
    """Closes the record after each job, lets a sweep outlive a failed job, and sums up at its end.

    Each job writes one line to a journal in the sweep's folder: with a launcher that starts other
    processes this is how the first process learns what failed.
    """

    def __init__(self) -> None:
        self.journal: Path | None = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Open the journal of this sweep."""
        folder = Path(str(config.hydra.sweep.dir)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = folder / f".jobs-{os.getpid()}.jsonl"
        self.journal.touch()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Close the job's run with the status that is true; stop everything if it was stopped."""
        # The property would print Hydra's own line and raise.
        failure = job_return._return_value if job_return.status is not JobStatus.COMPLETED else None
        # job_return.working_dir is the current directory, not the run folder.
        folder = Path(str(config.hydra.runtime.output_dir))
        _close(config, folder, failure)
        sweep = config.hydra.mode == RunMode.MULTIRUN
        if sweep:
            self._write(folder, failure)
        if isinstance(failure, RunInterrupted):
            if self.journal is not None:
                self.journal.unlink(missing_ok=True)
            # Only a BaseException gets past Hydra; the next jobs of a sweep must not start.
            raise Stop(failure.signum)
        if failure is not None:
            if sweep:
                _announce(job_return, folder, failure)
            # Hydra's sweeper raises at the first failed job, without on_multirun_end and without
            # the batches to come; the failure is in the record, and the exit code tells of it.
            job_return.status = JobStatus.COMPLETED
            job_return.return_value = float("nan")

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:  # noqa: ARG002
        """Say which jobs failed, and exit with 1 if any did."""
        if self.journal is None:
            return
        jobs = [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]
        self.journal.unlink()
        failed = [job["folder"] for job in jobs if job["failed"]]
        if failed:
            print(
                f"{len(failed)} of {len(jobs)} jobs failed: {', '.join(failed)} "
                "(each record.json holds the trace)",
                file=sys.stderr,
                flush=True,
            )
            raise SystemExit(1)

    def _write(self, folder: Path, failure: Exception | None) -> None:
        if self.journal is None:
            return
        line = json.dumps({"folder": short(folder), "failed": failure is not None})
        with self.journal.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _close(config: DictConfig, folder: Path, failure: Exception | None) -> None:
    # Imported late: the callback is built before the job, also where the job only skips.
    from lanecast.runs.record import current_run, status_after

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
    from lanecast.runs.record import Run

    if (folder / RECORD).exists():
        return None
    task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return Run.open(effective_config(task), seeded=False)


def _announce(job_return: JobReturn, folder: Path, failure: Exception) -> None:
    trace = None if isinstance(failure, LanecastError) else failure
    asked = " ".join(job_return.overrides or ())
    log.error("job failed (%s): %s; see %s", asked, failure, short(folder), exc_info=trace)
