"""Which covariates reach a network: all that the schema declares, or fewer.

A panel with few independent days lets a network learn the date from its covariates and the answer
from the date; leaving inputs away is the plainest cure.  Axes as in `lanecast.data.gather`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lanecast.data.gather import WindowBatch
from lanecast.data.panel import Panel
from lanecast.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """``observed``, ``known_future``, ``static``: whether columns of that role reach the network.

    ``calendar``: prefixes of calendar columns (weekday, holiday), or None for all.
    ``known_past``: False blanks known columns over the context, where they tell the date.
    """

    observed: bool = True
    known_future: bool = True
    static: bool = True
    calendar: Sequence[str] | None = None
    known_past: bool = True

    def bind(self, panel: Panel) -> Selection:
        """Positions of the chosen columns in this panel's windows."""
        schema = panel.schema
        wanted = panel.calendar_names
        if self.calendar is not None:
            for prefix in self.calendar:
                if not any(name.startswith(prefix) for name in panel.calendar_names):
                    raise ConfigError(
                        f"inputs.calendar names {prefix!r}, but the panel's calendar has only"
                        f" {list(panel.calendar_names)}; add it to data.calendar.features"
                    )
            wanted = tuple(n for n in wanted if n.startswith(tuple(self.calendar)))
        names = (schema.known + panel.issued_names if self.known_future else ()) + wanted
        num_static = panel.statics.shape[1] if panel.statics.numel() else 0
        return Selection(
            past=tuple(range(len(schema.past) if self.observed else 1)),
            known=tuple(i for i, name in enumerate(panel.known_names) if name in names),
            num_static=num_static if self.static else 0,
            known_past=self.known_past,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Chosen columns by position: of ``P`` (target first) and ``K``; statics all or none."""

    past: tuple[int, ...]
    known: tuple[int, ...]
    num_static: int
    known_past: bool

    def __call__(self, batch: WindowBatch) -> WindowBatch:
        """The batch with the chosen columns only; itself where all are chosen."""
        widths = batch.past_BLP, batch.known_past_BLK, batch.static_BC
        chosen = len(self.past), len(self.known), self.num_static
        if self.known_past and chosen == tuple(values.shape[-1] for values in widths):
            return batch
        known_past = self._known(batch.known_past_BLK)
        seen = self._known(batch.known_past_seen_BLK)
        if not self.known_past:
            known_past, seen = torch.zeros_like(known_past), torch.zeros_like(seen)
        return replace(
            batch,
            past_BLP=batch.past_BLP[..., : len(self.past)],
            seen_BLP=batch.seen_BLP[..., : len(self.past)],
            known_past_BLK=known_past,
            known_past_seen_BLK=seen,
            future_BHK=self._known(batch.future_BHK),
            future_seen_BHK=self._known(batch.future_seen_BHK),
            static_BC=batch.static_BC[..., : self.num_static],
        )

    def _known(self, values: Tensor) -> Tensor:
        """The known columns: slices, since an index would have to be sent to a GPU every time."""
        starts = [i for i in self.known if i - 1 not in self.known]
        ends = [i + 1 for i in self.known if i + 1 not in self.known]
        parts = [values[..., low:high] for low, high in zip(starts, ends, strict=True)]
        return torch.cat(parts, dim=-1) if parts else values[..., :0]
