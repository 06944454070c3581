"""The border of data: a long table is checked here once, and trusted everywhere after.

Every refusal is a SchemaError that names the column, the series, the time and the way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lanecast.data.schema import ID, TIME, Column, Role, Schema, step_length
from lanecast.errors import SchemaError

if TYPE_CHECKING:
    import pandera.pandas as rules

BLOCK = 1 << 20  # rows whose times or order are looked at at once
CHECKED = 1 << 21  # values of a column that are validated at once
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Checked rows in series and time order.  Axes: ``R`` rows, ``N`` series, ``X`` columns."""

    ids_N: np.ndarray
    series_R: np.ndarray  # int32
    step_R: np.ndarray  # int32, steps after `first`
    values_RX: np.ndarray  # float32, in the order of schema.stored; NaN where missing
    row_R: np.ndarray | None  # where the row stood in the table; None: all where they stand
    first: pd.Timestamp
    out_of_order: int

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.series_R)

    @property
    def head_N(self) -> np.ndarray:
        """First row of each series and, last, the number of rows, [N + 1]."""
        return heads(self.series_R, len(self.ids_N))


def heads(series_R: np.ndarray, num: int) -> np.ndarray:
    """First row of each of ``num`` series in order and, last, the number of rows, [num + 1]."""
    wanted = np.arange(num + 1, dtype=series_R.dtype)  # of another type, the rows would be copied
    return np.searchsorted(series_R, wanted)


def checked_rows(frame: pd.DataFrame, schema: Schema) -> Rows:
    """Rows of a table that keeps the contract; rows out of order are sorted, and counted."""
    import pyarrow as pa

    check_columns(frame, schema)
    if frame.empty:
        raise SchemaError("the table has no rows; check the path and the filters of data.source")
    ids, times = text_ids(frame[ID]), clean_times(frame[TIME], frame[ID])
    codes_R, names = pd.factorize(ids, sort=True)
    ids_N = np.asarray(names, dtype=object)
    series_R = codes_R.astype(np.int32)
    del codes_R
    pa.default_memory_pool().release_unused()  # what encoding the ids took
    first, step_R = steps_on_grid(ids, times, schema.freq)
    row_R, backward = None, 0
    in_order, twice = _order(series_R, step_R)
    if not in_order:
        backward = _out_of_order(series_R, step_R)
        row_R = _sorted_rows(series_R, step_R)
        series_R, step_R = series_R[row_R], step_R[row_R]
        row_R = row_R.astype(np.min_scalar_type(len(row_R)))
        _, twice = _order(series_R, step_R)
    length = step_length(schema.freq)
    if twice.size:
        row = twice[0]
        raise SchemaError(
            f"series {ids_N[series_R[row]]!r} has more than one row at"
            f" {first + step_R[row] * length} ({twice.size} such rows in all); keep one row per"
            f" ({ID}, {TIME}), for instance by summing y"
        )
    if schema.absent == "missing":
        refuse_coarser_series(ids_N, series_R, step_R, first=first, freq=schema.freq)
    return Rows(
        ids_N=ids_N,
        series_R=series_R,
        step_R=step_R,
        values_RX=clean_values(frame, schema, ids=ids, times=times, row_R=row_R),
        row_R=row_R,
        first=first,
        out_of_order=backward,
    )


def check_columns(frame: pd.DataFrame, schema: Schema) -> None:
    """Every column declared and every declared column there (statics may come apart)."""
    have, need = list(frame.columns), [ID, TIME, *schema.stored]
    if missing := [name for name in need if name not in have]:
        raise SchemaError(
            f"column {missing[0]!r} is declared but the table has only {have};"
            " rename a column to it (data.source.rename) or remove its declaration"
        )
    if undeclared := [name for name in have if name not in (*need, *schema.static)]:
        raise SchemaError(
            f"column {undeclared[0]!r} of the table is not declared; declare it under"
            " data.schema.columns with a role, or drop it with data.source.drop"
        )


def text_ids(ids: pd.Series) -> pd.Series:
    """Ids, all of them text."""
    if (absent := ids.isna().to_numpy()).any():
        raise SchemaError(
            f"{ID} is missing in row {int(np.flatnonzero(absent)[0])} of the table;"
            " give every row the name of its series"
        )
    if not pd.api.types.is_string_dtype(ids.dtype):
        other = next((value for value in ids if not isinstance(value, str)), ids.iloc[0])
        raise SchemaError(
            f"{ID} holds {other!r} ({type(other).__name__}), but ids are text;"
            f' convert them: frame["{ID}"] = frame["{ID}"].astype(str)'
        )
    return ids


