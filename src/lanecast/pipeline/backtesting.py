"""The core of a backtest: values in, values out; one engine for every forecaster.

Every (series, cutoff) pair of one fit is forecast in one batched call; a refit is a separate fit
that knows nothing later than the first cutoff it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lanecast.config.seasons import season_of
from lanecast.data.forecasts import Forecasts, joined
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowSpec
from lanecast.evaluation.score import SLICES, Scores, evaluate
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.pipeline.engines import Engine, FoldResults, Local
from lanecast.pipeline.facts import model_facts, window_facts
from lanecast.pipeline.folds import (
    Fold,
    FoldOptions,
    History,
    Refit,
    folds_of,
    forecast_fold,
)
from lanecast.whatif.leakage import OtherFutures


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What a backtest came to.

    ``model`` is the last one fitted, ``facts`` what a record says of it.  ``futures``: WAPE by kind
    of future and the leakage in WAPE points of a model with a graph; empty without.  ``windows``
    counts windows, ``seconds`` the time of all fits and of all forecasts.
    """

    forecasts: Forecasts
    scores: Scores
    model: Forecaster
    folds: tuple[Fold, ...]
    futures: Mapping[str, float]
    windows: Mapping[str, int]
    seconds: Mapping[str, float]
    facts: Mapping[str, Any]


def backtest(
    panel: Panel,
    model: Forecaster,
    *,
    windows: WindowSpec,
    cutoffs: Sequence[int],
    refit: Refit | str = "never",
    window: History = "expanding",
    quantiles: Sequence[float] = (),
    samples: int | None = None,
    seed: int = 1,
    season: int | None = None,
    slices: Sequence[str] = SLICES,
    engine: Engine | None = None,
    reporter: Reporter | None = None,
    keep: Callable[[Forecaster, Forecasts], None] | None = None,
) -> Backtest:
    """Forecast every series at every cutoff (ascending steps of the panel) and score it.

    ``model`` is a prototype: every fit is one of a clone; a fitted one with ``refit="never"`` is
    asked as it is.  ``refit``: ``never`` (one fit, at the first cutoff), ``each``, or every k-th
    cutoff; ``window``: ``expanding``, or so many last steps.  ``season``: lag of the MASE scale
    (None: the usual one of the panel's frequency).
    ``keep`` is given the last model and all forecasts before a score can fail.
    """
    options = FoldOptions(
        windows=windows,
        window=window,
        quantiles=tuple(quantiles),
        samples=samples or None,
        seed=seed,
    )
    folds = folds_of(cutoffs, refit)
    if refit == "never" and model.fitted_until is not None:
        _, as_it_is = forecast_fold(panel, model, folds[0], options=options, refit=False)
        results = FoldResults(folds=(as_it_is,), model=model, facts=model_facts(model))
    else:
        engine = engine or Local()
        results = engine.forecast(panel, model, folds, options=options, reporter=reporter)
    others = OtherFutures()
    for fold in results.folds:
        others.add(fold.others)
    forecasts = joined([fold.forecasts for fold in results.folds])
    if keep is not None:
        keep(results.model, forecasts)
    season = season_of(season, panel.schema.freq)
    scores = evaluate(forecasts, panel, windows, season=season, slices=slices)
    return Backtest(
        forecasts=forecasts,
        scores=scores,
        model=results.model,
        folds=tuple(folds),
        futures=others.scores(scores.values["wape"], panel, windows, season=season),
        windows=window_facts(panel, forecasts.index, context=windows.context, cutoffs=cutoffs),
        seconds={
            "fit": sum(fold.fit_seconds for fold in results.folds),
            "predict": sum(fold.predict_seconds for fold in results.folds),
        },
        facts=results.facts,
    )
