"""CSV files as people write them: read where the file says how it is meant, else refused.

A refusal is one line with the line of the file and the option that reads it.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd

from lanecast.errors import ConfigError

SEPARATORS = (",", ";", "\t", "|")
# Texts of a column of numbers that mean no value; in a column of text they are text.
NO_NUMBER = ("NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "None", "none", "nan", "NaN", "-")
# First bytes of files that are something else, and what to do about them.
FOREIGN = {
    b"PAR1": "it is a Parquet file: use data=panel_parquet",
    b"\xd0\xcf\x11\xe0": "it is an Excel file: save it as CSV",
    b"{": "it is JSON: save it as CSV",
    b"[{": "it is JSON: save it as CSV",
    b"<": "it is a web page or XML: save the table as CSV",
    b"SQLite": "it is a database: export the table as CSV",
}
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
HEAD = 1 << 16  # bytes that are looked at before a file is read
DOTTED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+")
SHORT = re.compile(r"[+-]?\d{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvDialect:
    """How a CSV file is written; None is found out where the file leaves no doubt."""

    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None


def read_csv(path: Path, dialect: CsvDialect, *, texts: Sequence[str]) -> pd.DataFrame:
    """The file as a frame; columns of ``texts`` stay text, whatever they look like.

    ConfigError names the line and the way out: another format, encoding or separator, lines with
    other fields than the header, numbers that can be read in two ways.
    """
    _refuse_foreign(path)
    encoding = _encoding(path, dialect)
    header, separator, skipped = _header(path, dialect, encoding)
    if dialect.decimal is None:
        _refuse_dotted(path, header, separator, skipped, encoding, texts)
    _refuse_ragged(path, len(header), separator, skipped, encoding)
    with _opened(path) as file:
        frame = pd.read_csv(
            file,
            encoding=encoding,
            sep=separator,
            skiprows=skipped,
            decimal=dialect.decimal or ".",
            thousands=dialect.thousands,
            dtype=dict.fromkeys(texts, "str"),
            keep_default_na=False,
            na_values=[""],
            index_col=False,
            low_memory=False,
        )
    for name in frame:
        if name not in texts and pd.api.types.is_string_dtype(frame[name].dtype):
            frame[name] = numbers_without_marks(frame[name])
    return frame


def numbers_without_marks(column: pd.Series) -> pd.Series:
    """A text column that holds numbers and marks for none as numbers; any other as it is."""
    marks = column.isin(NO_NUMBER)
    if not marks.any() or marks.sum() == column.notna().sum():
        return column
    try:
        return pd.to_numeric(column.mask(marks))
    except ValueError:
        return column


def line_of(path: Path, dialect: CsvDialect, row: int) -> int:
    """Line of the file on which a row (from 0) ends, as an editor counts."""
    encoding = _encoding(path, dialect)
    _, separator, skipped = _header(path, dialect, encoding)
    with _text(path, encoding) as file:
        for _ in range(skipped):
            next(file)
        lines, records = csv.reader(file, delimiter=separator), -1
        for record in lines:
            records += bool(record)
            if records > row:
                return skipped + lines.line_num
    return row + 2


def _refuse_foreign(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK\x03\x04") and path.suffix != ".zip":
        raise _unread(path, "it is no text", "it is an Excel file: save it as CSV")
    for mark, way_out in FOREIGN.items():
        if start.lstrip().startswith(mark):
            raise _unread(path, "it is no CSV", way_out)


def _opened(path: Path) -> IO[bytes]:
    """The bytes of the file, unpacked where it is packed."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path)  # type: ignore[return-value]
    if start == b"PK\x03\x04":
        archive = zipfile.ZipFile(path)
        if len(names := [name for name in archive.namelist() if not name.endswith("/")]) != 1:
            raise _unread(
                path, f"the archive holds {len(names)} files", "unpack it and name one of them"
            )
        return archive.open(names[0])
    return path.open("rb")


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_opened(path), encoding=encoding, newline="")


def _encoding(path: Path, dialect: CsvDialect) -> str:
    """The encoding that is given, or of the file's mark; UTF-8 where all of it is."""
    with _opened(path) as file:
        head = file.read(HEAD)
        marked = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
        if dialect.encoding is not None:
            return _checked_encoding(path, dialect.encoding, head)
        if marked is not None:
            return marked
        if b"\x00" in head:
            order = "utf-16-le" if head[1:2] == b"\x00" else "utf-16-be"
            raise _unread(
                path, "it holds zero bytes, as UTF-16 does", f"set data.source.encoding={order}"
            )
        decoder, line, part = codecs.getincrementaldecoder("utf-8")(), 1, head
        while part:
            try:
                decoder.decode(part)
            except UnicodeDecodeError as wrong:
                line += wrong.object[: wrong.start].count(b"\n")
                raise _unread(
                    path,
                    f"it is not UTF-8 (byte 0x{wrong.object[wrong.start]:02x} in line {line})",
                    "save it in UTF-8, or set data.source.encoding to its own, such as latin-1,"
                    " cp1252 or gb18030",
                ) from wrong
            line, part = line + part.count(b"\n"), file.read(HEAD)
    return "utf-8"


