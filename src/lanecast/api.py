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

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd

from lanecast.causal.graph.graph import Graph
from lanecast.config.choosing import Overrides, composed, data_config, model_config
from lanecast.data.panel import Panel
from lanecast.errors import ConfigError, LanecastError
from lanecast.models.protocol import Forecaster
from lanecast.pipeline import backtesting, forecasting, folds
from lanecast.pipeline.facts import build_forecaster, plain_config
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
