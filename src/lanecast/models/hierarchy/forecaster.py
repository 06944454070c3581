"""Any forecaster made coherent: sites and regions are forecast too, and everything adds up.

``inner`` forecasts the lanes as it would alone; ``upper``, a model of the same config, forecasts
the nodes above them.  Copies that end ``steps`` earlier say how every node erred out of sample: the
weights of the projection and the dependence between lanes come from there, so that a forecast knows
nothing later than its fit.  Paths are joint over lanes and steps; sums of them are distributions of
sites, regions and the network.

The answer to a window depends on all series that can be forecast at its cutoff, as the projection
does.  Quantiles are those of the reconciled paths, with bottom_up the model's own.

Axes: ``M`` nodes, ``N`` series, ``R`` past origins, ``K`` origin x step, ``H`` horizon, ``Q``
levels, ``S`` samples, ``W`` windows.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from lanecast.data.forecast_parts import rows_of
from lanecast.data.forecasts import Forecasts, joined
from lanecast.data.hierarchy import Structure
from lanecast.data.labels import labels
from lanecast.data.nodes import node_panel
from lanecast.data.panel import Panel, name_keys
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError
from lanecast.models.hierarchy.cuts import Cut
from lanecast.models.hierarchy.past_errors import KnownPast, NodePast
from lanecast.models.hierarchy.projection import METHODS, projection
from lanecast.models.hierarchy.temporal import TemporalForecaster
from lanecast.models.protocol import SEEDED, Capabilities, Forecaster, Reporter
from lanecast.models.quantiles.finishing import finish
from lanecast.models.quantiles.grids import LEVELS, around, at_levels, at_scores, scores_of
from lanecast.models.quantiles.support import on_support
from lanecast.models.wrapping import Wrapping, longer


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPlan:
    """The last ``steps`` before a fit's end, asked every ``stride`` steps of a copy."""

    steps: int = 84
    stride: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPlan:
    """How joint paths come about; ``draws`` of them stand behind quantiles.

    ``copula``: the quantiles of every node, joined as past scores were.  ``errors``: the points and
    whole past errors of all nodes at one origin, their mean taken out with ``center``.
    """

    kind: str = "copula"
    center: bool = False
    draws: int = 200

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.kind not in ("copula", "errors"):
            raise ConfigError(f"hierarchy.paths.kind={self.kind!r} is not one of copula, errors")
        if self.draws < 50:
            raise ConfigError(
                f"hierarchy.paths.draws={self.draws} is too few for quantiles; take 50 or more"
            )


