"""Pipelines with a leak built in, for the probe to find: linear, so that each probe is quick."""

from __future__ import annotations

from typing import Any

import numpy as np

from lanecast.data import visible
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex
from lanecast.models.classical.naive import SeasonalNaive

EVERY = {"all": 1, "half": 2, "tenth": 10}  # which series leak


class Leaking(SeasonalNaive):
    """A seasonal forecast with ``share`` of something that was not known in it."""

    def __init__(self, *, share: float, place: str, **options: Any) -> None:
        super().__init__(**options)
        self.share, self.every = share, EVERY[place]

    def leak(self, panel: Panel, at: WindowIndex, point_WH: np.ndarray) -> np.ndarray:
        """What is added, [W, H]."""
        raise NotImplementedError

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `SeasonalNaive`, and the leak on top."""
        point_WH = super().point(panel, at)
        leaking_W1 = (at.series_W % self.every == 0)[:, None]
        return point_WH + self.share * np.where(leaking_W1, self.leak(panel, at, point_WH), 0.0)


class LabelOfTomorrow(Leaking):
    """A feature that holds the label of t + 1."""

    def leak(self, panel: Panel, at: WindowIndex, point_WH: np.ndarray) -> np.ndarray:
        """The first label of each window."""
        first_W1 = np.nan_to_num(visible.cells(panel, at, TARGET, np.array([1])))
        return np.broadcast_to(first_W1, point_WH.shape)


class ScalerOnAllData(Leaking):
    """A scale that saw the whole panel, where it should have ended at the fit."""

    def leak(self, panel: Panel, at: WindowIndex, point_WH: np.ndarray) -> np.ndarray:
        """The forecast once more, by a scale of everything."""
        del at
        return point_WH / (1e-6 + float(np.nanstd(panel.column(TARGET).numpy())))


PIPELINES: dict[str, type[Leaking]] = {
    "label_from_tomorrow": LabelOfTomorrow,
    "scaler_on_all_data": ScalerOnAllData,
}
