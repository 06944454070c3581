"""Forecasts to Parquet part by part: a table of millions of rows is never whole in memory.

Axes as in `lanecast.models.protocol`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lanecast.models.protocol import Forecasts

ROWS = 1 << 20  # of a part


def write_in_parts(
    path: Path, forecasts: Forecasts, frame_of: Callable[[Forecasts], pd.DataFrame]
) -> None:
    """Write ``frame_of(part)`` of one part after the other; the file appears when complete."""
    size = max(1, ROWS // forecasts.point_WH.shape[1])
    if len(forecasts.index) <= size:
        frame_of(forecasts).to_parquet(path, index=False)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    draft, schema = path.with_name(f".{path.name}.draft"), None
    for first in range(0, len(forecasts.index), size):
        frame = frame_of(rows_of(forecasts, slice(first, first + size)))
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if schema is None:
            schema = table.schema
            writer = pq.ParquetWriter(draft, schema)
        writer.write_table(table)
    writer.close()
    draft.replace(path)


def rows_of(forecasts: Forecasts, rows: slice) -> Forecasts:
    """The forecasts of some windows."""
    grid, paths = forecasts.quantiles_WHQ, forecasts.samples_SWH
    return replace(
        forecasts,
        index=forecasts.index[rows],
        point_WH=forecasts.point_WH[rows],
        quantiles_WHQ=None if grid is None else grid[rows],
        samples_SWH=None if paths is None else paths[:, rows],
    )
