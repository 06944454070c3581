"""Fewer scenarios that stand for many: forward selection by the Kantorovich distance.

Heitsch and Roemisch (2003): scenarios are taken one by one, each time the one that lowers the
expected distance of all to the nearest taken most; each taken one inherits the probability of those
it is nearest to.  Axes: ``W`` scenarios, ``L`` lanes, ``T`` days.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import Scenarios


def reduced(scenarios: Scenarios, count: int) -> Scenarios:
    """``count`` of the scenarios, with the probabilities of those they stand for.

    All of them where there are no more.  PlanError if ``count`` is below 1.
    """
    if count < 1:
        raise PlanError(f"scenarios={count}: a plan needs at least one")
    if count >= len(scenarios.volume_WLT):
        return scenarios
    weight_W = scenarios.weight_W
    distance_WW = _distances(scenarios.volume_WLT.reshape(len(weight_W), -1))
    nearest_W = np.full(len(weight_W), np.inf)
    chosen: list[int] = []
    for _ in range(count):
        cost_W = weight_W @ np.minimum(nearest_W[:, None], distance_WW)
        cost_W[chosen] = np.inf
        chosen.append(int(cost_W.argmin()))
        nearest_W = np.minimum(nearest_W, distance_WW[:, chosen[-1]])
    kept = np.sort(chosen)
    owner_W = distance_WW[:, kept].argmin(axis=1)
    return replace(
        scenarios,
        volume_WLT=scenarios.volume_WLT[kept],
        probability_W=np.bincount(owner_W, weights=weight_W, minlength=count),
    )


def _distances(flat_WX: np.ndarray) -> np.ndarray:
    """Euclidean distances between all pairs, [W, W]."""
    flat_WX = flat_WX - flat_WX.mean(axis=0)
    square_W = (flat_WX**2).sum(axis=1)
    squared_WW = square_W[:, None] + square_W[None, :] - 2.0 * flat_WX @ flat_WX.T
    np.fill_diagonal(squared_WW, 0.0)
    return np.asarray(np.sqrt(np.maximum(squared_WW, 0.0)))
