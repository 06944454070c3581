"""What is done with a panel and a model: values in, values out.

A model is a prototype: what fits it fits a copy, and leaves it as it is.  Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd

from lanecast.api.decisions import PlanResult, WhatIfResult
from lanecast.api.inputs import Table, with_days_ahead
from lanecast.api.results import BacktestResult, ComparisonResult, ForecastResult
from lanecast.api.words import in_python, python_words
from lanecast.config import instantiate
from lanecast.config.choosing import composed, plan_config
from lanecast.data.cutoffs import cutoff_step, rolling_cutoffs
from lanecast.data.panel import Panel
from lanecast.data.statics import encoded_as
from lanecast.errors import ConfigError, ScenarioError
from lanecast.models.protocol import Forecaster
from lanecast.pipeline import backtesting, folds, forecasting, opening, scenarios
from lanecast.pipeline.building import plain_config
from lanecast.pipeline.engines import Notes
from lanecast.pipeline.opening import OpenedRun
from lanecast.planning import planning
from lanecast.planning.network import FrameNetwork, PricedNetwork, TableNetwork
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.tables import scenarios_from
from lanecast.report.table import METRICS, compare_runs
from lanecast.report.table import compare as compare_folders
from lanecast.whatif.actions import interventions_of

Time = str | pd.Timestamp
QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def fit(panel: Panel, model: Forecaster, *, until: Time | None = None) -> Forecaster:
    """A copy of ``model``, fitted on what is known at ``until`` (default: the last target).

    ConfigError for a time that is no step of the panel, SchemaError where the panel is too short.
    """
    _check_model(model)
    step = _step(panel, until, key="until")
    with python_words():
        return folds.fitted(panel, model, until=step)


def backtest(
    panel: Panel,
    model: Forecaster,
    *,
    cutoffs: int | Sequence[Time] = 6,
    step: int | None = None,
    refit: folds.Refit = "never",
    quantiles: Sequence[float] = QUANTILES,
    samples: int = 0,
    season: int | None = None,
    seed: int = 1,
) -> BacktestResult:
    """Forecast every series from several cutoffs, and score the forecasts.

    ``cutoffs``: how many, the last window ending with the last target, or their times in ascending
    order.  ``step``: steps between two of them (default: the horizon).
    ``refit``: ``"never"`` fits once, at the first cutoff; ``"each"`` at every one; a number at
    every k-th.  A model that is fitted already is asked as it is, unless it is to be refitted.
    ``quantiles`` are levels, ``samples`` counts joint paths of each window.
    ``season``: lag of the MASE scale in steps (default: a day of hours, a week of days, a year of
    weeks).

    ConfigError where the cutoffs do not fit, SchemaError where the panel is too short, LeakageError
    where the model was fitted on what comes after the first cutoff.
    """
    _check_model(model)
    windows = model.describe().windows
    between = windows.horizon if step is None else step
    steps = _cutoffs(panel, cutoffs, step=between, horizon=windows.horizon)
    with python_words():
        core = backtesting.backtest(
            panel,
            model,
            windows=windows,
            cutoffs=steps,
            refit=refit,
            quantiles=tuple(quantiles),
            samples=samples or None,
            seed=seed,
            season=season,
        )
    return BacktestResult(
        panel=panel,
        core=core,
        windows=windows,
        cutoffs=tuple(panel.time_of(cutoff) for cutoff in steps),
        step=min((b - a for a, b in pairwise(steps)), default=between),
        seed=seed,
    )


def compare(
    backtests: Sequence[BacktestResult] | Mapping[str, Any] | str,
    *,
    baseline: str | None = None,
    metrics: Sequence[str] = METRICS,
    confidence: float = 0.95,
) -> ComparisonResult:
    """Backtests of the same labels in one table, best first.

    ``backtests``: results, which are called by their models; a mapping from names to results, or
    to several results of one name (other seeds, as a network needs); or run folders, as
    ``compare runs=`` takes them.  ``baseline`` names the row that the others are paired with by
    cutoff (difference, interval of ``confidence``, verdict); by default the yardstick, which is
    the best plain row.

    ConfigError where they were scored on different labels, or two results have one name.
    """
    if isinstance(backtests, str):
        table = compare_folders(
            backtests, metrics=metrics, baseline=baseline, confidence=confidence
        )
        return ComparisonResult(comparison=table)
    if not isinstance(backtests, Mapping):
        names = [result.model.name for result in backtests]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigError(
                f"{names.count(twice[0])} backtests are called {twice[0]!r}; name them:"
                f" lc.compare({{'{twice[0]}': ..., 'another': ...}})"
            )
        backtests = dict(zip(names, backtests, strict=True))
    runs = [
        result.as_run(name)
        for name, results in backtests.items()
        for result in ([results] if isinstance(results, BacktestResult) else results)
    ]
    table = compare_runs(runs, metrics=metrics, baseline=baseline, confidence=confidence)
    return ComparisonResult(comparison=table)


def forecast(
    panel: Panel,
    model: Forecaster,
    *,
    future: Table | None = None,
    cutoff: Time | None = None,
    quantiles: Sequence[float] = QUANTILES,
    samples: int = 0,
    seed: int = 1,
    strict: bool = False,
) -> ForecastResult:
    """Forecast every series beyond ``cutoff`` (default: the last target).

    A model that is not fitted is fitted first, on what is known at the cutoff.
    ``future``: a frame or file of the days ahead with the known_future columns, under the names of
    the panel's own table.  ``quantiles`` are levels, ``samples`` counts joint paths.

    Series that say too little, or whose known future is not all there, are left out and named in
    ``warnings``; ``strict`` refuses the latter.  SchemaError where none is left, ConfigError for a
    time that is no cutoff.
    """
    _check_model(model)
    if future is not None:
        panel = with_days_ahead(panel, future)
    step = _step(panel, cutoff, key="cutoff")
    notes = Notes(Path())
    with python_words():
        fitted, panel = _fitted(panel, model, step)
        core = forecasting.forecast(
            panel,
            fitted,
            windows=fitted.describe().windows,
            cutoff=step,
            quantiles=tuple(quantiles),
            samples=samples or None,
            seed=seed,
            strict=strict,
            reporter=notes,
        )
    return ForecastResult(
        panel=panel,
        model=fitted,
        forecasts=core.forecasts,
        cutoff=panel.time_of(step),
        left_out=core.left_out,
        warnings=tuple(map(in_python, notes.warnings)),
    )


def what_if(
    panel: Panel,
    model: Forecaster,
    *,
    do: Sequence[Mapping[str, Any]] | None = None,
    scenario: str | None = None,
    cutoff: Time | None = None,
    samples: int = 200,
    seed: int = 1,
    bounds: float | None = None,
    allow_associational: bool = False,
) -> WhatIfResult:
    """What would happen under an action, beside what is expected, from one cutoff.

    ``do``: actions such as ``{"node": "promo", "kind": "hard", "value": 1, "first": 8, "last":
    14}``, steps counted from the cutoff; or ``scenario``, a name of ``conf/scenario``.
    ``model`` is coupled to a graph (``lc.model(..., graph="midmile", coupling="delta")``); one that
    is not fitted is fitted first.  ``samples`` counts paths, which both arms share.
    ``bounds``: a correlation of hidden causes, for a band where the graph identifies nothing.

    ScenarioError where the model may not answer, unless ``allow_associational``; NotIdentified
    where the graph does not tell the effect.
    """
    _check_model(model)
    if model.describe().graph is None:
        raise ScenarioError(
            f"{model.name} has no causal graph, so nothing says what an action reaches; build it"
            f' with lc.model("{model.name}", graph=..., coupling="delta")'
        )
    name, actions = _actions(do, scenario)
    step = _step(panel, cutoff, key="cutoff")
    notes = Notes(Path())
    with python_words():
        fitted, panel = _fitted(panel, model, step)
        core = scenarios.what_if(
            panel,
            fitted,
            windows=fitted.describe().windows,
            do=interventions_of(actions, panel),
            cutoff=step,
            samples=samples,
            seed=seed,
            bounds=bounds,
            allow_associational=allow_associational,
            reporter=notes,
        )
    warnings = tuple(map(in_python, notes.warnings))
    return WhatIfResult(panel=panel, core=core, name=name, warnings=warnings)


def plan(
    paths: ForecastResult | WhatIfResult,
    *,
    network: str | pd.DataFrame | Path = "midmile",
    policy: str = "stochastic",
    days: int = 7,
    integer: bool = False,
    gap: float = 0.01,
    time_limit_s: float | None = None,
    **settings: Any,
) -> PlanResult:
    """Trailers by lane and heads by site for the first days of sample paths, and what they cost.

    ``paths``: a forecast made with ``samples=``, or an answer, of which both arms are planned.
    ``network``: a name of ``conf/network``, or a table of your own (``kind, name, parameter,
    value``) as a frame or a file.  ``policy``: a name of ``conf/plan``; settings are keys of it or
    of the network, by their last word.  ``integer``: whole trailers and heads, within ``gap`` or
    until ``time_limit_s`` seconds.

    PlanError where there are no paths, fewer days, or a lane without parameters.
    """
    named = network if isinstance(network, str) and not Path(network).suffix else None
    config = plan_config(policy, named, settings)
    costs = (
        instantiate(config.network)
        if named
        else _table_network(network, unit=paths.panel.table.target)
    )
    arms = {
        arm: scenarios_from(frame, column=column, days=days, unit=costs.unit)
        for arm, (frame, column) in paths.paths.items()
    }
    core = planning.plan(
        paths.panel,
        arms,
        network=costs,
        policy=instantiate(config.plan),
        as_of=paths.panel.step_of(paths.cutoff),
        options=SolveOptions(integer=integer, gap=gap, time_limit_s=time_limit_s),
    )
    return PlanResult(core=core, unit=costs.unit, name=paths.name)


def open_run(folder: str | Path) -> OpenedRun:
    """A run folder that the command left: its config, its trained model, its panel on request.

    ConfigError where it is no run folder, CheckpointError where it holds no trained model.
    """
    return opening.open_run(folder)


def _check_model(model: Any) -> None:
    if not isinstance(model, Forecaster):
        hint = f"lc.model({model!r})" if isinstance(model, str) else 'lc.model("nhits")'
        raise ConfigError(f"{model!r} is no model; build one: {hint}")


def _step(panel: Panel, time: Time | None, *, key: str) -> int:
    """The step of a time; that of the last target where none is given."""
    if time is None:
        return panel.last_step
    return cutoff_step(panel, time, key=key)


def _fitted(panel: Panel, model: Forecaster, until: int) -> tuple[Forecaster, Panel]:
    """A fitted model, and the panel with its statics encoded as for the fit."""
    if model.fitted_until is None:
        return folds.fitted(panel, model, until=until), panel
    names = model.describe().static_names
    if names is not None and names != panel.static_names:
        panel = encoded_as(panel, names)
    return model, panel


def _cutoffs(panel: Panel, cutoffs: int | Sequence[Time], *, step: int, horizon: int) -> list[int]:
    with python_words():
        if isinstance(cutoffs, int | Integral):
            count = int(cutoffs)
            return rolling_cutoffs(panel, first=None, step=step, count=count, horizon=horizon)
        times = [cutoffs] if isinstance(cutoffs, str | pd.Timestamp) else list(cutoffs)
        return [cutoff_step(panel, time, key="cutoffs", horizon=horizon) for time in times]


def _actions(
    do: Sequence[Mapping[str, Any]] | None, scenario: str | None
) -> tuple[str, list[Mapping[str, Any]]]:
    """A name of the question, and its actions as mappings."""
    if (do is None) == (scenario is None):
        raise ConfigError(
            "say what is done, by one of do= and scenario=:"
            ' do=[{"node": "promo", "kind": "hard", "value": 1, "first": 8, "last": 14}]'
        )
    if do is not None:
        return "action", list(do)
    node = plain_config(composed({"scenario": str(scenario)}, root="scenario").scenario)
    if not node.get("do"):
        raise ConfigError(f"scenario={scenario} does nothing; choose another one, or give do=")
    return str(node["name"]), list(node["do"])


def _table_network(network: pd.DataFrame | str | Path, *, unit: str) -> PricedNetwork:
    if isinstance(network, pd.DataFrame):
        return FrameNetwork(unit=unit, table=network)
    return TableNetwork(unit=unit, path=str(network))
