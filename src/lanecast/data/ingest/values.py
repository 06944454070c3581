"""Values at the border: the stored columns of a checked table as numbers, rule by rule.

Axes: ``R`` rows, ``X`` columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lanecast.data.schema import Column, Role, Schema
from lanecast.errors import Faults, SchemaError
from lanecast.sources import row_words

if TYPE_CHECKING:
    import pandera.pandas as rules

CHECKED = 1 << 21  # values of a column that are validated at once
# How people write numbers, and the option that reads them so (quoted for a shell).
COMMA, POINT = "'data.source.decimal=\",\"'", "data.source.decimal=."
COMMAS, POINTS = "'data.source.thousands=\",\"'", "data.source.thousands=."
BLANKS = "'data.source.thousands=\" \"'"
NOTATIONS = (
    (r"[+-]?\d{1,3},\d{3}", f"set {COMMA} if it is a fraction, {COMMAS} if it is a thousand"),
    (r"[+-]?\d*,\d+", f"set {COMMA}"),
    (r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", f"set {COMMAS}"),
    (r"[+-]?\d{1,3}(\.\d{3})+,\d*", f"set {POINTS} {COMMA}"),
    (r"[+-]?\d{1,3}(\.\d{3}){2,}", f"set {POINTS}"),
    (
        r"[+-]?\d{1,3}([ \u00a0\u202f']\d{3})+([.,]\d*)?",
        f"set data.source.thousands to the mark between its digits, such as {BLANKS}",
    ),
    (
        r"[+-]?\d*\.?\d+([eE][+-]?\d+)?",
        f"it is a number as text: set {POINT} to read the column as numbers, or convert it;"
        " declare it static if it describes the series, or drop it with data.source.drop",
    ),
    (
        r"[^\d.,+-]{1,3} ?[+-]?[\d.,]+|[+-]?\d[\d.,]* ?[^\d]{1,3}",
        "write numbers without their unit, or drop the column with data.source.drop",
    ),
)
FLOAT32_MAX = float(np.finfo(np.float32).max)


def clean_values(
    frame: pd.DataFrame,
    schema: Schema,
    faults: Faults,
    *,
    ids: pd.Series,
    times: pd.Series,
    row_R: np.ndarray | None = None,
    place: Callable[[int], str] = row_words,
) -> np.ndarray:
    """The stored columns as float32 [R, X], validated by pandera; NaN means missing.

    ``row_R`` are the rows of the table in the order of the result (None: as they stand).  One
    column after the other, block by block: no second copy of the table is held, and a block's
    memory serves the next one.
    """
    num_rows = len(frame) if row_R is None else len(row_R)
    values_RX = np.full((num_rows, len(schema.stored)), np.nan, dtype=np.float32)
    for position, name in enumerate(schema.stored):
        if name not in frame:
            continue
        numbers, is_sound = as_numbers(frame[name], faults, ids=ids, times=times, place=place)
        column = schema.columns[name]
        for row, value, reason in _failures(numbers, name, column, holes=not is_sound):
            faults.add(
                SchemaError(
                    f"column {name!r} of series {ids.iloc[row]!r} at {times.iloc[row]},"
                    f" {place(row)}: the value {value} {reason}"
                )
            )
        kind = _kind(numbers)
        for low in range(0, num_rows, CHECKED):
            block = slice(low, low + CHECKED)
            in_place = numbers[block if row_R is None else row_R[block]]
            values_RX[block, position] = in_place.astype(kind, copy=False)
    return values_RX


def such(count: int, noun: str) -> str:
    """``(3 such rows in all)``; nothing for a single one."""
    return "" if count == 1 else f" ({count} such {noun} in all)"


def _kind(numbers: np.ndarray) -> type[np.floating]:
    return np.float32 if numbers.dtype == np.float32 else np.float64


def _failures(
    numbers: np.ndarray, name: str, column: Column, *, holes: bool
) -> Iterator[tuple[int, object, str]]:
    """Of every rule that a column breaks: its first row and value, and what is wrong.

    ``holes``: values were taken out, so that a missing one breaks no rule.
    """
    import pandera.errors
    import pandera.pandas as rules

    kind = _kind(numbers)
    rule = rules.DataFrameSchema({name: _rule(column, kind, numbers.dtype, holes=holes)})
    first: dict[str, tuple[int, object]] = {}
    count: Counter[str] = Counter()
    for low in range(0, len(numbers), CHECKED):
        values = numbers[low : low + CHECKED].astype(kind, copy=False)
        try:
            rule.validate(pd.DataFrame({name: values}, copy=False), inplace=True, lazy=True)
        except pandera.errors.SchemaErrors as err:
            for check, cases in err.failure_cases.groupby("check", sort=False):
                case = cases.sort_values("index").iloc[0]
                first.setdefault(str(check), (low + int(case["index"]), case["failure_case"]))
                count[str(check)] += len(cases)
    for check, (row, value) in first.items():
        words = check
        if check == "not_nullable":
            words = (
                "is missing, but its role is known_future; supply it for every row, or declare"
                f" {name} observed"
            )
        yield row, value, words + such(count[check], "values")


def _rule(column: Column, kind: type[np.floating], dtype: np.dtype, *, holes: bool) -> rules.Column:
    """What the values of a column have to keep; ``given`` is their type in the table."""
    import pandera.pandas as rules

    checks = []
    if dtype in (np.float32, np.float64):  # whole numbers and flags are finite as they are
        checks += [
            rules.Check(_not_infinite, name="is infinite; correct it, or leave it empty"),
            rules.Check(_in_float32, name="is beyond the range of float32; change its unit"),
        ]
    if column.non_negative:
        name_of_check = "is negative; correct it, or remove non_negative: true"
        checks.append(rules.Check(lambda x: x >= 0, name=name_of_check))
    if column.integer:
        name_of_check = "is no whole number; correct it, or remove integer: true"
        checks.append(rules.Check(lambda x: x.isna() | (x % 1 == 0), name=name_of_check))
    may_miss = holes or column.role is not Role.KNOWN_FUTURE
    return rules.Column(kind, checks, nullable=may_miss)


def as_numbers(
    column: pd.Series,
    faults: Faults,
    *,
    ids: pd.Series,
    times: pd.Series,
    place: Callable[[int], str] = row_words,
) -> tuple[np.ndarray, bool]:
    """A numeric or boolean column (or one without any value) as an array; text is refused.

    False where faults are kept and text was among the values: what is no number is then missing.
    """
    if pd.api.types.is_numeric_dtype(column.dtype) or bool(column.isna().all()):
        if isinstance(column.dtype, np.dtype) and (
            column.dtype.kind in "iub" or column.dtype == np.float32
        ):
            return column.to_numpy(), True
        return column.to_numpy(dtype=np.float64, na_value=np.nan), True
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    numbers = pd.to_numeric(column, errors="coerce")
    if not pd.api.types.is_numeric_dtype(numbers.dtype) or numbers.dtype.kind in "mM":
        numbers = pd.Series(np.nan, index=column.index)  # times and other objects
    text = column.notna().to_numpy()
    if column.dtype == object:
        text = np.fromiter((isinstance(value, str) for value in column), bool, len(column))
    no_number = (numbers.isna() & column.notna()).to_numpy()
    if not (no_number | text).any():  # flags or decimals with missing values among them
        return numbers.to_numpy(dtype=np.float64, na_value=np.nan), True
    # All of it text: what is wrong is what is no number, if anything is.
    all_text = bool((text | column.isna().to_numpy()).all())
    bad = np.flatnonzero(no_number if all_text and no_number.any() else no_number | text)
    value, row = column.iloc[int(bad[0])], int(bad[0])
    faults.add(
        SchemaError(
            f"column {column.name!r} of series {ids.iloc[row]!r} at {times.iloc[row]},"
            f" {place(row)}: the value {value!r} is {type(value).__name__}, not a number"
            f"{such(bad.size, 'values')}; {_way_to_numbers(str(value))}"
        )
    )
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan), False


def _way_to_numbers(text: str) -> str:
    """The option that reads a text as a number, else what to do about the column."""
    for pattern, way_out in NOTATIONS:
        if re.fullmatch(pattern, text.strip()):
            return way_out
    return (
        "convert the column, declare it static if it describes the series, or drop it with"
        f" data.source.drop (where it means none: data.source.missing=[{text.strip()}])"
    )


def _not_infinite(column: pd.Series) -> pd.Series:
    return column.abs() != np.inf


def _in_float32(column: pd.Series) -> pd.Series:
    return column.between(-FLOAT32_MAX, FLOAT32_MAX) | ~np.isfinite(column)
