"""Moments of columns and of series over what is known at a step, block by block.

A panel in memory or on disk is read in blocks of cells, so that a fit needs no second copy of it.
Axes: ``N`` series, ``C`` cells of a block, ``X`` stored columns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lanecast.data.panel import Panel

BLOCK = 1 << 22  # cells of a column that are taken at once
SPAN = 1 << 17  # cells of all columns that are, where a column is longer
SERIES = 1 << 18  # cells of the target, for statistics of series
_UNKNOWN = torch.tensor([0.0, 1.0], dtype=torch.float64)


def cell_steps(panel: Panel, low: int = 0, high: int | None = None) -> np.ndarray:
    """Step of every cell ``low .. high - 1``, [C]."""
    high = panel.num_cells if high is None else high
    first = int(np.searchsorted(panel.offsets, low, side="right")) - 1
    last = int(np.searchsorted(panel.offsets, high, side="left"))
    edges = np.clip(panel.offsets[first : last + 1], low, high)
    shift = panel.start[first:last] - panel.offsets[first:last]
    steps: np.ndarray = np.arange(low, high) + np.repeat(shift, np.diff(edges))
    return steps


def column_moments(panel: Panel, *, until: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n in the denominator) of each column's known cells, [X] float64.

    0 and 1 where nothing is known yet.
    """
    if panel.num_cells > BLOCK:
        return _merged_moments(panel, until)
    moments = []
    for name in panel.schema.stored:
        column = _known(panel, name, until)
        moments.append((column.mean(), column.std(correction=0)) if len(column) else _UNKNOWN)
    means, sds = (torch.stack(part).double() for part in zip(*moments, strict=True))
    return means, sds


def _merged_moments(panel: Panel, until: int) -> tuple[Tensor, Tensor]:
    """As `column_moments`, in one pass: moments of blocks merged (Chan, Golub and LeVeque 1983)."""
    delays = [_delay(panel, name) for name in panel.schema.stored]
    count = mean = squares = torch.zeros(len(delays), dtype=torch.float64)
    room = torch.empty(SPAN, len(delays), dtype=torch.float64)  # taken anew it would not be reused
    for low in range(0, panel.num_cells, SPAN):
        high = min(low + SPAN, panel.num_cells)
        values_CX = panel.store[panel.places(low, high)]
        known_CX = torch.isfinite(values_CX)
        step_C = torch.from_numpy(cell_steps(panel, low, high))
        latest = int(step_C.max())
        for column, delay in enumerate(delays):
            if latest + delay > until:
                known_CX[:, column] &= step_C + delay <= until
        hidden_CX = known_CX.logical_not()
        number = known_CX.sum(dim=0)
        block_CX = room[: high - low].copy_(values_CX)
        mean_X = block_CX.masked_fill_(hidden_CX, 0.0).sum(dim=0) / number.clamp(min=1)
        apart = block_CX.sub_(mean_X).masked_fill_(hidden_CX, 0.0).pow_(2).sum(dim=0)
        both, shift = (count + number).clamp(min=1), mean_X - mean
        mean = mean + shift * number / both
        squares = squares + apart + shift**2 * count * number / both
        count = count + number
    sd = torch.where(count > 0, (squares / count.clamp(min=1)).sqrt(), 1.0)
    return mean, sd


def series_blocks(panel: Panel) -> Iterator[tuple[int, int]]:
    """First series, and the one after the last, of blocks of about `SERIES` cells."""
    first = 0
    while first < panel.num_series:
        end = int(np.searchsorted(panel.offsets, panel.offsets[first] + SERIES, side="right")) - 1
        end = min(max(end, first + 1), panel.num_series)
        yield first, end
        first = end


def lower_medians(values: Tensor, count_N: Tensor) -> Tensor:
    """Lower median of each run of ``count`` values, one run after the other, [N]."""
    median_N = np.empty(len(count_N))
    end_N, size_N = np.cumsum(count_N.numpy()), count_N.numpy()
    for size in np.unique(size_N):  # runs of one length stand in one table
        rows = np.flatnonzero(size_N == size)
        cells = (end_N[rows] - size)[:, None] + np.arange(size)
        median_N[rows] = np.partition(values.numpy()[cells], (size - 1) // 2, axis=1)[
            :, (size - 1) // 2
        ]
    return torch.from_numpy(median_N)


def _known(panel: Panel, name: str, until: int) -> Tensor:
    known = torch.from_numpy(cell_steps(panel) + _delay(panel, name) <= until)
    column = panel.cells(name)[panel.places(0, panel.num_cells)][known]
    return column[torch.isfinite(column)].double()


def _delay(panel: Panel, name: str) -> int:
    return panel.schema.delay_steps(name) if name in panel.schema.past else 0
