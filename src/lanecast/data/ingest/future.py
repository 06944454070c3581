"""The days ahead of a panel that is there already: their known_future values, through the border.

Axes: ``R`` rows, ``N`` series, ``X`` stored columns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from lanecast.data.ingest.validation import Rows, checked_rows
from lanecast.data.panel import Panel
from lanecast.data.schema import ID, TIME, step_length
from lanecast.errors import Faults, SchemaError
from lanecast.sources import SourceTable


def with_future(panel: Panel, future: SourceTable | pd.DataFrame) -> Panel:
    """The panel with the known_future values of ``future``: ``unique_id, ds`` and those columns.

    Rows of series that the panel does not have are counted and left out; a value that was there
    before gives way.  SchemaError for a row up to the last target of its series, or a column that
    is missing or has no future.
    """
    table = SourceTable(frame=future) if isinstance(future, pd.DataFrame) else future
    schema, future = panel.schema, table.frame
    _check_columns(panel, future)
    is_known = future[ID].isin(panel.series)
    if not is_known.any():
        raise SchemaError(
            f"no row of the future table is of one of the {panel.num_series} series, the first of"
            f" which is {panel.series[0]!r}; the ids must be those of the table"
        )
    known = future.loc[is_known, [ID, TIME, *schema.known]]
    own_R = np.flatnonzero(is_known.to_numpy())
    with Faults().within(table.origin.name):
        rows = checked_rows(
            known.assign(**dict.fromkeys(schema.past, np.nan)),
            schema,
            dates=table.dates,
            place=lambda row: table.origin.place(int(own_R[row])),
        )
    series_R = pd.Index(panel.series).get_indexer(pd.Index(rows.ids_N))[rows.series_R]
    step_R = _steps(panel, rows)
    _refuse_past(panel, series_R, step_R)

    end_N = panel.end
    np.maximum.at(end_N, series_R, step_R + 1)
    offsets = np.concatenate([[0], np.cumsum(end_N - panel.start)]).astype(np.int64)
    moved_N = offsets[:-1] - panel.offsets[:-1]
    cells = np.arange(panel.num_cells) + np.repeat(moved_N, np.diff(panel.offsets))
    values = np.full((offsets[-1], len(schema.stored)), np.nan, dtype=np.float32)
    values[cells] = panel.values.numpy()
    columns = [schema.stored.index(name) for name in schema.known]
    cell_R = offsets[series_R] + step_R - panel.start[series_R]
    values[cell_R[:, None], columns] = rows.values_RX[:, columns]
    strangers = int((~is_known).sum())
    return replace(
        panel,
        offsets=offsets,
        values=torch.from_numpy(values),
        counts={**panel.counts, "future_rows_of_unknown_series": strangers},
    )


def _check_columns(panel: Panel, future: pd.DataFrame) -> None:
    for name in (ID, TIME, *panel.schema.known):
        if name not in future:
            raise SchemaError(
                f"column {name!r} is known_future but missing from the future table, which has"
                f" {list(future.columns)}; supply it for every step of the horizon, or declare"
                f" {name} observed and refit"
            )
    for name in panel.schema.past:
        if name in future and (filled := future[name].notna().to_numpy()).any():
            row = int(np.flatnonzero(filled)[0])
            raise SchemaError(
                f"the future table holds a value of {name!r} for series {future[ID].iloc[row]!r} at"
                f" {future[TIME].iloc[row]}; only known_future columns have a future: remove it,"
                " or build the panel from a table with that row"
            )


def _steps(panel: Panel, rows: Rows) -> np.ndarray:
    """Steps of the rows on the panel's grid."""
    length, first = step_length(panel.schema.freq), pd.Timestamp(panel.times[0])
    ahead, rest = divmod(rows.first - first, length)
    last = int(ahead) + int(rows.step_R.max())
    if rest != pd.Timedelta(0) or last >= len(panel.times):
        raise SchemaError(
            f"the future table begins at {rows.first} and ends at {panel.time_of(last)}, but the"
            f" panel's {panel.schema.freq} grid runs from {first} to"
            f" {pd.Timestamp(panel.times[-1])}; give rows on that grid"
        )
    return rows.step_R.astype(np.int64) + int(ahead)


def _refuse_past(panel: Panel, series_R: np.ndarray, step_R: np.ndarray) -> None:
    last_N = panel.presence.last(panel.offsets[:-1], panel.offsets[1:])
    last_N = np.where(last_N < 0, -1, last_N - panel.offsets[:-1]) + panel.start
    if panel.schema.absent == "zero":
        last_N = np.full_like(last_N, last_N.max())
    inside = step_R <= last_N[series_R]
    if inside.any():
        row = int(np.flatnonzero(inside)[0])
        raise SchemaError(
            f"the future table has a row of series {panel.series[series_R[row]]!r} at"
            f" {panel.time_of(int(step_R[row]))}, but the table has targets until"
            f" {panel.time_of(int(last_N[series_R[row]]))}; let the future table begin after that"
        )
