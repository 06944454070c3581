"""Hierarchical benchmark sets: a wide table of all nodes beside the matrix that sums them.

Months and quarters have no fixed length, and the panel's grid has: with ``step`` the rows are
spaced evenly from the first time on, so that a season is counted in rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.errors import SchemaError
from lanecast.sources import SourceTable
from lanecast.sources.tables import existing

TOLERANCE = 1e-6  # relative, of a node to the sum of its series


@dataclass(frozen=True, slots=True, kw_only=True)
class BottomSeries:
    """The bottom series of a wide Parquet table (first column: time), as ``table`` names them.

    ``table`` is the summing matrix: names of the nodes first, the bottom series as its last rows.
    The nodes above are not loaded: they are sums, which is checked.  Rows before ``first_row`` are
    left out.
    """

    path: str
    table: str
    step: str | None = None
    first_row: int = 0

    def load(self) -> SourceTable:
        """Every bottom series, one after another."""
        wide = pd.read_parquet(existing(self.path))
        matrix = pd.read_parquet(existing(self.table))
        weights = matrix.iloc[:, 1:].to_numpy(dtype=np.float64)
        count = weights.shape[1]
        if not np.array_equal(weights[-count:], np.identity(count)):
            raise SchemaError(
                f"the last {count} rows of {self.table} must be the bottom series, one 1 in each;"
                " sort them so"
            )
        nodes = matrix.iloc[:, 0].astype(str).to_list()
        values = wide.set_index(wide.columns[0]).astype(float).iloc[self.first_row :]
        if missing := [name for name in nodes if name not in values]:
            raise SchemaError(f"{self.path} has no column for the node {missing[0]!r}")
        self._check_sums(values[nodes].to_numpy(), weights, nodes)
        bottom = values[nodes[-count:]]
        if self.step is not None:
            bottom.index = pd.date_range(
                bottom.index[0], periods=len(bottom), freq=self.step, name=bottom.index.name
            )
        frame = bottom.rename_axis("ds").melt(
            ignore_index=False, var_name="unique_id", value_name="y"
        )
        return SourceTable(frame=frame.reset_index()[["unique_id", "ds", "y"]])

    def _check_sums(self, value_TM: np.ndarray, weights: np.ndarray, nodes: list[str]) -> None:
        summed_TM = value_TM[:, -weights.shape[1] :] @ weights.T
        gap_TM = np.abs(value_TM - summed_TM) / np.maximum(np.abs(summed_TM), 1.0)
        worst = int(gap_TM.max(axis=0).argmax())
        if gap_TM[:, worst].max() > TOLERANCE:
            row = int(gap_TM[:, worst].argmax())
            raise SchemaError(
                f"node {nodes[worst]!r} in row {row} of {self.path} is {value_TM[row, worst]:g},"
                f" but its series sum to {summed_TM[row, worst]:g}"
            )
