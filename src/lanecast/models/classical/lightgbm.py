"""LightGBM on lags, through mlforecast: one global model, recursive over the horizon.

What was chosen on data before the first backtest cutoff (flights before 2013-07-04, parcel lanes
before 2022-03-31): targets divided by the level of their window, the l1 objective weighted by that
level (together they minimize what WAPE scores), and no position in the year among the features,
which a tree cannot extrapolate.  mlforecast's direct mode reads future columns at the first step
only, so the recursive one is used.

Axes: ``W`` windows, ``T`` steps relative to the cutoff, ``H`` horizon.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from lanecast.config.packages import require_package
from lanecast.config.seasons import season_of
from lanecast.data import visible
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Role
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import ConfigError, LeakageError, SchemaError
from lanecast.models.classical.longframe import columns_at, fill_gaps, stack
from lanecast.models.classical.naive import Baseline, read_state
from lanecast.models.classical.residuals import ResidualPool, window_levels
from lanecast.models.protocol import Capabilities, Reporter

# Parameters, by all their names, that open connections or name files.
OUTSIDE = frozenset(
    {"machines", "workers", "nodes", "num_machines", "num_machine", "machine_list_filename"}
    | {"machine_list_file", "machine_list", "mlist", "local_listen_port", "local_port", "port"}
    | {"output_model", "model_output", "model_out", "save_period", "snapshot_freq", "input_model"}
    | {"model_input", "model_in", "output_result", "predict_result", "prediction_result"}
    | {"forcedsplits_filename", "fs", "forced_splits_filename", "forced_splits_file"}
    | {"forced_splits", "forcedbins_filename", "save_binary", "is_save_binary", "config"}
    | {"is_save_binary_file", "config_file", "convert_model", "convert_model_file"}
    | {"parser_config_file"}
)
CHUNK = 4096  # windows whose features are held in memory at once


class LightGBM(Baseline):
    """Gradient-boosted trees on lags, rolling means, known_future columns, calendar and statics.

    Observed columns are not read: the recursion would need their future.  A known_future column
    with a lead is hidden from a training row as if the row were 1, 2, ..., H steps ahead in turn,
    so that the trees learn to do without it beyond its lead.  ``anchor`` names a known_future
    column in the target's unit (a schedule); where the panel has it, the trees learn what the
    target adds to it.

    Intervals: residuals of a second model, fitted before the calibration origins (``origins`` of
    them, ``stride`` steps apart, the last before ``until``).

    ``counts``: gaps in a history take the value of a season earlier (``filled_gaps``), a known
    value that is missing is left to the trees (``known_missing``), and a window without any visible
    target gets 0 plus the anchor (``no_history``).
    """

    uses = frozenset({Role.TARGET, Role.KNOWN_FUTURE, Role.STATIC})

    def __init__(
        self,
        *,
        windows: WindowSpec,
        season: int | None = None,
        name: str = "lightgbm",
        anchor: str | None = None,
        lags: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 14, 21, 28),
        rolling: Sequence[int] = (7, 28, 56),
        skip_calendar: Sequence[str] = ("yearday",),
        params: Mapping[str, Any] | None = None,
        max_history: int = 730,
        threads: int = 1,
        seed: int = 1,
        origins: int = 6,
        stride: int = 7,
    ) -> None:
        for package in ("lightgbm", "mlforecast"):
            require_package(package, extra="baselines", needed_by=f"model={name}")
        super().__init__(windows=windows, name=name, origins=origins, stride=stride)
        if outside := OUTSIDE & set(params or {}):
            raise ConfigError(
                f"model.params.{min(outside)} reaches files or other machines; take it out"
            )
        if not lags or min(lags) < 1:
            raise ConfigError(f"model.lags={list(lags)} must be a list of steps >= 1")
        self.season = season
        self.anchor = anchor
        self.lags = tuple(lags)
        self.rolling = tuple(rolling)
        self.skip_calendar = tuple(skip_calendar)
        self.params = dict(params or {})
        self.max_history = max_history
        self.threads = threads
        self.seed = seed
        self._booster: Any = None
        self._least_level = 1.0
        self._columns: list[str] = []

    @property
    def options(self) -> dict[str, Any]:
        """As in `Baseline`."""
        names = ("season", "anchor", "lags", "rolling", "skip_calendar", "params", "max_history")
        return {
            **super().options,
            **{name: getattr(self, name) for name in names},
            "seed": self.seed,
        }

    def describe(self) -> Capabilities:
        """As in `Baseline`, with the statics it was fitted on."""
        kind = "static "
        names = tuple(n.removeprefix(kind) for n in self._columns if n.startswith(kind))
        fitted = self._booster is not None
        return replace(super().describe(), seeded="all", static_names=names if fitted else None)

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Fit before the calibration origins for the residuals, then on all until ``until``."""
        self.windows.check_against(panel)
        self._columns = self._features(panel)
        self._pool = self._calibrate(panel, until)
        self._learn(panel, until)
        self.counts = Counter()
        if not self._pool.error and reporter is not None:
            reporter.warn(
                f"{self.name}: too little history at {panel.time_of(until)} to calibrate on;"
                " its intervals have width 0"
            )
        self.fitted_until = until
        return self

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `Baseline`; always finite."""
        if self._booster is None:
            raise LeakageError(f"{self.name} has not been fitted; call fit or load first")
        if (columns := self._features(panel)) != self._columns:
            raise SchemaError(
                f"{self.name} was fitted with the columns {self._columns}, but this panel offers"
                f" {columns}; declare the same columns with the same roles"
            )
        parts = [
            self._point(panel, at[first : first + CHUNK]) for first in range(0, len(at), CHUNK)
        ]
        return np.concatenate([np.zeros((0, self.windows.horizon)), *parts])

    def _features(self, panel: Panel) -> list[str]:
        """Known_future and calendar columns among the features, then the statics."""
        dates = [n for n in panel.calendar_names if not n.startswith(self.skip_calendar)]
        return [*panel.schema.known, *dates, *(f"static {n}" for n in panel.static_names)]

    def _calibrate(self, panel: Panel, until: int) -> ResidualPool:
        spec = self.windows
        last = until - panel.schema.delay_steps(TARGET) - spec.horizon
        cutoffs = [last - number * self.stride for number in range(self.origins)][::-1]
        first = int(panel.start.min())
        cutoffs = [cutoff for cutoff in cutoffs if 2 * (cutoff - first) >= until - first]
        at = windows_at(panel, cutoffs, spec)
        if not cutoffs or not len(windows_at(panel, cutoffs[:1], spec)):
            nothing = np.zeros((0, spec.horizon))
            return ResidualPool.estimate(
                panel=panel, at=at[:0], point_WH=nothing, label_WH=nothing, level_W=np.zeros(0)
            )
        self._learn(panel, cutoffs[0])
        return ResidualPool.estimate(
            panel=panel,
            at=at,
            point_WH=self.point(panel, at),
            label_WH=visible.labels(panel, at, spec),
            level_W=window_levels(visible.context(panel, at, spec)),
        )

    def _learn(self, panel: Panel, until: int) -> None:
        """Fit the booster on every series that is alive at ``until``."""
        import lightgbm

        at = windows_at(panel, [until], self.windows)
        if not len(at):
            raise SchemaError(
                f"no series has windows.min_context={self.windows.min_context} visible targets at"
                f" {panel.time_of(until)}; fit {self.name} later or lower windows.min_context"
            )
        level_W = window_levels(visible.context(panel, at, self.windows))
        self._least_level = 1e-2 * float(level_W.mean()) or 1.0
        wait = -int(panel.schema.last_visible(TARGET))
        ahead_T = np.arange(1 - self.max_history, 1) - wait
        columns, present_WT, begun_WT = self._table(panel, at, ahead_T)
        for number, name in enumerate(panel.schema.known):
            step_WT = (at.cutoff_W[:, None] + ahead_T) % self.windows.horizon + 1
            columns[f"x{number}"][step_WT > panel.schema.last_visible(name)] = np.nan
        frame = stack(panel, at, ahead_T, {**columns, "present": present_WT}, begun_WT)
        table = self._engine(panel).preprocess(
            frame, static_features=self._static_names(columns), dropna=False
        )
        table = table[table["present"]].drop(columns=["unique_id", "ds", "present"])
        model = lightgbm.LGBMRegressor(
            **{"objective": "l1", "verbosity": -1, **self.params},
            seed=self.seed,
            num_threads=self.threads,
            deterministic=True,
            force_row_wise=True,
        )
        # Around 1 in any unit: leaves have a least weight.  A power of two is exact.
        weight = table["level"] / 2.0 ** np.round(np.log2(table["level"].mean()))
        model.fit(table.drop(columns="y"), table["y"], sample_weight=weight)
        # Through text, so that a model just fitted and one loaded are the same object.
        self._booster = lightgbm.Booster(model_str=model.booster_.model_to_string())

    def _point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        horizon, wait = self.windows.horizon, -int(panel.schema.last_visible(TARGET))
        season = season_of(self.season, panel.schema.freq)
        needed = max(*self.lags, *self.rolling, 4 * season, self.windows.context) + season
        past_T = np.arange(1 - needed, 1) - wait
        future_T = np.arange(1 - wait, horizon + 1)
        past, present_WT, begun_WT = self._table(panel, at, past_T)
        future, _, _ = self._table(panel, at, future_T)
        blind_W = np.asarray(~present_WT.any(axis=1))
        begun_WT[blind_W, -1] = True  # mlforecast needs a row; the answer is replaced below
        past["y"][blind_W] = 0.0
        self._count("filled_gaps", int((begun_WT & ~present_WT)[~blind_W].sum()))
        self._count("no_history", int(blind_W.sum()) * horizon)
        for number, column in enumerate(panel.schema.known):
            due_T = future_T <= panel.schema.last_visible(column)
            missing = int(np.isnan(future[f"x{number}"][:, due_T]).sum())
            self._count("known_missing", missing)
        engine = self._engine(panel)
        frame = stack(panel, at, past_T, past, begun_WT)
        statics = self._static_names(past)
        ahead = {name: x_WT for name, x_WT in future.items() if name not in (*statics, "y")}
        every_WT = np.ones((len(at), len(future_T)), dtype=bool)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found null values")
            engine.preprocess(frame, static_features=statics, dropna=False)
            engine.models_ = {"lightgbm": self._booster}
            forecasts = engine.predict(
                len(future_T),
                X_df=stack(panel, at, future_T, ahead, every_WT) if ahead else None,
            )
        add_WT = forecasts["lightgbm"].to_numpy().reshape(len(at), -1)
        add_WT = np.where(blind_W[:, None], 0.0, add_WT)
        point_WT = add_WT * future["level"] + self._anchor_values(panel, at, future_T)
        return np.asarray(point_WT[:, wait:])

    def _table(
        self, panel: Panel, at: WindowIndex, ahead_T: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Columns of the long table, each [W, T]: in units of the level where they are targets.

        Also which targets are present, and which steps follow the first of them.
        """
        level_W1 = window_levels(visible.context(panel, at, self.windows))[:, None]
        level_W1 = np.maximum(level_W1, self._least_level)
        dynamic = self._columns[: len(self._columns) - len(panel.static_names)]
        y_WT = visible.visible(panel, at, TARGET, ahead_T)
        y_WT = (y_WT - self._anchor_values(panel, at, ahead_T)) / level_W1
        filled_WT, begun_WT = fill_gaps(y_WT, season_of(self.season, panel.schema.freq))
        table = {"y": filled_WT}
        for number, (name, x_WT) in enumerate(columns_at(panel, at, ahead_T, dynamic).items()):
            column = panel.schema.columns.get(name)
            in_target_unit = column is not None and column.scale == "target"
            table[f"x{number}"] = x_WT / level_W1 if in_target_unit else x_WT
        table["level"] = np.broadcast_to(level_W1, y_WT.shape)
        for number in range(len(panel.static_names)):
            static_W1 = panel.statics.numpy()[at.series_W, number, None].astype(np.float64)
            table[f"static{number}"] = np.broadcast_to(static_W1, y_WT.shape)
        return table, np.isfinite(y_WT), begun_WT

    def _anchor_values(self, panel: Panel, at: WindowIndex, ahead_T: np.ndarray) -> np.ndarray:
        """The anchor, [W, T]; zeros without one.  A missing future value is a SchemaError."""
        if self.anchor is None or self.anchor not in panel.schema.known:
            return np.zeros((len(at), len(ahead_T)))
        values_WT = visible.visible(panel, at, self.anchor, ahead_T)
        missing = np.argwhere(np.isnan(values_WT) & (ahead_T > 0))
        if len(missing):
            window, step = missing[0]
            raise SchemaError(
                f"anchor column {self.anchor!r} is not known for series"
                f" {str(panel.series[at.series_W[window]])!r} at"
                f" {panel.time_of(int(at.cutoff_W[window] + ahead_T[step]))}; supply it, or set"
                " model.anchor=null"
            )
        return values_WT

    def _engine(self, panel: Panel) -> Any:
        from mlforecast import MLForecast
        from mlforecast.lag_transforms import RollingMean, SeasonalRollingMean

        means: Any = [RollingMean(length, min_samples=1) for length in self.rolling]
        season = season_of(self.season, panel.schema.freq)
        same_phase: Any = SeasonalRollingMean(season, 4, min_samples=1)
        return MLForecast(
            models={},
            freq=panel.schema.freq,
            lags=list(self.lags),
            lag_transforms={1: means, season: [same_phase]},
            num_threads=1,
        )

    @staticmethod
    def _static_names(columns: Mapping[str, np.ndarray]) -> list[str]:
        return [name for name in columns if name == "level" or name.startswith("static")]

    def save(self, folder: Path) -> None:
        """Write options, residuals, and the booster as text."""
        super().save(folder)
        state = json.loads((folder / "forecaster.json").read_text())
        state |= {"least_level": self._least_level, "columns": self._columns}
        (folder / "forecaster.json").write_text(json.dumps(state, indent=1, sort_keys=True))
        self._booster.save_model(folder / "lightgbm.txt")

    def load(self, folder: Path) -> Self:
        """As in `Baseline`."""
        import lightgbm

        super().load(folder)
        state = read_state(folder, self.name, self.options)
        self._least_level, self._columns = state["least_level"], state["columns"]
        self._booster = lightgbm.Booster(model_file=folder / "lightgbm.txt")
        return self
