"""Raw tables that differ in what was known at a cutoff, or in what was not.

Everything here works on the frame as the source gives it, so that whatever the pipeline does with
it (filters, calendars, scalers, features, the fit) stands between the change and the forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lanecast.data.schema import ID, TARGET, TIME, Role, Schema, step_length
from lanecast.sources import SourceTable


def known_at(frame: pd.DataFrame, schema: Schema, column: str, cutoff: pd.Timestamp) -> np.ndarray:
    """Which rows hold a value of ``column`` that is visible at the cutoff, by the one rule."""
    step = step_length(schema.freq)
    times = pd.to_datetime(frame[TIME])
    if schema.columns[column].role is Role.KNOWN_FUTURE:
        lead = schema.lead_steps(column)
        if lead is None:
            return np.ones(len(frame), dtype=bool)
        return (times - lead * step <= cutoff).to_numpy()
    return (times + schema.delay_steps(column) * step <= cutoff).to_numpy()


def with_other_values(
    table: SourceTable,
    schema: Schema,
    cutoff: pd.Timestamp,
    *,
    known: bool,
    columns: Sequence[str] | None = None,
) -> SourceTable:
    """Every value that is known (or is not known) at the cutoff replaced by another valid one.

    ``2 x + 7`` keeps numbers whole and non-negative, and no value where it was.  Rows of which
    nothing is known also go missing, every third, where the whole table is changed.
    """
    frame = table.frame.copy()
    hidden = np.ones(len(frame), dtype=bool)
    for name in schema.stored:
        visible = known_at(frame, schema, name, cutoff)
        hidden &= ~visible
        if columns is None or name in columns:
            values = pd.to_numeric(frame[name]).to_numpy(dtype=np.float64, na_value=np.nan)
            other = 2.0 * values + 7.0
            if known:  # zeros stay, or the twin would change which series are kept
                other = np.where(values == 0.0, 0.0, other)
            frame[name] = np.where(visible == known, other, values)
    if columns is None and not known:
        last = pd.to_datetime(frame[TIME]) == pd.to_datetime(frame[TIME]).max()
        hidden &= ~last.to_numpy()  # the grid must still reach the last label
        gone = np.flatnonzero(hidden)[::3]
        frame = frame.drop(index=frame.index[gone])
    return replace(table, frame=frame.reset_index(drop=True))


def shuffled_target(table: SourceTable, *, seed: int) -> SourceTable:
    """Each series' targets in random order: nothing but their distribution can be learned."""
    frame = table.frame.copy()
    draw = np.random.default_rng(seed).random(len(frame))
    present = frame[TARGET].notna().to_numpy()
    rows = np.flatnonzero(present)
    owner = pd.factorize(frame[ID])[0][rows]
    places = rows[np.argsort(owner, kind="stable")]
    shuffled = rows[np.lexsort((draw[rows], owner))]
    values = frame[TARGET].to_numpy(dtype=np.float64, na_value=np.nan).copy()
    values[places] = values[shuffled]
    return replace(table, frame=frame.assign(**{TARGET: values}))


def reversed_time(table: SourceTable, schema: Schema) -> SourceTable:
    """Each series with its rows in reverse order on the same times."""
    frame = table.frame.sort_values([ID, TIME], kind="stable").reset_index(drop=True)
    columns = [*schema.stored]
    backward = frame.iloc[::-1].sort_values(ID, kind="stable")[columns]
    backward.index = frame.index
    return replace(table, frame=frame.assign(**{name: backward[name] for name in columns}))
