"""The verb *explain*: why a run's forecast moved, through which ways an action works, what missed.

| part | needs | file |
|---|---|---|
| ledger of the change between two cutoffs | ``previous=`` | ledger.csv |
| ways of an action | ``scenario=`` or ``scenario.do=`` | ways.csv |
| root cause of the miss from ``cutoff`` on | the steps have happened | misses.csv |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, SchemaError
from lanecast.pipeline.building import plain_config

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex
    from lanecast.interventions import Intervention

SHOWN = 12  # terms that are printed of each part


def run(cfg: DictConfig) -> None:
    """Explain the forecasts of ``cfg.run`` from ``cfg.cutoff``; tables go into the run folder."""
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.data.windows import windows_at
    from lanecast.pipeline.opening import causal_part, open_run
    from lanecast.whatif.actions import interventions_of

    if cfg.get("run") is None or not cfg.get("dag"):
        raise ConfigError("explain needs the folder of a run trained with a dag: run=runs/...")
    opened = open_run(cfg)
    forecaster: Any = causal_part(opened.model)
    panel = opened.panel()
    cutoff = forecaster.fitted_until
    if cfg.cutoff is not None:
        cutoff = cutoff_step(panel, cfg.cutoff, key="cutoff")
    spec = forecaster.windows
    at = windows_at(panel, [cutoff], spec)
    if not len(at):
        raise ConfigError(f"no series has a window at {panel.time_of(cutoff)}; set cutoff=")
    earlier = None
    if cfg.previous is not None:
        earlier = cutoff_step(panel, cfg.previous, key="previous")
    do = interventions_of(plain_config(cfg.scenario)["do"] or (), panel)
    folder = opened.folder / f"explained-{panel.time_of(cutoff):%Y-%m-%dT%H}"
    folder.mkdir(exist_ok=True)
    parts = {
        "ledger": _ledger(forecaster, panel, at, earlier=earlier),
        "ways": _ways(forecaster, panel, at, do=do, name=str(cfg.scenario.name)),
        "misses": _root_causes(forecaster, panel, at),
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


def _ledger(forecaster: Any, panel: Panel, at: WindowIndex, *, earlier: int | None) -> Part:
    from lanecast.causal.attribution.revisions import Side, revisions

    if earlier is None:
        return "no ledger: previous= names the earlier cutoff", None
    change = revisions(
        Side(forecaster=forecaster, panel=panel, cutoff=earlier),
        Side(forecaster=forecaster, panel=panel, cutoff=int(at.cutoff_W[0])),
        series=panel.series[at.series_W],
        graph=forecaster.graph,
    )
    line = (
        f"why the forecast moved since {panel.time_of(earlier)}, summed over series and dates"
        f" (what the terms leave: {change.gap:.2g})"
    )
    return line, change.table()


def _ways(
    forecaster: Any, panel: Panel, at: WindowIndex, *, do: Sequence[Intervention], name: str
) -> Part:
    from lanecast.causal.attribution.path_effects import path_contributions
    from lanecast.whatif.actions import action_of, check_do

    if not do:
        return "no ways: scenario= names an action", None
    graph, horizon = forecaster.graph, forecaster.windows.horizon
    check_do(do, graph, horizon)
    if any(step.kind == "delay" for step in do):
        raise ConfigError("ways take no delay: it does something else in each sample")
    action = action_of(do, graph=graph, panel=panel, at=at, horizon=horizon)
    effect = path_contributions(forecaster.layer, panel, at, horizon=horizon, action=action)
    columns = {" -> ".join(way): part for way, part in effect.by_way.items()}
    order = [way for way in effect.totals if way in columns][:SHOWN]
    table = _long(panel, at, {way: columns[way] for way in order} | {"total": effect.total_WH})
    line = (
        f"through which ways {name} moves {graph.target}, without noise"
        f" (what they leave: {effect.gap:.2g} of the largest change)"
    )
    return line, table


def _root_causes(forecaster: Any, panel: Panel, at: WindowIndex) -> Part:
    from lanecast.causal.attribution.root_causes import root_cause

    try:
        miss = root_cause(forecaster.layer, panel, at, horizon=forecaster.windows.horizon)
    except SchemaError as err:
        return f"no root cause: {err}", None
    parts = {"forecast of the layer": miss.forecast_WH}
    parts |= {f"surprise of {name}": miss.shares[name] for name in miss.totals}
    line = f"what turned the layer's forecast into what happened (gap {miss.gap:.2g})"
    return line, _long(panel, at, parts | {"actual": miss.actual_WH})


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
