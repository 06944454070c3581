"""A network coupled to the causal layer: what it may see of treatments, and what do() adds to it.

| mode | definition | valid under do? |
|---|---|---|
| none | treatments are future covariates: as logged in training, the scenario's in do() | no |
| no_future | no future of any treatment | no |
| features | rollouts of the target's parents are future covariates | no |
| mechanism | the network is the target's mechanism, one step ahead, chained | yes, given the DAG |
| delta | N(de-actioned history) + [roll(history, a) - roll(reference history, reference)] | yes |
| delta_policy | N(history) + [roll(history, a) - mean of policy rolls] | yes, in the mean |

Axes: ``W`` windows, ``H`` horizon, ``S`` samples, ``Q`` quantile levels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from lanecast.causal.falsification.exposure_gap import gaps
from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.config.coupling import mode_of
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.visible import refuse_early
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import CheckpointError, ConfigError
from lanecast.models.protocol import Capabilities, Forecaster, Reporter
from lanecast.models.wrapping import Wrapping, longer
from lanecast.whatif.couplings import Coupling, Features, NoFuture, Plain, Question
from lanecast.whatif.delta_couplings import Delta, DeltaPolicy, Mechanism
from lanecast.whatif.treatments import Futures, logged

ASSOCIATIONAL = "associational"
HORIZON_CAUSAL = "horizon-causal"
MODES: dict[str, type[Coupling]] = {
    "none": Plain,
    "no_future": NoFuture,
    "features": Features,
    "mechanism": Mechanism,
    "delta": Delta,
    "delta_policy": DeltaPolicy,
}
DO_VALID = ("mechanism", "delta", "delta_policy")


class CoupledForecaster(Wrapping):
    """Any forecaster with a `CausalLayer`; keeps the `Forecaster` protocol.

    ``predict`` without an action is a forecast as known: treatments that are not known at the
    cutoff follow their learned policy, ``policy_samples`` times.  ``futures=logged`` hands over
    what nobody could know; the difference in WAPE is leakage.
    """

    def __init__(
        self,
        *,
        inner: Any,
        graph: Graph,
        mode: str = "auto",
        windows: WindowSpec,
        mechanisms: Mapping[str, Any] | None = None,
        policy_samples: int = 128,
        seed: int = 1,
        layer: CausalLayer | None = None,
    ) -> None:
        if policy_samples < 2:
            raise ConfigError(f"coupling.policy_samples={policy_samples} must be at least 2")
        mode = mode_of(mode, treatments=bool(graph.treatments))
        if mode not in MODES:
            raise ConfigError(f"coupling.mode={mode!r} is not one of {', '.join(MODES)}")
        self.mode, self.graph, self.windows = mode, graph, windows
        self.name, self.seed = inner.name, seed
        self.policy_samples = policy_samples
        try:
            budget = FitBudget(**(mechanisms or {}))
        except TypeError as err:
            raise ConfigError(f"coupling.mechanisms: {err}") from err
        self.layer = layer or CausalLayer(graph=graph, budget=budget, seed=seed)
        self._coupling: Coupling = MODES[mode](
            layer=self.layer, inner=inner, windows=windows, policy_samples=policy_samples
        )
        self.fitted_until: int | None = None
        self.exposure: dict[str, float] = {}

    @property
    def inner(self) -> Forecaster:
        """The forecaster that is coupled."""
        return self._coupling.inner

    @property
    def wrapped(self) -> Mapping[str, Forecaster]:
        """The forecaster that is coupled; the layer is none."""
        return {"network": self.inner}

    def describe(self) -> Capabilities:
        """The network's roles and statics; the graph, what it promises, and what was learned.

        Whether that promise is kept is measured (`lanecast.audits.do_validity`).
        """
        promised = f"do-valid under DAG {self.graph.dag_hash}"
        learned: dict[str, Any] = {}
        if self.layer.fitted_until is not None:
            learned = {
                "losses": self.layer.losses,
                "exposure_gap": self.exposure,
                "gates": self.layer.gates,
            }
        return replace(
            super().describe(),
            windows=self.windows,
            do_validity=promised if self.mode in DO_VALID else ASSOCIATIONAL,
            reads_issued=False,
            seeded="all",  # futures are drawn
            graph=self.graph,
            causal={"dag_hash": self.graph.dag_hash, "coupling": self.mode, **learned},
        )

    def clone(self) -> Self:
        """As in `Forecaster`, with a layer of its own and without what this one has learned."""
        return self._around(self.inner.clone(), self.windows)

    def with_horizon(self, horizon: int) -> Self:
        """An unfitted copy, coupled as this one, with a layer of its own."""
        return self._around(self.inner.with_horizon(horizon), longer(self.windows, horizon))

    def _around(self, inner: Forecaster, windows: WindowSpec) -> Self:
        return type(self)(
            inner=inner,
            graph=self.graph,
            mode=self.mode,
            windows=windows,
            policy_samples=self.policy_samples,
            seed=self.seed,
            layer=CausalLayer(graph=self.graph, budget=self.layer.budget, seed=self.layer.seed),
        )

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Fit the layer, then the network on its view of the panel; both know ``until``.

        The report is the network's, on that view: a score of its own would take a second layer, one
        that ends before the validation.
        """
        panel = panel.packed
        self.graph.check(panel.schema, context=self.windows.context, attributes=panel.attributes)
        self.layer.fit(panel, until=until)
        self._coupling.fit(panel, until=until, reporter=reporter)
        self.report = self.inner.report
        self.fitted_until = until
        self.exposure = gaps(self.layer, panel, until=until, horizon=self.windows.horizon)
        if reporter is not None:
            curves = {f"causal/exposure_gap/{name}": gap for name, gap in self.exposure.items()}
            curves |= {f"causal/nll/{name}": loss for name, loss in self.layer.losses.items()}
            reporter.log(0, **curves)
        return self

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
        """Forecast the windows ``at``, under ``action`` where one is given.

        An action names paths of nodes (`lanecast.causal.scm.chaining.Action`); what it leaves open
        is as ``futures`` says.
        """
        panel = panel.packed
        refuse_early(self.name, self.fitted_until, panel, at)
        chosen = Futures(futures)
        if chosen is Futures.LOGGED:
            futures_logged = logged(panel, at, self.graph, self.windows.horizon)
            hard = {**futures_logged.hard, **(action.hard if action else {})}
            action = Action(hard=hard, soft=action.soft if action else {})
        return self._coupling.predict(
            Question(
                panel=panel,
                at=at,
                action=action or Action(),
                hidden=chosen is Futures.KNOWN,
                quantiles=tuple(quantiles or ()),
                samples=samples,
                seed=seed,
            )
        )

    def save(self, folder: Path) -> None:
        """The layer and the network, each in a folder of its own."""
        self.layer.save(folder / "causal")
        self._coupling.save(folder / "network")
        facts = {"mode": self.mode, "fitted_until": self.fitted_until, "exposure": self.exposure}
        (folder / "coupling.json").write_text(json.dumps(facts, indent=1))

    def load(self, folder: Path) -> Self:
        """Take up what `save` wrote; CheckpointError if it was coupled otherwise."""
        path = folder / "coupling.json"
        if not path.is_file():
            raise CheckpointError(f"{path} does not exist; was this run trained with a dag?")
        facts = json.loads(path.read_text())
        if facts["mode"] != self.mode:
            raise CheckpointError(
                f"{path} was trained with coupling {facts['mode']}, this config says {self.mode};"
                " use the run's own config: run=<run folder>"
            )
        self.layer.load(folder / "causal")
        self.report = None
        self._coupling.load(folder / "network")
        self.fitted_until, self.exposure = facts["fitted_until"], facts["exposure"]
        return self
