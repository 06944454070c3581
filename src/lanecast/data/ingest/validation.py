"""The border of data: a long table is checked here once, and trusted everywhere after.

Every fault is a SchemaError that names the column, the series, the time and the way out.  The first
is raised; where `Faults` keeps them, each check goes on with the rows and columns that are sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.data.ingest.exactness import exactness_warnings
from lanecast.data.ingest.suspects import alike_warnings, code_warnings, far_fault, far_rows
from lanecast.data.ingest.times import clean_times
from lanecast.data.ingest.values import clean_values, such
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.errors import Faults, SchemaError
from lanecast.sources import Dates, row_words

EVEN = 0.15  # share by which steps of unequal length, such as months, differ
LAST_HOUR_PUT_BACK = 3
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
    warnings: tuple[str, ...] = ()

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


def checked_rows(
    frame: pd.DataFrame,
    schema: Schema,
    faults: Faults | None = None,
    *,
    dates: Dates | None = None,
    place: Callable[[int], str] = row_words,
) -> Rows:
    """Rows of a table that keeps the contract; rows out of order are sorted, and counted.

    ``dates``: how its times are written; ``place``: what a row of the frame is called.
    """
    import pyarrow as pa

    faults = faults or Faults()
    check_columns(frame, schema, faults)
    if frame.empty:
        raise SchemaError("the table has no rows; check the path and the filters of data.source")
    ids = text_ids(frame[ID], faults, place)
    times = clean_times(frame[TIME], frame[ID], faults, freq=schema.freq, dates=dates, place=place)
    first, step_R = steps_on_grid(ids, times, schema.freq, faults, place)
    stood_R = _sound_rows(ids, step_R, faults) if faults.keep else None
    if stood_R is not None:
        frame, ids, times = frame.iloc[stood_R], ids.iloc[stood_R], times.iloc[stood_R]
        step_R = step_R[stood_R]
    stands = place if stood_R is None else lambda row: place(int(stood_R[row]))
    codes_R, names = pd.factorize(ids, sort=True)
    ids_N = np.asarray(names, dtype=object)
    if not ids_N[0].strip():  # the first in order
        faults.add(SchemaError(f"{ID} is empty text in some row; give it the name of its series"))
    series_R = codes_R.astype(np.int32)
    pa.default_memory_pool().release_unused()  # what encoding the ids took
    series_R, step_R, row_R, backward, twice = _in_order(series_R, step_R)
    if twice.size:
        row, at = int(twice[0]), first + step_R[twice[0]] * step_length(schema.freq)
        again = stands(row + 1 if row_R is None else int(row_R[row + 1]))
        faults.add(_repeated(ids_N[series_R[row]], at, again, twice.size, schema.freq))
        row_R = np.delete(np.arange(len(series_R)) if row_R is None else row_R, twice + 1)
        series_R, step_R = np.delete(series_R, twice + 1), np.delete(step_R, twice + 1)
    check_frequency(ids_N, series_R, step_R, faults, first=first, schema=schema)
    values_RX = clean_values(frame, schema, faults, ids=ids, times=times, row_R=row_R, place=stands)

    def name_of(row: int) -> str:
        stood = stands(row if row_R is None else int(row_R[row]))
        return f"series {ids_N[series_R[row]]!r}, {stood}"

    exact = exactness_warnings(values_RX, schema.stored)
    warnings = (*alike_warnings(ids_N), *code_warnings(values_RX, schema, name_of), *exact)
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
        warnings=warnings,
    )


def _sound_rows(ids: pd.Series, step_R: np.ndarray, faults: Faults) -> np.ndarray:
    """Rows with a series and a step, where faults are kept; the end where there is none."""
    sound_R = np.flatnonzero((step_R >= 0) & ids.notna().to_numpy())
    if not sound_R.size:
        faults.end()
    return sound_R


def _repeated(series: str, at: pd.Timestamp, again: str, count: int, freq: str) -> SchemaError:
    """A row that stands twice; hours may be those in which clocks are put back."""
    hint, is_hour = "", step_length(freq) < pd.Timedelta(days=1)
    if is_hour and at.month in (4, 9, 10, 11) and at.hour <= LAST_HOUR_PUT_BACK:
        hint = ", or give the times in UTC if it is the hour in which clocks are put back"
    return SchemaError(
        f"series {series!r} has more than one row at {at}, again in {again}"
        f"{such(count, 'rows')}; keep one row per ({ID}, {TIME}), for instance by summing y{hint}"
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


def text_ids(ids: pd.Series, faults: Faults, place: Callable[[int], str] = row_words) -> pd.Series:
    """Ids, all of them text; where faults are kept, a missing id stays missing."""
    if (absent := ids.isna().to_numpy()).any():
        faults.add(
            SchemaError(
                f"{ID} is missing in {place(int(np.flatnonzero(absent)[0]))} of the table"
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


def steps_on_grid(
    ids: pd.Series,
    times: pd.Series,
    freq: str,
    faults: Faults,
    place: Callable[[int], str] = row_words,
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
                f"series {ids.iloc[row]!r} has a row at {times.iloc[row]}, {place(row)}, off the"
                f" {freq} grid that starts at {first} ({off.size} such rows: frequencies are mixed"
                " or times are not rounded);"
                f" floor the times, aggregate to {freq}, or set data.schema.freq"
            )
        )
    far_R, gap = far_rows(step_R, freq)
    if far_R.size:
        faults.add(far_fault(far_R, gap, ids, times, place))
        step_R[far_R] = -1
    return first, step_R


def check_frequency(
    ids_N: np.ndarray,
    series_R: np.ndarray,
    step_R: np.ndarray,
    faults: Faults,
    *,
    first: pd.Timestamp,
    schema: Schema,
) -> None:
    """A series whose rows all stand about k > 1 steps apart has another frequency than the table.

    Where a missing row means 0, that may be a series that seldom moves; a whole table whose rows
    stand so has another frequency.
    """
    if schema.absent == "zero":
        steps = np.flatnonzero(np.bincount(step_R))
        series_R, step_R = np.zeros(len(steps), dtype=np.int32), steps
    head_N = heads(series_R, len(ids_N) if schema.absent == "missing" else 1)
    gap_R, count = np.diff(step_R, append=step_R[-1:]), np.diff(head_N) - 1
    gap_R[head_N[1:] - 1] = np.iinfo(gap_R.dtype).max  # no gap follows the last row of a series
    least = np.minimum.reduceat(gap_R, head_N[:-1])
    gap_R[head_N[1:] - 1] = 0
    most = np.maximum.reduceat(gap_R, head_N[:-1])
    # Months have 28 to 31 days, quarters 90 to 92.
    even = (least == most) | ((least >= 20) & (most - least <= EVEN * least))
    if not (other := np.flatnonzero((count >= 3) & (least > 1) & even)).size:
        return
    at = first + step_R[head_N[other[0]]] * step_length(schema.freq)
    low, high = int(least[other[0]]), int(most[other[0]])
    every = f"only every {low} steps" if low == high else f"only every {low} to {high} steps"
    if schema.absent == "zero":
        subject, way_out = "the table has rows", "set data.schema.freq to its own frequency"
    else:
        subject, way_out = (
            f"series {ids_N[other[0]]!r} has a row",
            "bring all series to one frequency",
        )
    mixed = "the table mixes frequencies" if len(other) < len(ids_N) > 1 else "it is no such table"
    zero = "set data.schema.absent to zero if a missing row means 0"
    if schema.absent == "zero":
        zero = "give a day between its rows a row of 0 if a missing row means 0"
    month = "; a month has no one length: a row per month fits no frequency" if high > low else ""
    faults.add(
        SchemaError(
            f"{subject} {every} of {schema.freq} from {at} on: {mixed}{month}; {way_out}, or {zero}"
        )
    )


def _in_order(
    series_R: np.ndarray, step_R: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, int, np.ndarray]:
    """Series and steps in order, where their rows stood (None: as they are), how many stood before
    an earlier one, and the rows whose next row is the same again.
    """
    in_order, twice = _order(series_R, step_R)
    if in_order:
        return series_R, step_R, None, 0, twice
    backward = _out_of_order(series_R, step_R)
    row_R = _sorted_rows(series_R, step_R)
    series_R, step_R = series_R[row_R], step_R[row_R]
    row_R = row_R.astype(np.min_scalar_type(len(row_R)))
    return series_R, step_R, row_R, backward, _order(series_R, step_R)[1]


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
