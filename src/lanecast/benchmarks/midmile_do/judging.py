"""The judge: a world's exact expectations and realized draws, and an entrant's distance to them.

Do-WAPE compares means: the integral of the entrant's quantiles with E[orders | do, world's state].
Factual axes compare medians with what was logged.
Axes: ``W`` windows (cutoff by cutoff), ``H`` horizon, ``N`` lanes, ``C`` cutoffs, ``Q`` levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from lanecast.benchmarks.midmile_do.protocol import COVERED, DO, INTERVAL, NOT_IDENTIFIED, ORACLE
from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action, Soft
from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import ConfigError
from lanecast.interventions import Intervention
from lanecast.models.protocol import Capabilities
from lanecast.twin import World, counterfactual, expected, network_of
from lanecast.twin.oracle import filtered
from lanecast.whatif.actions import action_of, unidentified
from lanecast.whatif.mixing import GRID
from lanecast.whatif.treatments import Futures


class Entrant(Protocol):
    """What the benchmark asks of a fitted model; `CoupledForecaster` is one."""

    def describe(self) -> Capabilities:
        """What it promises, among other facts."""
        ...

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
        action: Action | None = None,
        futures: str = Futures.SAMPLED,
    ) -> Forecasts:
        """Quantiles and sample paths of orders under an action, from what is known at cutoffs."""
        ...


@dataclass(frozen=True)
class Judge:
    """One world, its panel and the cutoffs that are asked about."""

    world: World
    panel: Panel
    graph: Graph
    spec: WindowSpec
    cutoffs: tuple[int, ...]
    branches: int
    paths: int
    path_cutoffs: tuple[int, ...]

    def __post_init__(self) -> None:
        """The panel's series must be the world's lanes, in order."""
        if self.panel.series.tolist() != network_of(self.world).names().tolist():
            raise ConfigError("midmile-do: the panel's series are not the lanes of its world")

    @property
    def horizon(self) -> int:
        """Steps ahead."""
        return self.spec.horizon

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """E[orders | do, the world's state at the cutoff] by axis, [W, H]."""
        return self._rows(
            expected(
                self.world,
                cutoffs=self.cutoffs,
                horizon=self.horizon,
                do=DO,
                branches=self.branches,
            )
        )

    @cached_property
    def hidden(self) -> dict[str, str]:
        """Axes whose effect the graph does not identify, and why."""
        target, reasons = self.graph.target, {}
        for axis, do in DO.items():
            reason_of = unidentified(self.graph, do, self.horizon)
            if target in reason_of:
                reasons[axis] = reason_of[target]
        return reasons

    def at(self, cutoffs: Sequence[int]) -> WindowIndex:
        """Every lane at each cutoff; ConfigError where one has too little history."""
        windows = windows_at(self.panel, cutoffs, self.spec)
        if len(windows) != len(cutoffs) * self.panel.num_series:
            raise ConfigError("midmile-do: some lane has too little history for its windows")
        return windows

    def score(self, entrant: Entrant, *, badge: str | None = None) -> dict[str, Any]:
        """Rows by axis (wape, bias, badge), coverage by axis, and what moves before an action.

        ``badge`` is what an audit measured; without one, what the entrant says of itself.
        """
        badge = badge or entrant.describe().do_validity
        rows = self._factual(entrant, badge)
        means = {}
        for axis in DO:
            if axis in self.hidden:
                rows[axis] = {"wape": None, "bias": None, "badge": NOT_IDENTIFIED}
                continue
            means[axis] = self._mean(entrant, axis)
            rows[axis] = self._row(means[axis], self.truth[axis], badge)
        level = float(np.mean(means["do_off"]))
        early = np.abs(means["do_delayed"] - means["do_off"])[:, :7]
        return {
            "rows": rows,
            "coverage": {axis: self._coverage(entrant, axis) for axis in COVERED},
            "moved_before": {
                "largest": float(early.max()),
                "mean_share": float(early.mean()) / level,
            },
        }

    def floor(self) -> dict[str, Any]:
        """The oracle's rows: all equations known, the latent level filtered from orders."""
        means = self._rows(
            filtered(
                self.world,
                cutoffs=self.cutoffs,
                horizon=self.horizon,
                do=DO,
                branches=self.branches,
            )
        )
        rows = {axis: self._row(means[axis], self.truth[axis], ORACLE) for axis in DO}
        return {"rows": rows, "coverage": {}, "moved_before": None}

    def _factual(self, entrant: Entrant, badge: str) -> dict[str, dict[str, Any]]:
        at = self.at(self.cutoffs)
        y_WH, seen_WH = labels(self.panel, at, self.horizon)
        rows = {}
        for axis, futures in (("factual", Futures.LOGGED), ("as_known", Futures.SAMPLED)):
            forecasts = entrant.predict(self.panel, at=at, futures=futures)
            point = np.where(seen_WH, forecasts.point_WH, 0.0)
            rows[axis] = self._row(point, np.where(seen_WH, y_WH, 0.0), badge)
        return rows

    def _mean(self, entrant: Entrant, axis: str) -> np.ndarray:
        at = self.at(self.cutoffs)
        action = self._action(DO[axis], self.cutoffs)
        forecasts = entrant.predict(self.panel, at=at, quantiles=GRID, action=action)
        assert forecasts.quantiles_WHQ is not None
        return np.asarray(forecasts.quantiles_WHQ @ _WEIGHTS)

    def _coverage(self, entrant: Entrant, axis: str) -> float | None:
        """Share of realized draws inside the central 80 % of sample paths; None where hidden."""
        if axis in self.hidden or not self.path_cutoffs:
            return None
        chosen = [self.cutoffs[number] for number in self.path_cutoffs]
        action = self._action(DO[axis], chosen)
        forecasts = entrant.predict(
            self.panel, at=self.at(chosen), samples=self.paths, action=action
        )
        assert forecasts.samples_SWH is not None
        # Weibull's positions are unbiased for a draw from the same distribution.
        low, high = np.quantile(forecasts.samples_SWH, INTERVAL, axis=0, method="weibull")
        draws = [
            counterfactual(self.world, cutoff=cutoff, horizon=self.horizon, do=DO[axis])["orders"]
            for cutoff in chosen
        ]
        y_WH = np.concatenate(draws)
        return float(((y_WH >= low) & (y_WH <= high)).mean())

    def _action(self, do: Sequence[Intervention], cutoffs: Sequence[int]) -> Action:
        """The same draw of a random path at every cutoff, as in the truth."""
        parts = [
            action_of(
                do, graph=self.graph, panel=self.panel, at=self.at([cutoff]), horizon=self.horizon
            )
            for cutoff in cutoffs
        ]
        return Action(
            hard={n: np.concatenate([part.hard[n] for part in parts]) for n in parts[0].hard},
            soft={
                n: Soft(
                    shift_WH=np.concatenate([part.soft[n].shift_WH for part in parts]),
                    scale_WH=np.concatenate([part.soft[n].scale_WH for part in parts]),
                )
                for n in parts[0].soft
            },
        )

    def _rows(self, by_axis: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """[N, C, H] as windows, cutoff by cutoff."""
        return {
            axis: mean_NCH.swapaxes(0, 1).reshape(-1, self.horizon)
            for axis, mean_NCH in by_axis.items()
        }

    def _row(self, mean_WH: np.ndarray, truth: np.ndarray, badge: str) -> dict[str, Any]:
        error, total = mean_WH.astype(np.float64) - truth, float(truth.sum(dtype=np.float64))
        return {
            "wape": float(np.abs(error).sum()) / total,
            "bias": float(error.sum()) / total,
            "badge": badge,
        }


def integral(levels: Sequence[float]) -> np.ndarray:
    """Weights of quantiles whose sum is the mean: each level stands for what is nearest to it."""
    edges = [0.0, *((a + b) / 2 for a, b in pairwise(levels)), 1.0]
    return np.diff(edges)


_WEIGHTS = integral(GRID)
