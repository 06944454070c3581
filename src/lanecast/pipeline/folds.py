"""One fit and the cutoffs that it serves: of these are backtests, and all checks that refit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.visibility.as_known import as_known
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import ConfigError
from lanecast.models.as_known import answerable, predict_as_known
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.whatif.leakage import OtherFutures

Refit = Literal["never", "each"] | int
History = Literal["expanding"] | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One fit and the cutoffs it serves; the fit knows nothing after ``until``."""

    until: int
    cutoffs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldOptions:
    """What every fold of a backtest is asked.

    ``window``: the history a fit may learn from, ``expanding`` or its last so many steps.
    """

    windows: WindowSpec
    window: History = "expanding"
    quantiles: tuple[float, ...] = ()
    samples: int | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldForecasts:
    """What one fold came to; ``others``: the forecasts with other futures of its treatments."""

    forecasts: Forecasts
    others: OtherFutures
    fit_seconds: float
    predict_seconds: float


def folds_of(cutoffs: Sequence[int], refit: Refit | str) -> list[Fold]:
    """Group cutoffs by the fit that serves them: never, each, or every k-th cutoff."""
    if not cutoffs or any(later <= earlier for earlier, later in pairwise(cutoffs)):
        raise ConfigError(f"a backtest needs cutoffs in ascending order, not {list(cutoffs)}")
    every = {"never": len(cutoffs), "each": 1}.get(str(refit))
    if every is None:
        if not str(refit).isdigit() or int(refit) < 1:
            raise ConfigError(f"protocol.refit={refit!r} is not never, each or a count of cutoffs")
        every = int(refit)
    groups = [tuple(cutoffs[i : i + every]) for i in range(0, len(cutoffs), every)]
    return [Fold(until=group[0], cutoffs=group) for group in groups]


def history_of(window: History | str) -> History:
    """``protocol.window`` as a value: ``expanding``, or a count of steps."""
    if str(window) == "expanding":
        return "expanding"
    if not str(window).isdigit() or int(window) < 1:
        raise ConfigError(f"protocol.window={window!r} is not expanding or a count of steps")
    return int(window)


def fitted(
    panel: Panel,
    model: Forecaster,
    *,
    until: int,
    window: History = "expanding",
    reporter: Reporter | None = None,
) -> Forecaster:
    """A clone of ``model``, which stays as it is, fitted on what is known at ``until``.

    With ``window`` it learns from the last so many steps alone (sliding).
    """
    history = panel if window == "expanding" else panel.since(until - window + 1)
    return model.clone().fit(as_known(history, until), until=until, reporter=reporter)


def forecast_fold(
    panel: Panel,
    model: Forecaster,
    fold: Fold,
    *,
    options: FoldOptions,
    refit: bool = True,
    reporter: Reporter | None = None,
) -> tuple[Forecaster, FoldForecasts]:
    """Fit a clone, or with ``refit=False`` take the fitted ``model``, and forecast the cutoffs."""
    started = time.perf_counter()
    if refit:
        model = fitted(panel, model, until=fold.until, window=options.window, reporter=reporter)
    ready = time.perf_counter()
    at = answerable(model, panel, windows_at(panel, fold.cutoffs, options.windows), reporter)
    forecasts = predict_as_known(
        model,
        panel,
        at=at,
        quantiles=list(options.quantiles),
        samples=options.samples,
        seed=options.seed,
    )
    predicted = time.perf_counter()
    others = OtherFutures()
    others.ask(model, panel, at, seed=options.seed)
    return model, FoldForecasts(
        forecasts=forecasts,
        others=others,
        fit_seconds=ready - started,
        predict_seconds=predicted - ready,
    )
