"""The verb *replan*: how often to plan again, told by what whole spans of days cost.

``run=`` is a backtest with a cutoff on every day and sample paths.  Every strategy goes through the
same days with the same forecasts; what happened is what the run recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.errors import ConfigError, PlanError
from lanecast.pipeline.facts import RunResult, panel_facts, tell_of_table

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.planning.contracts import Scenarios
    from lanecast.planning.replanning.strategies import Replanned
    from lanecast.runs.record import Run
    from lanecast.workflows.sample_paths import SamplePaths


def run(cfg: DictConfig) -> RunResult:
    """Go through the span once per strategy and leave a run folder.

    The objective is the cost of the cheapest strategy, as a multiple of perfect information's.
    """
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.planning.replanning.strategies import replan
    from lanecast.runs.record import Objective, Run
    from lanecast.workflows.sample_paths import SamplePaths, check_groups

    if cfg.get("run") is None:
        raise ConfigError(
            "replan needs a backtest with a cutoff on every day: protocol.step=1"
            " protocol.samples=30, then run=runs/.../seed1"
        )
    check_groups(plan=cfg.get("plan"), network=cfg.get("network"))
    with Run.open(cfg) as folder:
        panel, network = load_panel(cfg.data), instantiate(cfg.network)
        tell_of_table(panel, folder, strict=bool(cfg.get("strict")))
        paths = SamplePaths.of(Path(str(cfg.run)), samples=30)
        unit = str(cfg.data.get("unit") or network.unit)
        forecasts = daily_forecasts(paths, days=int(cfg.planning.days), unit=unit)
        first = forecasts[0]
        as_of = panel.step_of(str(paths.cutoffs[0]))
        parameters = network.parameters(panel, first.lanes, as_of=as_of)
        first.require(parameters, unit=network.unit)
        replanned = replan(
            parameters,
            span_of(paths, forecasts),
            forecasts,
            policy=instantiate(cfg.plan),
            triggers={name: instantiate(trigger) for name, trigger in cfg.strategies.items()},
            loop=instantiate(cfg.loop),
            progress=lambda line: print(line, flush=True),
        )
        values = _write(replanned, folder)
        folder.note(data=panel_facts(panel), scores=values, plan={"source": str(cfg.run)})
        folder.log(0, **{f"replan/{name}": value for name, value in values.items()})
        cheapest = float(replanned.table()["cost_ratio"].min())
        objective = Objective(name="replan/cost_ratio", value=cheapest)
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=values)


def daily_forecasts(paths: SamplePaths, *, days: int, unit: str) -> list[Scenarios]:
    """The paths from each cutoff, which must follow one another day by day; PlanError otherwise."""
    import numpy as np

    cutoffs = paths.cutoffs
    if len(cutoffs) < 2 or (np.diff(cutoffs) != np.timedelta64(1, "D")).any():
        raise PlanError(
            f"{paths.folder} has {len(cutoffs)} cutoffs that are not one day apart; run it with"
            " protocol.step=1"
        )
    return [paths.at(cutoff, days=days, unit=unit) for cutoff in cutoffs]


def span_of(paths: SamplePaths, forecasts: Sequence[Scenarios]) -> Scenarios:
    """What came on the first day of each forecast, as one scenario."""
    import numpy as np

    from lanecast.planning.contracts import Scenarios

    first = forecasts[0]
    days = np.array([forecast.days[0] for forecast in forecasts])
    volume_LD = paths.happened(first.lanes, days)
    if volume_LD is None:
        raise PlanError(f"{paths.folder} kept no actual values; run it with keep.forecasts=true")
    if len(bad := np.argwhere(~np.isfinite(volume_LD))):
        lane, day = bad[0]
        raise PlanError(
            f"lane {str(first.lanes[lane])!r} has no recorded volume on {days[day]}"
            f" ({len(bad)} are missing); a span needs every lane on every day"
        )
    return Scenarios(volume_WLT=volume_LD[None], lanes=first.lanes, days=days, unit=first.unit)


def _write(replanned: Replanned, folder: Run) -> dict[str, float]:
    """``strategies.csv`` and what every day cost; the values for the record."""
    table = replanned.table()
    table.to_csv(folder.folder / "strategies.csv", index=False)
    replanned.days().to_csv(folder.folder / "days.csv", index=False)
    shown = ["cost_ratio", "plans", "changed_trailers", "rolled_per_package"]
    lines = table[["strategy", *shown]]
    print(lines.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    return {
        f"{row['strategy']}/{name}": float(row[name])
        for row in table.to_dict("records")
        for name in shown
    }
