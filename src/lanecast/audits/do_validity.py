"""The audit: what a trained model may be asked, measured on the model itself.

Each measure compares two forecasts that differ in one respect and must be equal to the bit where
that respect cannot reach; its twin says whether it could have been seen at all.

| measure | what differs | what must not move |
|---|---|---|
| horizon | the last step's treatments, or its known future where there are none | earlier steps |
| before_action | a treatment from the middle of the horizon on | the steps before |
| non_descendants | a treatment over the whole horizon | nodes that it does not reach |
| leakage | all that is not known at the cutoff | the forecast |

Axes: ``W`` windows, ``H`` horizon, ``Q`` quantile levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.audits.perturbed_panels import (
    extremes,
    lengthened,
    opposite_actions,
    poisoned,
    unrounded,
    with_cells,
)
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import ConfigError
from lanecast.whatif.badges import ASSOCIATIONAL, HORIZON_CAUSAL, is_do_valid

if TYPE_CHECKING:
    from lanecast.causal.graph.graph import Graph
    from lanecast.models.protocol import Forecaster
    from lanecast.whatif.coupled import CoupledForecaster

LEVELS = (0.1, 0.5, 0.9)
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Largest change where nothing may change, and of the twin, where something should.

    None: there is nothing to compare, such as a treatment that cannot reach the target.
    """

    moved: float | None = None
    twin: float | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing moved; True where nothing could."""
        return self.moved is None or self.moved == 0.0

    def joined(self, other: Measured) -> Measured:
        """The larger of both."""
        return Measured(moved=_larger(self.moved, other.moved), twin=_larger(self.twin, other.twin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The measures of one model, and the badge they earn."""

    measures: Mapping[str, Measured]
    badge: str
    why: str

    def to_record(self) -> dict[str, Any]:
        """Plain data for the record."""
        measures = {n: {"moved": m.moved, "twin": m.twin} for n, m in self.measures.items()}
        return {"badge": self.badge, "why": self.why, "measures": measures}

    def lines(self) -> list[str]:
        """A small table to print."""
        rows = [f"{'measure':<16} {'may not move':>14} {'twin moves':>14}"]
        for name, measured in self.measures.items():
            rows.append(f"{name:<16} {_told(measured.moved):>14} {_told(measured.twin):>14}")
        return [*rows, f"badge: {self.badge} ({self.why})"]


def audit(
    forecaster: Forecaster, panel: Panel, *, cutoff: int, max_series: int = 256, samples: int = 16
) -> Audit:
    """Measure a fitted forecaster, coupled or not, on windows of one cutoff."""
    facts = forecaster.describe()
    spec = facts.windows
    ready = lengthened(unrounded(panel), cutoff + spec.horizon)
    at = windows_at(ready, [cutoff], spec)[:max_series]
    if not len(at):
        raise ConfigError(
            f"no series has {spec.min_context} targets in the {spec.context} steps up to"
            f" {panel.time_of(cutoff)}; set another cutoff="
        )
    probe = DoValidityAudit(forecaster=forecaster, panel=ready, at=at, spec=spec, samples=samples)
    measures = {
        "horizon": probe.horizon(),
        "before_action": probe.before_action(),
        "non_descendants": probe.non_descendants(),
        "leakage": probe.leakage(),
    }
    badge, why = badge_of(measures, facts.do_validity)
    return Audit(measures=measures, badge=badge, why=why)


