"""Between frames and the flat store: a checked table becomes a panel, forecasts become a frame.

Axes: ``R`` rows, ``N`` series, ``X`` columns, ``W`` windows, ``H`` horizon, ``S`` sample paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from lanecast.data.cutoffs import moment_of
from lanecast.data.ingest.absence import Cells, Reach, fill_absent, lived
from lanecast.data.ingest.calendar import calendar_features, label_warnings
from lanecast.data.ingest.closing import gather_closings, without_closings
from lanecast.data.ingest.joining import with_days_ahead
from lanecast.data.ingest.statics import gather_statics
from lanecast.data.ingest.validation import Rows, checked_rows, heads
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Schema, step_length
from lanecast.data.statics import Statics, Vocabulary, encode_statics
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError, Faults, SchemaError
from lanecast.sources import SourceTable

if TYPE_CHECKING:
    pass

CALENDAR_AHEAD = 1024  # steps past the last row for which the calendar is built


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Which series enter, decided from rows up to ``until`` alone, so that nothing is looked ahead.

    A series needs ``min_rows`` rows with a target there (under ``absent: zero``, a target that is
    not 0, since a row of 0 and no row mean the same); of those, the ``busiest`` by volume stay.
    """

    min_rows: int | None = None
    until: str | pd.Timestamp | None = None
    busiest: int | None = None

    def __post_init__(self) -> None:
        """Refuse a choice of series that would look at all rows, or up to no date."""
        if self.until is None and (self.min_rows is not None or self.busiest is not None):
            raise ConfigError(
                "data.keep.min_rows and data.keep.busiest need data.keep.until, the last time they"
                " may look at; set it to the first cutoff or earlier"
            )
        if self.until is not None:
            moment_of(self.until, key="data.keep.until")


def panel_from_table(
    table: SourceTable,
    schema: Schema,
    *,
    calendar: Mapping[str, Any] | None = None,
    keep: Keep | None = None,
    future: SourceTable | pd.DataFrame | None = None,
    vocabulary: Vocabulary | None = None,
    faults: Faults | None = None,
) -> Panel:
    """The one way from a table into lanecast; what it did is in ``Panel.counts``.

    ``future`` holds rows after the last target with the known_future columns.  ``vocabulary``
    encodes the text statics as in another panel (`statics.vocabulary_of`).  With ``faults`` that
    are kept, the panel is that of the rows and columns in which nothing is wrong.
    """
    faults = faults or Faults()
    ahead = SourceTable(frame=future) if isinstance(future, pd.DataFrame) else future
    joined = with_days_ahead(table, ahead, schema, faults)
    with faults.within(table.origin.name):
        rows = checked_rows(joined.frame, schema, faults, dates=joined.dates, place=joined.place)
        last_N = _last_targets(rows, schema)
        reach, num_given = None, len(rows.ids_N)
        if schema.absent == "zero":
            rows, reach = lived(rows, schema)
            last_N = np.full(len(rows.ids_N), reach.last)
    kept = _kept(rows, schema, keep or Keep(), faults)
    ids = rows.ids_N[kept]
    laid, counts = _lay_out(rows, kept, last_N, schema, reach)
    with faults.within(table.origin.name):
        if reach is not None:
            counts |= fill_absent(laid, reach, schema, fills=table.fills, faults=faults)
        statics, attributes = _described(table, schema, ids, vocabulary, faults)
    counts["series_dropped"] = num_given - len(kept)
    counts["future_rows_of_unknown_series"] = joined.strangers

    steps = int(max(rows.step_R.max(), last_N.max())) + 1 + CALENDAR_AHEAD
    options = calendar or {"features": ()}
    times, dates, names = _calendar(rows.first, steps, schema, options, faults)
    warnings = (*table.warnings, *joined.warnings, *rows.warnings, *statics.warnings)
    return Panel(
        schema=schema,
        series=ids,
        times=times.to_numpy("datetime64[ns]"),
        calendar=torch.from_numpy(dates),
        calendar_names=names,
        statics=torch.from_numpy(statics.values_NC),
        static_names=statics.names,
        attributes=attributes,
        counts={**counts, "unknown_static_levels": statics.unknown_levels},
        warnings=(*warnings, *label_warnings(schema.freq, options)),
        offsets=laid.offsets,
        start=laid.start,
        values=torch.from_numpy(laid.values_CX),
    )


def _described(
    table: SourceTable,
    schema: Schema,
    ids_N: np.ndarray,
    vocabulary: Vocabulary | None,
    faults: Faults,
) -> tuple[Statics, dict[str, np.ndarray]]:
    """Encoded statics, and columns as they were given, closing dates among them."""
    apart, origin = without_closings(table, schema), table.statics_origin
    described = gather_statics(table.frame, apart, schema, ids_N, faults, origin=origin)
    statics = encode_statics(described, vocabulary)
    return statics, {**statics.attributes, **gather_closings(table, schema, ids_N, faults)}


def _calendar(
    first: pd.Timestamp, steps: int, schema: Schema, options: Mapping[str, Any], faults: Faults
) -> tuple[pd.DatetimeIndex, np.ndarray, tuple[str, ...]]:
    """Times of the grid, and what its dates say; nothing where the options have a fault."""
    step = pd.to_timedelta(np.arange(steps) * step_length(schema.freq).value)
    times = (first + step).as_unit("ns")
    with faults.kept_from():
        return times, *calendar_features(times, freq=schema.freq, **options)
    return times, np.zeros((steps, 0), dtype=np.float32), ()


