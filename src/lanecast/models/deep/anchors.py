"""Anchors: a simple forecast that a network corrects instead of starting from nothing.

The network reads the target's deviations from the anchor and predicts further ones.
Axes as in `lanecast.data.gather`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lanecast.config.seasons import season_of
from lanecast.data.gather import WindowBatch
from lanecast.data.panel import Panel
from lanecast.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """The anchor of each window in scaled units, over the steps read and the steps predicted."""

    past_BL: Tensor
    future_BH: Tensor


class Anchor(Protocol):
    """Maps a scaled batch to an `Anchored`, from what the batch shows and nothing else.

    Its ``repr`` tells it from any other anchor: a checkpoint is checked against it.
    """

    def bind(self, panel: Panel) -> None:
        """Look up what the panel calls its columns."""

    def __call__(self, batch: WindowBatch) -> Anchored:
        """The anchor over context and horizon."""
        ...


class NoAnchor:
    """The network starts from nothing."""

    def __repr__(self) -> str:
        return "NoAnchor()"

    def bind(self, panel: Panel) -> None:
        """Nothing to look up."""

    def __call__(self, batch: WindowBatch) -> Anchored:
        """Zeros."""
        past_BL = torch.zeros_like(batch.past_BLP[..., 0])
        horizon = batch.future_BHK.shape[1]
        return Anchored(past_BL=past_BL, future_BH=past_BL.new_zeros(len(past_BL), horizon))


class KnownColumnAnchor:
    """A known_future column in the target's unit (``scale: target``), such as a schedule.

    Where the panel does not know the column ahead, the anchor is 0 everywhere, so that one model
    config serves with and without it; ``active`` says which it was.
    """

    def __init__(self, *, column: str) -> None:
        self.column = column
        self.active = False
        self._index = -1

    def __repr__(self) -> str:
        return f"KnownColumnAnchor(column={self.column!r})"

    def bind(self, panel: Panel) -> None:
        """Find the column; ConfigError if it is not in the target's unit."""
        self.active = self.column in panel.schema.known
        if not self.active:
            return
        if panel.schema.columns[self.column].scale != "target":
            raise ConfigError(
                f"anchor column {self.column!r} must be in the target's unit; declare it with"
                " scale: target"
            )
        self._index = panel.schema.known.index(self.column)

    def __call__(self, batch: WindowBatch) -> Anchored:
        """The column itself, 0 (the window's location) where it is missing."""
        if not self.active:
            return NoAnchor()(batch)
        return Anchored(
            past_BL=batch.known_past_BLK[..., self._index],
            future_BH=batch.future_BHK[..., self._index],
        )


class SeasonalAnchor:
    """The mean of the visible values at the same phase of the last ``cycles`` seasons.

    Where a phase was never seen the anchor is 0, the window's location.  ``season`` in steps; None
    follows the frequency of the panel that it is bound to.
    """

    def __init__(self, *, season: int | None = None, cycles: int = 1) -> None:
        self.season, self.cycles = season, cycles
        self._steps = season or 1

    def __repr__(self) -> str:
        return f"SeasonalAnchor(season={self.season}, cycles={self.cycles})"

    def bind(self, panel: Panel) -> None:
        """The season, where it is not set."""
        self._steps = season_of(self.season, panel.schema.freq)

    def __call__(self, batch: WindowBatch) -> Anchored:
        """The seasonal profile, laid over context and horizon by phase."""
        context, horizon = batch.past_BLP.shape[1], batch.future_BHK.shape[1]
        length = self._steps * self.cycles
        if context < length:
            raise ConfigError(
                f"anchor of {self.cycles} seasons of {self._steps} steps needs a context of"
                f" {length} steps, not {context}; raise windows.context"
            )
        cycles = (self.cycles, self._steps)
        y = batch.past_BLP[:, -length:, 0].unflatten(1, cycles)
        seen = batch.seen_BLP[:, -length:, 0].unflatten(1, cycles)
        profile = y.sum(dim=1) / seen.sum(dim=1).clamp(min=1)
        step = torch.arange(-context, horizon, device=y.device)
        both = profile[:, step % self._steps]
        return Anchored(past_BL=both[:, :context], future_BH=both[:, context:])


class ScheduleOrSeason:
    """A schedule where the panel knows it ahead, else the last seasons' mean."""

    def __init__(self, *, column: str, season: int | None = None, cycles: int = 1) -> None:
        self._known = KnownColumnAnchor(column=column)
        self._seasonal = SeasonalAnchor(season=season, cycles=cycles)

    def __repr__(self) -> str:
        return f"ScheduleOrSeason({self._known!r}, {self._seasonal!r})"

    def bind(self, panel: Panel) -> None:
        """Decide by the panel's columns."""
        self._known.bind(panel)
        self._seasonal.bind(panel)

    def __call__(self, batch: WindowBatch) -> Anchored:
        """The known column where it is known, else the seasonal mean."""
        return self._known(batch) if self._known.active else self._seasonal(batch)
