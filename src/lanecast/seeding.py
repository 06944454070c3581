"""One seed for every source of randomness, and random numbers that are a function of their key."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device); same seed, same machine, same losses."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code draws from the global state
    torch.manual_seed(seed)


def hashed_uniforms(
    first_W: np.ndarray, second_W: np.ndarray, *, num: int, size: int, seed: int, skip: int = 0
) -> np.ndarray:
    """Uniforms in (0, 1), [num, W, size], a function of (seed, two keys, place) alone.

    ``skip`` leaves out the first ``skip`` of the ``num`` blocks, so that a stream can be read in
    parts (splitmix64 as a hash).
    """
    import numpy as np

    # Each part is mixed before the next is added: seed 1 of a key must not be seed 0 of the next.
    start = _mix(np.full(1, seed % 2**64, dtype=np.uint64))
    with np.errstate(over="ignore"):
        key_W = _mix(_mix(start + first_W.astype(np.uint64)) ^ second_W.astype(np.uint64))
    count = np.arange(skip * size, (skip + num) * size, dtype=np.uint64).reshape(num, 1, size)
    with np.errstate(over="ignore"):
        bits = _mix(key_W[None, :, None] + count * np.uint64(0x9E3779B97F4A7C15))
    return np.asarray(((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def _mix(x: np.ndarray) -> np.ndarray:
    import numpy as np

    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)))
