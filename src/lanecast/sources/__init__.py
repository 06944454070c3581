"""Where tables come from.  A source returns frames and knows nothing of panels or models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A long table (``unique_id, ds, y`` and covariates) and, apart, one row per series.

    ``fills``: by column what a row would hold on a step where a series has none, where the source
    knows that; what the schema declares (``absent`` of a column) goes before it.
    """

    frame: pd.DataFrame
    statics: pd.DataFrame | None = None
    fills: Mapping[str, float] = field(default_factory=dict)


class Source(Protocol):
    """Anything a ``conf/data/*.yaml`` may name under ``source``."""

    def load(self) -> SourceTable:
        """Read everything; validation in `lanecast.data.ingest.layout` checks it."""
        ...
