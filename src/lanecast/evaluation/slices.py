"""Slices of a backtest, decided only from what was known at each cutoff.

| slice | classes |
|---|---|
| horizon | weeks when steps are days and the horizon is 2 to 5 whole weeks, else thirds |
| size | mean volume in the known context, ranked within each cutoff: the series that carry the first 80 % of volume are large, the next 15 % medium, the rest small |
| age | since the first row: new < 90 days, young < 365 days, old; a lower bound for series that are older than the table |

Axes: ``W`` windows.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd

from lanecast.data.panel import Panel
from lanecast.data.schema import step_length
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.evaluation.history import age, mean_volume

SIZE_SHARES = (0.80, 0.95)
AGE_DAYS = (90, 365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A partition of the windows: the number of the class of each one, and the names."""

    names: tuple[str, ...]
    class_W: np.ndarray


def horizon_groups(horizon: int, freq: str) -> dict[str, tuple[int, int]]:
    """Groups of steps ahead, ``h01-07`` -> (0, 7), in order and without overlap."""
    daily = step_length(freq) == pd.Timedelta(days=1)
    if daily and horizon % 7 == 0 and 2 <= horizon // 7 <= 5:
        edges = list(range(0, horizon + 1, 7))
    else:
        edges = sorted({round(horizon * part / 3) for part in range(4)})
    digits = max(2, len(str(horizon)))
    groups = {}
    for low, high in pairwise(edges):
        first, last = f"{low + 1:0{digits}d}", f"{high:0{digits}d}"
        groups[f"h{first}" if first == last else f"h{first}-{last}"] = (low, high)
    return groups


def size_slice(panel: Panel, index: WindowIndex, spec: WindowSpec) -> Slice:
    """Large, medium or small among the windows of the same cutoff, by the volume known then."""
    volume_W = mean_volume(panel, index, spec.context)
    order = np.lexsort((-volume_W, index.cutoff_W))
    volume, cutoff = volume_W[order], index.cutoff_W[order]
    _, first, number = np.unique(cutoff, return_index=True, return_inverse=True)
    up_to = np.cumsum(volume)
    base = np.concatenate([[0.0], up_to])[first]
    total = np.add.reduceat(volume, first) if len(first) else np.zeros(0)
    larger = up_to - volume - base[number]  # volume of the series that rank before this one
    limits = np.outer(SIZE_SHARES, total)[:, number]
    # The tolerance keeps equal volumes in the class that exact arithmetic gives them.
    class_W = np.empty(len(index), dtype=np.int64)
    class_W[order] = (larger >= limits * (1 - 1e-12)).sum(axis=0)
    return Slice(names=("size_large", "size_medium", "size_small"), class_W=class_W)


def age_slice(panel: Panel, index: WindowIndex, spec: WindowSpec) -> Slice:  # noqa: ARG001
    """New, young or old by the time since the first row of the series."""
    days_W = age(panel, index) * (step_length(panel.schema.freq) / pd.Timedelta(days=1))
    return Slice(
        names=("age_new", "age_young", "age_old"),
        class_W=np.searchsorted(AGE_DAYS, days_W, side="right"),
    )


SLICERS: Mapping[str, Callable[[Panel, WindowIndex, WindowSpec], Slice]] = MappingProxyType(
    {"size": size_slice, "age": age_slice}
)
