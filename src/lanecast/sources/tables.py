"""Long tables in files: CSV and Parquet, with one id column or several joined into one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pandas as pd

from lanecast.errors import ConfigError, Faults
from lanecast.sources import SourceTable

ID = "unique_id"
WORLD = "world.json"  # which the verb generate leaves beside its tables


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

    def load(self, faults: Faults | None = None) -> SourceTable:
        """Read the table and, where named, the statics."""
        faults = faults or Faults()
        frame = self._opened(self.path)
        statics = None
        if self.statics is not None:
            statics = self._opened(self.statics, key="data.source.statics")
        self._check_names([*frame, *(() if statics is None else statics)], faults)
        return SourceTable(
            frame=self._tidy(frame, self.path),
            statics=None if statics is None else self._tidy(statics, str(self.statics)),
        )

    def load_future(self) -> pd.DataFrame:
        """Read a file that goes on where the table ends: it may lack the columns of the past."""
        return self._tidy(self._opened(self.path, key="data.future_path"), self.path)

    def _opened(self, path: str, *, key: str = "data.path") -> pd.DataFrame:
        """The file as it is; ConfigError says in one line why it cannot be read."""
        place = existing(path, key=key)
        try:
            return self._read(place)
        except (ValueError, OSError) as broken:
            reason = str(broken).strip().splitlines()[0]
            raise ConfigError(
                f"{path} cannot be read: {reason}; {_way_out(place, broken)}"
            ) from broken

    def _read(self, path: Path) -> pd.DataFrame:
        return pd.read_csv(path, dtype=dict.fromkeys(self.id, "str"), low_memory=False)

    def _check_names(self, columns: list[str], faults: Faults) -> None:
        """Every column that is renamed or dropped is in one of the files."""
        renamed = [*columns, *(self.rename or {}).values()]
        for option, names, present in (
            ("rename", self.rename or {}, columns),
            ("drop", self.drop, renamed),
        ):
            for name in names:
                if name not in present:
                    near = difflib.get_close_matches(str(name), columns, n=3, cutoff=0.5)
                    hint = f"did you mean {' or '.join(near)}? it has" if near else "it has"
                    faults.add(
                        ConfigError(
                            f"data.source.{option} names the column {name!r}, which {self.path}"
                            f" does not have; {hint} {columns}"
                        )
                    )

    def _tidy(self, frame: pd.DataFrame, path: str) -> pd.DataFrame:
        if missing := [name for name in self.id if name not in frame]:
            raise ConfigError(
                f"data.source.id names {missing}, but {path} has the columns"
                f" {list(frame.columns)}; set data.source.id to those that identify a series"
            )
        ids = [_text(frame[name]) for name in self.id]
        joined = reduce(lambda left, right: left + ">" + right, ids)
        if not self.keep_id:
            frame = frame.drop(columns=list(self.id))
        names = dict(self.rename or {})
        dropped = {names.get(name, name) for name in self.drop}
        frame = frame.rename(columns=names)
        frame = frame.drop(columns=[name for name in frame if name in dropped])
        frame.insert(0, ID, joined)
        return frame


@dataclass(frozen=True, kw_only=True)
class ParquetTable(CsvTable):
    """A Parquet file or a folder of them; options as in `CsvTable`."""

    def _read(self, path: Path) -> pd.DataFrame:
        return pd.read_parquet(path)


def existing(path: str, *, key: str = "data.path") -> Path:
    """``path`` if it is there; else a ConfigError that says how to point to the data."""
    location = Path(path)
    if not location.exists():
        raise ConfigError(
            f"no data at {location}; set the environment variable LANECAST_DATA to the folder that"
            f" holds the data sets (it becomes paths.data), or set {key} to your own file"
        )
    refuse_unfinished(location)
    return location


def refuse_unfinished(location: Path) -> None:
    """ConfigError for a part of a world whose making was stopped: its rows are not all there."""
    manifest = location.parent / WORLD
    if not manifest.is_file():
        return
    try:
        facts = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # somebody else's
    if isinstance(facts, dict) and facts.get("complete") is False:
        raise ConfigError(
            f"{location} is not complete ({manifest} says so): its generation was stopped; the same"
            " lanecast generate makes the rest"
        )


def _text(column: pd.Series) -> pd.Series:
    """Ids as text; a missing id stays missing, for validation to refuse."""
    if pd.api.types.is_string_dtype(column.dtype):
        return column
    return column.astype("str").where(column.notna())


def _way_out(path: Path, broken: Exception) -> str:
    """What to do about a file that its reader refuses."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PAR1":
            return "it is a Parquet file: use data=panel_parquet"
        if start == b"PK\x03\x04" and path.suffix != ".zip":
            return "it is an Excel file: save it as CSV"
    if isinstance(broken, UnicodeDecodeError):
        return "save it in UTF-8"
    if isinstance(broken, pd.errors.ParserError):
        return "give every line as many fields as the header has"
    return "check that the file is whole and of the format of the data group"
