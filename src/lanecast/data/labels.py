"""The answers to windows: the targets after each cutoff, read only to score or to draw.

Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex


def labels(panel: Panel, index: WindowIndex, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets of the steps ``cutoff + 1 .. cutoff + horizon`` and whether they are there.

    A cell outside its series, or missing in the panel, is 0 and not seen.
    """
    target = panel.cells(TARGET).numpy()
    first_W = index.cutoff_W + 1 + (panel.low - panel.start)[index.series_W]
    low_W, high_W = panel.low[index.series_W], panel.high[index.series_W]
    if len(index) and (first_W >= low_W).all() and (first_W + horizon <= high_W).all():
        y_WH = sliding_window_view(target, horizon)[first_W]  # whole answers are runs of cells
        seen_WH = np.isfinite(y_WH)
    else:
        cell_WH = first_W[:, None] + np.arange(horizon)
        inside_WH = (cell_WH >= low_W[:, None]) & (cell_WH < high_W[:, None])
        y_WH = target[np.where(inside_WH, cell_WH, 0)]
        seen_WH = inside_WH & np.isfinite(y_WH)
    if not seen_WH.all():
        y_WH[~seen_WH] = 0.0
    return y_WH, seen_WH
