"""A table and the days ahead of it as one: each checked on its own, in its own way of writing.

Axes: ``R`` rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.data.ingest.suspects import plain_names
from lanecast.data.ingest.times import clean_times
from lanecast.data.ingest.validation import checked_rows
from lanecast.data.ingest.values import such
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.errors import Faults, SchemaError
from lanecast.sources import Dates, SourceTable

NAMED = 3  # unknown series of a future table that a warning names


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The rows of both, what a row is called, and what is to be told.

    ``strangers``: rows of the future table whose series have no history; they are left out.
    """

    frame: pd.DataFrame
    place: Callable[[int], str]
    dates: Dates | None
    strangers: int = 0
    warnings: tuple[str, ...] = ()


def with_days_ahead(
    table: SourceTable, future: SourceTable | None, schema: Schema, faults: Faults
) -> Joined:
    """The table with the rows of ``future`` behind it, or without them where they have a fault.

    SchemaError names the future table and its rule: the columns that are known ahead, no targets,
    rows after the last target of their series alone.
    """
    alone = Joined(frame=table.frame, place=table.origin.place, dates=table.dates)
    if future is None or future.frame.empty:
        return alone
    before = len(faults.kept)
    with faults.within(future.origin.name or "the future table"):
        _check_columns(future, schema, faults)
        if not {ID, TIME, *schema.known} <= {*future.frame} or not {ID, TIME, TARGET} <= {
            *table.frame
        }:
            return alone  # what is wrong in the table can still be told
        ahead = None
        with faults.kept_from():
            ahead = _clean(future, schema, faults)
    history = _clean_history(table, schema)
    if ahead is None or history is None:
        return alone
    known = ahead[ID].isin(history[ID].unique())
    with faults.within(future.origin.name or "the future table"):
        _check_rows(future, ahead, history, schema, faults)
    if len(faults.kept) > before:
        return alone
    split = len(history)
    own_R = np.flatnonzero(known.to_numpy())

    def place(row: int) -> str:
        if row < split:
            return table.origin.place(row)
        return f"{future.origin.place(int(own_R[row - split]))} of {future.origin.name}"

    return Joined(
        frame=pd.concat([history, ahead[known]], ignore_index=True),
        place=place,
        dates=None,
        strangers=int((~known).sum()),
        warnings=(*future.warnings, *_strange(future, ahead[~known], history[ID])),
    )


def _check_columns(future: SourceTable, schema: Schema, faults: Faults) -> None:
    frame = future.frame
    for name in (ID, TIME, *schema.known):
        if name not in frame:
            place = f", first needed for series {frame[ID].iloc[0]!r}" if ID in frame else ""
            when = f" at {frame[TIME].iloc[0]}" if TIME in frame else ""
            faults.add(
                SchemaError(
                    f"column {name!r} is known_future but missing from the future"
                    f" table{place}{when}; supply it for every step of the horizon, or declare"
                    f" {name} observed and refit"
                )
            )
    for name in map(str, frame):
        if name not in (ID, TIME, *schema.columns):
            faults.add(
                SchemaError(
                    f"column {name!r} of the future table is not declared; it may hold"
                    f" {', '.join((ID, TIME, *schema.known))}: leave it out, or drop it with"
                    " data.source.drop"
                )
            )
    for name in schema.past:
        if name in frame and (filled := frame[name].notna().to_numpy()).any():
            row = int(np.flatnonzero(filled)[0])
            series = f" for series {frame[ID].iloc[row]!r}" if ID in frame else ""
            when = f" at {frame[TIME].iloc[row]}" if TIME in frame else ""
            faults.add(
                SchemaError(
                    f"the future table holds a value of {name!r}{series}{when},"
                    f" {future.origin.place(row)}{such(int(filled.sum()), 'rows')}; only"
                    " known_future columns have a future: remove it, or move the row to the table"
                )
            )


