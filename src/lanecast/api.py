"""The Python door: values in, values out, by the same names and YAML as the command.

```python
import lanecast as lc

lanes = lc.panel("orders.csv", id=["origin", "dest"], time="date", target="parcels",
                 known_future=["promo"])
nhits = lc.model("nhits", context=56, horizon=14)
print(lc.backtest(lanes, nhits, cutoffs=6))
lc.forecast(lanes, nhits, future="promotions.csv").plot("ATL>BOS")
```

A model is a prototype: a function that fits one fits a copy, and leaves the model as it is.
Nothing is written, and no function needs a run folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lanecast.causal.graph.graph import Graph
from lanecast.config.choosing import Overrides, composed, data_config, model_config
from lanecast.data.panel import Panel
from lanecast.errors import ConfigError
from lanecast.models.protocol import Forecaster
from lanecast.pipeline import backtesting, folds, forecasting
from lanecast.pipeline.building import build_forecaster, plain_config
from lanecast.report.table import METRICS, compare_runs
from lanecast.report.table import compare as compare_folders
from lanecast.results import BacktestResult, ComparisonResult, ForecastResult

Time = str | pd.Timestamp
QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def load(name: str, *overrides: str, **settings: Any) -> Panel:
    """The panel of ``conf/data/<name>.yaml``: ``lc.load("midmile", preset="tiny", lanes=40)``.

    ``overrides`` are those of the command without ``data.`` (``"source.lanes=40"``); a setting is
    the last word of such a key.  ConfigError for a name that is not there, SchemaError for a table
    that does not keep its contract.
    """
    from lanecast.data.ingest.loading import load_panel

    config = data_config(name, settings, overrides)
    with _python_words():
        return load_panel(plain_config(config))


def model(
    name: str,
    /,
    *,
    context: int | None = None,
    horizon: int | None = None,
    graph: str | Mapping[str, Any] | Graph | None = None,
    overrides: Overrides = (),
    **settings: Any,
) -> Forecaster:
    """An unfitted forecaster: ``conf/model/<name>.yaml`` as the command builds it.

    ``context`` and ``horizon``: steps read and steps ahead, by default those of ``conf/windows``.
    ``graph``: the causal graph it is coupled to (`graph`), with ``coupling="delta"`` or another.
    A setting is a group of ``conf/`` (``calibration="aci"``, ``loss="huber"``,
    ``optim={"max_steps": 200}``), or a key of what the model reads, by its last word
    (``max_steps=200, lr=1e-3, seed=2, name="wide"``).  ``overrides`` are dotted keys, as on the
    command line (``["optim.max_steps=200"]``) or as a mapping.

    ConfigError names what is not there, the nearest that is, and a part that this model does not
    read (``optim`` of LightGBM).
    """
    wanted = {"context": context, "horizon": horizon}
    wanted = {key: value for key, value in wanted.items() if value is not None} | settings
    declared = graph if isinstance(graph, Graph) else None
    if graph is not None and declared is None:
        wanted["dag"] = graph
    return build_forecaster(model_config(name, wanted, overrides), graph=declared)


def graph(declared: str | Mapping[str, Any]) -> Graph:
    """A causal graph: ``conf/dag/<name>.yaml``, or its nodes and edges as a mapping.

    GraphError names the node or edge that contradicts another one.
    """
    if isinstance(declared, str):
        node = composed({"dag": declared}).get("dag")
        if not node:
            raise ConfigError(f"dag={declared} declares no graph; choose another name")
        declared = plain_config(node)
    return Graph.from_config(declared)


def fit(panel: Panel, model: Forecaster, *, until: Time | None = None) -> Forecaster:
    """A copy of ``model``, fitted on what is known at ``until`` (default: the last target).

    ConfigError for a time that is no step of the panel, SchemaError where the panel is too short.
    """
    _check_model(model)
    step = panel.last_step if until is None else _step(panel, until, key="until")
    with _python_words():
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
    ``refit``: ``"never"`` fits once, at the first cutoff; ``"each"`` at every one; a number at every
    k-th.  A model that is fitted already is asked as it is, unless it is to be refitted.
    ``quantiles`` are levels, ``samples`` counts joint paths of each window.
    ``season``: lag of the MASE scale in steps (default: a week of days, a day of hours).

    ConfigError where the cutoffs do not fit, SchemaError where the panel is too short, LeakageError
    where the model was fitted on what comes after the first cutoff.
    """
    _check_model(model)
    windows = model.describe().windows
    between = windows.horizon if step is None else step
    steps = _cutoffs(panel, cutoffs, step=between, horizon=windows.horizon)
    with _python_words():
        core = backtesting.backtest(
            panel,
            model,
            windows=windows,
            cutoffs=steps,
            refit=refit,
            quantiles=tuple(quantiles),
            samples=samples or None,
            seed=seed,
            season=usual_season(panel) if season is None else season,
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
    to several results of one name (other seeds, which a verdict needs); or run folders, as
    ``compare runs=`` takes them.  ``baseline`` names the row that the others are paired with by
    cutoff: difference, interval of ``confidence``, verdict.

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
        result.record(name)
        for name, given in backtests.items()
        for result in ([given] if isinstance(given, BacktestResult) else given)
    ]
    table = compare_runs(runs, metrics=metrics, baseline=baseline, confidence=confidence)
    return ComparisonResult(comparison=table)


