"""Moments of columns and of series over what is known at a step, block by block.

A panel in memory or on disk is read in blocks of `BLOCK` cells, so that a fit needs no second copy
of it.  Axes: ``N`` series, ``C`` cells of a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lanecast.data.panel import Panel

BLOCK = 1 << 22


def cell_steps(panel: Panel, low: int = 0, high: int | None = None) -> np.ndarray:
    """Step of every cell ``low .. high - 1``, [C]."""
    high = panel.num_cells if high is None else high
    first = int(np.searchsorted(panel.offsets, low, side="right")) - 1
    last = int(np.searchsorted(panel.offsets, high, side="left"))
    edges = np.clip(panel.offsets[first : last + 1], low, high)
    shift = panel.start[first:last] - panel.offsets[first:last]
    steps: np.ndarray = np.arange(low, high) + np.repeat(shift, np.diff(edges))
    return steps


def column_moments(panel: Panel, name: str, *, until: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n in the denominator) of a column's known cells, float64.

    0 and 1 where nothing is known yet.
    """
    blocks = [(k, min(k + BLOCK, panel.num_cells)) for k in range(0, panel.num_cells, BLOCK)]
    if len(blocks) <= 1:
        column = _known(panel, name, until, 0, panel.num_cells)
        if not len(column):
            return torch.tensor(0.0), torch.tensor(1.0)
        return column.mean(), column.std(correction=0)
    total, count = torch.tensor(0.0, dtype=torch.float64), 0
    for low, high in blocks:
        column = _known(panel, name, until, low, high)
        total, count = total + column.sum(), count + len(column)
    if not count:
        return torch.tensor(0.0), torch.tensor(1.0)
    mean = total / count
    squares = sum(((_known(panel, name, until, *b) - mean) ** 2).sum() for b in blocks)
    return mean, (torch.as_tensor(squares) / count).sqrt()


def series_blocks(panel: Panel) -> Iterator[tuple[int, int]]:
    """First series, and the one after the last, of blocks of about `BLOCK` cells."""
    first = 0
    while first < panel.num_series:
        end = int(np.searchsorted(panel.offsets, panel.offsets[first] + BLOCK, side="right")) - 1
        end = min(max(end, first + 1), panel.num_series)
        yield first, end
        first = end


def _known(panel: Panel, name: str, until: int, low: int, high: int) -> Tensor:
    delay = panel.schema.delay_steps(name) if name in panel.schema.past else 0
    known = torch.from_numpy(cell_steps(panel, low, high) + delay <= until)
    column = panel.column(name)[low:high][known]
    return column[torch.isfinite(column)].double()