def clean_times(times: pd.Series, ids: pd.Series) -> pd.Series:
    """Naive datetimes; UTC is taken as it is, other time zones are refused."""

    def refuse(row: int, what: str) -> SchemaError:
        return SchemaError(f"{TIME} of series {ids.iloc[row]!r}, row {row}: {what}")

    if times.dtype == "datetime64[ns]" and not times.isna().any():
        return times
    if pd.api.types.is_numeric_dtype(times.dtype):
        raise refuse(0, f"{times.iloc[0]!r} is a number; give dates such as 2024-06-18")
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        try:
            times = pd.to_datetime(times)
        except (ValueError, TypeError) as err:
            parsed = pd.to_datetime(times, errors="coerce", utc=True, format="mixed")
            bad = np.flatnonzero(parsed.isna().to_numpy() & times.notna().to_numpy())
            if bad.size:
                what = (
                    f"{times.iloc[bad[0]]!r} is no date; write it as 2024-06-18 or 2024-06-18 14:00"
                )
                raise refuse(int(bad[0]), what) from err
            what = f"the table mixes time zones or formats ({err}); write all times in UTC"
            raise refuse(0, what) from err
    zone = times.dt.tz
    if zone is not None:
        if str(zone) not in ("UTC", "UTC+00:00"):
            what = (
                f"times are in {zone}, where hours can repeat or vanish; convert the column to UTC"
                f' (dt.tz_convert("UTC")) or to local time without a zone (dt.tz_localize(None))'
            )
            raise refuse(0, what)
        times = times.dt.tz_localize(None)
    if (absent := times.isna().to_numpy()).any():
        raise refuse(int(np.flatnonzero(absent)[0]), "the time is missing; remove the row")
    return times.astype("datetime64[ns]")


def clean_values(
    frame: pd.DataFrame,
    schema: Schema,
    *,
    ids: pd.Series,
    times: pd.Series,
    row_R: np.ndarray | None = None,
) -> np.ndarray:
    """The stored columns as float32 [R, X], validated by pandera; NaN means missing.

    ``row_R`` are the rows of the table in the order of the result (None: as they stand).  One
    column after the other, block by block: no second copy of the table is held, and a block's
    memory serves the next one.
    """
    import pandera.errors
    import pandera.pandas as rules

    values_RX = np.empty((len(frame), len(schema.stored)), dtype=np.float32)
    for position, name in enumerate(schema.stored):
        numbers = as_numbers(frame[name], ids=ids, times=times)
        kind = np.float32 if numbers.dtype == np.float32 else np.float64
        rule = rules.DataFrameSchema({name: _rule(schema.columns[name], kind, numbers.dtype)})
        for low in range(0, len(numbers), CHECKED):
            block = slice(low, low + CHECKED)
            column = pd.DataFrame({name: numbers[block].astype(kind, copy=False)}, copy=False)
            try:
                rule.validate(column, inplace=True)
            except pandera.errors.SchemaError as err:
                case = err.failure_cases.iloc[0]
                row = low + int(case["index"])
                what = getattr(err.check, "name", None) or (
                    "is missing, but its role is known_future; supply it for every row, or declare"
                    f" {name} observed"
                )
                raise SchemaError(
                    f"column {name!r} of series {ids.iloc[row]!r} at {times.iloc[row]}: the value"
                    f" {case['failure_case']} {what}"
                ) from err
            in_place = numbers[block if row_R is None else row_R[block]]
            values_RX[block, position] = in_place.astype(kind, copy=False)
    return values_RX


def _rule(column: Column, kind: type[np.floating], given: np.dtype) -> rules.Column:
    """What the values of a column have to keep; ``given`` is their type in the table."""
    import pandera.pandas as rules

    checks = []
    if given in (np.float32, np.float64):  # whole numbers and flags are finite as they are
        checks += [
            rules.Check(_not_infinite, name="is infinite; correct it, or leave it empty"),
            rules.Check(_in_float32, name="is beyond the range of float32; change its unit"),
        ]
    if column.non_negative:
        rule = rules.Check.ge(0, name="is negative; correct it, or remove non_negative: true")
        checks.append(rule)
    if column.integer:
        name_of_check = "is no whole number; correct it, or remove integer: true"
        checks.append(rules.Check(lambda x: x.isna() | (x % 1 == 0), name=name_of_check))
    return rules.Column(kind, checks, nullable=column.role is not Role.KNOWN_FUTURE)