class ReconciledForecaster(Wrapping):
    """The inner forecaster's lanes, moved to agree with the nodes above them."""

    def __init__(
        self,
        *,
        inner: Any,
        upper: Any,
        method: str,
        windows: WindowSpec,
        structure: Structure,
        past: PastPlan,
        paths: PathPlan,
        blocks: Sequence[int] = (),
    ) -> None:
        if method not in METHODS:
            raise ConfigError(
                f"hierarchy.method={method!r} does not exist; choose from {', '.join(METHODS)}"
            )
        if past.steps <= windows.horizon or past.stride < 1:
            raise ConfigError(
                f"hierarchy.past.steps={past.steps} holds no whole horizon of {windows.horizon}"
                " steps; raise it"
            )
        if blocks:
            inner, upper = (
                TemporalForecaster(inner=model, blocks=blocks, windows=windows)
                for model in (inner, upper)
            )
        self.inner: Forecaster = inner
        self.upper: Forecaster = upper
        self.method, self.windows, self.structure = method, windows, structure
        self.past_plan, self.path_plan = past, paths
        self.name = inner.name
        self.fitted_until: int | None = None
        self._past: NodePast | None = None
        self._twins: list[Forecaster] = []  # of the nodes, then of the lanes

    @property
    def wrapped(self) -> Mapping[str, Forecaster]:
        """The forecaster of the lanes and, unless nothing above them is forecast, of the nodes."""
        lanes = {"inner": self.inner}
        return lanes if self.bottom_up else {**lanes, "upper": self.upper}

    def describe(self) -> Capabilities:
        """As the inner forecaster; an effect is added to the reconciled baseline as it is."""
        inner = super().describe()
        seeded = max(inner.seeded, "quantiles", key=SEEDED.index)
        own = replace(inner, quantiles="paths", seeded=seeded, calibrated_on="past errors")
        return inner if self.bottom_up else own

    @property
    def bottom_up(self) -> bool:
        """Whether lanes stay as the model gives them, and nothing above them is forecast."""
        return self.method == "bottom_up"

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Fit lanes and nodes, then copies that end earlier, for what they missed."""
        early = until - self.past_plan.steps
        twins = [self.inner.clone()]
        self.inner.fit(panel, until=until, reporter=reporter)
        panels = self._panels(panel)
        if not self.bottom_up:
            twins.insert(0, self.upper.clone())
            self.upper.fit(panels[0], until=until)
        self._twins = [twin.fit(of, until=early) for twin, of in zip(twins, panels, strict=True)]
        cutoffs = self._past_cutoffs(panel, early, until)
        if not cutoffs:
            raise ConfigError(
                f"hierarchy.past.steps={self.past_plan.steps} leaves no origin whose horizon of"
                f" {self.windows.horizon} is known by {panel.time_of(until)}; raise it"
            )
        self._past = self._missed(panels, cutoffs)
        if reporter is not None and (warning := self._past.warning()):
            reporter.warn(warning)
        self.fitted_until = until
        return self

    def with_horizon(self, horizon: int) -> Self:
        """An unfitted copy, reconciled as this one."""
        return type(self)(
            inner=self.inner.with_horizon(horizon),
            upper=self.upper.with_horizon(horizon),
            method=self.method,
            windows=longer(self.windows, horizon),
            structure=self.structure,
            past=self.past_plan,
            paths=self.path_plan,
        )

    def as_of(self, panel: Panel, *, until: int) -> Self | None:
        """With lanes and nodes as they stood then, and what was known then of their misses.

        None too where less than half of the past origins was known then: too little to weigh by.
        """
        if self.fitted_until is None or not self._twins:
            return None
        early, panels = self.fitted_until - self.past_plan.steps, self._panels(panel)
        every = self._past_cutoffs(panel, early, self.fitted_until)
        cutoffs = self._past_cutoffs(panel, early, until)
        least = sum(of.num_series for of in panels) if self.method == "erm" else 2
        if 2 * len(cutoffs) < len(every) or len(cutoffs) * self.windows.horizon < least:
            return None
        if (inner := self.inner.as_of(panel, until=until)) is None:
            return None
        other = copy.copy(self)
        if not self.bottom_up:
            if (upper := self.upper.as_of(panels[0], until=until)) is None:
                return None
            other.upper = upper
        other.inner, other.fitted_until = inner, until
        other._past = self._missed(panels, cutoffs)
        return other

    def _panels(self, panel: Panel) -> list[Panel]:
        """The panel of the nodes, unless nothing above the lanes is forecast, and of the lanes."""
        return [panel] if self.bottom_up else [node_panel(panel, self.structure.of(panel)), panel]

    def _past_cutoffs(self, panel: Panel, early: int, until: int) -> list[int]:
        """Past origins from ``early`` on whose whole horizon is known ``until``."""
        last = until - panel.schema.delay_steps(TARGET) - self.windows.horizon
        return list(range(last, early - 1, -self.past_plan.stride))[::-1]

    def _missed(self, panels: Sequence[Panel], cutoffs: Sequence[int]) -> NodePast:
        """What the twins missed at past origins."""
        twins = zip(self._twins, panels, strict=True)
        parts = [self._told(twin, of, cutoffs) for twin, of in twins]
        actual_MRH, forecast_MRH, score_MRH = (np.concatenate(x) for x in zip(*parts, strict=True))
        names = [str(name) for of in panels for name in of.series]
        return NodePast.of(names, actual_MRH, forecast_MRH, score_MRH)

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Forecasts:
        """Forecast all that can be at each cutoff, make it coherent, and return what is asked."""
        if not len(at):
            return self.inner.predict(
                panel, at=at, quantiles=quantiles, samples=samples, seed=seed, **options
            )
        hierarchy = self.structure.of(panel)
        nodes = None if self.bottom_up else node_panel(panel, hierarchy)
        parts, rows = [], []
        for cutoff in np.unique(at.cutoff_W).tolist():
            rows_of_cutoff = np.flatnonzero(at.cutoff_W == cutoff)
            cut = Cut.of(panel, hierarchy, nodes, at[rows_of_cutoff], cutoff, self.windows)
            base = self._base(cut, seed=seed, options=options)
            parts.append(
                self._answer(panel, cut, base, quantiles=quantiles, samples=samples, seed=seed)
            )
            rows.append(rows_of_cutoff)
        order = np.argsort(np.concatenate(rows), kind="stable")
        forecasts = joined(parts)
        return rows_of(forecasts, order)

    def _base(self, cut: Cut, *, seed: int, options: dict[str, Any]) -> Forecasts:
        """Base forecasts of the nodes, then of the series."""
        parts = []
        if cut.nodes is not None:
            parts.append(self.upper.predict(cut.nodes, at=cut.above, quantiles=LEVELS, seed=seed))
        parts.append(
            self.inner.predict(cut.panel, at=cut.series, quantiles=LEVELS, seed=seed, **options)
        )
        return joined(parts)

    def _answer(
        self,
        panel: Panel,
        cut: Cut,
        base: Forecasts,
        *,
        quantiles: Sequence[float] | None,
        samples: int | None,
        seed: int,
    ) -> Forecasts:
        """The asked windows of one cutoff, from base forecasts of every node of ``cut``."""
        assert self._past is not None
        assert base.quantiles_WHQ is not None
        past = self._past.rows(cut.names)
        matrix = projection(cut.hierarchy, self.method, past=past.values)
        bottom_NH = np.asarray(matrix @ base.point_WH.astype(np.float64))
        paths_SNH = None
        if samples or (quantiles and not self.bottom_up):
            num = max(samples or 0, self.path_plan.draws if quantiles and not self.bottom_up else 0)
            paths_SNH = self._paths(panel, cut, base, matrix, past, num, seed)
        point_WH = bottom_NH[cut.window_W]
        grid_WHQ = None
        if quantiles and self.bottom_up:
            own_NHQ = base.quantiles_WHQ[-cut.hierarchy.num_bottom :]
            grid_WHQ = at_levels(own_NHQ.astype(np.float64), LEVELS, quantiles)[cut.window_W]
        elif quantiles:
            assert paths_SNH is not None
            drawn_QWH = np.quantile(paths_SNH[:, cut.window_W], quantiles, axis=0)
            grid_WHQ = around(point_WH, np.moveaxis(drawn_QWH, 0, -1), quantiles)
        return finish(
            panel=panel,
            at=cut.at,
            point_WH=point_WH,
            levels=tuple(quantiles or ()),
            quantiles_WHQ=grid_WHQ,
            samples_SWH=paths_SNH[:samples, cut.window_W]
            if samples and paths_SNH is not None
            else None,
        )

    def _paths(
        self,
        panel: Panel,
        cut: Cut,
        base: Forecasts,
        matrix: Any,
        past: KnownPast,
        num: int,
        seed: int,
    ) -> np.ndarray:
        """Reconciled joint paths of every bottom series, [S, N, H] float32."""
        assert base.quantiles_WHQ is not None
        _, times = panel.noise_keys(np.zeros(1, dtype=np.int64), np.array([cut.cutoff]))
        time = int(times[0])
        target = panel.schema.columns[TARGET]
        if self.path_plan.kind == "copula":
            grid_MHQ = base.quantiles_WHQ.astype(np.float64)
            scores = past.copula.draw(num, keys_M=name_keys(cut.names), time=time, seed=seed)
            drawn = (at_scores(grid_MHQ, LEVELS, score_MH) for score_MH in scores)
        else:
            error_RMH = past.errors(self.windows.horizon, center=self.path_plan.center)
            rng = np.random.default_rng([seed, time % 2**63])  # of whole origins, for all nodes
            origins = rng.integers(len(error_RMH), size=num)
            drawn = (base.point_WH + error_RMH[origin] for origin in origins)
        paths_SNH = np.empty(
            (num, cut.hierarchy.num_bottom, self.windows.horizon), dtype=np.float32
        )
        for number, drawn_MH in enumerate(drawn):
            paths_SNH[number] = on_support(np.asarray(matrix @ drawn_MH), target)
        return paths_SNH

    def _told(
        self, model: Forecaster, panel: Panel, cutoffs: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Actuals, points and normal scores of past origins, [series, R, H]; NaN if not known."""
        at = windows_at(panel, cutoffs, self.windows)
        forecasts = model.predict(panel, at=at, quantiles=LEVELS)
        assert forecasts.quantiles_WHQ is not None
        y_WH, seen_WH = labels(panel, at, self.windows.horizon)
        score_WH = scores_of(forecasts.quantiles_WHQ, LEVELS, y_WH)
        place = {cutoff: number for number, cutoff in enumerate(cutoffs)}
        origin_W = np.array([place[int(cutoff)] for cutoff in at.cutoff_W], dtype=np.int64)
        shape = (panel.num_series, len(cutoffs), self.windows.horizon)
        errors = []
        for values_WH in (y_WH, forecasts.point_WH, score_WH):
            whole = np.full(shape, np.nan)
            whole[at.series_W, origin_W] = np.where(seen_WH, values_WH, np.nan)
            errors.append(whole)
        return errors[0], errors[1], errors[2]

    def save(self, folder: Path) -> None:
        """Write both models and what they missed, without pickles."""
        assert self._past is not None
        folder.mkdir(parents=True, exist_ok=True)
        super().save(folder)
        self._past.save(folder / "past.npz")
        facts = {"fitted_until": self.fitted_until, "method": self.method}
        (folder / "hierarchy.json").write_text(json.dumps(facts))

    def load(self, folder: Path) -> Self:
        """Take up what `save` wrote; CheckpointError if it was reconciled in another way."""
        try:
            facts = json.loads((folder / "hierarchy.json").read_text())
        except FileNotFoundError:
            raise CheckpointError(
                f"{folder} holds no reconciled model; load it with hierarchy=none, or train it"
                " again with a hierarchy"
            ) from None
        if self.bottom_up != (facts["method"] == "bottom_up"):
            raise CheckpointError(
                f"{folder} was fitted with hierarchy={facts['method']}, which"
                f" {'has no' if not self.bottom_up else 'has'} forecasts of the nodes above the"
                f" lanes; {self.method} cannot take it up"
            )
        super().load(folder)
        self._past = NodePast.load(folder / "past.npz")
        self.fitted_until = facts["fitted_until"]
        return self
