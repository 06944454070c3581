"""Who writes a run folder: claimed in one atomic step, kept by a heartbeat, let go when gone.

A claim is a file ``.owner-<n>.json`` that only one process can create (a hard link, or ``O_EXCL``
where there are none: both are atomic on local file systems and on NFS).  Whoever finds the newest
owner gone creates ``n + 1``, so that nothing is taken away that another one may be looking at.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Self

from lanecast.errors import RunFolderError

PREFIX = ".owner-"
BEAT = timedelta(seconds=30)  # between two signs of life
SILENT = timedelta(minutes=5)  # without one, a process that cannot be seen from here is gone
Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The time now, for the edge: everything below takes it as an argument."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process on one machine: ``boot`` and ``space`` say which one its ``pid`` counts in.

    ``started``: clock ticks since the boot, which tell it from a later process of the same number;
    None where the system does not say.  ``beat``: its last sign of life.
    """

    host: str
    boot: str
    space: str
    pid: int
    started: int | None
    since: datetime
    beat: datetime
    released: bool = False

    @classmethod
    def this_process(cls, now: datetime) -> Self:
        """The process that asks."""
        pid = os.getpid()
        state = process_state(pid)
        return cls(
            host=socket.gethostname(),
            boot=_read("/proc/sys/kernel/random/boot_id"),
            space=_link("/proc/self/ns/pid"),
            pid=pid,
            started=None if state is None else state[1],
            since=now,
            beat=now,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote; ValueError, KeyError or TypeError where it is something else."""
        facts = json.loads(text)
        times = {name: datetime.fromisoformat(facts[name]) for name in ("since", "beat")}
        if any(time.tzinfo is None for time in times.values()):
            raise ValueError("a time without a zone")
        return cls(**{**facts, **times})

    def to_json(self) -> str:
        """One line."""
        times = {"since": self.since.isoformat(), "beat": self.beat.isoformat()}
        return json.dumps({**asdict(self), **times}) + "\n"

    def is_seen_from(self, observer: Owner) -> bool:
        """Whether both live where a pid means the same process."""
        return (self.host, self.boot, self.space) == (observer.host, observer.boot, observer.space)

    def is_alive(self, observer: Owner, now: datetime) -> bool:
        """Whether it may still write, as far as ``observer`` can see at ``now``.

        Where both count processes alike the process itself decides, however long it was silent;
        else, or where the system does not say when a process started, the last sign of life does.
        """
        if self.released:
            return False
        recent = now - self.beat < SILENT
        if not self.is_seen_from(observer):
            return recent
        state = process_state(self.pid)
        if state is None:
            return _answers(self.pid) and recent
        is_running, started = state
        return is_running and (self.started is None or started == self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, which has held it since {self.since:%F %T} UTC"


class Claim:
    """The hold of this process on a folder; `beat` keeps it, `release` ends it."""

    def __init__(self, folder: Path, number: int, owner: Owner) -> None:
        self.folder, self.number, self.owner = folder, number, owner
        self._stop = threading.Event()

    def check(self) -> None:
        """RunFolderError where another process took the folder over."""
        if (last := _numbers(self.folder)) and last[-1] > self.number:
            other = holder(self.folder)
            raise RunFolderError(
                f"{self.folder} was taken over by {other or 'another process'}; this run stops"
                " here: look at that one, or start again under another name="
            )

    def beat(self, now: datetime) -> None:
        """Leave a sign of life."""
        self.owner = replace(self.owner, beat=now)
        _replace(self.folder / _name(self.number), self.owner.to_json())

    def keep_alive(self, clock: Clock) -> None:
        """Beat from a thread until `release`, or until the folder is no longer ours."""

        def beating() -> None:
            while not self._stop.wait(BEAT.total_seconds()):
                try:
                    self.check()
                    self.beat(clock())
                except OSError:  # full or away: the next one may get through
                    continue

        threading.Thread(target=beating, name="heartbeat", daemon=True).start()

    def release(self, now: datetime) -> None:
        """Say that this process is done; nothing where another one has taken over."""
        self._stop.set()
        self.owner = replace(self.owner, beat=now, released=True)
        try:
            self.check()
            _replace(self.folder / _name(self.number), self.owner.to_json())
        except OSError:  # it will be seen that the process is gone
            return


def take(folder: Path, *, now: datetime, take_over: bool = False) -> Claim:
    """Claim an existing ``folder`` for this process, or say in one line who holds it.

    Of any number of processes that try at once, one gets it and the others a RunFolderError.
    ``take_over`` takes it from an owner of whom nothing is known but that it was alive lately; not
    from one that is seen running here.
    """
    observer = Owner.this_process(now)
    for _ in range(100):  # each turn somebody else was faster
        numbers = _numbers(folder)
        last = numbers[-1] if numbers else 0
        if last:
            try:
                owner = _owner(folder, last)
            except FileNotFoundError:
                continue
            seen = owner.is_seen_from(observer)
            if owner.is_alive(observer, now) and (seen or not take_over):
                raise RunFolderError(refusal(folder, owner, now, seen=seen))
        if not _create(folder / _name(last + 1), observer.to_json()):
            continue
        numbers = _numbers(folder)
        if numbers[-1] > last + 1:
            (folder / _name(last + 1)).unlink(missing_ok=True)
            continue
        for old in numbers[:-2]:
            (folder / _name(old)).unlink(missing_ok=True)
        return Claim(folder, last + 1, observer)
    raise RunFolderError(f"{folder} is claimed by many processes at once; start one at a time")


def refusal(folder: Path, owner: Owner, now: datetime, *, seen: bool) -> str:
    """Why the folder of a live owner is not given, and the ways out; ``seen``: running here."""
    way_out = f"stop that process (kill {owner.pid})"
    if not seen:
        silent = max(0, round((now - owner.beat).total_seconds()))
        way_out = (
            f"start again with take_over=true if you know that it is gone (its last sign of life is"
            f" {silent} s old, and after {SILENT.total_seconds() / 60:g} min it counts as gone)"
        )
    return f"{folder} is being written by {owner}; wait for it, choose another name=, or {way_out}"


def holder(folder: Path) -> Owner | None:
    """The newest owner of a folder, released or not; None where there never was one."""
    for _ in range(10):
        if not (numbers := _numbers(folder)):
            return None
        try:
            return _owner(folder, numbers[-1])
        except FileNotFoundError:
            continue
    return None


def _owner(folder: Path, number: int) -> Owner:
    """The owner in a file; one that cannot be read is as old as the file, from nowhere."""
    path = folder / _name(number)
    try:
        return Owner.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        # Where there are no hard links its text comes a moment after the file.
        time = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return Owner(
            host="an unknown host", boot="", space="", pid=0, started=None, since=time, beat=time
        )


def process_state(pid: int) -> tuple[bool, int] | None:
    """Whether a process runs, and when it started in ticks since the boot; None without /proc."""
    if not Path("/proc/self/stat").exists():
        return None
    try:
        # The name in parentheses may hold anything; the fields after it are numbers.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] not in ("Z", "X"), int(fields[19])
    except (OSError, IndexError, ValueError):
        return False, 0


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _create(path: Path, text: str) -> bool:
    """Whether this process created ``path``, whole; False where it is there already."""
    draft = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                return False
        return True
    finally:
        draft.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _name(number: int) -> str:
    return f"{PREFIX}{number}.json"


def _numbers(folder: Path) -> list[int]:
    names = [path.name for path in folder.glob(f"{PREFIX}*.json")]
    texts = [name.removeprefix(PREFIX).removesuffix(".json") for name in names]
    return sorted(int(text) for text in texts if text.isdigit())


@lru_cache(maxsize=4)
def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


@lru_cache(maxsize=1)
def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