def _clean(future: SourceTable, schema: Schema, faults: Faults) -> pd.DataFrame | None:
    """The rows ahead with clean times, once they passed the border on their own."""
    before = len(faults.kept)
    frame = future.frame.drop(columns=[name for name in schema.past if name in future.frame])
    blank = dict.fromkeys(schema.past, np.nan)
    checked_rows(
        frame.assign(**blank), schema, faults, dates=future.dates, place=future.origin.place
    )
    if len(faults.kept) > before:
        return None
    times = clean_times(frame[TIME], frame[ID], freq=schema.freq, dates=future.dates)
    return frame.assign(**{TIME: times})


def _clean_history(table: SourceTable, schema: Schema) -> pd.DataFrame | None:
    """The table with clean times; None where they have faults, which the border tells."""
    unseen = Faults(keep=True)
    times = pd.Series(dtype="datetime64[ns]")
    with unseen.kept_from():
        times = clean_times(
            table.frame[TIME], table.frame[ID], unseen, freq=schema.freq, dates=table.dates
        )
    return None if unseen.kept else table.frame.assign(**{TIME: times})


def _check_rows(
    future: SourceTable,
    ahead: pd.DataFrame,
    history: pd.DataFrame,
    schema: Schema,
    faults: Faults,
) -> None:
    """Rows ahead stand on the grid of the table, and after the last target of their series."""
    gap = ahead[TIME].min() - history[TIME].min()
    if gap % step_length(schema.freq):
        faults.add(
            SchemaError(
                f"the future table begins at {ahead[TIME].min()}, off the {schema.freq} grid of the"
                f" table, which begins at {history[TIME].min()}; give rows on that grid"
            )
        )
        return
    present = history[TARGET].notna()
    last = history.loc[present, TIME].groupby(history.loc[present, ID]).max()
    until = ahead[ID].map(last)
    if schema.absent == "zero" and len(last):
        until = until.where(until.isna(), last.max())
    inside = (ahead[TIME] <= until).to_numpy()
    if inside.any():
        row = int(np.flatnonzero(inside)[0])
        faults.add(
            SchemaError(
                f"the future table has a row of series {ahead[ID].iloc[row]!r} at"
                f" {ahead[TIME].iloc[row]}, {future.origin.place(row)}, but the table has targets"
                f" until {until.iloc[row]}{such(int(inside.sum()), 'rows')}; let the future table"
                " begin after that"
            )
        )
        return
    late = history.loc[history[TIME] >= ahead[TIME].min(), [ID, TIME]]
    keys = pd.MultiIndex.from_frame(ahead[[ID, TIME]])
    if len(late) and (twice := keys.isin(pd.MultiIndex.from_frame(late))).any():
        row = int(np.flatnonzero(twice)[0])
        faults.add(
            SchemaError(
                f"the future table has a row of series {ahead[ID].iloc[row]!r} at"
                f" {ahead[TIME].iloc[row]}, {future.origin.place(row)}, which the table has as"
                f" well{such(int(twice.sum()), 'rows')}; leave it out of one of them"
            )
        )


def _strange(future: SourceTable, rows: pd.DataFrame, known: pd.Series) -> tuple[str, ...]:
    """Series of the future table that the table does not have, beside ids that look like theirs."""
    if rows.empty:
        return ()
    names, ids = (np.asarray(pd.unique(x), dtype=object) for x in (rows[ID], known))
    own = dict(zip(plain_names(ids), ids, strict=True))
    shown = []
    for name, plain in zip(names[:NAMED], plain_names(names[:NAMED]), strict=True):
        near = f" (the table has {own[plain]!r})" if plain in own else ""
        shown.append(f"{name!r}{near}")
    more = "" if len(names) <= NAMED else f" and {len(names) - NAMED} more"
    return (
        f"{future.origin.name or 'the future table'}: {len(rows)} rows are of series without a"
        f" history, and are left out: {', '.join(shown)}{more}",
    )
