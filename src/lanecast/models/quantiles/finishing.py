"""What every forecaster's points, quantiles and paths go through last.

Axes: ``W`` windows, ``H`` horizon, ``Q`` levels, ``S`` samples.
"""

from __future__ import annotations

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex
from lanecast.models.quantiles.support import on_support
from lanecast.seeding import hashed_uniforms


def finish(
    *,
    panel: Panel,
    at: WindowIndex,
    point_WH: np.ndarray,
    levels: tuple[float, ...],
    quantiles_WHQ: np.ndarray | None,
    samples_SWH: np.ndarray | None,
) -> Forecasts:
    """Sort the quantiles along Q and keep everything on the target's support."""
    target = panel.schema.columns[TARGET]
    if quantiles_WHQ is not None:
        rank_Q = np.argsort(np.argsort(levels))
        quantiles_WHQ = on_support(np.sort(quantiles_WHQ, axis=-1)[..., rank_Q], target)
    return Forecasts(
        index=at,
        point_WH=on_support(point_WH, target),
        levels=levels,
        quantiles_WHQ=quantiles_WHQ,
        samples_SWH=None if samples_SWH is None else on_support(samples_SWH, target),
    )


def window_uniforms(panel: Panel, at: WindowIndex, *, num: int, size: int, seed: int) -> np.ndarray:
    """Uniform numbers in (0, 1), [num, W, size], a function of (seed, series, cutoff) alone.

    A window draws the same numbers whatever else is forecast beside it.
    """
    keys = panel.noise_keys(at.series_W, at.cutoff_W)
    return hashed_uniforms(*keys, num=num, size=size, seed=seed)
