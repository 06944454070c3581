"""Couplings that are valid under do(), given the graph: the network never sees an action's future.

Axes: ``W`` windows, ``H`` horizon, ``S`` samples, ``Q`` quantile levels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanecast.causal.scm.chaining import Action, Chain, Rolled, chain
from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.reference_history import reference_panel
from lanecast.data.forecasts import Forecasts
from lanecast.data.links import link, unlink
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.models.quantiles.support import on_support
from lanecast.whatif.couplings import Coupling, Question
from lanecast.whatif.mixing import GRID, mixture, on_grid
from lanecast.whatif.one_step import OneStep
from lanecast.whatif.treatments import one_step_view, past_view

_MEDIAN = GRID.index(0.5)


class Delta(Coupling):
    """The network forecasts the de-actioned history; the layer adds what the action does to it."""

    def view(self, panel: Panel) -> Panel:
        """Treatments at their reference, and out of sight."""
        return reference_panel(self.layer, panel)

    def predict(self, question: Question) -> Forecasts:
        """The base median plus paths of the effect; see `paths`."""
        if not question.quantiles and not question.samples and not self.leaves_choices(question):
            moved_WH = self._target(self.roll(question))[0] - self.reference(question)
            natural = unlink(self.base(question)[..., _MEDIAN] + moved_WH, self._link)
            return Forecasts(index=question.at, point_WH=on_support(natural, question.target))
        natural = unlink(self.paths(question), self._link)
        return on_grid(question.at, natural, question.quantiles, question.samples, question.target)

    def paths(self, question: Question) -> np.ndarray:
        """``base_median + roll_s(a_s, u_s) - roll(reference, 0)`` in link space, [S, W, H].

        Where the action leaves no 0/1 choice open, the paths are moved so that their median is
        that of the roll without noise: the point forecast then does not depend on the draws, and a
        step before the first action moves by exactly 0.
        """
        base_WH = self.base(question)[..., _MEDIAN]
        count = max(self.policy_samples, question.samples or 0)
        rolled_SWH = self._target(self.roll(question, samples=count))
        if not self.leaves_choices(question):
            plain_WH = self._target(self.roll(question))[0]
            rolled_SWH = rolled_SWH - np.median(rolled_SWH, axis=0) + plain_WH
        return np.asarray(base_WH + (rolled_SWH - self.reference(question)))

    def base(self, question: Question) -> np.ndarray:
        """The network's quantile grid of its view, in link space, [W, H, len(GRID)]."""
        forecasts = self.inner.predict(
            self.seen(question.panel), at=self.index(question.panel, question.at), quantiles=GRID
        )
        return link(forecasts.quantiles_WHQ, self._link)

    def reference(self, question: Question) -> np.ndarray:
        """The roll that the effect is counted from, without noise, in link space, [W, H]."""
        untouched = replace(question, action=Action())
        return np.asarray(self._target(self.roll(untouched, reference=True))[0])

    @property
    def _link(self) -> str:
        return self.layer.graph.nodes[self.layer.graph.target].link

    def _target(self, rolled: Rolled) -> np.ndarray:
        return rolled.link(self.layer.graph.target)


class DeltaPolicy(Delta):
    """The network forecasts the raw history as its policy would go on; the layer adds the rest.

    Its effect is counted from policy rolls, never from the reference: a delta from the reference
    on top of raw history would count the action twice.
    """

    def view(self, panel: Panel) -> Panel:
        """Treatments as history."""
        return past_view(self.layer, panel)

    def reference(self, question: Question) -> np.ndarray:
        """Mean of policy-sampled paths."""
        untouched = replace(question, action=Action())
        rolled = self.roll(untouched, samples=self.policy_samples)
        return np.asarray(self._target(rolled).mean(axis=0))

    def predict(self, question: Question) -> Forecasts:
        """The network's own grid, moved by the mean effect."""
        grid_WHQ = self.base(question)
        if question.action.hard or question.action.soft:
            rolled = self.roll(question, samples=self.policy_samples)
            effect_WH = self._target(rolled).mean(axis=0) - self.reference(question)
            grid_WHQ = grid_WHQ + effect_WH[..., None]
        natural = unlink(grid_WHQ, self._link)[None]
        return mixture(
            question.panel,
            question.at,
            natural,
            question.quantiles,
            question.samples,
            question.seed,
            question.target,
        )


class Mechanism(Coupling):
    """The network is the target's mechanism: horizon 1, chained step by step by the layer."""

    def __init__(
        self, *, layer: CausalLayer, inner: Forecaster, windows: WindowSpec, policy_samples: int
    ) -> None:
        if not isinstance(inner, DeepForecaster):
            raise ConfigError(
                f"coupling=mechanism chains a network one step at a time, but {inner.name} is none;"
                " choose coupling=delta, or a network"
            )
        self._one_step = inner.with_horizon(1)
        super().__init__(
            layer=layer, inner=self._one_step, windows=windows, policy_samples=policy_samples
        )

    def view(self, panel: Panel) -> Panel:
        """Target, treatments and what is known in advance."""
        return one_step_view(self.layer, panel)

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None) -> None:
        """Fit on labels that are published at ``until``: the view has no delay of the target."""
        super().fit(panel, until=until - panel.schema.delay_steps(TARGET), reporter=reporter)

    def predict(self, question: Question) -> Forecasts:
        """Point from the roll without noise; quantiles and paths from rolls with noise.

        The roll without noise gives 0/1 treatments that are left open their probability.  Where
        none is, the paths are moved onto it, as those of `Delta`: few paths then do for a mean.
        """
        if not question.quantiles and not question.samples:
            plain = self._rolled(question, None)
            return Forecasts(index=question.at, point_WH=on_support(plain[0], question.target))
        count = max(self.policy_samples, question.samples or 0)
        paths = self._rolled(question, count)
        if not self.leaves_choices(question):
            kind = self.layer.graph.nodes[self.layer.graph.target].link
            linked, plain = link(paths, kind), link(self._rolled(question, None), kind)
            paths = unlink(linked - np.median(linked, axis=0) + plain, kind)
        return on_grid(question.at, paths, question.quantiles, question.samples, question.target)

    def _rolled(self, question: Question, samples: int | None) -> np.ndarray:
        seen = self.seen(question.panel)
        self._one_step.bind(seen)
        step = OneStep(
            module=self._one_step.module,
            view=seen,
            context=self.windows.context,
            rows_of=lambda series: self.rows(question.panel, series),
        )
        target = self.layer.graph.target
        how = Chain(
            samples=None if samples is None else range(samples),
            seed=question.seed,
            override={target: step.overriding(self.layer)},
            min_back=self.windows.context,
        )
        horizon, action = self.windows.horizon, question.action
        rolled = chain(
            self.layer, question.panel, question.at, horizon=horizon, action=action, how=how
        )
        return rolled.natural(target)
