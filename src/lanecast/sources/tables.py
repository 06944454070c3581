"""Long tables in files: CSV and Parquet, with one id column or several joined into one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lanecast.errors import ConfigError, Faults
from lanecast.sources import Dates, Provenance, SourceTable
from lanecast.sources.csv_files import CsvDialect, line_of, numbers_without_marks, read_csv
from lanecast.sources.ids import joined_ids
from lanecast.sources.parquet_files import part_of, read_parquet

ID, TIME = "unique_id", "ds"
WORLD = "world.json"  # which the verb generate leaves beside its tables


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """A CSV file, gzip or zip allowed.

    ``id`` names the columns that identify a series; two or more are joined with ``>`` (a lane is
    ``origin>dest``) and stay in the table only with ``keep_id``.  Ids are always text.  ``rename``
    then gives columns the names of the schema (``{date: ds, volume: y}``), and ``drop`` removes
    the rest.  ``statics`` is a second file of the same format with one row per series.

    How the files are written, where that is not plain to see: ``encoding``, ``separator``,
    ``decimal`` and ``thousands`` of numbers (also of numbers that a Parquet file holds as text),
    ``date_format`` (``%d/%m/%Y``; or excel, unix, unix_ms), ``time_zone`` whose days and hours the
    times are to be counted in, and ``missing``, values that mean none (``[-999]``).
    """

    path: str
    id: Sequence[str] = (ID,)
    keep_id: bool = False
    rename: Mapping[str, str] | None = None
    drop: Sequence[str | bool] = ()
    statics: str | None = None
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None
    time_zone: str | None = None
    missing: Sequence[str | float] | None = None

    def load(self, faults: Faults | None = None) -> SourceTable:
        """Read the table and, where named, the statics."""
        faults = faults or Faults()
        frame, warnings = self._opened(self.path)
        statics: pd.DataFrame | None = None
        if self.statics is not None:
            statics, more = self._opened(self.statics, key="data.source.statics")
            warnings += more
        self._check_names([*frame, *(() if statics is None else statics)], faults)
        return SourceTable(
            frame=self._tidy(frame, self.path, faults),
            statics=None if statics is None else self._tidy(statics, str(self.statics), faults),
            origin=self._origin(self.path),
            statics_origin=self._origin(self.statics or self.path),
            dates=self._dates(),
            warnings=warnings,
        )

    def load_future(self) -> SourceTable:
        """Read a file that goes on where the table ends: it may lack the columns of the past."""
        frame, warnings = self._opened(self.path, key="data.future_path")
        return SourceTable(
            frame=self._tidy(frame, self.path, Faults()),
            origin=self._origin(self.path),
            dates=self._dates(),
            warnings=warnings,
        )

    def _opened(self, path: str, *, key: str = "data.path") -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The file as it is, and warnings; ConfigError says in one line why it cannot be read."""
        place = existing(path, key=key)
        try:
            return self._read(place)
        except ConfigError:
            raise
        except (ValueError, OSError) as broken:
            reason = str(broken).strip().splitlines()[0]
            raise ConfigError(f"{path} cannot be read: {reason}; {_way_out(place)}") from broken

    def _read(self, path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
        if path.is_dir():
            raise ConfigError(
                f"{path} is a folder; name the CSV file in it, or use data=panel_parquet for a"
                " folder of Parquet parts"
            )
        return read_csv(path, self._dialect(), texts=self._texts()), ()

    def _origin(self, path: str) -> Provenance:
        """What the rows of a file are called."""
        dialect = self._dialect()
        return Provenance(name=path, place=lambda row: f"line {line_of(Path(path), dialect, row)}")

    def _dialect(self) -> CsvDialect:
        return CsvDialect(
            encoding=self.encoding,
            separator=self.separator,
            decimal=self.decimal,
            thousands=self.thousands,
        )

    def _dates(self) -> Dates:
        return Dates(format=self.date_format, zone=self.time_zone)

    def _texts(self) -> tuple[str, ...]:
        """Columns that are text however they look: ids, and times as they were written."""
        times = [own for own, name in (self.rename or {}).items() if name == TIME] or [TIME]
        return (*self.id, *times)

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
                    if isinstance(name, bool):
                        hint = "YAML reads yes, no, on and off as true and false: quote it; it has"
                    faults.add(
                        ConfigError(
                            f"data.source.{option} names the column {name!r}, which {self.path}"
                            f" does not have; {hint} {columns}"
                        )
                    )

    def _tidy(self, frame: pd.DataFrame, path: str, faults: Faults) -> pd.DataFrame:
        if missing := [name for name in self.id if name not in frame]:
            raise ConfigError(
                f"data.source.id names {missing}, but {path} has the columns"
                f" {list(frame.columns)}; set data.source.id to those that identify a series"
            )
        joined = joined_ids([frame[name] for name in self.id], path, faults)
        if not self.keep_id:
            frame = frame.drop(columns=list(self.id))
        frame = self._with_numbers(frame)
        names, own = dict(self.rename or {}), set(frame.columns)
        frame = frame.drop(columns=[name for name in frame if name in self.drop])
        frame = frame.rename(columns=names)
        later = {name for name in self.drop if name not in own}
        frame = frame.drop(columns=[name for name in frame if name in later])
        frame.insert(0, ID, joined)
        return frame

    def _with_numbers(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Values that mean none are missing; text is read as numbers where it is said how."""
        changed: dict[str, pd.Series] = {}
        texts = self._texts()
        said = self.decimal is not None or self.thousands is not None
        for name in frame:
            if name in texts:
                continue
            column = frame[name]
            if self.missing:
                column = _without(column, self.missing)
            if said and pd.api.types.is_string_dtype(column.dtype):
                column = _as_numbers(column, self.decimal or ".", self.thousands)
            if column is not frame[name]:
                changed[str(name)] = column
        return frame.assign(**changed) if changed else frame


@dataclass(frozen=True, kw_only=True)
class ParquetTable(CsvTable):
    """A Parquet file or a folder of them; options as in `CsvTable`."""

    def _read(self, path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
        return read_parquet(path, texts=self._texts())

    def _origin(self, path: str) -> Provenance:
        return Provenance(name=path, place=lambda row: part_of(Path(path), row))


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


def _without(column: pd.Series, missing: Sequence[str | float]) -> pd.Series:
    """The column without the values that mean none; a text column may hold them as text."""
    numbers = pd.to_numeric(pd.Series(list(missing), dtype="str"), errors="coerce").dropna()
    texts = {str(value) for value in missing}
    if pd.api.types.is_numeric_dtype(column.dtype):
        marks = column.isin(numbers)
        return column.mask(marks) if marks.any() else column
    marks = column.isin(texts)
    if not marks.any():
        return column
    return numbers_without_marks(column.mask(marks).fillna("NA")).replace("NA", None)


def _as_numbers(column: pd.Series, decimal: str, thousands: str | None) -> pd.Series:
    """A text column of numbers alone, in this notation, as numbers; others as they are."""
    texts = column
    for mark, plain in ((thousands, ""), (decimal, ".")):
        if mark is not None and mark != plain:
            texts = texts.str.replace(mark, plain, regex=False)
    numbers = pd.to_numeric(texts, errors="coerce")
    return numbers if (numbers.notna() | column.isna()).all() else column


def _way_out(path: Path) -> str:
    """What to do about a file that its reader refuses."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PK\x03\x04" and path.suffix != ".zip":
            return "it is an Excel file: save it as CSV"
        if path.suffix.lower() in (".csv", ".txt", ".tsv", ".gz"):
            return "if it is a CSV file, use data=panel_csv"
    return "check that the file is whole and of the format of the data group"
