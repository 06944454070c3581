"""A missing row as a zero: written out or left out, the same facts become the same panel.

A series lives from its first target that is not 0.  From then on a step without a row is a zero up
to `Reach.arrived`; after it, a zero, written or not, may be a row that has not arrived yet.
Axes: ``N`` series, ``R`` rows, ``X`` stored columns, ``A`` cells without a row, ``D`` steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lanecast.data.cutoffs import moment_of
from lanecast.data.ingest.validation import Rows
from lanecast.data.schema import TARGET, Role, Schema, step_length
from lanecast.errors import Faults, SchemaError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Up to which step all rows have arrived, and up to which there are targets at all."""

    arrived: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """A flat store that is being filled; ``empty_C``: cells without a row."""

    ids_N: np.ndarray
    offsets: np.ndarray
    start: np.ndarray
    values_CX: np.ndarray
    empty_C: np.ndarray
    first: pd.Timestamp


def lived(rows: Rows, schema: Schema) -> tuple[Rows, Reach]:
    """The rows of each series from its first target that is not 0 on; SchemaError without any.

    The first step is that of the first row left, whatever zeros are written before it.
    """
    y_R = rows.values_RX[:, 0]
    last = int(rows.step_R[np.isfinite(y_R)].max())
    arrived = last - schema.delay_steps(TARGET)
    if schema.until is not None:
        until = moment_of(schema.until, key="data.schema.until")
        arrived = int((until - rows.first) // step_length(schema.freq))
    active = np.flatnonzero(np.isfinite(y_R) & (y_R != 0))
    if not active.size:
        raise SchemaError(
            f"column {TARGET!r} is 0 or missing in every row, from series {rows.ids_N[0]!r} at"
            f" {rows.first} on; check data.source.rename"
        )
    if arrived < rows.step_R[active].min():
        raise SchemaError(
            f"nothing has arrived up to {rows.first + arrived * step_length(schema.freq)}"
            f" (data.schema.until, or the last row less the delay of {TARGET}); set"
            " data.schema.until to the last time that the table is complete for"
        )
    head_N = rows.head_N
    next_N = np.searchsorted(active, head_N[:-1])
    first_N = np.append(active, len(rows))[next_N]
    lives_N = first_N < head_N[1:]
    first_N = np.where(lives_N, first_N, head_N[1:])
    shift = int(rows.step_R[first_N[lives_N]].min())
    reach = Reach(arrived=arrived - shift, last=max(last, arrived) - shift)
    if (first_N == head_N[:-1]).all() and lives_N.all():
        return rows, reach
    kept_R = np.arange(len(rows)) >= np.repeat(first_N, np.diff(head_N))
    number_N = np.cumsum(lives_N) - 1
    trimmed = replace(
        rows,
        ids_N=rows.ids_N[lives_N],
        series_R=number_N[rows.series_R[kept_R]].astype(np.int32),
        step_R=rows.step_R[kept_R] - np.int32(shift),
        values_RX=rows.values_RX[kept_R],
        row_R=np.flatnonzero(kept_R) if rows.row_R is None else rows.row_R[kept_R],
        first=rows.first + shift * step_length(schema.freq),
    )
    return trimmed, reach


def fill_absent(
    cells: Cells, reach: Reach, schema: Schema, *, fills: Mapping[str, float], faults: Faults
) -> dict[str, int]:
    """Fill the cells without a row, in place, and count them.

    SchemaError for a column without a fill that would tell a model of a 0 that it may not know.
    """
    offsets, start, values_CX = cells.offsets, cells.start, cells.values_CX
    cell_A = np.flatnonzero(cells.empty_C)
    owner_A = np.searchsorted(offsets, cell_A, side="right") - 1
    step_A = start[owner_A] + cell_A - offsets[owner_A]
    absent_A = step_A <= reach.last  # what comes after is the known future, all there or not
    cell_A, owner_A, step_A = cell_A[absent_A], owner_A[absent_A], step_A[absent_A]
    counts: dict[str, int] = {}
    declared = {name: column.absent for name, column in schema.columns.items()}
    fills = {**fills, **{name: fill for name, fill in declared.items() if fill is not None}}
    if len(cell_A):
        time = cells.first + step_A[0] * step_length(schema.freq)
        place = f"series {cells.ids_N[owner_A[0]]!r} at {time}"
        for fault in _telling(schema, fills, place, len(cell_A)):
            faults.add(fault)
        for column, name in enumerate(schema.stored):
            if (fill := fills.get(name)) is None:
                continue
            if not (values_CX[:, column] == np.float32(fill)).any():
                counts[f"absent_unlike_any_row/{name}"] = len(cell_A)
            values_CX[cell_A, column] = fill
    zeros_A = step_A <= reach.arrived
    values_CX[cell_A[zeros_A], 0] = 0.0
    late_D = np.arange(reach.arrived + 1, reach.last + 1)
    cell_ND = (offsets[:-1] - start)[:, None] + late_D
    cell_D = cell_ND[late_D >= start[:, None]]
    late = cell_D[values_CX[cell_D, 0] == 0]
    values_CX[late, 0] = np.nan
    filled = int(zeros_A.sum())
    counts |= {
        "gaps_filled_with_zero": filled,
        "gaps_left_missing": int(cells.empty_C.sum()) - filled,
    }
    return counts


def _telling(
    schema: Schema, fills: Mapping[str, float], place: str, count: int
) -> Iterator[SchemaError]:
    """Columns that are seen earlier than the target and have no value where there is no row."""
    for name in schema.stored[1:]:
        column = schema.columns[name]
        if name in fills or schema.last_visible(name) <= schema.last_visible(TARGET):
            continue
        other = "declare it observed"
        if column.role is Role.OBSERVED:
            other = f"give it the delay of {TARGET}"
        yield SchemaError(
            f"column {name!r} ({column.role}) has no value on the {count:,} steps without a row,"
            f" first for {place}: a model would see there that {TARGET} is 0 before it can be"
            f" known; say what a future row would hold on such a day (0, say) with"
            f" +data.schema.columns.{name}.absent=0, give the table a row for every step, or"
            f" {other}"
        )
