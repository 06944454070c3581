"""Windows gathered by index: a batch is one read of the flat store, on the device where it lies.

Axes: ``B`` windows, ``L`` context, ``H`` horizon, ``P`` past columns (target first),
``K`` known columns (known_future, then calendar, then issued), ``C`` static columns.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import SchemaError


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBatch:
    """What a model may read.  Values that are not visible at the cutoff are 0 with ``seen`` False.

    There is no label here: no attribute holds the answer.
    """

    past_BLP: Tensor
    seen_BLP: Tensor
    known_past_BLK: Tensor
    known_past_seen_BLK: Tensor
    future_BHK: Tensor
    future_seen_BHK: Tensor
    static_BC: Tensor
    series_B: Tensor
    cutoff_B: Tensor

    def to(self, device: torch.device) -> WindowBatch:
        """The same batch on another device."""
        return WindowBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The answer to a batch, kept apart from it."""

    y_BH: Tensor
    seen_BH: Tensor

    def rows(self, chosen: Tensor) -> Label:
        """The labels of some windows."""
        return Label(y_BH=self.y_BH[chosen], seen_BH=self.seen_BH[chosen])


class Gatherer:
    """Reads windows from a panel that lies on one device; visibility is applied here, once."""

    def __init__(self, panel: Panel, spec: WindowSpec, device: str | torch.device = "cpu") -> None:
        self.spec = spec
        self.device = torch.device(device)
        self._num_past = len(panel.schema.past)
        self._values = panel.values.to(self.device)
        self._calendar = panel.calendar.to(self.device)
        self._statics = panel.statics.to(self.device)
        self._issued = panel.issued.to(self.device) if panel.issued_names else None
        self._low = torch.from_numpy(panel.offsets[:-1]).to(self.device)
        self._high = torch.from_numpy(panel.offsets[1:]).to(self.device)
        self._base = torch.from_numpy(panel.offsets[:-1] - panel.start).to(self.device)
        self._ahead = torch.arange(1 - spec.context, spec.horizon + 1, device=self.device)
        self._past_visible, self._future_visible = visibility(panel, spec)
        self._past_visible = self._past_visible.to(self.device)
        self._future_visible = self._future_visible.to(self.device)

    def __call__(self, index: WindowIndex) -> tuple[WindowBatch, Label]:
        """The windows of ``index`` and, apart from them, their labels."""
        self._check_calendar(index)
        series = torch.from_numpy(np.ascontiguousarray(index.series_W)).to(self.device)
        cutoff = torch.from_numpy(np.ascontiguousarray(index.cutoff_W)).to(self.device)
        return self.gather(series, cutoff)

    def _check_calendar(self, index: WindowIndex) -> None:
        if not self._calendar.shape[1] or not len(index):
            return
        last = int(index.cutoff_W.max()) + self.spec.horizon
        if last >= len(self._calendar):
            raise SchemaError(
                f"the calendar ends at step {len(self._calendar) - 1}, but a window reaches step"
                f" {last}; build the panel with more steps ahead or forecast from an earlier cutoff"
            )

    def gather(self, series_B: Tensor, cutoff_B: Tensor) -> tuple[WindowBatch, Label]:
        """As ``__call__``, for index tensors already on the device."""
        context, num_past = self.spec.context, self._num_past
        step_BT = cutoff_B[:, None] + self._ahead
        cell_BT = step_BT + self._base[series_B][:, None]
        low_B1, high_B1 = self._low[series_B][:, None], self._high[series_B][:, None]
        inside_BT = (cell_BT >= low_B1) & (cell_BT < high_B1)
        cell_BT = torch.minimum(torch.maximum(cell_BT, low_B1), high_B1 - 1)
        x_BTX = self._values[cell_BT]
        seen_BTX = torch.isfinite(x_BTX) & inside_BT[..., None]

        past_seen = seen_BTX[:, :context, :num_past] & self._past_visible
        past = x_BTX[:, :context, :num_past].masked_fill(~past_seen, 0.0)
        known_seen = seen_BTX[..., num_past:]
        known = x_BTX[..., num_past:].masked_fill(~known_seen, 0.0)
        future_seen = known_seen[:, context:] & self._future_visible
        future = known[:, context:].masked_fill(~future_seen, 0.0)
        known_past, known_past_seen = known[:, :context], known_seen[:, :context]
        if self._calendar.shape[1]:
            dates = self._calendar[step_BT.clamp(0, len(self._calendar) - 1)]
            dated = (step_BT >= 0)[..., None].expand_as(dates)
            dates = dates.masked_fill(~dated, 0.0)
            known_past = torch.cat([known_past, dates[:, :context]], dim=-1)
            known_past_seen = torch.cat([known_past_seen, dated[:, :context]], dim=-1)
            future = torch.cat([future, dates[:, context:]], dim=-1)
            future_seen = torch.cat([future_seen, dated[:, context:]], dim=-1)
        if self._issued is not None:
            issued = self._issued[cell_BT[:, context - 1], : self.spec.horizon]
            there = (inside_BT[:, context - 1, None, None] & torch.isfinite(issued)).expand_as(
                issued
            )
            future = torch.cat([future, issued.masked_fill(~there, 0.0)], dim=-1)
            future_seen = torch.cat([future_seen, there], dim=-1)
            blank = known_past.new_zeros((*known_past.shape[:2], issued.shape[-1]))
            known_past = torch.cat([known_past, blank], dim=-1)
            known_past_seen = torch.cat([known_past_seen, blank.bool()], dim=-1)
        batch = WindowBatch(
            past_BLP=past,
            seen_BLP=past_seen,
            known_past_BLK=known_past,
            known_past_seen_BLK=known_past_seen,
            future_BHK=future,
            future_seen_BHK=future_seen,
            static_BC=self._statics[series_B]
            if self._statics.numel()
            else series_B.new_zeros((len(series_B), 0), dtype=torch.float32),
            series_B=series_B,
            cutoff_B=cutoff_B,
        )
        label_seen = seen_BTX[:, context:, 0]
        return batch, Label(
            y_BH=x_BTX[:, context:, 0].masked_fill(~label_seen, 0.0), seen_BH=label_seen
        )


def visibility(panel: Panel, spec: WindowSpec) -> tuple[Tensor, Tensor]:
    """The visibility rule as constant masks, [L, P] for the past and [H, X - P] for the future.

    It depends only on ``t - cutoff``, hence not on the window.
    """
    schema = panel.schema
    before_L = torch.arange(spec.context - 1, -1, -1)  # steps before the cutoff
    after_H = torch.arange(1, spec.horizon + 1)
    past = torch.stack([before_L >= schema.delay_steps(name) for name in schema.past], dim=-1)
    future = torch.ones(spec.horizon, len(schema.known), dtype=torch.bool)
    for column, name in enumerate(schema.known):
        if (lead := schema.lead_steps(name)) is not None:
            future[:, column] = after_H <= lead
    return past, future