def forecast(
    panel: Panel,
    model: Forecaster,
    *,
    future: Any = None,
    cutoff: Time | None = None,
    quantiles: Sequence[float] = QUANTILES,
    samples: int = 0,
    seed: int = 1,
) -> ForecastResult:
    """Forecast every series beyond ``cutoff`` (default: the last target).

    A model that is not fitted is fitted first, on what is known at the cutoff.
    ``future``: a frame or file of the days ahead with the known_future columns, under the names of
    the panel's own table.  ``quantiles`` are levels, ``samples`` counts joint paths.

    SchemaError names what is missing of the known future, ConfigError a time that is no cutoff.
    """
    _check_model(model)
    if future is not None:
        panel = with_future(panel, future)
    step = panel.last_step if cutoff is None else _step(panel, cutoff, key="cutoff")
    with _python_words():
        fitted, panel = _fitted(panel, model, step)
        core = forecasting.forecast(
            panel,
            fitted,
            windows=fitted.describe().windows,
            cutoff=step,
            quantiles=tuple(quantiles),
            samples=samples or None,
            seed=seed,
        )
    return ForecastResult(
        panel=panel,
        model=fitted,
        forecasts=core.forecasts,
        cutoff=panel.time_of(step),
        left_out=core.left_out,
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
    14}``, steps counted from the cutoff; or ``scenario``: the name of ``conf/scenario/<name>.yaml``.
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
    step = panel.last_step if cutoff is None else _step(panel, cutoff, key="cutoff")
    notes = Notes(Path())
    with _python_words():
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
    return WhatIfResult(panel=panel, core=core, name=name, warnings=tuple(notes.warnings))


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
    panel = paths.panel
    named = network if isinstance(network, str) and not Path(network).suffix else None
    config = plan_config(policy, named, settings)
    costs = instantiate(config.network) if named else _table_network(network, panel)
    frames = _sample_frames(paths)
    arms = {
        arm: scenarios_from(frame, column=column, days=days, unit=costs.unit)
        for arm, (frame, column) in frames.items()
    }
    core = planning.plan(
        panel,
        arms,
        network=costs,
        policy=instantiate(config.plan),
        as_of=panel.step_of(paths.cutoff),
        options=SolveOptions(integer=integer, gap=gap, time_limit_s=time_limit_s),
    )
    name = paths.name if isinstance(paths, WhatIfResult) else paths.model.name
    return PlanResult(core=core, unit=costs.unit, name=name)


def open_run(folder: str | Path) -> OpenedRun:
    """A run folder that the command left: its config, its trained model, its panel on request.

    ConfigError where it is no run folder, CheckpointError where it holds no trained model.
    """
    return opening.open_run(folder)
