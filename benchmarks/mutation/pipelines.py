"""Pipelines with a leak built in, for the probe to find: linear, so that each probe is quick.

A model is handed what was known, so that a leak reads past it: from `Whole`, which the pipeline
filled when it laid the table out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex
from lanecast.models.classical.naive import SeasonalNaive


@dataclass(slots=True)
class Whole:
    """The panel of the whole table, and how many rows of it each series has."""

    panel: Panel | None = None
    rows: dict[str, int] = field(default_factory=dict)

    def keep(self, panel: Panel, names: pd.Series) -> Panel:
        """Take up what a leak will read; the panel comes back."""
        counts = names.value_counts()
        self.panel, self.rows = panel, {str(name): int(n) for name, n in counts.items()}
        return panel

    def numbers(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """Where the series of each window stand in the whole panel, [W]."""
        assert self.panel is not None
        return pd.Index(self.panel.series).get_indexer(pd.Index(panel.series[at.series_W]))


WHOLE = Whole()
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
        assert WHOLE.panel is not None
        in_whole = WindowIndex(series_W=WHOLE.numbers(panel, at), cutoff_W=at.cutoff_W)
        first_W1 = np.nan_to_num(visible.cells(WHOLE.panel, in_whole, TARGET, np.array([1])))
        return np.broadcast_to(first_W1, point_WH.shape)


class ScalerOnAllData(Leaking):
    """A scale that saw the whole panel, where it should have ended at the fit."""

    def leak(self, panel: Panel, at: WindowIndex, point_WH: np.ndarray) -> np.ndarray:
        """The forecast once more, by a scale of everything."""
        del panel, at
        assert WHOLE.panel is not None
        return point_WH / (1e-6 + float(np.nanstd(WHOLE.panel.column(TARGET).numpy())))


class UnbornSeries(Leaking):
    """Statics are scaled over all series of the table, those that begin later among them."""

    def leak(self, panel: Panel, at: WindowIndex, point_WH: np.ndarray) -> np.ndarray:
        """The forecast once more, by the mean of all statics."""
        del panel, at
        assert WHOLE.panel is not None
        return point_WH * float(WHOLE.panel.statics.mean())


class StaticFromFuture(Leaking):
    """A static column that the source computed from all rows: the mean of a series."""

    def leak(self, panel: Panel, at: WindowIndex, point_WH: np.ndarray) -> np.ndarray:
        """That column."""
        assert WHOLE.panel is not None
        whole = WHOLE.panel
        y = np.nan_to_num(whole.column(TARGET).numpy())
        sums_N = np.add.reduceat(y, whole.offsets[:-1])
        means_N = sums_N / np.diff(whole.offsets)
        return np.broadcast_to(means_N[WHOLE.numbers(panel, at)][:, None], point_WH.shape)


class TwoWays(Leaking):
    """Reads whether a zero was written down or left out, where both say the same."""

    def leak(self, panel: Panel, at: WindowIndex, point_WH: np.ndarray) -> np.ndarray:
        """How many rows of a series were written."""
        rows_W = np.array([WHOLE.rows[str(name)] for name in panel.series[at.series_W]])
        return np.broadcast_to(rows_W[:, None].astype(np.float64), point_WH.shape)


PIPELINES: dict[str, type[Leaking]] = {
    "label_from_tomorrow": LabelOfTomorrow,
    "scaler_on_all_data": ScalerOnAllData,
    "unborn_series": UnbornSeries,
    "static_from_future": StaticFromFuture,
    "facts_two_ways": TwoWays,
}
