"""The verb *generate*: a midmile world in Parquet, or only the rate at which it is made.

The folder holds ``lanes/``, ``sites/``, with ``truth=true`` also ``truth/``, and ``world.json``
with the key of the world.  A run that is stopped leaves finished partitions; the same command goes
on with the rest.
"""

from __future__ import annotations

import json
import math
import os
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, RunFolderError

if TYPE_CHECKING:
    import numpy as np
    from omegaconf import DictConfig

    from lanecast.twin import World
    from lanecast.twin.partitions import FinishedPartition, PartitionJob

MANIFEST, TOTALS = "world.json", ".arrivals.npz"


@dataclass(slots=True)
class Tally:
    """What was made, and what it cost."""

    lane_days: int = 0
    busy_seconds: float = 0.0  # summed over workers
    worker_bytes: int = 0
    wall_seconds: float = 0.0
    finished: set[int] = field(default_factory=set)

    def add(self, partition: FinishedPartition, lane_days: int) -> None:
        """Count a partition."""
        self.lane_days += lane_days
        self.busy_seconds += partition.seconds
        self.worker_bytes = max(self.worker_bytes, partition.peak_bytes)
        self.finished.add(partition.number)

    @property
    def rate(self) -> float:
        """Lane-days per second and worker."""
        return self.lane_days / self.busy_seconds if self.busy_seconds else math.nan


