"""The border of data: a long table is checked here once, and trusted everywhere after.

Every fault is a SchemaError that names the column, the series, the time and the way out.  The first
is raised; where `Faults` keeps them, each check goes on with the rows and columns that are sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.data.ingest.values import clean_values, such
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.errors import Faults, SchemaError

BLOCK = 1 << 20  # rows whose times or order are looked at at once


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


def checked_rows(frame: pd.DataFrame, schema: Schema, faults: Faults | None = None) -> Rows:
    """Rows of a table that keeps the contract; rows out of order are sorted, and counted."""
    import pyarrow as pa

    faults = faults or Faults()
    check_columns(frame, schema, faults)
    if frame.empty:
        raise SchemaError("the table has no rows; check the path and the filters of data.source")
    ids, times = text_ids(frame[ID], faults), clean_times(frame[TIME], frame[ID], faults)
    first, step_R = steps_on_grid(ids, times, schema.freq, faults)
    stood_R = None
    if faults.keep:
        stood_R = np.flatnonzero((step_R >= 0) & ids.notna().to_numpy())
        frame, ids, times = frame.iloc[stood_R], ids.iloc[stood_R], times.iloc[stood_R]
        step_R = step_R[stood_R]
        if not stood_R.size:
            faults.end()
    codes_R, names = pd.factorize(ids, sort=True)
    ids_N = np.asarray(names, dtype=object)
    if not ids_N[0].strip():  # the first in order
        faults.add(
            SchemaError(f"{ID} is empty text in some row; give every row the name of its series")
        )
    series_R = codes_R.astype(np.int32)
    del codes_R
    pa.default_memory_pool().release_unused()  # what encoding the ids took
    row_R, backward = None, 0
    in_order, twice = _order(series_R, step_R)
    if not in_order:
        backward = _out_of_order(series_R, step_R)
        row_R = _sorted_rows(series_R, step_R)
        series_R, step_R = series_R[row_R], step_R[row_R]
        row_R = row_R.astype(np.min_scalar_type(len(row_R)))
        _, twice = _order(series_R, step_R)
    if twice.size:
        row = twice[0]
        faults.add(
            SchemaError(
                f"series {ids_N[series_R[row]]!r} has more than one row at"
                f" {first + step_R[row] * step_length(schema.freq)} ({twice.size} such rows in"
                f" all); keep one row per ({ID}, {TIME}), for instance by summing y"
            )
        )
        row_R = np.delete(np.arange(len(series_R)) if row_R is None else row_R, twice + 1)
        series_R, step_R = np.delete(series_R, twice + 1), np.delete(step_R, twice + 1)
    if schema.absent == "missing":
        check_frequency(ids_N, series_R, step_R, faults, first=first, freq=schema.freq)
    values_RX = clean_values(frame, schema, faults, ids=ids, times=times, row_R=row_R)
    if stood_R is not None:
        row_R = stood_R if row_R is None else stood_R[row_R]
    return Rows(
        ids_N=ids_N,
        series_R=series_R,
        step_R=step_R,
        values_RX=values_RX,
        row_R=row_R,
        first=first,
        out_of_order=backward,
    )


def check_columns(frame: pd.DataFrame, schema: Schema, faults: Faults) -> None:
    """Every column declared and every declared column there (statics may come apart)."""
    have, need = list(frame.columns), [ID, TIME, *schema.stored]
    for name in dict.fromkeys(have):
        if have.count(name) > 1:
            raise SchemaError(
                f"{have.count(name)} columns of the table are called {name!r}; leave one of them"
                " out (data.source.drop), or rename it"
            )
    absent = [name for name in need if name not in have]
    for name in absent:
        faults.add(
            SchemaError(
                f"column {name!r} is declared but the table has only {have};"
                " rename a column to it (data.source.rename) or remove its declaration"
            )
        )
    for name in have:
        if name not in (*need, *schema.static, *schema.closing):
            faults.add(
                SchemaError(
                    f"column {name!r} of the table is not declared; declare it under"
                    " data.schema.columns with a role, or drop it with data.source.drop"
                )
            )
    if not {ID, TIME, TARGET}.isdisjoint(absent):
        faults.end()


def text_ids(ids: pd.Series, faults: Faults) -> pd.Series:
    """Ids, all of them text; where faults are kept, a missing id stays missing."""
    if (absent := ids.isna().to_numpy()).any():
        faults.add(
            SchemaError(
                f"{ID} is missing in row {int(np.flatnonzero(absent)[0])} of the table"
                f"{such(int(absent.sum()), 'rows')}; give every row the name of its series"
            )
        )
    if not pd.api.types.is_string_dtype(ids.dtype):
        other = next((value for value in ids if not isinstance(value, str)), ids.iloc[0])
        faults.add(
            SchemaError(
                f"{ID} holds {other!r} ({type(other).__name__}), but ids are text;"
                f' convert them: frame["{ID}"] = frame["{ID}"].astype(str)'
            )
        )
        return ids.astype(str).where(~absent)
    return ids


def clean_times(times: pd.Series, ids: pd.Series, faults: Faults | None = None) -> pd.Series:
    """Naive datetimes; UTC is taken as it is, other time zones are refused.

    Where faults are kept, a time that is none stays missing.
    """
    faults = faults or Faults()

    def refusal(row: int, reason: str) -> SchemaError:
        return SchemaError(f"{TIME} of series {ids.iloc[row]!r}, row {row}: {reason}")

    if times.dtype == "datetime64[ns]" and not times.isna().any():
        return times
    if pd.api.types.is_numeric_dtype(times.dtype):
        raise refusal(0, f"{times.iloc[0]!r} is a number; give dates such as 2024-06-18")
    if (absent := times.isna().to_numpy()).any():
        problem = f"the time is missing; remove the row{such(int(absent.sum()), 'rows')}"
        faults.add(refusal(int(np.flatnonzero(absent)[0]), problem))
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        try:
            times = pd.to_datetime(times)
        except (ValueError, TypeError):
            times = _sound_times(times, refusal, faults)
    zone = times.dt.tz
    if zone is not None:
        if str(zone) not in ("UTC", "UTC+00:00"):
            problem = (
                f"times are in {zone}, where hours can repeat or vanish; convert the column to UTC"
                f' (dt.tz_convert("UTC")) or to local time without a zone (dt.tz_localize(None))'
            )
            faults.add(refusal(0, problem))
        times = times.dt.tz_localize(None)
    low, high = pd.Timestamp.min.as_unit("us"), pd.Timestamp.max.as_unit("us")
    if times.min() < low or times.max() > high:
        beyond = ((times < low) | (times > high)).to_numpy()
        row = int(np.flatnonzero(beyond)[0])
        problem = (
            f"{times.iloc[row]:%F} is no time that a table can hold; correct it, or remove the row"
        )
        faults.add(refusal(row, problem))
        times = times.where(~beyond)
    return times.astype("datetime64[ns]")


def _sound_times(
    times: pd.Series, refusal: Callable[[int, str], SchemaError], faults: Faults
) -> pd.Series:
    """Times of a column that pandas cannot read as one: what is no date, or written otherwise."""
    parsed = pd.to_datetime(times, errors="coerce", utc=True, format="mixed")
    if (none := np.flatnonzero((parsed.isna() & times.notna()).to_numpy())).size:
        reason = f"{times.iloc[none[0]]!r} is no date; write it as 2024-06-18 or 2024-06-18 14:00"
        faults.add(refusal(int(none[0]), reason + such(none.size, "rows")))
    try:
        alike = pd.to_datetime(times.where(parsed.notna()), errors="coerce")
    except ValueError:
        reason = "the table mixes time zones; write all times in UTC"
        faults.add(refusal(0, reason))
        return parsed
    if (other := np.flatnonzero((alike.isna() & parsed.notna()).to_numpy())).size:
        usual = times[parsed.notna()].iloc[0]
        reason = (
            f"{times.iloc[other[0]]!r} is written otherwise than {usual!r}; write all times alike"
        )
        faults.add(refusal(int(other[0]), reason + such(other.size, "rows")))
    return alike


def steps_on_grid(
    ids: pd.Series, times: pd.Series, freq: str, faults: Faults
) -> tuple[pd.Timestamp, np.ndarray]:
    """The first time of the table, and every row's number of steps after it.

    Where faults are kept, a row at no step has number -1.
    """
    length, first = step_length(freq), times.min()
    anchor = pd.tseries.frequencies.to_offset(freq)
    if isinstance(anchor, pd.offsets.Week) and not anchor.is_on_offset(first):
        faults.add(
            SchemaError(
                f"the first time, {first}, is a {first.day_name()}, which {freq} does not contain;"
                f" set data.schema.freq to W-{first.day_name()[:3].upper()}"
            )
        )
    step_R, off_R = np.empty(len(times), dtype=np.int32), np.zeros(len(times), dtype=bool)
    moment_R, origin = times.to_numpy("datetime64[ns]"), first.to_datetime64().astype("M8[ns]")
    for low in range(0, len(times), BLOCK):
        block = slice(low, low + BLOCK)
        step_R[block], rest = np.divmod((moment_R[block] - origin).astype(np.int64), length.value)
        off_R[block] = rest != 0
    if faults.keep:
        absent = times.isna().to_numpy()
        step_R[absent | off_R] = -1
        off_R &= ~absent
    if (off := np.flatnonzero(off_R)).size:
        row = int(off[0])
        faults.add(
            SchemaError(
                f"series {ids.iloc[row]!r} has a row at {times.iloc[row]}, off the {freq} grid that"
                f" starts at {first} ({off.size} such rows: frequencies are mixed or times are not"
                f" rounded); floor the times, aggregate to {freq}, or set data.schema.freq"
            )
        )
    return first, step_R


def check_frequency(
    ids_N: np.ndarray,
    series_R: np.ndarray,
    step_R: np.ndarray,
    faults: Faults,
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
        faults.add(
            SchemaError(
                f"series {ids_N[other[0]]!r} has a row only every {least[other[0]]} steps of {freq}"
                f" from {at} on: the table mixes frequencies; bring all series to one frequency, or"
                " set data.schema.absent to zero if a missing row means 0"
            )
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
