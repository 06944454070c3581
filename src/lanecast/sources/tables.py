"""Long tables in files: CSV and Parquet, with one id column or several joined into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pandas as pd

from lanecast.errors import ConfigError
from lanecast.sources import SourceTable

ID = "unique_id"


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """A CSV file, gzip or zip allowed.

    ``id`` names the columns that identify a series; two or more are joined with ``>`` (a lane is
    ``origin>dest``) and stay in the table only with ``keep_id``.  Ids are always text.  ``rename``
    then gives columns the names of the schema (``{date: ds, volume: y}``), and ``drop`` removes
    the rest.  ``statics`` is a second file of the same format with one row per series.
    """

    path: str
    id: Sequence[str] = (ID,)
    keep_id: bool = False
    rename: Mapping[str, str] | None = None
    drop: Sequence[str] = ()
    statics: str | None = None

    def load(self) -> SourceTable:
        """Read the table and, where named, the statics."""
        frame = self._tidy(self.path)
        statics = None if self.statics is None else self._tidy(self.statics)
        return SourceTable(frame=frame, statics=statics)

    def _read(self, path: Path) -> pd.DataFrame:
        return pd.read_csv(path, dtype=dict.fromkeys(self.id, "str"), low_memory=False)

    def _tidy(self, path: str) -> pd.DataFrame:
        frame = self._read(existing(path))
        if missing := [name for name in self.id if name not in frame]:
            raise ConfigError(
                f"data.source.id names {missing}, but {path} has the columns"
                f" {list(frame.columns)}; set data.source.id to those that identify a series"
            )
        ids = [_text(frame[name]) for name in self.id]
        joined = reduce(lambda left, right: left + ">" + right, ids)
        if not self.keep_id:
            frame = frame.drop(columns=list(self.id))
        frame = frame.rename(columns=dict(self.rename or {})).drop(
            columns=[name for name in self.drop if name in frame]
        )
        frame.insert(0, ID, joined)
        return frame


@dataclass(frozen=True, kw_only=True)
class ParquetTable(CsvTable):
    """A Parquet file or a folder of them; options as in `CsvTable`."""

    def _read(self, path: Path) -> pd.DataFrame:
        return pd.read_parquet(path)


def existing(path: str) -> Path:
    """``path`` if it is there; else a ConfigError that says how to point to the data."""
    location = Path(path)
    if not location.exists():
        raise ConfigError(
            f"no data at {location}; set the environment variable LANECAST_DATA to the folder that"
            " holds the data sets (it becomes paths.data), or set data.path to your own file"
        )
    return location


def _text(column: pd.Series) -> pd.Series:
    """Ids as text; a missing id stays missing, for validation to refuse."""
    if pd.api.types.is_string_dtype(column.dtype):
        return column
    return column.astype("str").where(column.notna())
