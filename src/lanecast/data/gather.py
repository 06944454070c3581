"""Windows gathered by index: a batch is one read of the flat store, on the device where it lies.

Axes: ``B`` windows, ``L`` context, ``H`` horizon, ``P`` past columns (target first),
``K`` known columns (known_future, then calendar, then issued), ``C`` static columns.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from lanecast.data.contiguous import Runs, sent
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import SchemaError


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBatch:
    """What a model may read.  Values that are not visible at the cutoff are 0 with ``seen`` False.

    There is no label here: no attribute holds the answer.  ``ragged_R`` numbers the windows that
    lack a value, so that work on masks can keep to them; None: any window may.
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
    ragged_R: Tensor | None = None

    def to(self, device: torch.device) -> WindowBatch:
        """The same batch on another device."""
        ragged = None if self.ragged_R is None else self.ragged_R.to(device)
        return WindowBatch(
            **{name: getattr(self, name).to(device) for name in BY_WINDOW}, ragged_R=ragged
        )

    def rows(self, chosen: Tensor) -> WindowBatch:
        """Some of the windows."""
        return WindowBatch(**{name: getattr(self, name)[chosen] for name in BY_WINDOW})


BY_WINDOW = tuple(field.name for field in fields(WindowBatch) if field.name != "ragged_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The answer to a batch, kept apart from it."""

    y_BH: Tensor
    seen_BH: Tensor

    def rows(self, chosen: Tensor | slice) -> Label:
        """The labels of some windows."""
        return Label(y_BH=self.y_BH[chosen], seen_BH=self.seen_BH[chosen])


class Gatherer:
    """Reads windows from a panel that lies on one device; visibility is applied here, once.

    A window without a gap is a run of consecutive rows of the store, and is copied as one
    (`_copied`), less what lies before its series.  Odd ones are read cell by cell (`gather`).
    """

    def __init__(self, panel: Panel, spec: WindowSpec, device: str | torch.device = "cpu") -> None:
        panel = panel.packed if panel.issued_names else panel
        self.spec = spec
        self.device = torch.device(device)
        self._num_past = len(panel.schema.past)
        self._values = panel.store.to(self.device)
        self._calendar = panel.calendar.to(self.device)
        self._statics = panel.statics.to(self.device)
        self._issued = panel.issued.to(self.device) if panel.issued_names else None
        self._low = torch.from_numpy(panel.low).to(self.device)
        self._high = torch.from_numpy(panel.high).to(self.device)
        self._base = torch.from_numpy(panel.low - panel.start).to(self.device)
        self._ahead = torch.arange(1 - spec.context, spec.horizon + 1, device=self.device)
        past, future = visibility(panel, spec)
        self._all_visible = bool(past.all() and future.all())
        self._past_visible, self._future_visible = past.to(self.device), future.to(self.device)
        self._panel = panel
        self._runs: Runs | None = None
        if self._issued is None and self._values.is_contiguous():
            self._runs = Runs.of(self._values, self._calendar, spec)

    def __call__(self, index: WindowIndex) -> tuple[WindowBatch, Label]:
        """The windows of ``index`` and, apart from them, their labels."""
        self._check_calendar(index)
        series, cutoff = self._tensor(index.series_W), self._tensor(index.cutoff_W)
        if self._runs is None:
            return self.gather(series, cutoff)
        batch, label, odd = self._copied(self._runs, index, series, cutoff)
        if not len(odd):
            return batch, label
        few, few_labels = self.gather(series[odd], cutoff[odd])
        for name in BY_WINDOW:
            getattr(batch, name)[odd] = getattr(few, name)
        label.y_BH[odd], label.seen_BH[odd] = few_labels.y_BH, few_labels.seen_BH
        return batch, label

    def _copied(
        self, runs: Runs, index: WindowIndex, series_B: Tensor, cutoff_B: Tensor
    ) -> tuple[WindowBatch, Label, Tensor]:
        """The windows run by run, and the odd ones, of which it says nothing true."""
        context, low_W = self.spec.context, self._panel.low[index.series_W]
        origin_W = low_W + index.cutoff_W + 1 - self._panel.start[index.series_W]
        missing_W = low_W - (origin_W - context)  # steps read that lie before the series
        usable_W = origin_W + self.spec.horizon <= self._panel.room[index.series_W]
        usable_W &= (origin_W >= context) & (missing_W < context)
        if self._calendar.shape[1]:
            usable_W &= index.cutoff_W + 1 >= context
        before_BLX, after_BHX, odd_W = runs.rows(origin_W, usable_W)
        short_W = np.flatnonzero((missing_W > 0) & ~odd_W)
        hidden_RL = self._ahead[:context] + (context - 1) < self._tensor(missing_W[short_W, None])
        odd, short = self._tensor(np.flatnonzero(odd_W)), self._tensor(short_W)
        if len(short):
            before_BLX[short] = before_BLX[short].masked_fill_(hidden_RL[..., None], 0.0)
        past, known_past = before_BLX.tensor_split([self._num_past], dim=-1)
        future, seen_HK = after_BHX[..., self._num_past :], self._future_visible
        if not self._all_visible:
            past = past.masked_fill(~self._past_visible, 0.0)
            future = future.masked_fill(~seen_HK, 0.0)
        if self._calendar.shape[1]:
            dates_BLF, dates_BHF = runs.dates(cutoff_B)
            known_past = torch.cat([known_past, dates_BLF], dim=-1)
            future = torch.cat([future, dates_BHF], dim=-1)
            seen_HK = torch.cat([seen_HK, seen_HK.new_ones(dates_BHF.shape[1:])], dim=-1)
        # The future and the answer lie side by side in the store: here they come apart.
        future, y_BH = future.contiguous(), after_BHX[..., 0].clone()
        # One mask for all windows, unless some are to be put right in their own.
        rows = len(index) if len(short) + len(odd) else 1

        def mask(each: Tensor, like: Tensor) -> Tensor:
            return each.expand(rows, *like.shape[1:]).clone().expand(like.shape)

        yes = seen_HK.new_ones(())
        past_seen, known_past_seen = mask(self._past_visible, past), mask(yes, known_past)
        if len(short):
            past_seen[short] &= ~hidden_RL[..., None]
            known_past_seen[short, :, : before_BLX.shape[2] - self._num_past] &= ~hidden_RL[
                ..., None
            ]
        batch = WindowBatch(
            past_BLP=past,
            seen_BLP=past_seen,
            known_past_BLK=known_past,
            known_past_seen_BLK=known_past_seen,
            future_BHK=future,
            future_seen_BHK=mask(seen_HK, future),
            static_BC=self._static(series_B),
            series_B=series_B,
            cutoff_B=cutoff_B,
            ragged_R=torch.cat([short, odd]) if self._all_visible else None,
        )
        return batch, Label(y_BH=y_BH, seen_BH=mask(yes, y_BH)), odd

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
        x_BTX = self._values.index_select(0, cell_BT.flatten()).unflatten(0, cell_BT.shape)
        # x - x is 0 only where x is finite; faster than torch.isfinite.
        seen_BTX = (x_BTX - x_BTX == 0) & inside_BT[..., None]

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
            present = (inside_BT[:, context - 1, None, None] & torch.isfinite(issued)).expand_as(
                issued
            )
            future = torch.cat([future, issued.masked_fill(~present, 0.0)], dim=-1)
            future_seen = torch.cat([future_seen, present], dim=-1)
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
            static_BC=self._static(series_B),
            series_B=series_B,
            cutoff_B=cutoff_B,
        )
        label_seen = seen_BTX[:, context:, 0]
        return batch, Label(
            y_BH=x_BTX[:, context:, 0].masked_fill(~label_seen, 0.0), seen_BH=label_seen
        )

    def _tensor(self, array: np.ndarray) -> Tensor:
        return sent(array, self.device)

    def _static(self, series_B: Tensor) -> Tensor:
        if self._statics.numel():
            return self._statics[series_B]
        return series_B.new_zeros((len(series_B), 0), dtype=torch.float32)


def visibility(panel: Panel, spec: WindowSpec) -> tuple[Tensor, Tensor]:
    """The visibility rule as constant masks, [L, P] for the past and [H, X - P] for the future.

    It depends only on ``t - cutoff``, hence not on the window.
    """
    schema = panel.schema
    before_L = torch.arange(spec.context - 1, -1, -1)  # steps before the cutoff
    after_H = torch.arange(1, spec.horizon + 1)
    past = torch.stack([before_L >= schema.delay_steps(name) for name in schema.past], dim=-1)
    future = torch.zeros(spec.horizon, len(schema.known), dtype=torch.bool)
    for column, name in enumerate(schema.known):
        future[:, column] = after_H <= schema.last_visible(name)
    return past, future
