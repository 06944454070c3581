"""Couplings that read an action: what a network sees of treatments, and what it is asked with.

The ones that are valid under do() stand in `lanecast.whatif.delta_couplings`.
Axes: ``W`` windows, ``H`` horizon, ``S`` samples, ``Q`` quantile levels, ``V`` drivers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lanecast.causal.scm.chaining import Action, Chain, Rolled, chain
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Column
from lanecast.data.views import unfolded, with_target
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.as_known import by_cutoff
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.whatif.mixing import GRID, mixture
from lanecast.whatif.treatments import (
    columns_of,
    future_view,
    known,
    open_choices,
    past_view,
    with_action,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call of ``predict``; ``hidden``: what the action leaves open is unknown, not sampled."""

    panel: Panel
    at: WindowIndex
    action: Action
    hidden: bool
    quantiles: tuple[float, ...]
    samples: int | None
    seed: int

    @property
    def target(self) -> Column:
        """The declaration of the target."""
        return self.panel.schema.columns[TARGET]


class Coupling(ABC):
    """What an inner forecaster sees of a panel, and how its forecasts answer an action."""

    def __init__(
        self, *, layer: CausalLayer, inner: Forecaster, windows: WindowSpec, policy_samples: int
    ) -> None:
        self.layer, self.inner, self.windows = layer, inner, windows
        self.policy_samples = policy_samples
        self._seen: tuple[Panel, Panel] | None = None

    @abstractmethod
    def view(self, panel: Panel) -> Panel:
        """The panel as the inner forecaster sees it."""

    @abstractmethod
    def predict(self, question: Question) -> Forecasts:
        """Forecast under the action."""

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None) -> None:
        """Fit the inner forecaster on its view."""
        self._seen = None
        self.inner.fit(self.seen(panel), until=until, reporter=reporter)

    def seen(self, panel: Panel) -> Panel:
        """The view's series that have a target; kept for the panel asked last."""
        if self._seen is None or self._seen[0] is not panel:
            self._seen = (panel, with_target(self.view(panel)))
        return self._seen[1]

    def index(self, panel: Panel, at: WindowIndex) -> WindowIndex:
        """The same windows in the view's numbering."""
        return WindowIndex(series_W=self.rows(panel, at.series_W), cutoff_W=at.cutoff_W)

    def rows(self, panel: Panel, series: np.ndarray) -> np.ndarray:
        """Series of the panel as rows of its view."""
        seen = self.seen(panel)
        if seen.num_series == panel.num_series:
            return series
        place = {str(name): row for row, name in enumerate(seen.series)}
        return np.array([place[str(panel.series[i])] for i in series], dtype=np.int64)

    def save(self, folder: Path) -> None:
        """Save the inner forecaster."""
        self.inner.save(folder)

    def load(self, folder: Path) -> None:
        """Load the inner forecaster."""
        self._seen = None
        self.inner.load(folder)

    def roll(self, question: Question, *, samples: int | None = None, **changes: Any) -> Rolled:
        """The windows rolled by the layer; without samples, the path without noise."""
        how = Chain(samples=None if samples is None else range(samples), seed=question.seed)
        return chain(
            self.layer,
            question.panel,
            question.at,
            horizon=self.windows.horizon,
            action=question.action,
            how=replace(how, **changes),
        )

    def leaves_choices(self, question: Question) -> bool:
        """Whether some 0/1 treatment is neither known nor set: it has to be sampled."""
        graph = self.layer.graph
        planned = known(question.panel, question.at, graph, self.windows.horizon)
        return bool(open_choices(with_action(planned, question.action), graph))


class NoFuture(Coupling):
    """Treatments are history; their future reaches the network in no form."""

    def view(self, panel: Panel) -> Panel:
        """Treatments observed."""
        return past_view(self.layer, panel)

    def predict(self, question: Question) -> Forecasts:
        """The same forecast whatever is done."""
        forecasts = self.inner.predict(
            self.seen(question.panel),
            at=self.index(question.panel, question.at),
            quantiles=question.quantiles,
            samples=question.samples,
            seed=question.seed,
        )
        return replace(forecasts, index=question.at)


