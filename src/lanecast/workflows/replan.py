"""The verb *replan*: how often to plan again, told by what whole spans of days cost.

``run=`` is a backtest with a cutoff on every day and sample paths.  Every strategy goes through the
same days with the same forecasts; what happened is what the run recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, PlanError
from lanecast.pipeline.facts import RunResult, panel_facts
from lanecast.pipeline.machine import require_solver

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.planning.contracts import Scenarios
    from lanecast.planning.parameters import Parameters
    from lanecast.planning.replanning.closed_loop import Travelled
    from lanecast.runs.record import Run


def run(cfg: DictConfig) -> RunResult:
    """Go through the span once per strategy and leave a run folder.

    The objective is the cost of the cheapest strategy, as a multiple of perfect information's.
    """
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.planning.program.program import perfect
    from lanecast.planning.replanning.closed_loop import travel
    from lanecast.runs.record import Objective, Run

    _check(cfg)
    require_solver("plan")
    with Run.open(cfg) as folder:
        panel = load_panel(cfg.data)
        network = instantiate(cfg.network)
        paths = _paths(cfg, network.unit)
        first = next(iter(paths.values()))
        volumes = _volumes(cfg, first, list(paths))
        days = int(cfg.planning.days)
        as_of = panel.step_of(str(next(iter(paths))))
        parameters: Parameters = network.parameters(panel, first.lanes, as_of=as_of)
        first.require(parameters, unit=network.unit)
        forecasts = [_ahead(one, days) for one in paths.values()]
        least = float(perfect(parameters, volumes)[0])
        told = {
            name: travel(
                parameters,
                volumes.volume_WLT[0],
                forecast=forecasts.__getitem__,
                policy=instantiate(cfg.plan),
                trigger=instantiate(trigger),
                loop=instantiate(cfg.loop),
                strategy=name,
                progress=lambda line: print(line, flush=True),
            )
            for name, trigger in cfg.strategies.items()
        }
        table = _table(told, least)
        _write(table, told, folder)
        values = {
            f"{row['strategy']}/{name}": float(row[name])
            for row in table.to_dict("records")
            for name in ("cost_ratio", "plans", "changed_trailers", "rolled_per_package")
        }
        folder.note(data=panel_facts(panel), scores=values, plan={"source": str(cfg.run)})
        folder.log(0, **{f"replan/{name}": value for name, value in values.items()})
        objective = Objective(name="replan/cost_ratio", value=float(table["cost_ratio"].min()))
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=values)


def _check(cfg: DictConfig) -> None:
    if cfg.get("run") is None:
        raise ConfigError(
            "replan.py needs a backtest with a cutoff on every day: protocol.step=1"
            " protocol.samples=30, then run=runs/.../seed1"
        )
    for group in ("plan", "network"):
        if not cfg.get(group):
            raise ConfigError(f"nothing says which {group}: choose {group}=<name>")


def _paths(cfg: DictConfig, unit: str) -> dict[Any, Scenarios]:
    """Sample paths by cutoff, which must follow one another day by day."""
    import numpy as np
    import pandas as pd

    from lanecast.planning.tables import scenarios_from
    from lanecast.runs.folder import read_record

    source = Path(str(cfg.run))
    if not (source / "samples.parquet").is_file():
        raise PlanError(f"{source} holds no samples.parquet; run it with protocol.samples=30")
    frame = pd.read_parquet(source / "samples.parquet")
    column = str(read_record(source)["model"]["name"])
    cutoffs = np.sort(frame["cutoff"].unique())
    if len(cutoffs) < 2 or (np.diff(cutoffs) != np.timedelta64(1, "D")).any():
        raise PlanError(
            f"{source} has {len(cutoffs)} cutoffs that are not one day apart; run it with"
            " protocol.step=1"
        )
    volume_unit = str(cfg.data.get("unit") or unit)
    days = int(cfg.planning.days)
    parts = dict(iter(frame.groupby("cutoff")))
    return {
        cutoff: scenarios_from(parts[cutoff], column=column, days=days, unit=volume_unit)
        for cutoff in cutoffs
    }


def _volumes(cfg: DictConfig, first: Scenarios, cutoffs: list[Any]) -> Scenarios:
    """What came on the day after each cutoff, as one scenario."""
    import numpy as np
    import pandas as pd

    from lanecast.planning.contracts import Scenarios

    actual = pd.read_parquet(Path(str(cfg.run)) / "actuals.parquet")
    wide = actual.pivot(index="unique_id", columns="ds", values="y")
    wide.columns = pd.DatetimeIndex(wide.columns).values.astype("datetime64[D]")
    days = np.array([np.datetime64(one, "D") + 1 for one in cutoffs])
    volume_LD = wide.reindex(index=first.lanes, columns=days).to_numpy(dtype=np.float64)
    if len(bad := np.argwhere(~np.isfinite(volume_LD))):
        lane, day = bad[0]
        raise PlanError(
            f"lane {str(first.lanes[lane])!r} has no recorded volume on {days[day]}"
            f" ({len(bad)} are missing); a span needs every lane on every day"
        )
    return Scenarios(volume_WLT=volume_LD[None], lanes=first.lanes, days=days, unit=first.unit)


def _ahead(paths: Scenarios, days: int) -> Scenarios:
    from dataclasses import replace

    return replace(paths, volume_WLT=paths.volume_WLT[:, :, :days], days=paths.days[:days])


def _table(told: Mapping[str, Travelled], least: float) -> pd.DataFrame:
    """One row per strategy, the cheapest first."""
    import pandas as pd

    rows = []
    for name, one in told.items():
        rows.append(
            {
                "strategy": name,
                "cost_usd": one.total,
                "cost_ratio": one.total / least,
                "plans": len(one.planned_on),
                "changed_trailers": one.changed_trailers,
                "changed_heads": one.changed_heads,
                "change_usd": float(one.by_kind["change"].sum()),
                "rolled": one.rolled,
                "rolled_per_package": one.rolled / max(one.volume, 1e-12),
                "backlog": one.backlog,
            }
        )
    return pd.DataFrame(rows).sort_values("cost_usd", ignore_index=True)


def _write(table: pd.DataFrame, told: Mapping[str, Travelled], folder: Run) -> None:
    """``strategies.csv`` and what every day cost, by strategy and kind."""
    import pandas as pd

    table.to_csv(folder.folder / "strategies.csv", index=False)
    days = []
    for name, one in told.items():
        frame = pd.DataFrame({f"{kind}_usd": cost for kind, cost in one.by_kind.items()})
        planned = [day in one.planned_on for day in range(len(frame))]
        days.append(frame.assign(strategy=name, day=range(len(frame)), planned=planned))
    pd.concat(days).to_csv(folder.folder / "days.csv", index=False)
    shown = table[["strategy", "cost_ratio", "plans", "changed_trailers", "rolled_per_package"]]
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
