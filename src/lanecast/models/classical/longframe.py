"""Windows as a long table (unique_id = number of the window, ds, columns), for Nixtla's pipelines.

A cell that is not visible at its window's cutoff is NaN here, whatever the panel holds.
Axes: ``W`` windows, ``T`` steps relative to the cutoff, ``R`` rows, ``C`` static columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lanecast.data.panel import Panel
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex
from lanecast.errors import SchemaError

if TYPE_CHECKING:
    import pandas as pd


def columns_at(
    panel: Panel, at: WindowIndex, ahead_T: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Stored and calendar columns by name, each [W, T]; NaN where hidden or missing."""
    step_WT = at.cutoff_W[:, None] + ahead_T
    columns = {}
    for name in names:
        if name in panel.calendar_names:
            column_T = panel.calendar.numpy()[:, panel.calendar_names.index(name)]
            columns[name] = column_T[_on_grid(panel, step_WT)].astype(np.float64)
        else:
            columns[name] = visible.visible(panel, at, name, ahead_T)
    return columns


def _on_grid(panel: Panel, step_WT: np.ndarray) -> np.ndarray:
    if step_WT.size and int(step_WT.max()) >= len(panel.times):
        raise SchemaError(
            f"the calendar ends at {panel.time_of(len(panel.times) - 1)}, but a forecast needs it"
            f" up to {panel.time_of(int(step_WT.max()))}; build the panel with future rows"
        )
    return np.maximum(step_WT, 0)


def stack(
    panel: Panel,
    at: WindowIndex,
    ahead_T: np.ndarray,
    columns: Mapping[str, np.ndarray],
    kept_WT: np.ndarray,
) -> pd.DataFrame:
    """One row per kept (window, step), window by window in the order of time."""
    import pandas as pd

    from lanecast.data.schema import step_length

    window_R, step_R = np.nonzero(kept_WT)
    time_R = pd.Timestamp(panel.times[0]) + step_length(panel.schema.freq) * (
        at.cutoff_W[window_R] + ahead_T[step_R]
    )
    values = {name: column_WT[window_R, step_R] for name, column_WT in columns.items()}
    return pd.DataFrame({"unique_id": window_R, "ds": time_R, **values})


def fill_gaps(y_WT: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaps filled with the value of a season earlier, and which cells follow a first present value.

    A gap in the first season takes the value before it.
    """
    filled_WT = y_WT.copy()
    begun_WT = np.maximum.accumulate(np.isfinite(y_WT), axis=1)
    for step in range(1, y_WT.shape[1]):
        for back in (season, 1):
            empty_W = begun_WT[:, step] & np.isnan(filled_WT[:, step])
            if step >= back and empty_W.any():
                filled_WT[empty_W, step] = filled_WT[empty_W, step - back]
    return filled_WT, begun_WT
