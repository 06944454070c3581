"""Where tables come from.  A source returns frames and knows nothing of panels or models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A long table (``unique_id, ds, y`` and covariates) and, apart, one row per series."""

    frame: pd.DataFrame
    statics: pd.DataFrame | None = None


class Source(Protocol):
    """Anything a ``conf/data/*.yaml`` may name under ``source``."""

    def load(self) -> SourceTable:
        """Read everything; validation in `lanecast.data.ingest.layout` checks it."""
        ...
