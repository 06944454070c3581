"""Smoothing, theta and ARIMA models, fitted anew for every series and cutoff by statsforecast.

Axes: ``W`` windows, ``T`` steps after the last visible target (the target's delay, then the
horizon), ``H`` horizon, ``Q`` quantile levels, ``S`` sample paths.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import ndtri

from lanecast.config.packages import require_package
from lanecast.config.seasons import season_of
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Role
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.classical.naive import SeasonalNaive, read_state
from lanecast.models.protocol import Capabilities, Forecaster, Reporter
from lanecast.models.quantiles.finishing import finish, window_uniforms
from lanecast.models.quantiles.grids import at_scores

LOGGER = logging.getLogger(__name__)
KINDS = ("AutoETS", "AutoTheta", "AutoARIMA")
GRID = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)  # marginals of the sample paths
MIN_PARALLEL = 32  # fewer windows than this are not worth starting workers


class Statistical(Forecaster):
    """One local model per (series, cutoff), on everything visible of the series up to there.

    Quantiles come from the model's own prediction intervals; its point forecast is their middle.
    Sample paths: a Gaussian copula over those quantiles, whose correlation over the horizon is the
    one implied by how the intervals widen (see `path_roots`); exact for additive errors.

    ``counts``: gaps inside a history take the value of a season earlier (``filled_gaps``); a window
    with fewer than ``min_history`` visible steps (``too_short``) and one whose model fails or gives
    numbers that are not finite (``failed``) are forecast by seasonal naive, with a warning.
    """

    def __init__(
        self,
        *,
        windows: WindowSpec,
        kind: str,
        season: int | None = None,
        name: str,
        options: Mapping[str, Any] | None = None,
        max_history: int = 730,
        min_history: int = 15,
        n_jobs: int = 2,
        progress: bool = True,
    ) -> None:
        require_package("statsforecast", extra="baselines", needed_by=f"model={name}")
        if kind not in KINDS:
            raise ConfigError(f"model.kind={kind!r} is not one of {', '.join(KINDS)}")
        if not 1 <= min_history <= max_history:
            raise ConfigError(
                f"model.min_history={min_history} must lie in 1..model.max_history={max_history}"
            )
        self.windows = windows
        self.kind = kind
        self.season = season
        self.name = name
        self.model_options = dict(options or {})
        self.max_history = max_history
        self.min_history = min_history
        self.n_jobs = n_jobs
        self.progress = progress
        self.fitted_until: int | None = None
        self.counts: Counter[str] = Counter()
        self._naive = SeasonalNaive(windows=windows, season=season, name=f"{name} fallback")
        self._reporter: Reporter | None = None

    def describe(self) -> Capabilities:
        """It reads the target alone; its intervals are those of its models."""
        return Capabilities(
            windows=self.windows,
            uses=frozenset({Role.TARGET}),
            quantiles="model",
            alone=True,
            seeded="nothing",
            counts=dict(self.counts),
        )

    def clone(self) -> Self:
        """As in `Forecaster`, without the reporter of this one's fit."""
        other = copy.copy(self)
        other._naive, other._reporter, other.counts = self._naive.clone(), None, Counter()
        return other

    def __getstate__(self) -> dict[str, Any]:
        """A copy, also within a wrapper or for a worker, reports to nobody."""
        return {**vars(self), "_reporter": None}

    @property
    def options(self) -> dict[str, Any]:
        """What decides the forecasts; a checkpoint of other options is refused."""
        return {
            "windows": asdict(self.windows),
            "kind": self.kind,
            "season": self.season,
            "options": self.model_options,
            "max_history": self.max_history,
            "min_history": self.min_history,
        }

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Note ``until`` and fit the fallback; the models themselves are local to each cutoff."""
        self._naive.fit(panel, until=until, reporter=reporter)
        self.counts = Counter()
        self._reporter = reporter
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
        """Forecast the windows ``at``, all local fits in one parallel pass."""
        visible.refuse_early(self.name, self.fitted_until, panel, at)
        levels = tuple(quantiles or ())
        grid = tuple(sorted({*levels, *GRID} if samples else levels))
        wait = -int(panel.schema.last_visible(TARGET))
        values_WTQ = self._fit_windows(panel, at, wait + self.windows.horizon, grid)
        own_W = np.isfinite(values_WTQ).all(axis=(1, 2))
        fallback = self._naive.predict(
            panel, at=at[~own_W], quantiles=grid, samples=samples, seed=seed
        )
        point_WH, grid_WHQ = values_WTQ[:, wait:, 0], values_WTQ[:, wait:, 1:]
        point_WH[~own_W] = fallback.point_WH
        if fallback.quantiles_WHQ is not None:
            grid_WHQ[~own_W] = fallback.quantiles_WHQ
        paths_SWH = None
        if samples:
            paths_SWH = np.empty((samples, *point_WH.shape))
            paths_SWH[:, own_W] = sample_paths(
                panel, values_WTQ[own_W, :, 1:], grid, at[own_W], samples, seed
            )[..., wait:]
            paths_SWH[:, ~own_W] = fallback.samples_SWH
        return finish(
            panel=panel,
            at=at,
            point_WH=point_WH,
            levels=levels,
            quantiles_WHQ=grid_WHQ[..., [grid.index(q) for q in levels]] if levels else None,
            samples_SWH=paths_SWH,
        )

    def _fit_windows(
        self, panel: Panel, at: WindowIndex, steps: int, grid: tuple[float, ...]
    ) -> np.ndarray:
        """Point and quantiles of each window, [W, T, 1 + Q]; NaN where the fallback must answer."""
        histories = [self._history(panel, at, row) for row in range(len(at))]
        fits = [row for row, y_T in enumerate(histories) if len(y_T)]
        values_WTQ = np.full((len(at), steps, 1 + len(grid)), np.nan)
        answers = self._run([histories[row] for row in fits], steps, grid)
        for row, answer in zip(fits, answers, strict=True):
            values_WTQ[row] = answer
        self._report(np.isfinite(values_WTQ).all(axis=(1, 2)), num_fits=len(fits))
        return values_WTQ

    def _history(self, panel: Panel, at: WindowIndex, row: int) -> np.ndarray:
        """The visible targets of one window from the first present one on, gaps filled."""
        series = int(at.series_W[row])
        newest = int(at.cutoff_W[row]) + int(panel.schema.last_visible(TARGET))
        low = int(panel.low[series])
        stop = int(np.clip(newest + 1 - panel.start[series], 0, panel.high[series] - low))
        y_T = panel.cells(TARGET).numpy()[max(low, low + stop - self.max_history) : low + stop]
        # A series that ended before the cutoff is silent since then: the silence is a gap as well.
        silent = max(0, newest + 1 - int(panel.start[series]) - stop)
        y_T = np.concatenate([y_T.astype(np.float64), np.full(silent, np.nan)])[-self.max_history :]
        present = np.flatnonzero(np.isfinite(y_T))
        if len(present) < self.min_history:
            self.counts["too_short"] += 1
            return y_T[:0]
        y_T = y_T[present[0] :]
        gaps, season = np.flatnonzero(~np.isfinite(y_T)), season_of(self.season, panel.schema.freq)
        for step in gaps.tolist():
            y_T[step] = y_T[max(0, step - season)]
        if len(gaps):
            self.counts["filled_gaps"] += len(gaps)
        return y_T

    def _run(
        self, histories: list[np.ndarray], steps: int, grid: tuple[float, ...]
    ) -> Iterable[np.ndarray]:
        from joblib import Parallel, delayed
        from rich.console import Console
        from rich.progress import track

        few = len(histories) < MIN_PARALLEL
        task = delayed(fit_locally)
        options = {"season_length": self.season, **self.model_options}
        with_jobs = Parallel(
            n_jobs=1 if few else self.n_jobs,
            return_as="generator",
            backend=None if few else "loky",
            inner_max_num_threads=None if few else 1,
        )
        answers = with_jobs(task(self.kind, options, y, steps, grid) for y in histories)
        return track(
            answers,
            description=f"{self.name}: series x cutoffs",
            total=len(histories),
            disable=few or not self.progress,
            console=Console(stderr=True),
        )

    def _report(self, own_W: np.ndarray, *, num_fits: int) -> None:
        num_failed = num_fits - int(own_W.sum())
        if num_failed:
            self.counts["failed"] += num_failed
        if num_fallback := int((~own_W).sum()):
            message = (
                f"{self.name}: {num_fallback} of {len(own_W)} windows are forecast by seasonal"
                f" naive ({len(own_W) - num_fits} shorter than {self.min_history} steps,"
                f" {num_failed} where {self.kind} failed)"
            )
            LOGGER.warning(message)
            if self._reporter is not None:
                self._reporter.warn(message)

    def save(self, folder: Path) -> None:
        """Write the options and the fallback."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {"options": self.options, "fitted_until": self.fitted_until}
        (folder / "forecaster.json").write_text(json.dumps(state, indent=1, sort_keys=True))
        self._naive.save(folder / "fallback")

    def load(self, folder: Path) -> Self:
        """Take up a saved state; CheckpointError if it was saved with other options."""
        self.fitted_until = read_state(folder, self.name, self.options)["fitted_until"]
        self._naive.load(folder / "fallback")
        self.counts = Counter()
        return self


