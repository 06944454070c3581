"""What was known of each window's series at its cutoff: MASE scale, volume and age.

Nothing here reads a target that was not visible at the cutoff.  Axes: ``W`` windows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex

BLOCK = 1 << 22  # cells summed at once: bounds the memory, whatever the panel


def seasonal_scale(panel: Panel, index: WindowIndex, season: int) -> np.ndarray:
    """Mean of abs(y[t] - y[t - season]) over all targets known at each cutoff, [W].

    Pairs with a missing value do not count; nan if there is no pair.
    """
    target = panel.cells(TARGET).numpy()

    def differences(low: int, high: int) -> np.ndarray:
        first = min(max(low, season), high)
        difference_T = np.full(high - low, np.nan, dtype=np.float64)
        early, late = target[first - season : high - season], target[first:high]
        if high > first:
            np.subtract(late, early, out=difference_T[first - low :], dtype=np.float64)
        return np.abs(difference_T, out=difference_T)

    low_W, stop_W = _known(panel, index)
    # Starting one season into the series keeps every pair inside it.
    begin_W = np.minimum(low_W + season, stop_W)
    total_W, count_W = _sums(differences, begin_W, stop_W)
    return np.where(count_W > 0, total_W / np.maximum(count_W, 1), np.nan)


def mean_volume(panel: Panel, index: WindowIndex, context: int) -> np.ndarray:
    """Mean absolute target over the known part of each context, [W]; 0 if none is known."""
    target = panel.cells(TARGET).numpy()
    low_W, stop_W = _known(panel, index)
    first_W = low_W + index.cutoff_W - context + 1 - panel.start[index.series_W]
    begin_W = np.clip(first_W, low_W, stop_W)
    total_W, count_W = _sums(lambda low, high: np.abs(target[low:high]), begin_W, stop_W)
    volume_W: np.ndarray = total_W / np.maximum(count_W, 1)
    return volume_W


def age(panel: Panel, index: WindowIndex) -> np.ndarray:
    """Steps from the first row of each window's series up to its cutoff, both included, [W]."""
    age_W: np.ndarray = index.cutoff_W - panel.start[index.series_W] + 1
    return age_W


def _known(panel: Panel, index: WindowIndex) -> tuple[np.ndarray, np.ndarray]:
    """First cell of each window's series and the cell after the last target known at its cutoff."""
    low_W, high_W = panel.low[index.series_W], panel.high[index.series_W]
    last_W = index.cutoff_W - panel.schema.delay_steps(TARGET) - panel.start[index.series_W]
    return low_W, np.clip(low_W + last_W + 1, low_W, high_W)


def _sums(
    values: Callable[[int, int], np.ndarray], begin_W: np.ndarray, stop_W: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the finite values in each range of cells, from one pass over the store."""
    points, back = np.unique(np.concatenate([begin_W, stop_W]), return_inverse=True)
    total, count = np.zeros(len(points)), np.zeros(len(points))
    sum_before, count_before = 0.0, 0.0
    for low in range(0, int(points[-1]) if len(points) else 0, BLOCK):
        high = min(low + BLOCK, int(points[-1]))
        first, last = np.searchsorted(points, [low, high], side="right")
        block_points = points[first:last]
        sums, counts = _prefix_sums(
            values(low, high), np.append(block_points[block_points < high], high) - low
        )
        total[first:last] = sum_before + sums[: len(block_points)]
        count[first:last] = count_before + counts[: len(block_points)]
        sum_before, count_before = sum_before + float(sums[-1]), count_before + float(counts[-1])
    total, count = total[back], count[back]
    half = len(begin_W)
    return total[half:] - total[:half], count[half:] - count[:half]


def _prefix_sums(block: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the finite values before each end; ends rise, the last is the block's."""
    starts = np.concatenate([[0], ends[:-1]])
    sums = np.add.reduceat(block, starts, dtype=np.float64)
    if np.isfinite(sums).all():
        return np.cumsum(sums), ends
    finite = np.isfinite(block)
    sums = np.add.reduceat(np.where(finite, block, 0.0), starts, dtype=np.float64)
    return np.cumsum(sums), np.cumsum(np.add.reduceat(finite, starts, dtype=np.int64))
