"""Forecasts to Parquet part by part: a table of millions of rows is never whole in memory.

Axes as in `lanecast.models.protocol`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lanecast.data.forecasts import Forecasts

ROWS = 1 << 20  # of a part


def write_parts(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write one frame after the other into one table; the file appears when it is complete.

    Without a frame there is no file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    draft, schema, writer = path.with_name(f".{path.name}.draft"), None, None
    for frame in frames:
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if writer is None:
            schema = table.schema
            writer = pq.ParquetWriter(draft, schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
        draft.replace(path)


def in_order(forecasts: Forecasts) -> Iterator[Forecasts]:
    """The forecasts in parts of about `ROWS` cells, as they stand."""
    size = max(1, ROWS // forecasts.point_WH.shape[1])
    for first in range(0, len(forecasts.index), size):
        yield rows_of(forecasts, slice(first, first + size))


def by_series(forecasts: Forecasts, *, steps: int) -> Iterator[Forecasts]:
    """Points alone, in parts of whole series in panel order, ``steps`` rows for each window."""
    points = replace(forecasts, levels=(), quantiles_WHQ=None, samples_SWH=None)
    order = np.argsort(points.index.series_W, kind="stable")
    series, size, first = points.index.series_W[order], max(1, ROWS // steps), 0
    while first < len(order):
        last = min(first + size, len(order)) - 1
        end = int(np.searchsorted(series, series[last], side="right"))
        yield rows_of(points, order[first:end])
        first = end


def rows_of(forecasts: Forecasts, rows: slice | np.ndarray) -> Forecasts:
    """The forecasts of some windows."""
    grid, paths = forecasts.quantiles_WHQ, forecasts.samples_SWH
    return replace(
        forecasts,
        index=forecasts.index[rows],
        point_WH=forecasts.point_WH[rows],
        quantiles_WHQ=None if grid is None else grid[rows],
        samples_SWH=None if paths is None else paths[:, rows],
    )
