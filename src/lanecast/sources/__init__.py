"""Where tables come from.  A source returns frames and knows nothing of panels or models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd


def row_words(row: int) -> str:
    """``row 14`` of a frame, counted from 0 as pandas does."""
    return f"row {row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a table is called, and what its rows (from 0) are called by whoever opens it."""

    name: str | None = None
    place: Callable[[int], str] = row_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """How the times of a table are written: a strptime format, and the zone whose days they are."""

    format: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A long table (``unique_id, ds, y`` and covariates) and, apart, one row per series.

    ``fills``: by column what a row would hold on a step where a series has none, where the source
    knows that; what the schema declares (``absent`` of a column) goes before it.  ``warnings``:
    what the source met that is no fault.
    """

    frame: pd.DataFrame
    statics: pd.DataFrame | None = None
    fills: Mapping[str, float] = field(default_factory=dict)
    origin: Provenance = Provenance()
    statics_origin: Provenance = Provenance()
    dates: Dates = Dates()
    warnings: tuple[str, ...] = ()


class Source(Protocol):
    """Anything a ``conf/data/*.yaml`` may name under ``source``."""

    def load(self) -> SourceTable:
        """Read everything; validation in `lanecast.data.ingest.layout` checks it."""
        ...
