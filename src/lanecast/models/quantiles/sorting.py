"""Quantiles that never cross: rows of few values sorted in little time, on a CPU and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor

FEW = 24  # values of a row; more of them a sort orders in less time than exchanges do


def in_order(values: Tensor) -> Tensor:
    """Sorted along the last axis; a row that holds a nan is no order, and still holds one."""
    on_cpu = values.device.type == "cpu" and values.dtype == torch.float32
    if torch.compiler.is_compiling() or values.requires_grad or not on_cpu:
        return values.sort(dim=-1).values
    if values.shape[-1] <= FEW:
        return torch.from_numpy(_exchanged(values.numpy()))
    return torch.from_numpy(np.sort(values.numpy(), axis=-1))


def _exchanged(values: np.ndarray) -> np.ndarray:
    """Every place of all rows at once, pair by pair: the smaller value first."""
    *shape, size = values.shape
    places = list(np.array(np.moveaxis(values, -1, 0), order="C").reshape(size, -1))
    spare = np.empty_like(places[0])
    for low, high in _pairs(size):
        first, second = places[low], places[high]
        places[low] = np.minimum(first, second, out=spare)
        places[high] = np.maximum(first, second, out=second)
        spare = first
    return np.moveaxis(np.stack(places).reshape(size, *shape), 0, -1)


@cache
def _pairs(size: int) -> tuple[tuple[int, int], ...]:
    """Places to compare, in turn, that sort any row of ``size`` values."""
    return tuple(_merge_exchange(size))


def _merge_exchange(size: int) -> Iterator[tuple[int, int]]:
    """Batcher's merge exchange (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M)."""
    top = 1 << (size - 1).bit_length() >> 1
    step = top
    while step > 0:
        reach, kept, distance = top, 0, step
        while True:
            for low in range(size - distance):
                if low & step == kept:
                    yield low, low + distance
            if reach == step:
                break
            distance, reach, kept = reach - step, reach >> 1, step
        step >>= 1
