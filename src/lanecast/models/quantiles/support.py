"""Keep forecasts on the support of their target: no negative volumes, whole counts."""

from __future__ import annotations

import numpy as np

from lanecast.data.schema import Column


def on_support(values: np.ndarray, target: Column) -> np.ndarray:
    """Clip at 0 where the target is non-negative, round to whole numbers where it is a count.

    The quantile of a count is a count, so rounding serves points, quantiles and paths alike; order
    along any axis is kept.
    """
    if target.non_negative:
        values = np.maximum(values, 0.0)
        return np.rint(values, out=values) if target.integer else values
    return np.rint(values) if target.integer else values