def badge_of(measures: Mapping[str, Measured], promised: str) -> tuple[str, str]:
    """The badge that the measures earn, never above ``promised`` under do, and why no better."""
    leakage = measures["leakage"]
    if not leakage.holds:
        return ASSOCIATIONAL, "it reads what is not known at the cutoff"
    if leakage.twin == 0.0:
        return ASSOCIATIONAL, "it reads nothing at all, so that nothing is shown"
    if not measures["horizon"].holds:
        return ASSOCIATIONAL, "later treatments or known futures move earlier steps"
    for name in ("before_action", "non_descendants"):
        if not measures[name].holds:
            return ASSOCIATIONAL, f"{name} moves by {_told(measures[name].moved)}"
    if not is_do_valid(promised):
        return HORIZON_CAUSAL, "nothing of its construction is valid under do"
    return promised, "every measure is exactly 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoValidityAudit:
    """One forecaster on some windows of a panel."""

    forecaster: Any
    panel: Panel
    at: WindowIndex
    spec: WindowSpec
    samples: int

    @property
    def graph(self) -> Graph | None:
        """The graph that the forecaster is coupled to, if any."""
        graph: Graph | None = self.forecaster.describe().graph
        return graph

    @property
    def treatments(self) -> tuple[str, ...]:
        """Treatments of the forecaster's graph; none without one."""
        return () if self.graph is None else tuple(self.graph.treatments)

    def horizon(self) -> Measured:
        """The last step's treatments, or its known futures."""
        if self.treatments:
            return self._acted(self.spec.horizon)
        measured = Measured()
        for column in self.panel.schema.known:
            lead = self.panel.schema.lead_steps(column)
            step = self.spec.horizon if lead is None else min(lead, self.spec.horizon)
            if step > 0:
                measured = measured.joined(self._known(column, step))
        return measured

    def before_action(self) -> Measured:
        """A treatment from the middle of the horizon on."""
        return self._acted(self.spec.horizon // 2 + 1) if self.treatments else Measured()

    def non_descendants(self) -> Measured:
        """Treatments over the whole horizon: the target, and each node that the layer rolls."""
        measured = Measured()
        for name in self.treatments:
            graph, horizon = self.graph, self.spec.horizon
            assert graph is not None
            low, high = opposite_actions(graph, self.panel, self.at, name, horizon=horizon, first=1)
            reached = graph.descendants(name)
            rolled = [self._rolled(action) for action in (low, high)]
            for node in graph.order:
                change = _change(rolled[0].link(node), rolled[1].link(node))
                kept = node not in reached and node != name
                measured = measured.joined(
                    Measured(moved=change) if kept else Measured(twin=change)
                )
            if graph.target not in reached:
                change = _change(self._forecast(action=low), self._forecast(action=high))
                measured = measured.joined(Measured(moved=change))
        return measured

    def leakage(self) -> Measured:
        """All that is not known at the cutoff; the twin changes all that is."""
        base = self._forecast()
        cutoff = int(self.at.cutoff_W[0])
        return Measured(
            moved=_change(base, self._forecast(poisoned(self.panel, cutoff, visible=False))),
            twin=_change(base, self._forecast(poisoned(self.panel, cutoff, visible=True))),
        )

    def _acted(self, first: int) -> Measured:
        """Every treatment, low and high, from step ``first`` on."""
        measured = Measured()
        graph, horizon = self.graph, self.spec.horizon
        for name in self.treatments:
            assert graph is not None
            opposites = opposite_actions(
                graph, self.panel, self.at, name, horizon=horizon, first=first
            )
            low_WHQ, high_WHQ = (self._forecast(action=action) for action in opposites)
            measured = measured.joined(_split(low_WHQ, high_WHQ, first))
        return measured

    def _known(self, column: str, step: int) -> Measured:
        """A known future column, low and high, at one step."""
        ends = extremes(self.panel, self.at, column)
        low_WHQ, high_WHQ = (
            self._forecast(with_cells(self.panel, self.at, column, step, value)) for value in ends
        )
        return _split(low_WHQ, high_WHQ, step)

    def _forecast(self, panel: Panel | None = None, **options: Any) -> np.ndarray:
        """Point and quantiles, [W, H, 1 + Q]."""
        forecasts = self.forecaster.predict(
            panel or self.panel, at=self.at, quantiles=LEVELS, seed=SEED, **options
        )
        return np.concatenate([forecasts.point_WH[..., None], forecasts.quantiles_WHQ], axis=-1)

    def _rolled(self, action: Any) -> Any:
        from lanecast.causal.scm.chaining import Chain, chain

        coupled: CoupledForecaster = self.forecaster
        how = Chain(samples=range(self.samples), seed=SEED)
        horizon = self.spec.horizon
        return chain(coupled.layer, self.panel, self.at, horizon=horizon, action=action, how=how)


def _split(low_WHQ: np.ndarray, high_WHQ: np.ndarray, first: int) -> Measured:
    """Change before step ``first``, and from it on."""
    before, after = slice(0, first - 1), slice(first - 1, None)
    return Measured(
        moved=_change(low_WHQ[:, before], high_WHQ[:, before]),
        twin=_change(low_WHQ[:, after], high_WHQ[:, after]),
    )


def _change(before: np.ndarray, after: np.ndarray) -> float:
    """Largest difference; 0.0 only where all bits are equal, inf where a number is lost."""
    if np.array_equal(before, after):
        return 0.0
    change = float(np.abs(before.astype(np.float64) - after).max())
    return change if math.isfinite(change) else math.inf


def _larger(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return max(first, second)


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
