"""Closing dates at the border: one for each series or none, from the table or its statics.

No model reads them: they say as of which cutoff a series is closed (`lanecast.data.lifetime`).
Axes: ``N`` series.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lanecast.data.ingest.times import clean_times
from lanecast.data.schema import ID, Schema
from lanecast.errors import Faults, SchemaError
from lanecast.sources import SourceTable


def without_closings(table: SourceTable, schema: Schema) -> pd.DataFrame | None:
    """The statics of a table without the columns of closing dates."""
    if table.statics is None:
        return None
    return table.statics.drop(columns=[name for name in schema.closing if name in table.statics])


def gather_closings(
    table: SourceTable, schema: Schema, ids_N: np.ndarray, faults: Faults
) -> dict[str, np.ndarray]:
    """By declared column the date of each series, not a time where it has none, [N]."""
    dates = {}
    for name in schema.closing:
        dates[name] = np.full(len(ids_N), np.datetime64("NaT"), dtype="datetime64[ns]")
        apart = table.statics is not None and name in table.statics
        frame = table.statics if apart else table.frame
        if frame is None or name not in frame or ID not in frame:
            faults.add(
                SchemaError(
                    f"column {name!r} is to hold closing dates (data.schema.closed), but neither"
                    " the table nor its statics have it; supply it or remove its declaration"
                )
            )
            continue
        dated = frame.loc[frame[name].notna(), [ID, name]].drop_duplicates()
        if (varies := dated[ID].duplicated()).any():
            series = dated.loc[varies, ID].iloc[0]
            faults.add(
                SchemaError(
                    f"column {name!r} holds more than one closing date of series {series!r}"
                    f" ({int(varies.sum())} such series in all); keep one"
                )
            )
            dated = dated[~varies]
        if dated.empty:
            continue
        with faults.kept_from():
            moments = clean_times(dated[name], dated[ID], dates=table.dates)
            by_series = pd.Series(moments.to_numpy("datetime64[ns]"), index=dated[ID])
            dates[name] = by_series.reindex(ids_N).to_numpy("datetime64[ns]")
    return dates
