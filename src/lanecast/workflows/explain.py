"""The verb *explain*: why a run's forecast moved, through which ways an action works, what missed.

| part | needs | file |
|---|---|---|
| ledger of the change between two cutoffs | ``previous=`` | ledger.csv |
| ways of an action | ``scenario=`` or ``scenario.do=`` | ways.csv |
| root cause of the miss from ``cutoff`` on | the steps have happened | misses.csv |
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, SchemaError
from lanecast.pipeline.building import build_forecaster, plain_config
from lanecast.pipeline.opening import causal_part, refuse_calibrated, saved_model

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex

SHOWN = 12  # terms that are printed of each part


def run(cfg: DictConfig) -> None:
    """Explain the forecasts of ``cfg.run`` from ``cfg.cutoff``; tables go into the run folder."""
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.ingest.statics import vocabulary_of
    from lanecast.data.schema import Schema
    from lanecast.data.windows import windows_at

    if cfg.get("run") is None or not cfg.get("dag"):
        raise ConfigError("explain.py needs the folder of a run trained with a dag: run=runs/...")
    refuse_calibrated(cfg)
    forecaster: Any = causal_part(build_forecaster(cfg).load(saved_model(cfg.run)))
    encoded = forecaster.describe().static_names
    vocabulary = vocabulary_of(Schema.from_config(cfg.data.schema), encoded)
    panel = load_panel(cfg.data, vocabulary=vocabulary)
    cutoff = forecaster.fitted_until if cfg.cutoff is None else panel.step_of(cfg.cutoff)
    spec = forecaster.windows
    at = windows_at(panel, [cutoff], spec)
    if not len(at):
        raise ConfigError(f"no series has a window at {panel.time_of(cutoff)}; set cutoff=")
    folder = Path(str(cfg.run)) / f"explained-{panel.time_of(cutoff):%Y-%m-%dT%H}"
    folder.mkdir(exist_ok=True)
    parts = {
        "ledger": _ledger(cfg, forecaster, panel, at),
        "ways": _ways(cfg, forecaster, panel, at),
        "misses": _misses(forecaster, panel, at),
    }
    for name, (line, table) in parts.items():
        print(line)
        if table is None:
            continue
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
        totals = table.drop(columns=["unique_id", "ds"]).sum()
        for term, total in totals.items():
            print(f"  {term:<44} {total:>14.6g}")
    print(f"tables are in {folder}")


Part = tuple[str, "pd.DataFrame | None"]


def _ledger(cfg: DictConfig, forecaster: Any, panel: Panel, at: WindowIndex) -> Part:
    from lanecast.causal.attribution.revisions import Side, revisions

    if cfg.previous is None:
        return "no ledger: previous= names the earlier cutoff", None
    earlier = panel.step_of(cfg.previous)
    found = revisions(
        Side(forecaster=forecaster, panel=panel, cutoff=earlier),
        Side(forecaster=forecaster, panel=panel, cutoff=int(at.cutoff_W[0])),
        series=panel.series[at.series_W],
        graph=forecaster.graph,
    )
    line = (
        f"why the forecast moved since {panel.time_of(earlier)}, summed over series and dates"
        f" (what the terms leave: {found.gap:.2g})"
    )
    return line, found.table()


def _ways(cfg: DictConfig, forecaster: Any, panel: Panel, at: WindowIndex) -> Part:
    from lanecast.causal.attribution.path_effects import path_contributions
    from lanecast.whatif.actions import action_of, check_do, interventions_of

    given = plain_config(cfg.scenario)["do"]
    if not given:
        return "no ways: scenario= names an action", None
    graph, horizon = forecaster.graph, forecaster.windows.horizon
    do = interventions_of(given, panel)
    check_do(do, graph, horizon)
    if any(one.kind == "delay" for one in do):
        raise ConfigError("ways take no delay: it does something else in each sample")
    action = action_of(do, graph=graph, panel=panel, at=at, horizon=horizon)
    found = path_contributions(forecaster.layer, panel, at, horizon=horizon, action=action)
    columns = {" -> ".join(way): part for way, part in found.by_way.items()}
    order = [way for way in found.totals if way in columns][:SHOWN]
    table = _long(panel, at, {way: columns[way] for way in order} | {"total": found.total_WH})
    line = (
        f"through which ways {cfg.scenario.name} moves {graph.target}, without noise"
        f" (what they leave: {found.gap:.2g} of the largest change)"
    )
    return line, table


def _misses(forecaster: Any, panel: Panel, at: WindowIndex) -> Part:
    from lanecast.causal.attribution.root_causes import root_cause

    try:
        found = root_cause(forecaster.layer, panel, at, horizon=forecaster.windows.horizon)
    except SchemaError as err:
        return f"no root cause: {err}", None
    parts = {"forecast of the layer": found.forecast_WH}
    parts |= {f"surprise of {name}": found.shares[name] for name in found.totals}
    line = f"what turned the layer's forecast into what happened (gap {found.gap:.2g})"
    return line, _long(panel, at, parts | {"actual": found.actual_WH})


def _long(panel: Panel, at: WindowIndex, columns: dict[str, Any]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    windows, horizon = next(iter(columns.values())).shape
    cutoff = int(at.cutoff_W[0])
    dates = [panel.time_of(cutoff + step) for step in range(1, horizon + 1)]
    keys = {
        "unique_id": np.repeat(panel.series[at.series_W], horizon),
        "ds": np.tile(np.array(dates, dtype="datetime64[ns]"), windows),
    }
    return pd.DataFrame({**keys, **{name: part.ravel() for name, part in columns.items()}})
