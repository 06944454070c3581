"""The answers to windows: the targets after each cutoff, read only to score or to draw.

Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

import numpy as np

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex


def labels(panel: Panel, index: WindowIndex, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets of the steps ``cutoff + 1 .. cutoff + horizon`` and whether they are there.

    A cell outside its series, or missing in the panel, is 0 and not seen.
    """
    target = panel.column(TARGET).numpy()
    step_WH = index.cutoff_W[:, None] + np.arange(1, horizon + 1)
    cell_WH = step_WH + (panel.offsets[:-1] - panel.start)[index.series_W][:, None]
    low_W1 = panel.offsets[index.series_W][:, None]
    high_W1 = panel.offsets[index.series_W + 1][:, None]
    inside_WH = (cell_WH >= low_W1) & (cell_WH < high_W1)
    y_WH = target[np.where(inside_WH, cell_WH, 0)]
    seen_WH = inside_WH & np.isfinite(y_WH)
    return np.where(seen_WH, y_WH, np.float32(0)), seen_WH
