"""hierarchicalforecast's own pipeline as the reference for hierarchies: MinT with bootstrap.

ARIMA on every node (statsforecast), MinT with a shrunken covariance of one-step errors in sample,
and paths from blocks of those errors: the strongest statistical method of the published tables
(Olivares et al. 2022).  Axes: ``M`` nodes, ``N`` series, ``T`` steps, ``H`` horizon, ``S`` samples.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np

from lanecast.config.packages import require_package
from lanecast.config.seasons import season_of
from lanecast.data.forecast_parts import rows_of
from lanecast.data.forecasts import Forecasts, joined
from lanecast.data.hierarchy import Structure
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Role
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError, LanecastError
from lanecast.models.classical.naive import read_state
from lanecast.models.protocol import Capabilities, Forecaster, Reporter
from lanecast.models.quantiles.finishing import finish

DRAWS = 1000
KEPT = 8  # cutoffs whose fits this process keeps
_FITTED: dict[tuple[object, ...], tuple[np.ndarray, ...]] = {}


class MinTBootstrap(Forecaster):
    """Every node fitted anew at every cutoff; all series must be there, without a gap."""

    def __init__(
        self,
        *,
        windows: WindowSpec,
        season: int | None = None,
        structure: Structure | None,
        name: str = "mint_bootstrap",
        options: Mapping[str, Any] | None = None,
        n_jobs: int = 2,
    ) -> None:
        require_package("hierarchicalforecast", extra="hierarchy", needed_by=f"model={name}")
        require_package("statsforecast", extra="baselines", needed_by=f"model={name}")
        if structure is None:
            raise ConfigError("model=mint_bootstrap needs to know what adds up: hierarchy=as_is")
        self.windows, self.season, self.structure, self.name = windows, season, structure, name
        self.model_options = dict(options or {})
        self.n_jobs = n_jobs
        self.fitted_until: int | None = None

    def describe(self) -> Capabilities:
        """It reads the target alone; its paths are joint over series."""
        return Capabilities(windows=self.windows, uses=frozenset({Role.TARGET}), quantiles="paths")

    @property
    def options(self) -> dict[str, Any]:
        """What decides the forecasts; a saved state of other options is refused."""
        own = {"season": self.season, "options": self.model_options}
        return {"windows": asdict(self.windows), **own}

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Note ``until``; the models are local to each cutoff."""
        nodes = len(self.structure.of(panel).names)
        if reporter is not None:
            reporter.log(0, nodes=float(nodes))
        self.fitted_until = until
        return self

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
    ) -> Forecasts:
        """Forecast the windows ``at``, all nodes at each cutoff."""
        visible.refuse_early(self.name, self.fitted_until, panel, at)
        parts, rows = [], []
        for cutoff in np.unique(at.cutoff_W).tolist():
            rows_of_cutoff = np.flatnonzero(at.cutoff_W == cutoff)
            rows.append(rows_of_cutoff)
            point_NH, paths_NHS = self._coherent(panel, cutoff, samples or DRAWS, seed)
            series = at.series_W[rows_of_cutoff]
            grid = None
            if quantiles:
                grid = np.moveaxis(np.quantile(paths_NHS[series], quantiles, axis=2), 0, -1)
            parts.append(
                finish(
                    panel=panel,
                    at=at[rows_of_cutoff],
                    point_WH=point_NH[series],
                    levels=tuple(quantiles or ()),
                    quantiles_WHQ=grid,
                    samples_SWH=np.moveaxis(paths_NHS[series], -1, 0) if samples else None,
                )
            )
        forecasts, order = joined(parts), np.argsort(np.concatenate(rows), kind="stable")
        return rows_of(forecasts, order)

    def _coherent(
        self, panel: Panel, cutoff: int, draws: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reconciled points [N, H] and paths [N, H, S] of the bottom series."""
        from hierarchicalforecast.methods import MinTrace
        from hierarchicalforecast.probabilistic_methods import Bootstrap
        from joblib import Parallel, delayed

        hierarchy = self.structure.of(panel)
        y_MT = hierarchy.aggregate(self._history(panel, cutoff))
        wait = -int(panel.schema.last_visible(TARGET))
        steps, options = wait + self.windows.horizon, self.model_options
        season = season_of(self.season, panel.schema.freq)
        key = (y_MT.shape, y_MT.tobytes(), steps, season, tuple(sorted(options.items())))
        if key not in _FITTED:  # ARIMA draws nothing: the seeds of a sweep share it
            jobs = (delayed(_arima)(y_T, steps, season, options) for y_T in y_MT)
            fits = Parallel(n_jobs=self.n_jobs, inner_max_num_threads=1)(jobs)
            _FITTED[key] = tuple(np.stack(x) for x in zip(*fits, strict=True))
            while len(_FITTED) > KEPT:
                _FITTED.pop(next(iter(_FITTED)))
        point_MH, fitted_MT = _FITTED[key]
        base = {"y_hat": point_MH, "y_insample": y_MT, "y_hat_insample": fitted_MT}
        sums = hierarchy.sums_MN.toarray()
        matrix = np.asarray(MinTrace("mint_shrink").fit(S=sums, **base).P)
        sampler = Bootstrap(S=sums, P=matrix, num_samples=draws, seed=seed, **base)
        paths_MHS = sampler.get_samples(draws)
        bottom = paths_MHS[-hierarchy.num_bottom :, wait:]
        return (matrix @ point_MH)[:, wait:], bottom

    def _history(self, panel: Panel, cutoff: int) -> np.ndarray:
        """Visible targets of all series, [N, T]."""
        newest = cutoff + int(panel.schema.last_visible(TARGET))
        first = int(panel.start.max())
        at = WindowIndex(
            series_W=np.arange(panel.num_series), cutoff_W=np.full(panel.num_series, newest)
        )
        y_NT = visible.cells(panel, at, TARGET, np.arange(first - newest, 1))
        if (bad := np.flatnonzero(~np.isfinite(y_NT).all(axis=1))).size:
            raise LanecastError(
                f"{self.name} needs every series at every step from {panel.time_of(first)} on, but"
                f" {panel.series[bad[0]]!r} has gaps; use hierarchy=mint_shrink"
            )
        return y_NT

    def save(self, folder: Path) -> None:
        """Write the options."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {"options": self.options, "fitted_until": self.fitted_until}
        (folder / "forecaster.json").write_text(json.dumps(state, indent=1, sort_keys=True))

    def load(self, folder: Path) -> Self:
        """Take up a saved state; CheckpointError if it was saved with other options."""
        self.fitted_until = read_state(folder, self.name, self.options)["fitted_until"]
        return self


def _arima(
    y_T: np.ndarray, steps: int, season: int, options: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast [H] and one-step forecasts in sample [T]."""
    from statsforecast.models import AutoARIMA

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model = AutoARIMA(season_length=season, **options)
        fitted = model.forecast(y=y_T, h=steps, fitted=True)
    return np.asarray(fitted["mean"]), np.asarray(fitted["fitted"])
