"""Frames in memory as a source: what Python hands over passes the same border as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lanecast.sources.tables import CsvTable


@dataclass(frozen=True, kw_only=True)
class FrameTable(CsvTable):
    """``path`` and ``statics`` name one of ``frames``, or else a CSV or Parquet file.

    Options are those of `CsvTable`.  No frame is changed.
    """

    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def _opened(self, path: str, *, key: str = "data.path") -> pd.DataFrame:
        return self.frames[path] if path in self.frames else super()._opened(path, key=key)

    def _read(self, path: Path) -> pd.DataFrame:
        if path.is_dir() or path.suffix == ".parquet":
            return pd.read_parquet(path)
        return super()._read(path)
