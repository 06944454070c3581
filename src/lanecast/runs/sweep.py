"""A sweep's own list of its jobs, kept by whatever runs them and summed up at its end."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanecast.errors import RunFolderError
from lanecast.runs.contents import replaced
from lanecast.runs.folder import RECORD, read_record, short

ENDS = ("completed", "failed", "interrupted", "skipped", "running")

_open: Sweep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepJob:
    """One job: its number in the sweep, its run folder, and how it ended."""

    number: int
    folder: Path
    status: str


class Sweep:
    """One file per job in a folder of the sweep's own: jobs may run in other processes and hosts.

    Only its place travels to them.  What a killed job could not note is read from its record.
    """

    def __init__(self, folder: Path, journal: Path) -> None:
        self.folder, self.journal = folder, journal

    @classmethod
    def begin(cls, folder: Path) -> Sweep:
        """Open a sweep that puts its run folders into ``folder``; `end_of_sweep` closes it."""
        global _open
        folder.mkdir(parents=True, exist_ok=True)
        _open = cls(folder, Path(tempfile.mkdtemp(prefix=".sweep-", dir=folder)))
        return _open

    def note(self, number: int, folder: Path, status: str) -> None:
        """Write how a job stands; the last word counts."""
        line = json.dumps({"folder": str(folder), "status": status})
        with replaced(self.journal / f"{number}.json") as draft:
            draft.write_text(line, encoding="utf-8")

    def jobs(self) -> list[SweepJob]:
        """Every job that was started, in order."""
        files = sorted(self.journal.glob("*.json"), key=lambda path: int(path.stem))
        return [_job(int(path.stem), json.loads(path.read_text("utf-8"))) for path in files]

    def close(self) -> list[SweepJob]:
        """Return the jobs, and take the notes away: the run folders tell the rest."""
        jobs = self.jobs()
        shutil.rmtree(self.journal, ignore_errors=True)
        return jobs


def end_of_sweep() -> list[SweepJob] | None:
    """Close the sweep that this process began; None where it began none."""
    global _open
    if _open is None:
        return None
    sweep, _open = _open, None
    return sweep.close()


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a completed run."""
    try:
        return bool(read_record(folder).get("status") == "completed")
    except RunFolderError:
        return False


def failed_jobs(jobs: list[SweepJob]) -> str | None:
    """Which jobs failed, and where to read why."""
    folders = [short(job.folder) for job in jobs if job.status == "failed"]
    return f"failed: {', '.join(folders)} (each {RECORD} holds the trace)" if folders else None


def summary(jobs: list[SweepJob], *, compare: str) -> str | None:
    """``3 completed, 1 failed; compare with: ...``; None where no job was started.

    ``compare``: how the verb *compare* is called: ``lanecast compare``.
    """
    if not jobs:
        return None
    counts = Counter(job.status for job in jobs)
    shown = [name for name in ENDS if counts[name] or name in ("completed", "failed")]
    parts = [", ".join(f"{counts[name]} {name}" for name in shown)]
    if counts["interrupted"]:
        parts.append("the same command with skip_finished=true goes on")
    if command := compare_command(jobs, compare=compare):
        parts.append(f"compare with: {command}")
    return "; ".join(parts)


def compare_command(jobs: list[SweepJob], *, compare: str) -> str | None:
    """The command that makes one table of the finished jobs; None where nothing can be shown."""
    finished = [job.folder for job in jobs if job.status in ("completed", "skipped")]
    records = [read_record(folder) for folder in finished if (folder / RECORD).is_file()]
    records = [record for record in records if (record.get("choices") or {}).get("model")]
    if not any(record.get("scores") or record.get("objective") for record in records):
        return None
    folders = list(dict.fromkeys(short(folder.parent.parent) for folder in finished))
    runs = folders[0] if len(folders) == 1 else f"[{','.join(folders)}]"
    arguments = [f"runs={runs}"]
    if not any(record.get("scores") for record in records):  # trained and not backtested
        arguments.append("metrics=[objective,seconds]")
    return f"{compare} {shlex.join(arguments)}"


def _job(number: int, noted: Mapping[str, Any]) -> SweepJob:
    folder, status = Path(noted["folder"]), str(noted["status"])
    if status == "running":  # its process had no time to say more
        try:
            status = str(read_record(folder)["status"])
        except (RunFolderError, KeyError):
            status = "interrupted"
    return SweepJob(number=number, folder=folder, status=status)
