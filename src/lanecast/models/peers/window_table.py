"""The table that neuralforecast's pipeline is given: windows as series, cut at their cutoffs.

Axes: ``W`` windows, ``T`` steps relative to the cutoff.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lanecast.config.seasons import season_of
from lanecast.data import visible
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex
from lanecast.models.classical.longframe import columns_at, fill_gaps, stack
from lanecast.models.deep.quiet import quiet_lightning

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the network is given, by name in the panel; ``h*``, ``f*`` and ``s*`` in the table."""

    hist: tuple[str, ...] = ()
    futr: tuple[str, ...] = ()
    stat: tuple[str, ...] = ()


@dataclass(kw_only=True)
class WindowTable:
    """Builds the table and counts what it had to fill (``filled_gaps``, ``filled_covariates``)."""

    columns: Columns
    season: int | None
    counts: Counter[str] = field(default_factory=Counter)

    def history(
        self, panel: Panel, at: WindowIndex, past_T: np.ndarray
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Rows from each window's first visible target on, and which windows see none, [W].

        A window that sees none stands in the table with a single row of zeros.
        """
        y_WT = visible.visible(panel, at, TARGET, past_T)
        filled_WT, begun_WT = fill_gaps(y_WT, season_of(self.season, panel.schema.freq))
        blind_W = np.asarray(~begun_WT.any(axis=1))
        begun_WT[blind_W, -1] = True
        gap_WT = begun_WT & np.isnan(y_WT)
        self._count("filled_gaps", int(gap_WT[~blind_W].sum()))
        columns = {"y": np.nan_to_num(filled_WT), "available_mask": 1.0 - np.isnan(y_WT)}
        for number, name in enumerate(self.columns.hist):
            later = panel.schema.delay_steps(name) - panel.schema.delay_steps(TARGET)
            x_WT = visible.visible(panel, at, name, past_T - max(0, later))
            columns[f"h{number}"] = self._complete(x_WT, begun_WT)
        columns |= self._known(panel, at, past_T, begun_WT)
        return stack(panel, at, past_T, columns, begun_WT), blind_W

    def future(
        self, panel: Panel, at: WindowIndex, past_T: np.ndarray, future_T: np.ndarray
    ) -> pd.DataFrame | None:
        """Known columns over ``future_T``; a missing value is the last one known before it."""
        if not self.columns.futr:
            return None
        both_T = np.concatenate([past_T, future_T])
        ahead_WT = np.broadcast_to(both_T > past_T[-1], (len(at), len(both_T)))
        columns = self._known(panel, at, both_T, ahead_WT)
        return stack(panel, at, both_T, columns, ahead_WT)

    def statics(self, panel: Panel, at: WindowIndex, table: pd.DataFrame) -> pd.DataFrame | None:
        """One row for each window in the table."""
        if not self.columns.stat:
            return None
        import pandas as pd

        window_W = table["unique_id"].unique()
        values = panel.statics.numpy()[at.series_W[window_W]]
        columns = {f"s{number}": values[:, number] for number in range(values.shape[1])}
        return pd.DataFrame({"unique_id": window_W, **columns})

    def _known(
        self, panel: Panel, at: WindowIndex, ahead_T: np.ndarray, counted_WT: np.ndarray
    ) -> dict[str, np.ndarray]:
        columns = columns_at(panel, at, ahead_T, self.columns.futr)
        return {
            f"f{number}": self._complete(x_WT, counted_WT)
            for number, x_WT in enumerate(columns.values())
        }

    def _complete(self, x_WT: np.ndarray, counted_WT: np.ndarray) -> np.ndarray:
        self._count("filled_covariates", int((np.isnan(x_WT) & counted_WT).sum()))
        return np.nan_to_num(fill_gaps(x_WT, 1)[0])

    def _count(self, fallback: str, number: int) -> None:
        if number:
            self.counts[fallback] += number


@contextmanager
def quiet(threads: int) -> Iterator[None]:
    """neuralforecast without its log lines, on ``threads`` threads, leaving torch's state alone."""
    import torch

    num_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with quiet_lightning(), torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(num_threads)
