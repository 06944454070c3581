"""Raw tables that differ in one respect: what was not known, what was, the order of time.

A changed value stays one that the border accepts: whole numbers stay whole, none turns negative.
"""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np
import pandas as pd

from lanecast.data.ingest.times import clean_times
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.sources import SourceTable


def steps_after(frame: pd.DataFrame, schema: Schema, cutoff: pd.Timestamp) -> np.ndarray:
    """Whole steps from the cutoff to each row; negative before it."""
    times = clean_times(frame[TIME], frame[ID])
    return ((times - cutoff) // step_length(schema.freq)).to_numpy(np.int64)


def keys_of(names: pd.Series, salt: str = "") -> np.ndarray:
    """A number of each name that says nothing of its place."""
    numbers = {name: crc32(f"{salt}{name}".encode()) for name in names.unique()}
    return names.map(numbers).to_numpy(np.int64)


def hidden_changed(frame: pd.DataFrame, schema: Schema, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Every value that was not known at the cutoff becomes another one, a missing one 5.

    By how much differs by series, so that no order among them survives.
    """
    frame, ahead = frame.copy(), steps_after(frame, schema, cutoff)
    factor = 3 + keys_of(frame[ID]) % 23
    for name in schema.stored:
        if name not in frame:
            continue  # a table of the future holds the known columns only
        x, hidden = frame[name].to_numpy(np.float64), ahead > schema.last_visible(name)
        frame[name] = np.where(hidden, np.where(np.isfinite(x), factor * x + 7, 5.0), x)
    return frame


def hidden_missing(frame: pd.DataFrame, schema: Schema, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Values that were not known at the cutoff go missing, of each series another part."""
    frame, ahead = frame.copy(), steps_after(frame, schema, cutoff)
    gone = np.arange(len(frame)) % (2 + keys_of(frame[ID]) % 5) == 0
    for name in schema.past:
        frame[name] = frame[name].where(~gone | (ahead <= schema.last_visible(name)))
    return frame


def known_changed(frame: pd.DataFrame, schema: Schema, cutoff: pd.Timestamp) -> pd.DataFrame:
    """The twin: every value but 0 that was known at the cutoff becomes another one."""
    frame, ahead = frame.copy(), steps_after(frame, schema, cutoff)
    for name in schema.stored:
        if name in frame:
            x = frame[name].to_numpy(np.float64)
            known = (ahead <= schema.last_visible(name)) & (x != 0)
            frame[name] = np.where(known, 2 * x + 1, x)
    return frame


def shuffled(table: SourceTable, seed: int) -> SourceTable:
    """The target of each series in another order: nothing but its level is left to learn."""
    rng, frame = np.random.default_rng(seed), table.frame.copy()
    y, order = frame[TARGET].to_numpy(np.float64).copy(), rng.permutation(len(frame))
    by_series = frame[ID].to_numpy()
    for rows in pd.Series(np.arange(len(frame))).groupby(by_series).indices.values():
        present = rows[np.isfinite(y[rows])]
        y[present] = y[present[np.argsort(order[present])]]
    frame[TARGET] = y
    return replace(table, frame=frame)


def time_reversed(table: SourceTable, schema: Schema) -> SourceTable:
    """The last step first, in every column."""
    frame = table.frame.copy()
    times = clean_times(frame[TIME], frame[ID])
    frame[TIME] = times.min() + (times.max() - times)
    if not schema.known:
        frame = frame[frame[TARGET].notna()]
    return replace(table, frame=frame)
