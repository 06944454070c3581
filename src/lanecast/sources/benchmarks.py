"""The long-horizon benchmark sets: a wide table of channels, one row per step.

The published protocol z-scores each channel by its first ``train_rows`` rows and keeps the first
``rows`` rows only (the ETT sets use 20 of their 24 months), so errors here are in that unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lanecast.errors import SchemaError
from lanecast.sources import SourceTable
from lanecast.sources.tables import existing


@dataclass(frozen=True, slots=True, kw_only=True)
class LongHorizon:
    """Channels of a wide Parquet table as series; ``standardize`` by the training rows alone.

    ``step`` spaces the rows evenly from the first time on, for sets that repeat or skip a time:
    the protocol counts rows, not time.
    """

    path: str
    train_rows: int
    rows: int | None = None
    time: str = "date"
    step: str | None = None
    standardize: bool = True

    def load(self) -> SourceTable:
        """The first ``rows`` rows of every channel, one after another."""
        wide = pd.read_parquet(existing(self.path))
        if self.time not in wide:
            raise SchemaError(
                f"{self.path} has no time column {self.time!r}, only {list(wide.columns)};"
                " set data.source.time"
            )
        channels = wide.set_index(self.time).astype(float).iloc[: self.rows]
        if not 1 < self.train_rows <= len(channels):
            raise SchemaError(
                f"data.source.train_rows={self.train_rows} must be between 2 and the"
                f" {len(channels)} rows of {self.path}"
            )
        if self.step is not None:
            channels.index = pd.date_range(
                channels.index[0], periods=len(channels), freq=self.step, name=self.time
            )
        if self.standardize:
            train = channels.iloc[: self.train_rows]
            channels = (channels - train.mean()) / train.std(ddof=0)
        frame = channels.rename_axis("ds").melt(
            ignore_index=False, var_name="unique_id", value_name="y"
        )
        return SourceTable(frame=frame.reset_index()[["unique_id", "ds", "y"]])
