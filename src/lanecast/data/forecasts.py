"""Forecasts as values: points, quantiles and paths of the windows of an index.

Axes: ``W`` windows, ``H`` horizon, ``Q`` quantile levels, ``S`` sample paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lanecast.data.windows import WindowIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """Forecasts of the windows of ``index``, in the panel's unit.

    ``point_WH`` is what WAPE scores: the median wherever the model has quantiles.  Quantiles are
    sorted along ``Q``; ``samples_SWH`` are paths, joint over the horizon of one window.
    """

    index: WindowIndex
    point_WH: np.ndarray
    levels: tuple[float, ...] = ()
    quantiles_WHQ: np.ndarray | None = None
    samples_SWH: np.ndarray | None = None


def joined(parts: Sequence[Forecasts]) -> Forecasts:
    """Forecasts of several fits as one, in order; all must have the same levels and samples."""
    if len(parts) == 1:
        return parts[0]
    index = WindowIndex(
        series_W=np.concatenate([part.index.series_W for part in parts]),
        cutoff_W=np.concatenate([part.index.cutoff_W for part in parts]),
    )
    grids = [part.quantiles_WHQ for part in parts if part.quantiles_WHQ is not None]
    paths = [part.samples_SWH for part in parts if part.samples_SWH is not None]
    return Forecasts(
        index=index,
        point_WH=np.concatenate([part.point_WH for part in parts]),
        levels=parts[0].levels,
        quantiles_WHQ=np.concatenate(grids) if grids else None,
        samples_SWH=np.concatenate(paths, axis=1) if paths else None,
    )