def run(cfg: DictConfig) -> float:
    """Generate ``cfg.preset``; the result is the rate in lane-days per second and worker."""
    from lanecast.twin import World
    from lanecast.twin.partitions import PARTITION, PartitionJob

    if not 0 < cfg.fraction <= 1 or cfg.workers < 1:
        raise ConfigError(
            f"fraction={cfg.fraction} must lie in (0, 1] and workers={cfg.workers} be at least 1"
        )
    changes = {"seed": int(cfg.seed), "policy": str(cfg.policy), **dict(cfg.world)}
    world = World.preset(str(cfg.preset), **changes)
    last = max(1, math.ceil(world.lanes * cfg.fraction))
    count = -(-last // PARTITION)
    folder = (
        Folder.claim(Path(cfg.out), _key(world, last, truth=bool(cfg.truth))) if cfg.write else None
    )
    todo = [number for number in range(count) if folder is None or number not in folder.finished]
    out, truth = str(cfg.out) if folder else None, bool(cfg.truth)
    jobs = [PartitionJob(world=world, number=n, last=last, folder=out, truth=truth) for n in todo]
    tally, start = Tally(), time.perf_counter()
    try:
        for job, partition in _made(jobs, workers=int(cfg.workers)):
            first, end = job.lanes
            tally.add(partition, (end - first) * world.days)
            if folder is not None and partition.arrivals_DT is not None:
                folder.add(partition.number, partition.arrivals_DT)
    except KeyboardInterrupt:
        finished = len(tally.finished) if folder is None else len(folder.finished)
        print(f"stopped after {finished} of {count} partitions; the same command makes the rest")
        raise
    if folder is not None and not folder.complete:
        folder.finish(world, whole=last == world.lanes)
    tally.wall_seconds = time.perf_counter() - start
    _report(tally, world, last=last, workers=min(int(cfg.workers), max(1, len(jobs))), out=out)
    return tally.rate


def _key(world: World, last: int, *, truth: bool) -> dict[str, Any]:
    return {"world": world.key, "hash": world.hash, "lanes": last, "truth": truth}


@dataclass(slots=True)
class Folder:
    """A folder that one world owns; complete only when ``world.json`` says so."""

    path: Path
    key: dict[str, Any]
    complete: bool = False
    finished: set[int] = field(default_factory=set)
    arrivals_DT: np.ndarray | None = None  # of the finished partitions

    @classmethod
    def claim(cls, path: Path, key: dict[str, Any]) -> Folder:
        """Take an empty folder, or go on with one of the same key; refuse any other."""
        import numpy as np

        manifest = path / MANIFEST
        if not manifest.is_file():
            # A draft is what a killed start left.
            if path.exists() and (
                not path.is_dir() or any(child.name[0] != "." for child in path.iterdir())
            ):
                raise RunFolderError(
                    f"{path} is not empty and holds no {MANIFEST}; set out= to a new folder"
                )
            path.mkdir(parents=True, exist_ok=True)
            folder = cls(path, key)
            folder._write_manifest(complete=False)
            return folder
        with _named_if_damaged(manifest):
            manifest_facts = dict(json.loads(manifest.read_text()))
        if {name: manifest_facts.get(name) for name in key} != key:
            raise RunFolderError(
                f"{path} holds another world ({manifest_facts.get('hash')}, not {key['hash']}; or"
                " other lanes or truth=); set out= to a new folder, or remove this one"
            )
        folder = cls(path, key, complete=bool(manifest_facts.get("complete")))
        if (path / TOTALS).is_file():
            with _named_if_damaged(path / TOTALS), np.load(path / TOTALS) as totals:
                folder.finished = set(totals["done"].tolist())
                folder.arrivals_DT = totals["arrivals_DT"]
        return folder

    def add(self, number: int, arrivals_DT: np.ndarray) -> None:
        """Note a partition whose files are there."""
        import numpy as np

        self.arrivals_DT = arrivals_DT + (0 if self.arrivals_DT is None else self.arrivals_DT)
        self.finished.add(number)
        draft = self.path / f"{TOTALS}.draft"
        with draft.open("wb") as file:
            np.savez(file, done=sorted(self.finished), arrivals_DT=self.arrivals_DT)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.path / TOTALS)

    def finish(self, world: World, *, whole: bool) -> None:
        """Write the stations, where all lanes are there, and say that nothing is missing."""
        from lanecast.twin.partitions import write_sites

        if whole and self.arrivals_DT is not None:
            write_sites(self.path, world, self.arrivals_DT)
        self._write_manifest(complete=True)

    def _write_manifest(self, *, complete: bool) -> None:
        draft = self.path / f".{MANIFEST}.draft"
        with draft.open("w") as file:
            file.write(json.dumps({**self.key, "complete": complete}, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.path / MANIFEST)


@contextmanager
def _named_if_damaged(path: Path) -> Iterator[None]:
    """RunFolderError with the path and the way out where the block cannot read it."""
    try:
        yield
    except Exception as broken:  # each damage breaks another reader
        reason = (str(broken).splitlines() or [type(broken).__name__])[0]
        raise RunFolderError(
            f"{path} cannot be read ({reason}); remove {path.parent} and generate it anew, or set"
            " out= to a new folder"
        ) from broken


def _made(
    jobs: Sequence[PartitionJob], *, workers: int
) -> Iterator[tuple[PartitionJob, FinishedPartition]]:
    """Each partition when it is finished; on Ctrl-C, those that are running come to their end."""
    from lanecast.twin.partitions import make

    with _progress(len(jobs)) as advance:
        if workers == 1 or len(jobs) < 2:
            for job in jobs:
                yield job, make(job)
                advance()
            return
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor, as_completed

        pool = ProcessPoolExecutor(
            max_workers=min(workers, len(jobs)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_calm,
        )
        try:
            running = {pool.submit(make, job): job for job in jobs}
            for future in as_completed(running):
                yield running.pop(future), future.result()  # forget its arrays
                advance()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _calm() -> None:
    """Let the parent alone answer Ctrl-C."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("partitions", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _report(tally: Tally, world: World, *, last: int, workers: int, out: str | None) -> None:
    if not tally.finished:
        print(f"{out}: complete, every partition was there already")
        return
    own = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = own if workers == 1 else own + workers * tally.worker_bytes
    whole = world.lanes * world.days / (tally.lane_days / tally.wall_seconds)
    print(
        f"{last} lanes x {world.days} days{'' if out is None else f' in {out}'}:"
        f" {tally.lane_days} lane-days in {tally.wall_seconds:.1f} s with {workers} workers,"
        f" {tally.rate / 1e6:.2f} M lane-days per second and core,"
        f" peak memory at most {peak / 2**30:.2f} GiB;"
        f" all {world.lanes} lanes would take {whole / 60:.1f} min"
    )