def _last_targets(rows: Rows, schema: Schema) -> np.ndarray:
    """Last step with a target of each series, [N]; under ``absent: zero``, of the whole table,
    which a future table must not reach into.
    """
    present = np.isfinite(rows.values_RX[:, 0])
    if not present.any():
        raise SchemaError(
            f"column {TARGET!r} has no value in any row, from series {rows.ids_N[0]!r} at"
            f" {rows.first} on; check data.source.rename"
        )
    step_R = rows.step_R if present.all() else np.where(present, rows.step_R, -1)
    last_N = np.maximum.reduceat(step_R, rows.head_N[:-1]).astype(np.int64)
    return last_N if schema.absent == "missing" else np.full_like(last_N, last_N.max())


def _kept(rows: Rows, schema: Schema, keep: Keep, faults: Faults) -> np.ndarray:
    """Numbers of the series that stay, in order."""
    everyone = np.arange(len(rows.ids_N))
    if keep.until is None or (keep.min_rows is None and keep.busiest is None):
        return everyone
    y_R = rows.values_RX[:, 0]
    until = moment_of(keep.until, key="data.keep.until")
    last = (until - rows.first) // step_length(schema.freq)
    counted = np.isfinite(y_R) & (rows.step_R <= last)
    if schema.absent == "zero":
        counted &= y_R != 0
    owner = rows.series_R[counted]
    count = np.bincount(owner, minlength=len(everyone))
    kept = everyone[count >= max(1, keep.min_rows or 1)]
    if keep.busiest is not None:
        volume = np.bincount(owner, weights=np.abs(y_R[counted]), minlength=len(everyone))[kept]
        kept = np.sort(kept[np.argsort(-volume, kind="stable")[: keep.busiest]])
    if not kept.size:
        faults.add(
            SchemaError(
                f"data.keep leaves no series: {rows.ids_N[count.argmax()]!r} has the most rows up"
                f" to {keep.until}, {count.max()}; lower data.keep.min_rows or move data.keep.until"
            )
        )
        return everyone
    return kept


def _lay_out(
    rows: Rows,
    kept: np.ndarray,
    last_N: np.ndarray,
    schema: Schema,
    reach: Reach | None,
) -> tuple[Cells, dict[str, int]]:
    """The flat store, where steps without a row are NaN, and what stands in it."""
    number = np.full(len(rows.ids_N), -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    everyone = len(kept) == len(rows.ids_N)
    kept_R: Any = slice(None) if everyone else number[rows.series_R] >= 0
    series_R, step_R = rows.series_R[kept_R], rows.step_R[kept_R]
    series_R = series_R if everyone else number[series_R]
    head = heads(series_R, len(kept))
    start, end = step_R[head[:-1]].astype(np.int64), step_R[head[1:] - 1].astype(np.int64) + 1
    if reach is not None:
        end = np.maximum(end, reach.last + 1)
    offsets = np.concatenate([[0], np.cumsum(end - start)]).astype(np.int64)
    empty = np.zeros(offsets[-1], dtype=bool)
    if everyone and len(rows) == len(empty):  # every cell has its row, in order
        values = rows.values_RX
    else:
        values = np.full((offsets[-1], len(schema.stored)), np.nan, dtype=np.float32)
        cell_R = offsets[series_R] + step_R - start[series_R]
        values[cell_R] = rows.values_RX[kept_R]
        empty[:] = True
        empty[cell_R] = False
    lost_R = np.flatnonzero(np.isnan(rows.values_RX[kept_R, 0]))
    counts = {
        "series": len(kept),
        "series_dropped": len(rows.ids_N) - len(kept),
        "rows": len(series_R),
        "rows_out_of_order": rows.out_of_order,
        "cells": len(values),
        "gaps_filled_with_zero": 0,
        "gaps_left_missing": int(empty.sum()),
        "targets_missing_in_rows": int((step_R[lost_R] <= last_N[kept][series_R[lost_R]]).sum()),
    }
    return Cells(
        ids_N=rows.ids_N[kept],
        offsets=offsets,
        start=start,
        values_CX=values,
        empty_C=empty,
        first=rows.first,
    ), counts


def future_holes(panel: Panel, index: WindowIndex, spec: WindowSpec) -> dict[str, np.ndarray]:
    """By known_future column, the first step ahead that a window would see and that is missing.

    [W], 0 where nothing is missing; a column that is there in every window is left out.
    """
    ahead_H = np.arange(1, spec.horizon + 1)
    series_W1 = index.series_W[:, None]
    step_WH = index.cutoff_W[:, None] + ahead_H
    cell_WH = panel.offsets[series_W1] + step_WH - panel.start[series_W1]
    inside_WH = (step_WH < panel.end[series_W1]) & (step_WH >= panel.start[series_W1])
    cell_WH = np.where(inside_WH, cell_WH, 0)
    holes = {}
    for name in panel.schema.known:
        needed_H = ahead_H <= panel.schema.last_visible(name)
        present_WH = inside_WH & torch.isfinite(panel.column(name)).numpy()[cell_WH]
        missing_WH = ~present_WH & needed_H
        if missing_WH.any():
            holes[name] = np.where(missing_WH.any(axis=1), missing_WH.argmax(axis=1) + 1, 0)
    return holes


def check_future(panel: Panel, index: WindowIndex, spec: WindowSpec) -> None:
    """SchemaError unless every known_future cell that the windows would see is there."""
    for name, step_W in future_holes(panel, index, spec).items():
        window = int(np.flatnonzero(step_W)[0])
        raise SchemaError(
            f"column {name!r} is known_future but missing for series"
            f" {panel.series[index.series_W[window]]!r} from"
            f" {panel.time_of(int(index.cutoff_W[window] + step_W[window]))} on"
            f" ({np.count_nonzero(step_W)} of {len(index)} windows lack some of it);"
            f" supply it in the future table (data.future_path) up to {spec.horizon} steps"
            f" after the cutoff, or declare {name} observed and refit"
        )