def as_numbers(column: pd.Series, *, ids: pd.Series, times: pd.Series) -> np.ndarray:
    """A numeric or boolean column (or one without any value) as an array; text is refused."""
    if pd.api.types.is_numeric_dtype(column.dtype) or bool(column.isna().all()):
        if isinstance(column.dtype, np.dtype) and (
            column.dtype.kind in "iub" or column.dtype == np.float32
        ):
            return column.to_numpy()
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    text = np.array([isinstance(value, str) for value in column])
    bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy() | text)
    if not bad.size:  # flags or decimals with missing values among them
        return numbers.to_numpy(dtype=np.float64)
    row = int(np.flatnonzero(numbers.isna() & column.notna())[0]) if text.all() else int(bad[0])
    raise SchemaError(
        f"column {column.name!r} of series {ids.iloc[row]!r} at {times.iloc[row]}: the value"
        f" {column.iloc[row]!r} is {type(column.iloc[row]).__name__}, not a number; convert the"
        " column, declare it static if it describes the series, or drop it with data.source.drop"
    )


def steps_on_grid(ids: pd.Series, times: pd.Series, freq: str) -> tuple[pd.Timestamp, np.ndarray]:
    """The first time of the table, and every row's number of steps after it."""
    length, first = step_length(freq), times.min()
    anchor = pd.tseries.frequencies.to_offset(freq)
    if isinstance(anchor, pd.offsets.Week) and not anchor.is_on_offset(first):
        raise SchemaError(
            f"the first time, {first}, is a {first.day_name()}, which {freq} does not contain;"
            f" set data.schema.freq to W-{first.day_name()[:3].upper()}"
        )
    step_R, off_R = np.empty(len(times), dtype=np.int32), np.zeros(len(times), dtype=bool)
    moment_R, origin = times.to_numpy("datetime64[ns]"), first.to_datetime64().astype("M8[ns]")
    for low in range(0, len(times), BLOCK):
        block = slice(low, low + BLOCK)
        step_R[block], rest = np.divmod((moment_R[block] - origin).astype(np.int64), length.value)
        off_R[block] = rest != 0
    if (off := np.flatnonzero(off_R)).size:
        row = int(off[0])
        raise SchemaError(
            f"series {ids.iloc[row]!r} has a row at {times.iloc[row]}, off the {freq} grid that"
            f" starts at {first} ({off.size} such rows: frequencies are mixed or times are not"
            f" rounded); floor the times, aggregate to {freq}, or set data.schema.freq"
        )
    return first, step_R


def refuse_coarser_series(
    ids_N: np.ndarray,
    series_R: np.ndarray,
    step_R: np.ndarray,
    *,
    first: pd.Timestamp,
    freq: str,
) -> None:
    """A series whose rows all stand k > 1 steps apart has another frequency than the table."""
    head_N = heads(series_R, len(ids_N))
    gap_R, count = np.diff(step_R, append=step_R[-1:]), np.diff(head_N) - 1
    gap_R[head_N[1:] - 1] = np.iinfo(gap_R.dtype).max  # no gap follows the last row of a series
    least = np.minimum.reduceat(gap_R, head_N[:-1])
    gap_R[head_N[1:] - 1] = 0
    most = np.maximum.reduceat(gap_R, head_N[:-1])
    if (other := np.flatnonzero((count >= 3) & (least == most) & (least > 1))).size:
        at = first + step_R[head_N[other[0]]] * step_length(freq)
        raise SchemaError(
            f"series {ids_N[other[0]]!r} has a row only every {least[other[0]]} steps of {freq}"
            f" from {at} on: the table mixes frequencies; bring all series to one frequency, or"
            " set data.schema.absent to zero if a missing row means 0"
        )


def _order(series_R: np.ndarray, step_R: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether rows stand in series and time order, and those whose next row is the same again."""
    in_order, twice = True, []
    for low in range(0, len(series_R), BLOCK):
        block = slice(low, low + BLOCK + 1)  # and the first row of the next block
        series, ahead = np.diff(series_R[block]), np.diff(step_R[block])
        in_order &= not ((series < 0) | ((series == 0) & (ahead < 0))).any()
        twice.append(low + np.flatnonzero((series == 0) & (ahead == 0)))
    return in_order, np.concatenate(twice)


def _sorted_rows(series_R: np.ndarray, step_R: np.ndarray) -> np.ndarray:
    """Rows in series and time order; those that stand twice stay in their order."""
    key_R = series_R.astype(np.int64)
    key_R *= int(step_R.max()) + 1
    key_R += step_R
    return np.argsort(key_R, kind="stable")


def _out_of_order(series_R: np.ndarray, step_R: np.ndarray) -> int:
    """Rows that stand before an earlier row of their own series."""
    order = np.argsort(series_R, kind="stable")
    same = np.diff(series_R[order]) == 0
    return int(((np.diff(step_R[order]) < 0) & same).sum())


def _not_infinite(column: pd.Series) -> pd.Series:
    return column.abs() != np.inf


def _in_float32(column: pd.Series) -> pd.Series:
    return column.between(-FLOAT32_MAX, FLOAT32_MAX) | column.isna()
