"""OpenMP threads that sleep soon, and one thread for each worker of a sweep; before torch loads."""

from __future__ import annotations

import os

# Where cores are shared, spinning without end makes a step many times slower; where they are not,
# waking a thread takes longer than many operations do.  tests/test_costs.py measures both.
CALM_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}


def calm_threads() -> None:
    """Let OpenMP threads that wait for work sleep soon (`CALM_THREADS`); before torch is loaded."""
    for name, value in CALM_THREADS.items():
        os.environ.setdefault(name, value)


def one_thread_per_worker(argv: list[str]) -> None:
    """Give the processes that a launcher starts one thread each; ``trainer.threads`` sets more."""
    launcher = [text.partition("=")[2] for text in argv if text.startswith("hydra/launcher=")]
    if launcher and launcher[-1] != "basic":
        os.environ.setdefault("OMP_NUM_THREADS", "1")
