"""A panel as it was known at a step: what did not exist then is not there.

A series is there once a target of it is known.  It ends with its last cell of which anything is
known, so that nothing tells whether rows follow.  Statics are encoded by the levels of the series
that are there.  All of it is a view: the store stays where it is, and who reads it through
``store``, ``low`` and ``high`` copies no value; ``values`` are packed when they are first asked
for, NaN where nothing is known.

Axes: ``N`` series, ``X`` stored columns, ``R`` cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lanecast.data.panel import Panel, name_keys
from lanecast.data.schema import ID, TARGET, Schema
from lanecast.data.statics import encode_statics, vocabulary_of
from lanecast.data.visibility.lifetime import closes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What of a panel is known at ``step``: the series ``numbers``, their cells ``low .. high``.

    ``others``: names of the series that are not shown; ``end``: the place after the last cell of
    each series, known or not.
    """

    step: int
    whole: Panel
    numbers: np.ndarray
    others: np.ndarray
    low: np.ndarray
    high: np.ndarray
    end: np.ndarray


class AsKnown(Panel):
    """A panel as known at a step; made by `as_known`.  One made by ``replace`` is packed."""

    _shown: _Shown | None = None

    @classmethod
    def of(cls, panel: Panel, shown: _Shown, *, static_names: Sequence[str] | None) -> AsKnown:
        """The view of ``panel`` that ``shown`` describes."""
        view, numbers = cls.__new__(cls), shown.numbers
        every = len(numbers) == panel.num_series
        attributes = {
            name: _plain(values if every else values[numbers])
            for name, values in panel.attributes.items()
        }
        lengths = shown.high - shown.low
        packed = ("values", "issued")
        own = {field.name: getattr(panel, field.name) for field in fields(Panel)
               if field.name not in packed}  # fmt: skip
        own |= {
            "series": panel.series if every else panel.series[numbers],
            "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            "start": panel.start if every else panel.start[numbers],
            "attributes": attributes,
            "presence": panel.presence,
            "_shown": shown,
        }
        if closes(panel.schema):
            own["activity"] = panel.activity
        vars(view).update(own)
        statics, names, unknown = _encoded(panel, view, static_names)
        vars(view).update(statics=statics, static_names=names)
        if unknown:
            vars(view)["counts"] = {**panel.counts, "unknown_static_levels": unknown}
        return view

    @property
    def numbers(self) -> np.ndarray:
        """The number of each series in the panel that this is a view of, [N]."""
        return np.arange(self.num_series) if self._shown is None else self._shown.numbers

    @property
    def yet_to_begin(self) -> np.ndarray:
        """Names of the series of that panel of which no target was known."""
        return self.series[:0] if self._shown is None else self._shown.others

    @property
    def store(self) -> Tensor:
        """As in `Panel`."""
        return self.values if self._shown is None else self._shown.whole.store

    @property
    def low(self) -> np.ndarray:
        """As in `Panel`."""
        return super().low if self._shown is None else self._shown.low

    @property
    def high(self) -> np.ndarray:
        """As in `Panel`."""
        return super().high if self._shown is None else self._shown.high

    @property
    def known_high(self) -> np.ndarray:
        """As in `Panel`."""
        shown = self._shown
        if shown is None:
            return super().known_high
        return _known_high(self.schema, self.start, shown.low, shown.high, shown.step)

    @property
    def room(self) -> np.ndarray:
        """As in `Panel`: without a known_future column nothing is read after a cutoff."""
        if self._shown is None or self.schema.known:
            return self.high
        return self._shown.end

    def places(self, low: int, high: int) -> slice | Tensor:
        """As in `Panel`."""
        if self._shown is None:
            return super().places(low, high)
        first = int(np.searchsorted(self.offsets, low, side="right")) - 1
        last = int(np.searchsorted(self.offsets, high, side="left"))
        edges = np.clip(self.offsets[first : last + 1], low, high)
        shift = self._shown.low[first:last] - self.offsets[first:last]
        if len(shift) and (shift == shift[0]).all():
            return slice(low + int(shift[0]), high + int(shift[0]))
        return torch.from_numpy(np.arange(low, high) + np.repeat(shift, np.diff(edges)))

    @cached_property
    def keys(self) -> np.ndarray:
        """As in `Panel`."""
        shown = self._shown
        return name_keys(self.series) if shown is None else shown.whole.keys[shown.numbers]

    @cached_property
    def values(self) -> Tensor:
        """The cells one after another, [cells, X]; NaN where nothing is known."""
        assert self._shown is not None
        values = self._shown.whole.store[self.places(0, self.num_cells)].clone()
        step_R = np.arange(self.num_cells) + np.repeat(
            self.start - self.offsets[:-1], np.diff(self.offsets)
        )
        hidden_RX = step_R[:, None] > self._shown.step + _last_visible(self.schema)
        return values.masked_fill_(torch.from_numpy(hidden_RX), float("nan"))

    @cached_property
    def issued(self) -> Tensor:
        """As in `Panel`."""
        assert self._shown is not None
        issued = self._shown.whole.issued
        return issued[self.places(0, self.num_cells)] if self.issued_names else issued

    @cached_property
    def packed(self) -> Panel:
        """The same with a store of its own, kept as long as this view lives."""
        return Panel(**{field.name: getattr(self, field.name) for field in fields(Panel)})


