"""Raw tables rewritten in every way that must not matter to a forecast at a cutoff.

A rewrite changes what was not known, or writes down otherwise what was: each result is a table that
the border accepts, and says of the past what the first one said.  By how much, and for which series
and rows, goes by their names, so that no order among them survives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from lanecast.audits.perturbed_tables import (
    hidden_changed,
    hidden_missing,
    keys_of,
    steps_after,
)
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.sources import SourceTable

EXTREME = 1e4  # of what is known: times of a value that no one could know
LONGER = 40  # steps behind the last row


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTables:
    """What a pipeline reads, and from where: known values are asked for up to ``reach`` steps on.

    ``quiet``: steps after the cutoff up to which a newborn series has but two targets, so that it
    is forecast at no cutoff that is asked.
    """

    frame: pd.DataFrame
    statics: pd.DataFrame | None = None
    future: pd.DataFrame | None = None
    fills: Mapping[str, float] = field(default_factory=dict)  # as in `SourceTable`
    schema: Schema
    cutoff: pd.Timestamp
    reach: int
    quiet: int = 0

    @property
    def source(self) -> SourceTable:
        """The table as a source gives it."""
        return SourceTable(frame=self.frame, statics=self.statics, fills=self.fills)

    @property
    def length(self) -> pd.Timedelta:
        """Of one step."""
        return step_length(self.schema.freq)

    @property
    def top(self) -> dict[str, float]:
        """The largest value up to the cutoff of each column, at least 1."""
        past = self.frame[self.ahead(self.frame) <= 0]
        largest = {name: past[name].to_numpy(np.float64) for name in self.schema.stored}
        return {
            name: float(np.nan_to_num(values, nan=0.0).max(initial=1.0))
            for name, values in largest.items()
        }

    def ahead(self, frame: pd.DataFrame) -> np.ndarray:
        """Whole steps from the cutoff to each row."""
        return steps_after(frame, self.schema, self.cutoff)

    def hidden_rows(self, frame: pd.DataFrame) -> np.ndarray:
        """Rows of which nothing was known, or of which no window reads what was."""
        ahead = self.ahead(frame)
        seen = max(self.schema.last_visible(name) for name in self.schema.stored)
        return ahead > min(seen, self.reach)


Rewrite = Callable[[RawTables], RawTables]


def values_changed(tables: RawTables) -> RawTables:
    """Every value that was not known becomes another one."""
    frame = hidden_changed(tables.frame, tables.schema, tables.cutoff)
    future = tables.future
    if future is not None:
        future = hidden_changed(future, tables.schema, tables.cutoff)
    return replace(tables, frame=frame, future=future)


def values_missing(tables: RawTables) -> RawTables:
    """Values that were not known go missing, of each series another part."""
    return replace(tables, frame=hidden_missing(tables.frame, tables.schema, tables.cutoff))


def rows_removed(tables: RawTables) -> RawTables:
    """Three of seven rows of which nothing was known are gone, so that gaps are uneven."""
    frame = tables.frame
    phase = (keys_of(frame[ID], "rows") + tables.ahead(frame)) % 7
    return _without(tables, tables.hidden_rows(frame) & np.isin(phase, (0, 1, 4)))


def ended_earlier(tables: RawTables) -> RawTables:
    """A quarter of the series has no row of which nothing was known."""
    frame = tables.frame
    return _without(tables, tables.hidden_rows(frame) & (keys_of(frame[ID]) % 4 == 1))


def ended_later(tables: RawTables) -> RawTables:
    """A quarter of the series, one at least, goes on behind its last row."""
    last = tables.frame.groupby(ID, sort=True)[TIME].max()
    key = keys_of(last.index.to_series())
    chosen = last[(key % 4 == 2) | (key == key.max())]
    steps = {name: _behind(tables, time, LONGER // 2) for name, time in chosen.items()}
    return _with_rows(tables, steps, "later")


def rows_added(tables: RawTables) -> RawTables:
    """Steps without a row, of which nothing would have been known, get one."""
    frame = tables.frame
    ahead = pd.Series(tables.ahead(frame)).groupby(frame[ID].to_numpy())
    seen = min(tables.reach, max(map(tables.schema.last_visible, tables.schema.stored)))
    steps: dict[str, np.ndarray] = {}
    for name, own in ahead:
        gaps = np.setdiff1d(np.arange(max(seen, own.min()) + 1, own.max()), own.to_numpy())
        if gaps.size:
            steps[str(name)] = gaps.astype(np.int64)
    return _with_rows(tables, steps, "added")


def longer(tables: RawTables) -> RawTables:
    """Every series that lasts to the end of the table goes on behind it."""
    last = tables.frame.groupby(ID, sort=True)[TIME].max()
    chosen = last[last == last.max()]
    steps = {name: _behind(tables, time, LONGER) for name, time in chosen.items()}
    return _with_rows(tables, steps, "longer")


def series_born(tables: RawTables) -> RawTables:
    """Series that begin after the cutoff, described like others, with other values."""
    return _with_newborn(tables, "born", lambda column: column)


def static_levels(tables: RawTables) -> RawTables:
    """Series that begin after the cutoff, described as none before: extreme numbers, new words."""

    def stranger(column: pd.Series) -> pd.Series:
        if pd.api.types.is_bool_dtype(column.dtype):
            return ~column
        if pd.api.types.is_numeric_dtype(column.dtype):
            return (column.abs().max() + 1) * 1000
        return column.astype(str).map(lambda word: f"~{word} new")

    return _with_newborn(tables, "level", stranger)


def zeros_written(tables: RawTables) -> RawTables:
    """Under ``absent: zero``, every absent row between the first and last of its series is there.

    A known_future column without a declared value for such rows holds 0 there.
    """
    schema, frame = tables.schema, tables.frame
    if schema.absent != "zero":
        return tables
    fills = {name: _fill(tables, name) for name in schema.stored}
    ahead = tables.ahead(frame)
    last = int(ahead[frame[TARGET].notna()].max())
    blocks = [frame]
    for name, rows in pd.Series(np.arange(len(frame))).groupby(frame[ID].to_numpy()):
        own = ahead[rows.to_numpy()]
        gaps = np.setdiff1d(np.arange(own.min(), last + 1), own)
        written = pd.DataFrame({ID: name, TIME: tables.cutoff + gaps * tables.length, **fills})
        for trait in schema.static:
            if trait in frame:
                written[trait] = frame[trait].iloc[int(rows.iloc[0])]
        blocks.append(written.reindex(columns=frame.columns))
    return replace(tables, frame=_stacked(blocks))


def order_changed(tables: RawTables) -> RawTables:
    """Rows and columns of all tables stand in another order."""

    def turned(frame: pd.DataFrame) -> pd.DataFrame:
        place = np.random.default_rng(len(frame)).permutation(len(frame))
        return frame.iloc[place, ::-1].reset_index(drop=True)

    return replace(
        tables,
        frame=turned(tables.frame),
        statics=None if tables.statics is None else turned(tables.statics),
        future=None if tables.future is None else turned(tables.future),
    )


def as_delivered(tables: RawTables) -> RawTables:
    """The table as it came at the cutoff: what was not known is not there.

    Known columns of the steps ahead stand in the future table.
    """
    schema, frame = tables.schema, tables.frame.copy()
    ahead = tables.ahead(frame)
    for name in schema.past:
        frame[name] = frame[name].where(ahead <= schema.last_visible(name))
    kept = (ahead <= 0) & ~tables.hidden_rows(frame)
    future = None
    if schema.known:
        columns = [ID, TIME, *schema.known]
        every = [frame[columns], *([tables.future[columns]] if tables.future is not None else [])]
        rows = pd.concat(every, ignore_index=True)
        far = tables.hidden_rows(rows) | (tables.ahead(rows) <= 0)
        future = rows[~far].reset_index(drop=True)
    return replace(tables, frame=frame[kept].reset_index(drop=True), future=future)


REWRITES: Mapping[str, Rewrite] = {
    "hidden values changed": values_changed,
    "hidden values missing": values_missing,
    "hidden rows added": rows_added,
    "hidden rows removed": rows_removed,
    "series ended earlier": ended_earlier,
    "series ended later": ended_later,
    "a longer panel": longer,
    "series born": series_born,
    "new static levels": static_levels,
    "absent rows written as zeros": zeros_written,
    "another order of rows and columns": order_changed,
}
DELIVERED = "the table as delivered"  # in the place of all of them: they would have nothing left


def rewritten(tables: RawTables, names: list[str] | tuple[str, ...]) -> RawTables:
    """Some of `REWRITES`, one after the other in their order."""
    if DELIVERED in names:
        tables = as_delivered(tables)
    for name, rewrite in REWRITES.items():
        if name in names:
            tables = rewrite(tables)
    return tables


def _without(tables: RawTables, gone: np.ndarray) -> RawTables:
    """Without some rows; every series keeps one, so that statics and names stay."""
    frame = tables.frame
    kept = frame.loc[~gone, ID].unique()
    gone = gone & frame[ID].isin(kept).to_numpy()
    return replace(tables, frame=frame[~gone].reset_index(drop=True))


def _without_far_future(tables: RawTables) -> RawTables:
    """Future rows that no window reads give way: rows of the table may not stand behind them."""
    if tables.future is None:
        return tables
    near = tables.future[~tables.hidden_rows(tables.future)].reset_index(drop=True)
    return replace(tables, future=near if len(near) else None)


def _behind(tables: RawTables, last: pd.Timestamp, count: int) -> np.ndarray:
    """So many steps after a row, none of which is known or read."""
    first = int((pd.Timestamp(last) - tables.cutoff) // tables.length) + 1
    seen = max(map(tables.schema.last_visible, tables.schema.stored))
    return np.arange(count) + max(first, int(min(seen, tables.reach)) + 1)


def _with_rows(tables: RawTables, steps: Mapping[str, np.ndarray], salt: str) -> RawTables:
    """Rows of some series at steps after the cutoff, with values that no one could know."""
    if not steps:
        return tables
    tables = _without_far_future(tables)
    if tables.future is not None:
        return tables
    schema, frame, top = tables.schema, tables.frame, tables.top
    example = frame.drop_duplicates(ID).set_index(ID)
    blocks = [frame]
    for name, ahead in steps.items():
        rows = pd.DataFrame({ID: name, TIME: tables.cutoff + ahead * tables.length})
        key = crc32(f"{salt}{name}".encode()) % 97
        for column in schema.stored:
            rows[column] = (top[column] * EXTREME + (key + ahead) % 7).round()
        for trait in schema.static:
            if trait in frame:
                rows[trait] = _single(example.loc[[name], trait])
        blocks.append(rows.reindex(columns=frame.columns))
    return replace(tables, frame=_stacked(blocks))


def _with_newborn(
    tables: RawTables, salt: str, describe: Callable[[pd.Series], pd.Series | float]
) -> RawTables:
    """Series that sort first, in between and last, from the first and fourth step on."""
    tables = _without_far_future(tables)
    frame, statics, schema = tables.frame, tables.statics, tables.schema
    ids = sorted(frame[ID].unique())
    places = {f"!{salt}": ids[0], f"{ids[len(ids) // 2]}~{salt}": ids[-1], f"~{salt}": ids[0]}
    last, top = int(tables.ahead(frame).max()), tables.top
    if tables.future is None:
        last = max(last, tables.reach + LONGER)
    blocks, traits = [frame], [] if statics is None else [statics]
    for number, (name, model) in enumerate(places.items()):
        ahead = np.arange(1 + 3 * (number % 2), last + 1)
        rows = pd.DataFrame({ID: name, TIME: tables.cutoff + ahead * tables.length})
        for column in schema.stored:
            rows[column] = (top[column] * EXTREME * (number + 1) + ahead % 5).round()
        rows[TARGET] = rows[TARGET].where((np.arange(len(ahead)) < 2) | (ahead > tables.quiet))
        for trait in schema.static:
            if trait in frame:
                like = frame.loc[frame[ID] == model, trait].iloc[:1]
                rows[trait] = _single(describe(like))
        blocks.append(rows.reindex(columns=frame.columns))
        if statics is not None:
            row = statics[statics[ID] == model].iloc[:1].copy()
            for trait in schema.static:
                if trait in row:
                    row[trait] = _single(describe(row[trait]))
            row[ID] = name
            traits.append(row)
    return replace(
        tables,
        frame=_stacked(blocks),
        statics=None if statics is None else _stacked(traits),
    )


def _single(value: pd.Series | float) -> Any:
    return value.iloc[0] if isinstance(value, pd.Series) else value


def _stacked(blocks: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([block for block in blocks if len(block)], ignore_index=True)


def _fill(tables: RawTables, name: str) -> float:
    """What a written row holds where the absent one is a zero; NaN: nothing."""
    schema = tables.schema
    declared = schema.columns[name]
    if declared.absent is not None:
        return float(declared.absent)
    is_zero = name == TARGET or name in schema.known or declared.scale == "target"
    return tables.fills.get(name, 0.0 if is_zero else float("nan"))