def fit_locally(
    kind: str, options: Mapping[str, Any], y_T: np.ndarray, steps: int, grid: Sequence[float]
) -> np.ndarray:
    """Point forecast, then one quantile per level of ``grid``, [T, 1 + Q]; NaN if it fails."""
    from statsforecast import models

    level_of = {q: round(100 * abs(1 - 2 * q), 6) for q in grid if q != 0.5}
    rows = np.full((steps, 1 + len(grid)), np.nan)
    # The models' own starting values divide by zero on constant series, and say so each time.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model = getattr(models, kind)(**options)
            answer = model.forecast(y=y_T, h=steps, level=sorted(set(level_of.values())) or None)
        except Exception:  # counted by the caller: one odd series must not end the run
            return rows
    rows[:, 0] = middle = answer["mean"]
    for column, q in enumerate(grid, start=1):
        if q == 0.5:
            rows[:, column] = middle
        elif q < 0.5:
            rows[:, column] = np.minimum(middle, answer[f"lo-{level_of[q]}"])
        else:
            rows[:, column] = np.maximum(middle, answer[f"hi-{level_of[q]}"])
    return rows


def path_roots(grid_WTQ: np.ndarray, grid: tuple[float, ...]) -> np.ndarray:
    """Roots of the correlation between steps that the growth of the intervals implies, [W, T, T].

    Errors of these models are ``e[h] = u[h] + sum_j c[j] u[h - j]`` of one-step errors u, so that
    ``var[h + 1] - var[h] = c[h] ** 2 var[1]``: the widths give back c, hence the correlation.
    Smoothing weights are positive, so c is taken as >= 0.
    """
    spread_WT = grid_WTQ[..., grid.index(0.9)] - grid_WTQ[..., grid.index(0.1)]
    variance_WT = spread_WT**2
    steps = spread_WT.shape[1]
    first_W1 = np.maximum(variance_WT[:, :1], 1e-300)
    weight_WT = np.sqrt(np.maximum(np.diff(variance_WT, axis=1), 0.0) / first_W1)
    weight_WT = np.concatenate([np.ones_like(first_W1), weight_WT], axis=1)
    lag_TT = np.arange(steps)[:, None] - np.arange(steps)
    root_WTT = np.where(lag_TT >= 0, weight_WT[:, np.abs(lag_TT)], 0.0)
    return np.asarray(root_WTT / np.linalg.norm(root_WTT, axis=2, keepdims=True))


def sample_paths(
    panel: Panel,
    grid_WTQ: np.ndarray,
    grid: tuple[float, ...],
    at: WindowIndex,
    num: int,
    seed: int,
) -> np.ndarray:
    """Paths through the quantile grid, [S, W, T]."""
    steps = grid_WTQ.shape[1]
    draw_SWT = ndtri(window_uniforms(panel, at, num=num, size=steps, seed=seed))
    score_SWT = np.einsum("swt,wht->swh", draw_SWT, path_roots(grid_WTQ, grid))
    paths = [at_scores(grid_WTQ, grid, score_WT) for score_WT in score_SWT]
    return np.stack(paths)
