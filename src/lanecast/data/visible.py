"""Columns read as numpy arrays, for models that are no networks; visibility is applied here.

Axes: ``W`` windows, ``T`` steps relative to the cutoff, ``L`` context, ``H`` horizon, ``N`` series.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex, WindowSpec, training_windows
from lanecast.errors import LeakageError


def cells(panel: Panel, at: WindowIndex, name: str, ahead_T: np.ndarray) -> np.ndarray:
    """Values of a column at ``cutoff + ahead``, [W, T] float64; NaN where no value is stored.

    Nothing is hidden here: use `visible` for what a model reads and `labels` for its answers.
    """
    low_W, high_W = panel.low[at.series_W], panel.high[at.series_W]
    cell_WT = (low_W - panel.start[at.series_W] + at.cutoff_W)[:, None] + ahead_T
    inside_WT = (cell_WT >= low_W[:, None]) & (cell_WT < high_W[:, None])
    values = panel.cells(name).numpy()
    x_WT = values[np.clip(cell_WT, 0, max(len(values) - 1, 0))].astype(np.float64)
    return np.where(inside_WT & np.isfinite(x_WT), x_WT, np.nan)


def visible(panel: Panel, at: WindowIndex, name: str, ahead_T: np.ndarray) -> np.ndarray:
    """As `cells`, with NaN wherever the visibility rule hides the value at the cutoff."""
    x_WT = cells(panel, at, name, ahead_T)
    x_WT[:, ahead_T > panel.schema.last_visible(name)] = np.nan
    return x_WT


def context(panel: Panel, at: WindowIndex, spec: WindowSpec) -> np.ndarray:
    """The visible targets of each window, [W, L]; NaN where hidden or missing."""
    return visible(panel, at, TARGET, np.arange(1 - spec.context, 1))


def labels(panel: Panel, at: WindowIndex, spec: WindowSpec) -> np.ndarray:
    """The answers, [W, H]; only for windows whose label is known to whoever asks."""
    return cells(panel, at, TARGET, np.arange(1, spec.horizon + 1))


def rolling_origins(
    panel: Panel, *, until: int, spec: WindowSpec, per_series: int, stride: int
) -> WindowIndex:
    """The newest ``per_series`` windows of each series whose whole label is known at ``until``.

    Windows with fewer than ``min_context`` visible targets are left out.
    """
    every = training_windows(panel, until=until, spec=replace(spec, train_stride=stride))
    before_N = every.before_series(panel.num_series)
    kept_N = np.minimum(np.diff(before_N), per_series)
    rows = np.repeat(before_N[1:], kept_N) - 1 - _countdown(kept_N)
    index = every.decode(rows)
    first = index.cutoff_W - spec.context + 1
    last = index.cutoff_W - panel.schema.delay_steps(TARGET)
    return index[panel.count_targets(index.series_W, first, last) >= spec.min_context]


def _countdown(count_N: np.ndarray) -> np.ndarray:
    """``count - 1 ... 0`` for each count, one after another."""
    stop = np.repeat(np.cumsum(count_N), count_N)
    return stop - 1 - np.arange(len(stop))


def refuse_early(name: str, fitted_until: int | None, panel: Panel, at: WindowIndex) -> None:
    """LeakageError for an unfitted model and for a window before the end of what it saw."""
    if fitted_until is None:
        raise LeakageError(f"{name} has not been fitted; call fit(panel, until=...) or load first")
    if len(at) and (first := int(at.cutoff_W.min())) < fitted_until:
        raise LeakageError(
            f"{name} was fitted until {panel.time_of(fitted_until)} and may not forecast from the"
            f" earlier cutoff {panel.time_of(first)}; train it with an earlier"
            " protocol.last_cutoff, or choose a later cutoff"
        )
