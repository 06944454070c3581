"""Runs: consecutive rows of a flat store, read as one piece where a window has no gap.

A run is one copy, where a read by cell number is one for each cell.  The views overlap: nothing is
copied until a batch is read, so that a memory-mapped store stays on disk.
Axes: ``B`` windows, ``L`` context, ``H`` horizon, ``X`` stored columns, ``F`` calendar columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lanecast.data.windows import WindowSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Every run of ``context`` and of ``horizon`` rows of a store and of its calendar."""

    spec: WindowSpec
    before: Tensor  # [cells - L + 1, L * X]
    after: Tensor  # [cells - H + 1, H * X]
    dates_before: Tensor  # [T - L + 1, L * F]
    dates_after: Tensor  # [T - H + 1, H * F]

    @classmethod
    def of(cls, values: Tensor, calendar: Tensor, spec: WindowSpec) -> Runs | None:
        """None where the store or the calendar is shorter than a window, or a GPU's has a gap."""
        longest = spec.context + spec.horizon
        if len(values) < longest or (calendar.shape[1] and len(calendar) < longest):
            return None
        # A GPU is asked once: asking it at every batch would make the step wait for it.
        if values.device.type != "cpu" and not _gapless(values):
            return None
        return cls(
            spec=spec,
            before=_runs_of(values, spec.context),
            after=_runs_of(values, spec.horizon),
            dates_before=_runs_of(calendar, spec.context),
            dates_after=_runs_of(calendar, spec.horizon),
        )

    def rows(self, origin_B: np.ndarray, usable_B: np.ndarray) -> tuple[Tensor, Tensor, np.ndarray]:
        """Rows before and from each origin cell, [B, L, X] and [B, H, X], and which are odd, [B].

        Odd are those not ``usable``, whose rows are any, and those with a gap.
        """
        device = self.before.device
        safe_B = sent(np.where(usable_B, origin_B, self.spec.context), device)
        before = self.before.index_select(0, safe_B - self.spec.context)
        after = self.after.index_select(0, safe_B)
        odd_B = ~usable_B
        if device.type == "cpu":
            # One NaN, or infinity, makes the sum one; a sum that overflows only costs time.
            odd_B |= ~np.isfinite((before.sum(dim=1) + after.sum(dim=1)).numpy())
        return _unfolded(before, self.spec.context), _unfolded(after, self.spec.horizon), odd_B

    def dates(self, cutoff_B: Tensor) -> tuple[Tensor, Tensor]:
        """The calendar up to and after each cutoff, [B, L, F] and [B, H, F]; any off the grid."""
        context, horizon = self.spec.context, self.spec.horizon
        first_B = (cutoff_B + 1 - context).clamp(0, len(self.dates_before) - 1)
        before = self.dates_before.index_select(0, first_B)
        after = self.dates_after.index_select(0, (cutoff_B + 1).clamp(0, len(self.dates_after) - 1))
        return _unfolded(before, context), _unfolded(after, horizon)


def _gapless(values: Tensor) -> bool:
    return bool(torch.isfinite(values.sum()))


def sent(array: np.ndarray, device: torch.device) -> Tensor:
    """The array on the device; nothing waits until it has arrived there."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # what is not pinned is sent while all wait
    return tensor.to(device, non_blocking=True)


def _runs_of(rows: Tensor, length: int) -> Tensor:
    """Row i holds the ``length`` rows from i on, one after the other."""
    rows = rows.contiguous()
    width = rows.shape[1]
    return rows.as_strided((max(len(rows) - length + 1, 0), length * width), (width, 1))


def _unfolded(runs: Tensor, length: int) -> Tensor:
    return runs.view(len(runs), length, runs.shape[1] // length)
