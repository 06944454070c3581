"""What every mechanism reads beside its parents: the calendar, and each series' own season.

Lanes differ in their weekdays.  A profile is the mean of a node by series and phase of the season,
shrunk toward the node's center, from cells known at the fit; without it, what is left of the season
would pass for autoregression, and actions that answer yesterday would take the blame.  A
restlessness is the log of how much a series moves against the typical one: small lanes are mostly
noise, and must not weigh like large ones.
Axes: ``N`` series, ``T`` steps, ``P`` phases, ``J`` nodes, ``K`` nodes with a profile
and a restlessness, ``F``
calendar columns, ``W`` windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lanecast.data.panel import Panel
from lanecast.data.schema import step_length

SEASONS = {pd.Timedelta(days=1): 7, pd.Timedelta(hours=1): 24}  # step length -> phases
SHRINK = 8.0  # cells that the node's own center counts for


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Calendar columns by step and profiles by series and phase; a call lays them out."""

    dates_TF: Tensor
    phase_T: Tensor
    profile_NPK: Tensor
    restless_NK: Tensor

    @property
    def width(self) -> int:
        """Columns of a row."""
        return self.dates_TF.shape[1] + self.profile_NPK.shape[2] + self.restless_NK.shape[1]

    def __call__(self, rows_W: Tensor, step_WT: Tensor) -> Tensor:
        """Context of some series at some steps, [W, T, F + K]; zeros before the grid."""
        step = step_WT.clamp(0, len(self.dates_TF) - 1)
        own = self.profile_NPK[rows_W[:, None], self.phase_T[step]]
        noise = self.restless_NK[rows_W][:, None].expand(-1, step.shape[1], -1)
        dates = torch.cat([self.dates_TF[step], own, noise], dim=-1)
        return dates.masked_fill((step_WT < 0)[..., None], 0.0)

    def whole(self, stop: int, *, first: int = 0, rows: Tensor | None = None) -> Tensor:
        """Context of all series (or some) at the steps ``first .. stop - 1``."""
        rows = torch.arange(len(self.profile_NPK)) if rows is None else rows
        return self(rows, torch.arange(first, stop).expand(len(rows), -1))


def phases(panel: Panel) -> tuple[int, np.ndarray]:
    """Length of the season in steps and the phase of each step of the grid; 1 where none is known.

    Phases count from a fixed date, so that another panel has the same ones.
    """
    length = step_length(panel.schema.freq)
    season = SEASONS.get(length, 1)
    since = (panel.times - np.datetime64("2001-01-01", "ns")) // length.to_timedelta64()
    return season, np.asarray(since % season).astype(np.int64)


def profiles(x_NTJ: np.ndarray, phase_T: np.ndarray, season: int) -> np.ndarray:
    """Shrunk mean deviation by series and phase, [N, P, J]; ``x`` is NaN where nothing is known."""
    profile_NPJ = np.zeros((len(x_NTJ), season, x_NTJ.shape[2]), np.float32)
    if season == 1:
        return profile_NPJ
    for phase in range(season):
        phase_NTJ = x_NTJ[:, phase_T[: x_NTJ.shape[1]] == phase]
        known_NTJ = np.isfinite(phase_NTJ)
        profile_NPJ[:, phase] = np.where(known_NTJ, phase_NTJ, 0).sum(axis=1) / (
            known_NTJ.sum(axis=1) + SHRINK
        )
    return profile_NPJ - profile_NPJ.mean(axis=1, keepdims=True)


def restlessness(x_NTJ: np.ndarray) -> np.ndarray:
    """Log of each series' mean absolute step over the median series', shrunk, [N, J]."""
    step = np.abs(np.diff(x_NTJ, axis=1))
    known_NTJ = np.isfinite(step)
    total, count = np.where(known_NTJ, step, 0).sum(axis=1), known_NTJ.sum(axis=1)
    typical = np.ones(x_NTJ.shape[2])
    for node in range(x_NTJ.shape[2]):
        moving = total[count[:, node] > 0, node] / count[count[:, node] > 0, node]
        moving = moving[moving > 0]
        typical[node] = np.median(moving) if len(moving) else 1.0
    mean = (total + SHRINK * typical) / (count + SHRINK)
    return np.asarray(np.clip(np.log(mean / typical), -3, 3), dtype=np.float32)