def as_known(
    panel: Panel, step: int, *, ahead: int = 0, static_names: Sequence[str] | None = None
) -> AsKnown:
    """What was known of ``panel`` at ``step``, with known_future values up to ``ahead`` after it.

    ``static_names``: the encoding of the statics that a model was fitted on (None: that of the
    series that are there).
    """
    low = panel.low
    wide = np.clip(low + step + 1 + ahead - panel.start, low, panel.high)
    numbers = begun(panel, step)
    low, high = low[numbers], wide[numbers]
    _end_with_what_is_known(panel, step, panel.start[numbers], low, high)
    earlier = panel.yet_to_begin if isinstance(panel, AsKnown) else panel.series[:0]
    shown = _Shown(
        step=step,
        whole=panel,
        numbers=numbers,
        others=np.concatenate([earlier, np.delete(panel.series, numbers)]),
        low=low,
        high=high,
        end=panel.room[numbers],
    )
    return AsKnown.of(panel, shown, static_names=static_names)


def begun(panel: Panel, step: int) -> np.ndarray:
    """Numbers of the series of which a target is known at ``step``, [N]."""
    low = panel.low
    known = _known_high(panel.schema, panel.start, low, panel.high, step)
    return np.flatnonzero(panel.presence.before(known) > panel.presence.before(low))


def _known_high(
    schema: Schema, start: np.ndarray, low: np.ndarray, high: np.ndarray, step: int
) -> np.ndarray:
    last = step - schema.delay_steps(TARGET)
    return np.clip(low + last + 1 - start, low, high)


def _last_visible(schema: Schema) -> np.ndarray:
    """Newest visible step of each stored column relative to a cutoff, [X]."""
    return np.array([schema.last_visible(name) for name in schema.stored])


def _end_with_what_is_known(
    panel: Panel, step: int, start: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    """Move each end, in place, to the last cell of which something is known."""
    newest_X = step + _last_visible(panel.schema)
    open_R = np.flatnonzero(high > low)
    while len(open_R):
        cell_R = high[open_R] - 1
        seen_RX = np.isfinite(panel.store[torch.from_numpy(cell_R)].numpy())
        seen_RX &= (start[open_R] + cell_R - low[open_R])[:, None] <= newest_X
        open_R = open_R[~seen_RX.any(axis=1)]
        high[open_R] -= 1
        open_R = open_R[high[open_R] > low[open_R]]


def _plain(values: np.ndarray) -> np.ndarray:
    """Whole numbers as integers: one fraction elsewhere in the column made all of them floats."""
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        return values.astype(np.int64)
    return values


def _encoded(
    panel: Panel, view: AsKnown, static_names: Sequence[str] | None
) -> tuple[Tensor, tuple[str, ...], int]:
    """Statics of the series of a view, their names, and how many levels the names do not have."""
    names = panel.static_names if static_names is None else tuple(static_names)
    schema, statics = panel.schema, panel.statics
    numbers = all(name in panel.static_names for name in schema.static)
    as_given = names == panel.static_names and (static_names is not None or numbers)
    if as_given or not set(schema.static) <= set(view.attributes):
        rows = torch.from_numpy(view.numbers)
        every = len(rows) == panel.num_series
        return statics if every or not statics.numel() else statics[rows], panel.static_names, 0
    table = pd.DataFrame(dict(view.attributes), index=pd.Index(view.series, name=ID))
    encoded = encode_statics(
        table[list(schema.static)],
        None if static_names is None else vocabulary_of(schema, names),
    )
    return torch.from_numpy(encoded.values_NC), encoded.names, encoded.unknown_levels
