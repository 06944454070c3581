"""What an error costs, as weights of a loss: prices of one more package, from plans of the past.

The weeks before a fit are the scenarios of one plan.  Its duals say what one more package on a lane
would have cost; a network that weighs its loss by them learns most where packages are dear.  They
are found anew at every refit.  Axes: ``L`` lanes, ``T`` days, ``W`` past blocks of days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex
from lanecast.errors import PlanError
from lanecast.planning.contracts import Scenarios
from lanecast.planning.program.decomposition import solve_decomposed
from lanecast.planning.program.options import SolveOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DualWeights:
    """Callable as a deep forecaster's ``weigher``.

    ``blocks`` past blocks of ``days`` days are planned for at once.  ``floor``: the least weight,
    as a share of the mean one.
    """

    network: Any  # a Network; Hydra cannot check protocols
    days: int = 7
    blocks: int = 12
    floor: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.days < 1 or self.blocks < 1 or not 0 <= self.floor <= 1:
            raise PlanError(
                f"weights: days={self.days} and blocks={self.blocks} must be at least 1, floor="
                f"{self.floor} between 0 and 1"
            )

    def __call__(self, panel: Panel, until: int) -> np.ndarray:
        """Weights [N] of the panel's series, mean 1, from what is visible at ``until``."""
        order = np.argsort(panel.series.astype(str), kind="stable")
        volumes = self.past(panel, order, until)
        parameters = self.network.parameters(panel, volumes.lanes, as_of=until)
        options = SolveOptions(duals=True, kind="weights")
        outcome = solve_decomposed(parameters, volumes, options=options)
        assert outcome.demand_dual_WLT is not None
        price_L = np.maximum(outcome.demand_dual_WLT.sum(axis=0).mean(axis=1), 0.0)
        if not price_L.sum() > 0:
            raise PlanError("weights: one more package costs nothing on any lane of this network")
        price_L = np.maximum(price_L / price_L.mean(), self.floor)
        weight_N = np.empty(len(order))
        weight_N[order] = price_L / price_L.mean()
        return weight_N

    def past(self, panel: Panel, order: np.ndarray, until: int) -> Scenarios:
        """Blocks of visible volumes, the newest last; a gap counts as the lane's mean."""
        newest = until + int(panel.schema.last_visible(TARGET))
        span = self.days * self.blocks
        at = WindowIndex(series_W=order, cutoff_W=np.full(len(order), until))
        ahead_T = np.arange(newest - until - span + 1, newest - until + 1)
        seen_LT = visible.visible(panel, at, TARGET, ahead_T).astype(np.float64)
        known_LT = np.isfinite(seen_LT)
        mean_L = np.where(known_LT, seen_LT, 0.0).sum(axis=1) / np.maximum(known_LT.sum(axis=1), 1)
        filled_LT = np.where(known_LT, seen_LT, mean_L[:, None])
        volume_WLT = filled_LT.reshape(len(order), self.blocks, self.days).swapaxes(0, 1)
        first = np.datetime64(panel.time_of(newest - self.days + 1), "D")
        return Scenarios(
            volume_WLT=np.maximum(volume_WLT, 0.0),
            lanes=panel.series[order].astype(str),
            days=first + np.arange(self.days),
            unit=self.network.unit,
        )
