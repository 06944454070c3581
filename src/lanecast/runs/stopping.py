"""Clean stops: SIGTERM and Ctrl-C end a run as an ordinary failure that its record can tell."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop(KeyboardInterrupt):
    """SIGTERM or Ctrl-C on its way out; a BaseException, so that no sweep starts the next job."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum


class RunInterrupted(Exception):
    """The job was stopped from outside.

    An ordinary exception on purpose: Hydra calls ``on_job_end`` after those only, and that is
    where the record is closed.
    """

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.signum).name}"


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and Ctrl-C inside the block into `RunInterrupted`."""
    try:
        with sigterm_raises():
            yield
    except (KeyboardInterrupt, SystemExit) as stop:
        signum = signal_behind(stop)
        if signum is None:
            raise
        # A second signal must not cut the closing of the record short.
        for late in (signal.SIGINT, signal.SIGTERM):
            if _in_main_thread():
                signal.signal(late, signal.SIG_IGN)
        raise RunInterrupted(signum) from stop


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Let SIGTERM raise `Stop` inside the block; the main thread's handler comes back after it."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise Stop(signum)

    if not _in_main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def signal_behind(stop: BaseException) -> int | None:
    """Find the signal: Lightning answers a KeyboardInterrupt with ``sys.exit(1)``."""
    at: BaseException | None = stop
    while at is not None:
        if isinstance(at, KeyboardInterrupt):
            return int(getattr(at, "signum", signal.SIGINT))
        at = at.__cause__ or at.__context__
    return None


def status_after(error: BaseException | None) -> str:
    """Return the status of a run that ended with ``error``."""
    if error is None:
        return "completed"
    stopped = isinstance(error, RunInterrupted) or (
        isinstance(error, (KeyboardInterrupt, SystemExit)) and signal_behind(error) is not None
    )
    return "interrupted" if stopped else "failed"
