"""Frames in memory as a source: what Python hands over passes the same border as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lanecast.sources import Provenance
from lanecast.sources.parquet_files import part_of, read_parquet
from lanecast.sources.tables import CsvTable


@dataclass(frozen=True, kw_only=True)
class FrameTable(CsvTable):
    """``path`` and ``statics`` name one of ``frames``, or else a CSV or Parquet file.

    Options are those of `CsvTable`.  No frame is changed.
    """

    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def _opened(self, path: str, *, key: str = "data.path") -> tuple[pd.DataFrame, tuple[str, ...]]:
        return (self.frames[path], ()) if path in self.frames else super()._opened(path, key=key)

    def _read(self, path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
        if _is_parquet(path):
            return read_parquet(path, texts=self._texts())
        return super()._read(path)

    def _origin(self, path: str) -> Provenance:
        if path in self.frames:
            return Provenance(name=path)
        if _is_parquet(Path(path)):
            return Provenance(name=path, place=lambda row: part_of(Path(path), row))
        return super()._origin(path)


def _is_parquet(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".parquet"
