"""Forecasts that need no training: the last season again, or a column known in advance.

Axes: ``W`` windows, ``L`` context, ``H`` horizon.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from lanecast.config.seasons import season_of
from lanecast.data import visible
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import Role
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import CheckpointError, ConfigError, LeakageError, SchemaError
from lanecast.models.classical.residuals import ResidualPool, window_levels
from lanecast.models.protocol import Capabilities, Forecaster, Reporter


class Baseline(Forecaster, ABC):
    """A point forecast with intervals from its own past residuals (see `residuals`).

    Residuals come from the newest ``origins`` rolling origins of each series, ``stride`` steps
    apart, whose labels are known at ``until``.  ``counts`` tells how often a documented fallback
    was used since the last fit; nothing falls back silently.
    """

    uses: frozenset[Role] = frozenset({Role.TARGET})

    def __init__(self, *, windows: WindowSpec, name: str, origins: int, stride: int) -> None:
        for key, value in (("origins", origins), ("stride", stride)):
            if value < 1:
                raise ConfigError(f"model.{key}={value} must be at least 1; set model.{key}")
        self.windows = windows
        self.name = name
        self.origins = origins
        self.stride = stride
        self.fitted_until: int | None = None
        self.counts: Counter[str] = Counter()
        self._pool: ResidualPool | None = None

    def describe(self) -> Capabilities:
        """As every baseline: it reads no statics, validates nothing and draws nothing."""
        return Capabilities(
            windows=self.windows,
            uses=self.uses,
            quantiles="residuals",
            seeded="nothing",
            counts=dict(self.counts),
        )

    def clone(self) -> Self:
        """As in `Forecaster`; a fit replaces all that it learns."""
        return copy.copy(self)

    @property
    def options(self) -> dict[str, Any]:
        """What the constructor was given; a checkpoint of other options is refused."""
        return {"windows": asdict(self.windows), "origins": self.origins, "stride": self.stride}

    @abstractmethod
    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """Point forecasts, [W, H]; NaN only where the window cannot be answered."""

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Collect the residuals known at ``until``."""
        self.windows.check_against(panel)
        self.counts = Counter()
        at = visible.rolling_origins(
            panel, until=until, spec=self.windows, per_series=self.origins, stride=self.stride
        )
        point_WH = self.point(panel, at)
        self.counts = Counter()  # fallbacks among past windows do not concern a forecast
        self._pool = ResidualPool.estimate(
            panel=panel,
            at=at,
            point_WH=point_WH,
            label_WH=visible.labels(panel, at, self.windows),
            level_W=window_levels(visible.context(panel, at, self.windows)),
        )
        if not self._pool.error and reporter is not None:
            reporter.warn(
                f"{self.name}: no complete past window is known at {panel.time_of(until)};"
                " its intervals have width 0"
            )
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
        """Forecast the windows ``at``."""
        visible.refuse_early(self.name, self.fitted_until, panel, at)
        point_WH = self.point(panel, at)
        return self.pool.forecasts(
            panel=panel,
            at=at,
            point_WH=point_WH,
            level_W=window_levels(visible.context(panel, at, self.windows)),
            quantiles=quantiles,
            samples=samples,
            seed=seed,
        )

    @property
    def pool(self) -> ResidualPool:
        """The residuals of the last fit."""
        if self._pool is None:
            raise LeakageError(f"{self.name} has not been fitted; call fit or load first")
        return self._pool

    def _count(self, fallback: str, number: int) -> None:
        if number:
            self.counts[fallback] += number

    def save(self, folder: Path) -> None:
        """Write the options and the residuals."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {"options": self.options, "fitted_until": self.fitted_until}
        (folder / "forecaster.json").write_text(json.dumps(state, indent=1, sort_keys=True))
        self.pool.save(folder / "residuals.npz")

    def load(self, folder: Path) -> Self:
        """Take up a saved state; CheckpointError if it was saved with other options."""
        self.fitted_until = read_state(folder, self.name, self.options)["fitted_until"]
        self._pool = ResidualPool.load(folder / "residuals.npz")
        self.counts = Counter()
        return self


class SeasonalNaive(Baseline):
    """The newest visible value of the same phase of the season.

    ``season`` in steps; None follows the panel's frequency, and is read as far back as it needs.
    Fallbacks, counted per forecast step: a missing value is taken from a season earlier
    (``older_season``); a phase that the context never shows gets the context's mean
    (``context_mean``), and a window without any visible target gets 0 (``no_history``).
    """

    def __init__(
        self,
        *,
        windows: WindowSpec,
        season: int | None = None,
        name: str = "seasonal_naive",
        origins: int = 26,
        stride: int = 7,
    ) -> None:
        super().__init__(windows=windows, name=name, origins=origins, stride=stride)
        if season is not None and not 1 <= season <= windows.context:
            raise ConfigError(
                f"model.season={season} must lie in 1..windows.context={windows.context}; lower"
                " model.season or raise windows.context"
            )
        self.season = season

    @property
    def options(self) -> dict[str, Any]:
        """As in `Baseline`."""
        return {**super().options, "season": self.season}

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `Baseline`; always finite."""
        season = season_of(self.season, panel.schema.freq)
        delay = -int(panel.schema.last_visible("y"))
        context = max(self.windows.context, season + delay)
        y_WL = visible.context(panel, at, replace(self.windows, context=context))
        newest = context - 1 - delay  # along L
        point_WH = np.full((len(at), self.windows.horizon), np.nan)
        for step in range(self.windows.horizon):
            phase = np.arange(context + step, -1, -season)
            phase = phase[phase <= newest]
            for number, column in enumerate(phase):
                empty_W = np.isnan(point_WH[:, step])
                point_WH[empty_W, step] = y_WL[empty_W, column]
                if number:
                    self._count("older_season", int((empty_W & ~np.isnan(y_WL[:, column])).sum()))
        return self._fill(point_WH, y_WL)

    def _fill(self, point_WH: np.ndarray, y_WL: np.ndarray) -> np.ndarray:
        empty_WH = np.isnan(point_WH)
        blind_W = np.isnan(y_WL).all(axis=1)
        mean_W = np.where(np.isnan(y_WL), 0.0, y_WL).sum(axis=1)
        mean_W = mean_W / np.maximum((~np.isnan(y_WL)).sum(axis=1), 1)
        self._count("no_history", int(empty_WH[blind_W].sum()))
        self._count("context_mean", int(empty_WH[~blind_W].sum()))
        return np.where(empty_WH, mean_W[:, None], point_WH)