class Plain(Coupling):
    """Treatments are future covariates, in training as they were logged."""

    def view(self, panel: Panel) -> Panel:
        """Treatments known in advance, without a lead."""
        return future_view(panel, self.layer.graph)

    def predict(self, question: Question) -> Forecasts:
        """Feed the paths of the action; mix over sampled paths where it leaves 0/1 choices open.

        Continuous treatments that are left open take the layer's path without noise.
        """
        planned = known(question.panel, question.at, self.layer.graph, self.windows.horizon)
        paths = with_action(planned, question.action)
        if question.hidden:
            return self._ask(question, paths)
        if not self.leaves_choices(question):
            return self._ask(question, _filled(paths, self.roll(question), 0))
        rolled = self.roll(question, samples=self.policy_samples)
        on_grid = replace(question, quantiles=GRID, samples=None)
        grids = [
            np.asarray(self._ask(on_grid, _filled(paths, rolled, k)).quantiles_WHQ)
            for k in range(self.policy_samples)
        ]
        return mixture(
            question.panel,
            question.at,
            np.stack(grids),
            question.quantiles,
            question.samples,
            question.seed,
            question.target,
        )

    def _ask(self, question: Question, paths: Mapping[str, np.ndarray]) -> Forecasts:
        able = self.inner.describe()
        if able.alone or len(np.unique(question.at.cutoff_W)) < 2:
            return self._asked(question, question.at, paths)
        # A network of all series takes each of them once: the cutoffs are asked one by one.
        place_W = {pair: row for row, pair in enumerate(_pairs(question.at))}

        def ask(at: WindowIndex) -> Forecasts:
            rows = [place_W[pair] for pair in _pairs(at)]
            return self._asked(question, at, {name: path[rows] for name, path in paths.items()})

        return by_cutoff(question.at, ask)

    def _asked(
        self, question: Question, at: WindowIndex, paths: Mapping[str, np.ndarray]
    ) -> Forecasts:
        columns = columns_of(self.layer.graph)
        view, index = unfolded(
            self.seen(question.panel),
            self.index(question.panel, at),
            history=2 * self.windows.context,
            horizon=self.windows.horizon,
            futures={columns[name]: path for name, path in paths.items()},
        )
        forecasts = self.inner.predict(
            view,
            at=index,
            quantiles=question.quantiles,
            samples=question.samples,
            seed=question.seed,
        )
        return replace(forecasts, index=at)


def _pairs(at: WindowIndex) -> list[tuple[int, int]]:
    return list(zip(at.series_W.tolist(), at.cutoff_W.tolist(), strict=True))


class Features(NoFuture):
    """Rollouts of the target's parents are future covariates, as issued at each cutoff.

    The roll has no noise: 0/1 parents show their probability, in training as in forecasts.
    """

    def __init__(
        self, *, layer: CausalLayer, inner: Forecaster, windows: WindowSpec, policy_samples: int
    ) -> None:
        if not inner.describe().reads_issued:
            raise ConfigError(
                f"coupling=features issues rollouts to a network, but {inner.name} is none and"
                " would not read them; choose coupling=delta, or a network"
            )
        super().__init__(layer=layer, inner=inner, windows=windows, policy_samples=policy_samples)

    def view(self, panel: Panel) -> Panel:
        """Treatments as history; parents rolled from every cutoff, never as they were logged."""
        owner = np.repeat(np.arange(panel.num_series), np.diff(panel.offsets))
        step = np.arange(panel.num_cells) + (panel.start - panel.offsets[:-1])[owner]
        everywhere = WindowIndex(series_W=owner, cutoff_W=step)
        return self._with_issued(
            past_view(self.layer, panel), self._rolled(panel, everywhere, Action())
        )

    def predict(self, question: Question) -> Forecasts:
        """As issued under the action at each window's cutoff."""
        seen, index = self.seen(question.panel), self.index(question.panel, question.at)
        issued = seen.issued.clone()
        cell = seen.offsets[index.series_W] + index.cutoff_W - seen.start[index.series_W]
        issued[torch.from_numpy(cell)] = self._rolled(question.panel, question.at, question.action)
        forecasts = self.inner.predict(
            self._with_issued(seen, issued),
            at=index,
            quantiles=question.quantiles,
            samples=question.samples,
            seed=question.seed,
        )
        return replace(forecasts, index=question.at)

    @property
    def drivers(self) -> list[str]:
        """The target's parents that the graph sees, less the target."""
        graph = self.layer.graph
        parents = {edge.source for edge in graph.parents(graph.target)}
        return [name for name in graph.order if name in parents - {graph.target}]

    def _with_issued(self, panel: Panel, issued: torch.Tensor) -> Panel:
        names = tuple(f"rolled_{name}" for name in self.drivers)
        return replace(panel, issued=issued, issued_names=names)

    def _rolled(self, panel: Panel, at: WindowIndex, action: Action) -> torch.Tensor:
        """Drivers in link space, [W, H, V]; also at cutoffs of the training span."""
        how, horizon = Chain(training=True), self.windows.horizon
        rolled = chain(self.layer, panel, at, horizon=horizon, action=action, how=how)
        return rolled.x_SWHJ[0][..., [self.layer.node(name) for name in self.drivers]]


def _filled(paths: Mapping[str, np.ndarray], rolled: Rolled, sample: int) -> dict[str, np.ndarray]:
    """Steps that are left open take those of one rolled path."""
    return {
        name: np.where(np.isfinite(path), path, rolled.natural(name)[sample])
        for name, path in paths.items()
    }
