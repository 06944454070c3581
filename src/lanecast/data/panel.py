"""The panel: every series of a data set in one flat float32 store.

Series stand one after another (CSR): series ``i`` owns the cells ``offsets[i] : offsets[i + 1]``,
and its first cell is step ``start[i]`` of the panel's time grid.  A missing value is NaN here and
becomes an explicit mask when a window is gathered.  A panel can hold rows after the last target:
they carry the known future that a forecast needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lanecast.data.presence import Presence
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.errors import SchemaError


@dataclass(frozen=True, slots=True, kw_only=True)
class TableNames:
    """What a table calls its index and its target; several id columns are joined to one id."""

    id: tuple[str, ...] = (ID,)
    time: str = TIME
    target: str = TARGET
    source: Mapping[str, Any] = field(default_factory=dict)  # how its files are written


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Panel:
    """Shapes: ``N`` series, ``X`` stored columns (``schema.stored``), ``F`` calendar columns,
    ``C`` encoded static columns, ``T`` steps of the grid (at least up to the last row).

    ``attributes`` keeps the static columns as they were given, for slices and hierarchies, and the
    dates of closings.
    ``issued`` holds forecasts of ``V`` further columns as they were issued at each cell's step, for
    the 1st, 2nd ... step after it: a window reads those of its cutoff, so it sees no later issue.
    ``counts`` says what the border did on the way in (rows, filled gaps, zeros, dropped series).
    ``table`` keeps the table's own names: tables of the days ahead may use them.
    ``warnings`` say what the table holds that is no fault, and may be meant otherwise.
    """

    schema: Schema
    series: np.ndarray  # [N] unique_id
    offsets: np.ndarray  # [N + 1] int64
    start: np.ndarray  # [N] int64
    times: np.ndarray  # [T] datetime64[ns], start of each step
    values: Tensor  # [cells, X] float32
    calendar: Tensor  # [T, F] float32
    calendar_names: tuple[str, ...] = ()
    statics: Tensor = field(default_factory=lambda: torch.zeros(0, 0))  # [N, C] float32
    static_names: tuple[str, ...] = ()
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    issued: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 0))  # [cells, H, V] float32
    issued_names: tuple[str, ...] = ()
    table: TableNames = TableNames()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        columns = self.schema.columns.items()
        ends = (self.time_of(int(self.start.min())), self.time_of(int(self.end.max()) - 1))
        first, last = (str(time).removesuffix(" 00:00:00") for time in ends)
        return (
            f"Panel: {self.num_series} series, {self.num_cells} cells of {self.schema.freq} from"
            f" {first} to {last}\n"
            f"  {', '.join(f'{name} ({column.role})' for name, column in columns)}"
        )

    @property
    def num_series(self) -> int:
        """Number of series."""
        return len(self.series)

    @property
    def num_cells(self) -> int:
        """Number of stored (series, step) pairs."""
        return int(self.offsets[-1])

    @property
    def end(self) -> np.ndarray:
        """Step after the last cell of each series, [N]."""
        return self.start + np.diff(self.offsets)

    @property
    def store(self) -> Tensor:
        """Where the cells lie, [.., X]: ``low`` and ``high`` say where each series does.

        Whoever reads through these three copies nothing of a panel as it was known at a step
        (`lanecast.data.as_known`), in whose ``values`` it stands packed.
        """
        return self.values

    @property
    def low(self) -> np.ndarray:
        """Place of the first cell of each series in the store, [N]."""
        return self.offsets[:-1]

    @property
    def high(self) -> np.ndarray:
        """The place after the last cell of each series in the store, [N]."""
        return self.offsets[1:]

    @property
    def known_high(self) -> np.ndarray:
        """The place after the last cell of each series that may hold a target, [N]."""
        return self.high

    @property
    def room(self) -> np.ndarray:
        """As ``high``, with cells that are read only to be masked, [N]."""
        return self.high

    @property
    def packed(self) -> Panel:
        """The panel with all of its cells one after another: itself."""
        return self

    def places(self, low: int, high: int) -> slice | Tensor:
        """Where the cells ``low .. high - 1``, counted over all series, lie in the store."""
        return slice(low, high)

    @cached_property
    def keys(self) -> np.ndarray:
        """A number for the name of each series, [N] uint64: what noise is a function of."""
        return name_keys(self.series)

    @property
    def known_names(self) -> tuple[str, ...]:
        """The ``K`` axis of a window: known_future columns, the calendar, what was issued."""
        return (*self.schema.known, *self.calendar_names, *self.issued_names)

    @cached_property
    def presence(self) -> Presence:
        """Which cells hold a target."""
        return Presence.of(self.store[:, 0])

    @cached_property
    def activity(self) -> Presence:
        """Which cells hold a target that is not 0."""
        return Presence.of(self.store[:, 0], nonzero=True)

    @cached_property
    def last_step(self) -> int:
        """Last step at which any series has a target; the latest possible cutoff."""
        last_N = self.presence.last(self.low, self.known_high)
        if (last_N < 0).all():
            raise SchemaError("the panel holds no target value at all; check the y column")
        step_N = self.start + last_N - self.low
        return int(step_N[last_N >= 0].max())

    @cached_property
    def fingerprint(self) -> str:
        """Hash of content and schema: two panels with the same hash hold the same data."""
        digest = hashlib.sha256(self.schema.identity().encode())
        digest.update(np.ascontiguousarray(self.values.numpy()).view(np.uint8).data)
        for array in (self.offsets, self.start, self.times[:1]):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update("\x00".join(map(str, self.series)).encode())
        digest.update(self.statics.numpy().tobytes())
        digest.update(repr(self.calendar_names).encode() + self.calendar.numpy().tobytes())
        if self.issued_names:
            digest.update(repr(self.issued_names).encode() + self.issued.numpy().tobytes())
        for name in self.schema.closing:
            digest.update(np.asarray(self.attributes[name], "datetime64[ns]").tobytes())
        return digest.hexdigest()[:16]

    def step_of(self, time: str | pd.Timestamp | np.datetime64) -> int:
        """Step whose period starts at ``time``; SchemaError if the grid has no such step."""
        moment = np.datetime64(pd.Timestamp(time), "ns")
        step = int(np.searchsorted(self.times, moment))
        if step == len(self.times) or self.times[step] != moment:
            first, last = (self.time_of(int(at)) for at in (self.start.min(), self.end.max() - 1))
            raise SchemaError(
                f"{pd.Timestamp(time)} is not a step of this panel, whose rows run from {first} to"
                f" {last} in steps of {self.schema.freq}; choose a time among them"
            )
        return step

    def time_of(self, step: int) -> pd.Timestamp:
        """Start of the period of ``step``, which may lie beyond the grid."""
        if 0 <= step < len(self.times):
            return pd.Timestamp(self.times[step])
        return pd.Timestamp(self.times[0]) + step * step_length(self.schema.freq)

    def noise_keys(
        self, series_W: np.ndarray, cutoff_W: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the noise of a window is a function of: its series' name and its cutoff's time, [W].

        Neither the number of a series nor that of a step is: both change with the table.
        """
        length = np.timedelta64(step_length(self.schema.freq).to_timedelta64(), "ns")
        times_W = self.times[0] + np.asarray(cutoff_W, dtype=np.int64) * length
        return self.keys[series_W], times_W.astype("datetime64[s]").astype(np.int64)

    def count_targets(self, series: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Number of present targets of each ``series`` in the steps ``first..last``, inclusive."""
        low, high = self.low[series], self.known_high[series]
        begin = np.clip(low + first - self.start[series], low, high)
        stop = np.clip(low + last + 1 - self.start[series], begin, high)
        return self.presence.before(stop) - self.presence.before(begin)

    def total(self, series: np.ndarray, steps: Sequence[int]) -> np.ndarray:
        """Sum of the present targets of some series at each step; NaN where none is present."""
        y = self.values[:, 0].numpy()
        low, start, end = self.offsets[series], self.start[series], self.end[series]
        totals = np.full(len(steps), np.nan)
        for number, step in enumerate(steps):
            inside = (step >= start) & (step < end)
            values = y[low[inside] + step - start[inside]]
            if (present := np.isfinite(values)).any():
                totals[number] = values[present].sum(dtype=np.float64)
        return totals

    def cells(self, name: str) -> Tensor:
        """One stored column of the store, to be read between ``low`` and ``high``."""
        return self.store[:, self.schema.stored.index(name)]

    def column(self, name: str) -> Tensor:
        """One stored column as a view, [cells]; NaN where missing."""
        return self.values[:, self.schema.stored.index(name)]

    def select(self, series: Sequence[int] | np.ndarray) -> Panel:
        """The panel of some series only, in the order given."""
        chosen = np.asarray(series, dtype=np.int64)
        lengths = np.diff(self.offsets)[chosen]
        cells = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in chosen]
        rows = torch.from_numpy(np.concatenate(cells) if cells else np.zeros(0, np.int64))
        return replace(
            self,
            series=self.series[chosen],
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            start=self.start[chosen],
            values=self.values[rows],
            issued=self.issued[rows] if self.issued_names else self.issued,
            statics=self.statics[torch.from_numpy(chosen)]
            if self.statics.numel()
            else self.statics,
            attributes={name: values[chosen] for name, values in self.attributes.items()},
        )

    def since(self, step: int) -> Panel:
        """The same series on the same grid without the cells before ``step`` (a sliding window)."""
        lengths = np.diff(self.offsets)
        keep_from = np.clip(step - self.start, 0, lengths)
        step_of_cell = np.arange(self.num_cells) + np.repeat(
            self.start - self.offsets[:-1], lengths
        )
        kept = torch.from_numpy(np.flatnonzero(step_of_cell >= step))
        return replace(
            self,
            offsets=np.concatenate([[0], np.cumsum(lengths - keep_from)]).astype(np.int64),
            start=self.start + keep_from,
            values=self.values[kept],
            issued=self.issued[kept] if self.issued_names else self.issued,
        )


def name_keys(names: Sequence[str] | np.ndarray) -> np.ndarray:
    """The first 8 bytes of the SHA-256 of each name, [N] uint64."""
    digests = (hashlib.sha256(str(name).encode()).digest()[:8] for name in names)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
