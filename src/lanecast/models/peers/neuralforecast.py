"""neuralforecast's own pipeline as the reference: its dataset, its scaling, its training loop.

Only the table is ours: every window is one series of it, cut at its cutoff, so that nothing later
can be read.  ``local_scaler_type`` is refused, since neuralforecast fits it on whatever rows it is
handed (in ``cross_validation`` the test rows too); ``scaler_type`` is per window.

Axes: ``W`` windows, ``T`` steps relative to the cutoff, ``H`` horizon, ``Q`` quantile levels.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import ndtri

from lanecast.config.seasons import season_of
from lanecast.data import visible
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Role
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import CheckpointError, ConfigError, LeakageError, SchemaError
from lanecast.models.classical.naive import read_state
from lanecast.models.peers.window_table import Columns, WindowTable, quiet
from lanecast.models.protocol import Capabilities, Forecaster, Reporter
from lanecast.models.quantiles.finishing import finish, window_uniforms
from lanecast.models.quantiles.grids import at_levels, at_scores, horizon_correlation, scores_of

LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
CHUNK = 8192  # windows in one table
# Options of neuralforecast that reach beyond the network: names of files, and what Lightning runs.
OUTSIDE = frozenset({"alias", "callbacks", "default_root_dir", "logger", "plugins", "profiler"})
PATH_ORIGINS = 8  # origins before `until` that show how errors move together over the horizon


class Reference(Forecaster):
    """A neuralforecast model by name, in a ``NeuralForecast`` with multi-quantile loss.

    Limits of the pipeline, and what is done about them: it cannot mask a future value, so that a
    known_future column with a lead shorter than the horizon is left out, with a warning; a target's
    delay lengthens the horizon it predicts; an observed column that is later than the target is
    shifted by the difference.

    ``counts``: gaps take the value of a season earlier and are masked in training
    (``filled_gaps``), missing covariates take their last value or 0 (``filled_covariates``), and a
    window without any visible target gets 0 (``no_history``).

    Paths: a Gaussian copula over the quantiles, with the correlation that the last origins before
    ``until`` show.
    """

    def __init__(
        self,
        *,
        windows: WindowSpec,
        network: str,
        name: str,
        max_steps: int,
        season: int | None = None,
        options: Mapping[str, Any] | None = None,
        covariates: bool = True,
        max_history: int = 730,
        threads: int = 1,
        seed: int = 1,
    ) -> None:
        if "local_scaler_type" in (options or {}):
            raise ConfigError(
                "model.options.local_scaler_type would be fitted on rows of the forecast; use"
                " model.options.scaler_type, which is per window"
            )
        if outside := OUTSIDE & set(options or {}):
            raise ConfigError(
                f"model.options.{min(outside)} says where files go or what runs beside the fit,"
                " which is no option of a network; take it out"
            )
        self.windows = windows
        self.network = network
        self.name = name
        self.max_steps = max_steps
        self.season = season
        self.network_options = dict(options or {})
        self.covariates = covariates
        self.max_history = max_history
        self.threads = threads
        self.seed = seed
        self.fitted_until: int | None = None
        self._table = WindowTable(columns=Columns(), season=season)
        self._correlation_HH = np.eye(windows.horizon)
        self._pipeline: Any = None

    def describe(self) -> Capabilities:
        """It reads every role with ``covariates``, the target alone without."""
        return Capabilities(
            windows=self.windows,
            uses=frozenset(Role) if self.covariates else frozenset({Role.TARGET}),
            quantiles="model",
            static_names=self._table.columns.stat or None,
            counts=dict(self._table.counts),
        )

    def clone(self) -> Self:
        """As in `Forecaster`; a fit replaces all that it learns."""
        return copy.copy(self)

    @property
    def options(self) -> dict[str, Any]:
        """What decides the forecasts; a checkpoint of other options is refused."""
        names = ("network", "max_steps", "season", "covariates", "max_history", "seed")
        return {
            "windows": asdict(self.windows),
            "options": self.network_options,
            **{name: getattr(self, name) for name in names},
        }

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Train ``NeuralForecast`` on the table up to ``until``."""
        self.windows.check_against(panel)
        self._table = WindowTable(columns=self._choose(panel, reporter), season=self.season)
        wait = -int(panel.schema.last_visible(TARGET))
        past_T = np.arange(1 - self.max_history, 1) - wait
        at = self._alive(panel, until, past_T)
        table, _ = self._table.history(panel, at, past_T)
        with quiet(self.threads):
            self._pipeline = self._build(panel, wait)
            statics = self._table.statics(panel, at, table)
            self._pipeline.fit(df=table, static_df=statics, val_size=0)
        self._correlation_HH = self._correlation(panel, until)
        self._table.counts.clear()  # what past windows lacked does not concern a forecast
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
        """Forecast the windows ``at``, each from the table up to its own cutoff."""
        visible.refuse_early(self.name, self.fitted_until, panel, at)
        grid_WHQ = self._grid(panel, at)
        levels = tuple(quantiles or ())
        paths_SWH = None
        if samples:
            root_HH = np.linalg.cholesky(self._correlation_HH)
            draw_SWH = window_uniforms(panel, at, num=samples, size=self.windows.horizon, seed=seed)
            score_SWH = ndtri(draw_SWH) @ root_HH.T
            paths_SWH = np.stack([at_scores(grid_WHQ, LEVELS, score_WH) for score_WH in score_SWH])
        return finish(
            panel=panel,
            at=at,
            point_WH=grid_WHQ[..., LEVELS.index(0.5)],
            levels=levels,
            quantiles_WHQ=at_levels(grid_WHQ, LEVELS, levels) if levels else None,
            samples_SWH=paths_SWH,
        )

    def _choose(self, panel: Panel, reporter: Reporter | None) -> Columns:
        from neuralforecast import models

        if not hasattr(models, self.network):
            raise ConfigError(f"model.network={self.network!r} is not a model of neuralforecast")
        if not self.covariates:
            return Columns()
        kind = getattr(models, self.network)
        horizon = self.windows.horizon
        short = [n for n in panel.schema.known if panel.schema.last_visible(n) < horizon]
        if short and reporter is not None:
            reporter.warn(
                f"{self.name}: {', '.join(short)} left out; neuralforecast cannot hide the part of"
                f" a horizon of {horizon} steps that lies beyond a column's lead"
            )
        futr = [n for n in panel.known_names if n not in short]
        return Columns(
            hist=panel.schema.observed if kind.EXOGENOUS_HIST else (),
            futr=tuple(futr) if kind.EXOGENOUS_FUTR else (),
            stat=panel.static_names if kind.EXOGENOUS_STAT else (),
        )

    def _build(self, panel: Panel, wait: int) -> Any:
        from neuralforecast import NeuralForecast, models
        from neuralforecast.losses.pytorch import MQLoss

        options = {
            "start_padding_enabled": True,  # else one short series ends the training
            "random_seed": self.seed,
            "accelerator": "cpu",
            "devices": 1,
            **self.network_options,
        }
        network = getattr(models, self.network)(
            h=self.windows.horizon + wait,
            input_size=self.windows.context,
            loss=MQLoss(quantiles=list(LEVELS)),
            max_steps=self.max_steps,
            hist_exog_list=[f"h{i}" for i in range(len(self._table.columns.hist))] or None,
            futr_exog_list=[f"f{i}" for i in range(len(self._table.columns.futr))] or None,
            stat_exog_list=[f"s{i}" for i in range(len(self._table.columns.stat))] or None,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **options,
        )
        return NeuralForecast(models=[network], freq=panel.schema.freq)

    def _correlation(self, panel: Panel, until: int) -> np.ndarray:
        at = visible.rolling_origins(
            panel,
            until=until,
            spec=self.windows,
            per_series=PATH_ORIGINS,
            stride=season_of(self.season, panel.schema.freq),
        )
        y_WH = visible.labels(panel, at, self.windows)
        seen_WH = np.isfinite(y_WH)
        score_WH = scores_of(self._grid(panel, at), LEVELS, np.where(seen_WH, y_WH, 0.0))
        return horizon_correlation(score_WH, seen_WH)

    def _grid(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """Quantiles at `LEVELS`, sorted, [W, H, Q]."""
        if self._pipeline is None:
            raise LeakageError(f"{self.name} has not been fitted; call fit or load first")
        parts = [self._answer(panel, at[low : low + CHUNK]) for low in range(0, len(at), CHUNK)]
        nothing = np.zeros((0, self.windows.horizon, len(LEVELS)))
        return np.sort(np.concatenate([nothing, *parts]), axis=-1)

    def _answer(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        wait = -int(panel.schema.last_visible(TARGET))
        past_T = np.arange(1 - self.windows.context, 1) - wait
        future_T = np.arange(1 - wait, self.windows.horizon + 1)
        table, blind_W = self._table.history(panel, at, past_T)
        if blind_W.any():
            self._table.counts["no_history"] += int(blind_W.sum()) * self.windows.horizon
        with quiet(self.threads):
            frame_of_answers = self._pipeline.predict(
                df=table,
                static_df=self._table.statics(panel, at, table),
                futr_df=self._table.future(panel, at, past_T, future_T),
            )
        grid_WTQ = frame_of_answers.drop(columns=["unique_id", "ds"]).to_numpy(np.float64)
        grid_WTQ = grid_WTQ.reshape(len(at), len(future_T), len(LEVELS))
        return np.where(blind_W[:, None, None], 0.0, grid_WTQ)[:, wait:]

    def _alive(self, panel: Panel, until: int, past_T: np.ndarray) -> WindowIndex:
        """Every series with a visible target among the steps that are learned from."""
        series_N = np.arange(panel.num_series)
        cutoff_N = np.full_like(series_N, until)
        count_N = panel.count_targets(series_N, cutoff_N + past_T[0], cutoff_N + past_T[-1])
        if not count_N.any():
            raise SchemaError(
                f"no series has a visible target at {panel.time_of(until)}; fit {self.name} later"
            )
        return WindowIndex(series_W=series_N, cutoff_W=cutoff_N)[count_N > 0]

    def save(self, folder: Path) -> None:
        """Write our state as JSON, the pipeline in neuralforecast's own form (safetensors)."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "options": self.options,
            "fitted_until": self.fitted_until,
            "columns": asdict(self._table.columns),
            "correlation": self._correlation_HH.tolist(),
        }
        (folder / "forecaster.json").write_text(json.dumps(state, indent=1, sort_keys=True))
        with quiet(self.threads):
            self._pipeline.save(str(folder / "pipeline"), save_dataset=False, overwrite=True)

    def load(self, folder: Path) -> Self:
        """Take up a saved state; CheckpointError if it was saved with other options."""
        from neuralforecast import NeuralForecast

        state = read_state(folder, self.name, self.options)
        self.fitted_until = state["fitted_until"]
        columns = {key: tuple(names) for key, names in state["columns"].items()}
        self._table = WindowTable(columns=Columns(**columns), season=self.season)
        self._correlation_HH = np.asarray(state["correlation"])
        _refuse_pickles(folder / "pipeline")
        with quiet(self.threads):
            self._pipeline = NeuralForecast.load(str(folder / "pipeline"), allow_pickle=False)
        return self


def _refuse_pickles(folder: Path) -> None:
    """CheckpointError for the form of older versions of neuralforecast, which may run code."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".safetensors", ".json"):
            raise CheckpointError(
                f"{path} is no file of weights as neuralforecast writes them today, and reading it"
                " may run code; train anew"
            )