def _checked_encoding(path: Path, encoding: str, head: bytes) -> str:
    try:
        head[: HEAD // 2].decode(encoding, errors="strict" if len(head) < HEAD else "ignore")
    except LookupError as unknown:
        raise _unread(
            path,
            f"data.source.encoding={encoding} is no encoding",
            "use utf-8, utf-16, latin-1 or cp1252",
        ) from unknown
    except UnicodeDecodeError as wrong:
        if wrong.end < len(head[: HEAD // 2]) - 4:
            raise _unread(
                path,
                f"it is not in data.source.encoding={encoding}",
                "set the encoding it was saved in, such as utf-8 or latin-1",
            ) from wrong
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _header(path: Path, dialect: CsvDialect, encoding: str) -> tuple[list[str], str, int]:
    """Names of the columns, the separator and the lines before them."""
    with _text(path, encoding) as file:
        first, skipped = file.readline(), 0
        separator = dialect.separator
        if match := re.fullmatch(r'"?sep=(.)"?\s*', first):  # how Excel marks its own files
            separator, skipped, first = separator or match[1], 1, file.readline()
        while first and not first.strip():
            skipped, first = skipped + 1, file.readline()
        second = file.readline()
    if not first.strip():
        raise _unread(path, "it is empty: no columns are in it", "check that the file is whole")
    fields = {mark: next(csv.reader([first], delimiter=mark)) for mark in SEPARATORS}
    if separator is None:
        separator = ","
        other = max(SEPARATORS, key=lambda mark: len(fields[mark]))
        if len(fields[","]) == 1 and len(fields[other]) > 1:
            raise _unread(
                path,
                f"its header stands in one piece, {first.strip()!r}, with {other!r} where a comma"
                " is expected",
                f"set {_options(other, second)}",
            )
    elif len(separator) != 1:
        raise _unread(
            path,
            f"data.source.separator={separator!r} is not one character",
            f"use one of {', '.join(map(repr, SEPARATORS))}",
        )
    header = next(csv.reader([first], delimiter=separator))
    for name in header:
        if header.count(name) > 1:
            raise _unread(
                path,
                f"{header.count(name)} columns are called {name!r}",
                "give each column a name of its own",
            )
    return header, separator, skipped


def _options(separator: str, values: str) -> str:
    """The options that read a file of this separator, as they are typed."""
    written = "\\t" if separator == "\t" else separator
    options = [f"""'data.source.separator="{written}"'"""]
    if any(re.fullmatch(r"[+-]?\d+,\d+", field.strip()) for field in values.split(separator)):
        options.append("""'data.source.decimal=","'""")
    return " ".join(options)


def _refuse_dotted(
    path: Path,
    header: list[str],
    separator: str,
    skipped: int,
    encoding: str,
    texts: Sequence[str],
) -> None:
    """Whether 1.234 is a thousand or a little more than one cannot be seen from 1.234 and 987."""
    with _opened(path) as file:
        head = pd.read_csv(
            file, encoding=encoding, sep=separator, skiprows=skipped, dtype="str", nrows=1000,
            index_col=False, on_bad_lines="skip", keep_default_na=False,
        )  # fmt: skip
    for name in header:
        if name in texts or name not in head:
            continue
        values = head[name][head[name] != ""]
        dotted = values.str.fullmatch(DOTTED.pattern)
        if not dotted.any() or not (dotted | values.str.fullmatch(SHORT.pattern)).all():
            continue
        several = values.str.count(r"\.").max() > 1  # thousands for sure: told with the column
        if not several and (not dotted.all() or separator != ","):
            row = int(dotted.to_numpy().argmax())
            raise _unread(
                path,
                f"column {name!r} holds {values.iloc[row]} and no number with other than three"
                " digits behind a point, which may be thousands or fractions",
                "set data.source.thousands=. or data.source.decimal=.",
            )


def _refuse_ragged(path: Path, fields: int, separator: str, skipped: int, encoding: str) -> None:
    """Every line has as many fields as the header; pandas fills up short ones without a word."""
    import pyarrow
    import pyarrow.csv

    bad: list[tuple[int | None, int]] = []

    def keep(row: pyarrow.csv.InvalidRow) -> str:
        if len(bad) < 2 or row.number is not None:
            bad.append((row.number, row.actual_columns))
        return "skip"

    with _opened(path) as file:
        try:
            pyarrow.csv.read_csv(
                file,
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, encoding=encoding.removesuffix("-sig"), skip_rows=skipped,
                    column_names=[str(number) for number in range(fields)],
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=separator, newlines_in_values=True, invalid_row_handler=keep
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=["0"], column_types={"0": pyarrow.binary()}
                ),
            )  # fmt: skip
        except pyarrow.ArrowInvalid as broken:
            reason = str(broken).splitlines()[0]
            raise _unread(path, reason, "check that the file is whole") from broken
    if bad:
        number, actual = bad[0]
        dialect = CsvDialect(encoding=encoding, separator=separator)
        line = skipped + number if number is not None else 0
        if number is not None:
            line = line_of(path, dialect, number - 2)
        more = "" if len(bad) == 1 else f" ({len(bad)} such lines in all)"
        raise _unread(
            path,
            f"line {line} has {actual} fields, but the header has {fields}{more}",
            "give every line as many fields as the header has",
        )


def _unread(path: Path, reason: str, way_out: str) -> ConfigError:
    return ConfigError(f"{path} cannot be read: {reason}; {way_out}")
