"""Batches side by side on one machine: one thread each, instead of all threads on every batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = TypeVar("Batch")


def each_batch(work: Callable[[Batch], None], batches: Sequence[Batch], *, parallel: bool) -> None:
    """Do ``work`` on every batch, in any order; the first error ends it and is raised.

    With ``parallel`` the torch threads of this process are shared out, one to a batch; they are
    as before afterwards.
    """
    threads = torch.get_num_threads()
    if not parallel or threads == 1 or len(batches) == 1:
        for batch in batches:
            work(batch)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for _ in pool.map(work, batches):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
