"""Anchors: a simple forecast that a network corrects instead of starting from nothing.

Axes as in `lanecast.data.gather`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from lanecast.data.gather import WindowBatch
from lanecast.data.panel import Panel
from lanecast.errors import ConfigError


class Anchor(Protocol):
    """Returns ``[B, H]`` in scaled units from a scaled batch."""

    def bind(self, panel: Panel) -> None:
        """Look up what the panel calls its columns."""

    def __call__(self, batch: WindowBatch) -> Tensor:
        """The anchor of each window, [B, H]."""
        ...


class KnownColumnAnchor:
    """A known_future column in the target's unit (``scale: target``), such as a schedule.

    A panel on which the column is not known_future gives no anchor (zeros): the same model config
    then serves with and without the column, and ``active`` says which it was.
    """

    def __init__(self, *, column: str) -> None:
        self.column = column
        self.active = False
        self._index = -1

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

    def __call__(self, batch: WindowBatch) -> Tensor:
        """The column over the horizon, 0 where it is missing or not known."""
        if not self.active:
            return torch.zeros_like(batch.future_BHK[..., :1].sum(dim=-1))
        return batch.future_BHK[..., self._index]


class SeasonalAnchor:
    """The mean of the visible values at the same phase of the last ``cycles`` seasons."""

    def __init__(self, *, season: int, cycles: int = 1) -> None:
        self.season, self.cycles = season, cycles

    def bind(self, panel: Panel) -> None:
        """Nothing to look up."""

    def __call__(self, batch: WindowBatch) -> Tensor:
        """Seasonal means, 0 (the location) where no value of that phase is visible."""
        length = self.season * self.cycles
        if batch.past_BLP.shape[1] < length:
            raise ConfigError(
                f"anchor of {self.cycles} seasons of {self.season} steps needs a context of"
                f" {length} steps, not {batch.past_BLP.shape[1]}; raise windows.context"
            )
        y = batch.past_BLP[:, -length:, 0].unflatten(1, (self.cycles, self.season))
        seen = batch.seen_BLP[:, -length:, 0].unflatten(1, (self.cycles, self.season))
        profile = y.sum(dim=1) / seen.sum(dim=1).clamp(min=1)
        horizon = batch.future_BHK.shape[1]
        return profile[:, torch.arange(horizon, device=y.device) % self.season]
