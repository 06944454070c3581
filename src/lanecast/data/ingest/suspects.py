"""What a table should not hold and yet could: dates far from all others, codes for no value, ids
that look alike.

Far dates are refused, the others are told: each by name, with its row and the way out.  Axes: ``R``
rows, ``N`` series, ``X`` columns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from lanecast.data.schema import ID, Schema, step_length
from lanecast.errors import SchemaError

FAR = pd.Timedelta(days=200)  # at least, between a mistyped year and all other rows
FAR_STEPS = 20
SPARSE = 3  # of a table whose rows stand far apart anyway, at least so many usual gaps
FEW_DATES = 2  # a code for no date stands in many rows, on a date or two
# Numbers that people write for "no value"; of those below 0, where all others are 0 or more.
CODES_BELOW = np.array((-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0), dtype=np.float32)
CODES_ABOVE = np.array(
    (999.0, 9999.0, 99999.0, 999999.0, 9999999.0, 1e20, 1e30, 2147483648.0), dtype=np.float32
)
APART = 4.0  # a code is at least that many times the largest other value
NAMED = 3  # of ids that look alike
Place = Callable[[int], str]


def far_rows(step_R: np.ndarray, freq: str) -> tuple[np.ndarray, pd.Timedelta]:
    """Rows that lie a gap of most of a year away from nearly all others, and that gap.

    ``step_R``: steps of the rows; -1 is no row.
    """
    length = step_length(freq)
    least = max(FAR_STEPS, int(FAR / length))
    nobody = np.zeros(0, dtype=np.int64)
    sound_R = step_R[step_R >= 0] if (step_R < 0).any() else step_R
    if not sound_R.size or int(sound_R.max()) - int(sound_R.min()) < least:
        return nobody, FAR
    steps, count = _counted(sound_R)
    gaps = np.diff(steps)
    least = max(least, int(SPARSE * np.median(gaps)))
    for at in np.flatnonzero(gaps >= least):
        gap = int(steps[at + 1] - steps[at])
        for side in (slice(None, at + 1), slice(at + 1, None)):
            if _is_odd(count[side], total=len(sound_R), long_gap=gap >= 2 * least):
                return np.flatnonzero(np.isin(step_R, steps[side])), gap * length
    return nobody, FAR


def _counted(step_R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps that have a row, in order, and how many."""
    if int(step_R.max()) < 50_000_000:  # no sort of all rows
        count_T = np.bincount(step_R)
        steps = np.flatnonzero(count_T)
        return steps, count_T[steps]
    steps, count = np.unique(step_R, return_counts=True)
    return steps, count


def _is_odd(few: np.ndarray, *, total: int, long_gap: bool) -> bool:
    """A row or a few, or, years away, a date or two: no history of its own."""
    rows = int(few.sum())
    if rows <= min(max(3, total // 200), total // 4):
        return True
    return long_gap and len(few) <= FEW_DATES and rows < total / 5


def far_fault(
    rows: np.ndarray, gap: pd.Timedelta, ids: pd.Series, times: pd.Series, place: Place
) -> SchemaError:
    """The first of the far rows by name."""
    row = int(rows[0])
    more = "" if len(rows) == 1 else f" ({len(rows)} such rows in all)"
    return SchemaError(
        f"series {ids.iloc[row]!r} has a row at {times.iloc[row]}, {place(row)}, {gap.days} days"
        f" away from all other rows{more}: a mistyped year, or a code for no date? correct the"
        " date, or remove the row"
    )


def code_warnings(
    values_RX: np.ndarray, schema: Schema, name_of: Callable[[int], str]
) -> list[str]:
    """Values that may stand for none: -1, -999 or 9999 far from all others of their column.

    ``name_of`` says which row it is, of a row of ``values_RX``.
    """
    warnings = []
    for position, name in enumerate(schema.stored):
        column_R = values_RX[:, position]
        with np.errstate(invalid="ignore"):
            codes = _codes(column_R)
        for code in codes:
            rows = np.flatnonzero(column_R == np.float32(code))
            more = "" if len(rows) == 1 else f" ({len(rows)} such values in all)"
            warnings.append(
                f"column {name!r} is {code:g} for {name_of(int(rows[0]))}, far from its other"
                f" values{more}: a code for no value? if so, set data.source.missing=[{code:g}] or"
                " leave the cell empty"
            )
    return warnings


def _codes(column_R: np.ndarray) -> list[float]:
    """Codes for no value among the numbers of a column."""
    if not np.isfinite(column_R).any():
        return []
    low = np.nanmin(column_R)
    codes, high = [], np.nanmax(column_R)
    if (
        (low == CODES_BELOW).any()
        and low < high
        and np.min(column_R, where=column_R > low, initial=np.inf) >= 0
    ):
        codes.append(float(low))
    if (high == CODES_ABOVE).any():
        rest = (column_R < high) & (column_R > low if codes else column_R < high)
        largest = np.max(np.abs(column_R), where=rest, initial=0)
        if rest.any() and largest * APART <= high:
            codes.append(float(high))
    return codes


def alike_warnings(ids_N: np.ndarray) -> list[str]:
    """Ids that differ by blanks, case, zeros in front or the code of their letters alone."""
    plain = pd.Series(plain_names(ids_N))
    twice = plain.duplicated(keep=False).to_numpy()
    if not twice.any():
        return []
    groups = pd.Series(ids_N[twice]).groupby(plain[twice].to_numpy(), sort=True)
    pairs = [tuple(group.iloc[:2]) for _, group in groups][: NAMED + 1]
    shown = ", ".join(f"{left!r} and {right!r}" for left, right in pairs[:NAMED])
    more = f" (and {groups.ngroups - NAMED} more pairs)" if groups.ngroups > NAMED else ""
    return [
        f"{int(twice.sum())} series have ids that differ only by blanks, case or zeros in front:"
        f" {shown}{more}; they are kept apart: write the ids alike if they are one ({ID}), or set"
        " strict=true to refuse"
    ]


def plain_names(ids: np.ndarray) -> np.ndarray:
    """Ids without what the eye does not see."""
    names = pd.Series(ids, dtype="str").str.normalize("NFKC").str.casefold()
    names = names.str.replace(r"[\s\u200b\ufeff]+", "", regex=True)
    return names.str.replace(r"(?<!\d)(?<!\d\.)0+(?=\d)", "", regex=True).to_numpy(dtype=object)