class KnownColumn(Baseline):
    """A known_future column in the target's unit, such as a published schedule, used as it stands.

    It has no fallback: a value that is missing, or that its lead hides, is a SchemaError.
    """

    uses = frozenset({Role.TARGET, Role.KNOWN_FUTURE})

    def __init__(
        self,
        *,
        windows: WindowSpec,
        column: str,
        name: str = "schedule",
        origins: int = 26,
        stride: int = 7,
    ) -> None:
        super().__init__(windows=windows, name=name, origins=origins, stride=stride)
        self.column = column

    @property
    def options(self) -> dict[str, Any]:
        """As in `Baseline`."""
        return {**super().options, "column": self.column}

    def point(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """As in `Baseline`; past windows without the column carry NaN and leave no residual."""
        if self.column not in panel.schema.known:
            raise SchemaError(
                f"model {self.name!r} forecasts with column {self.column!r}, which is not declared"
                f" known_future; the panel has {list(panel.schema.known)}: declare it in"
                f" data.schema.columns or set model.column"
            )
        return visible.visible(panel, at, self.column, np.arange(1, self.windows.horizon + 1))

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
    ) -> Forecasts:
        """As in `Baseline`; SchemaError where a value is missing."""
        forecasts = super().predict(panel, at=at, quantiles=quantiles, samples=samples, seed=seed)
        missing = np.argwhere(np.isnan(forecasts.point_WH))
        if len(missing):
            window, step = missing[0]
            time = panel.time_of(int(at.cutoff_W[window]) + int(step) + 1)
            lead = panel.schema.lead_steps(self.column)
            hidden = lead is not None and step + 1 > lead
            reason = f"hidden by its lead of {lead} steps" if hidden else "missing"
            raise SchemaError(
                f"column {self.column!r} is {reason} for series"
                f" {str(panel.series[at.series_W[window]])!r} at {time} (step {step + 1} after the"
                f" cutoff; {len(missing)} such values in all); supply it, shorten windows.horizon"
                " or choose another model"
            )
        return forecasts


def read_state(folder: Path, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The saved state in ``folder``; CheckpointError if it is absent or of other options."""
    path = folder / "forecaster.json"
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; give a folder that {name} was saved to")
    state: dict[str, Any] = json.loads(path.read_text())
    expected = json.loads(json.dumps(options))
    if state["options"] != expected:
        keys = sorted(expected.keys() | state["options"].keys())
        other = [key for key in keys if state["options"].get(key) != expected.get(key)]
        raise CheckpointError(
            f"{path} was saved by a model with other options ({', '.join(other)}); build {name}"
            " with the configuration of the run that saved it"
        )
    return state
