"""Counter-based noise: each number is a function of (seed, node, branch, day, block of lanes).

A block has a fixed number of lanes, so the same key gives the same bits whatever the number of
lanes simulated together, and any block can be made again alone.  Branch 0 is the factual world;
branch k > 0 holds an alternative future.  A shock's day is that of its decision: what is planned
ahead is drawn ahead, so that it is the same in all futures once it is known.
Axes: ``K`` branches, ``N`` lanes of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np

BLOCK = 1024  # lanes that share a stream; part of the key, never a tuning knob
BEFORE = 64  # days before day 0 that may have noise: the warm-up, and what it was planned in


class Shock(IntEnum):
    """Streams of noise; the numbers are part of the key and must not change."""

    STATIC = 0
    START = 1
    LEVEL = 2
    BREAK = 3
    DRIFT = 4
    WEATHER = 5
    PROMO = 6
    PRICE = 7
    ORDERS = 8
    GAMMA = 9
    POISSON = 10
    ZERO = 11
    CAPACITY = 12
    LATE = 13
    LABOR = 14
    FORECAST = 15
    PLANE = 16


class Stream:
    """A Philox generator that is moved from key to key, which is cheaper than making new ones."""

    def __init__(self, seed: int) -> None:
        self._philox = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64))
        self._state: dict[str, Any] = dict(self._philox.state)
        self._state["state"] = {
            "counter": np.zeros(4, dtype=np.uint64),
            "key": np.array([seed, 0], dtype=np.uint64),
        }
        self._state["buffer_pos"] = 4  # nothing left over from the previous key
        self._state["has_uint32"] = 0
        self.generator = np.random.Generator(self._philox)

    def at(self, shock: Shock, *, branch: int = 0, day: int = 0, block: int = 0) -> Any:
        """The generator at the beginning of one key."""
        inner = self._state["state"]
        inner["key"][1] = shock
        inner["counter"][:] = (0, block, day + BEFORE, branch)
        self._philox.state = self._state  # type: ignore[assignment]
        return self.generator


class Noise:
    """The shocks of lanes ``first .. first + count``; ``first`` is the start of a block.

    Arrays are [N]; where ``branches`` are given, [K, N] for days after ``cutoff``.
    """

    def __init__(
        self,
        *,
        seed: int,
        count: int,
        first: int = 0,
        branches: Sequence[int] | None = None,
        cutoff: int = -BEFORE,
    ) -> None:
        if first % BLOCK:
            raise ValueError(f"lane {first} is not the start of a block of {BLOCK}")
        self._stream = Stream(seed)
        self._first, self._count = first, count
        self._branches, self._cutoff = branches, cutoff

    def normal(self, shock: Shock, day: int) -> np.ndarray:
        """Standard normals."""
        return self._filled(shock, day, "standard_normal")

    def uniform(self, shock: Shock, day: int) -> np.ndarray:
        """Uniforms on [0, 1)."""
        return self._filled(shock, day, "random")

    def shared(self, shock: Shock, day: int, count: int) -> np.ndarray:
        """Standard normals of ``count`` things that are not lanes: regions, sites."""
        branches = self._of(day)
        rows = [
            self._stream.at(shock, branch=branch, day=day).standard_normal(count, dtype=np.float32)
            for branch in branches or (0,)
        ]
        return rows[0] if branches is None else np.stack(rows)

    def _of(self, day: int) -> Sequence[int] | None:
        """The branches of a day; None up to the cutoff, where all are the factual one."""
        return self._branches if day > self._cutoff else None

    def _filled(self, shock: Shock, day: int, method: str) -> np.ndarray:
        branches = self._of(day)
        rows = (0,) if branches is None else branches
        out_KN = np.empty((len(rows), self._count), dtype=np.float32)
        for row, branch in enumerate(rows):
            for low in range(0, self._count, BLOCK):
                block = (self._first + low) // BLOCK
                generator = self._stream.at(shock, branch=branch, day=day, block=block)
                getattr(generator, method)(out=out_KN[row, low : low + BLOCK], dtype=np.float32)
        return out_KN[0] if branches is None else out_KN
