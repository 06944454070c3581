"""The verb *plan*: trailers and heads from the sample paths that a run left in its folder.

``run=`` is a backtest or a scenario.  A backtest gives one plan, and its regret where the days have
happened; a scenario gives a plan with and one without the action, and what the action changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, PlanError
from lanecast.pipeline.facts import RunResult, panel_facts, tell_of_table

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.planning.contracts import Scenarios
    from lanecast.planning.planning import Planned
    from lanecast.runs.record import Run
    from lanecast.workflows.sample_paths import SamplePaths

ONE = "plan"  # the arm of a run without an action


def run(cfg: DictConfig) -> RunResult:
    """Plan with the paths of ``cfg.run`` and leave a run folder.

    The objective is the expected cost in US dollars; of a scenario, the cost of the action.
    """
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.planning.planning import plan
    from lanecast.planning.program.options import SolveOptions
    from lanecast.runs.record import Objective, Run
    from lanecast.workflows.sample_paths import SamplePaths, check_groups

    if cfg.get("run") is None:
        raise ConfigError(
            "plan needs a run that left sample paths: run=runs/.../seed1 of a backtest with"
            " protocol.samples=100, or of a scenario"
        )
    check_groups(plan=cfg.get("plan"), network=cfg.get("network"))
    if int(cfg.planning.days) < 1:
        raise ConfigError(f"planning.days={cfg.planning.days} must be at least 1")
    with Run.open(cfg) as folder:
        panel, network = load_panel(cfg.data), instantiate(cfg.network)
        tell_of_table(panel, folder, strict=bool(cfg.get("strict")))
        source = SamplePaths.of(Path(str(cfg.run)), samples=100)
        unit = str(cfg.data.get("unit") or network.unit)
        arms = arms_of(source, cfg.planning.cutoff, days=int(cfg.planning.days), unit=unit)
        as_of = first_fit(source, panel)
        planned = plan(
            panel,
            arms,
            network=network,
            policy=instantiate(cfg.plan),
            as_of=as_of,
            options=SolveOptions(
                integer=bool(cfg.planning.integer),
                gap=float(cfg.planning.gap),
                time_limit_s=cfg.planning.time_limit_s,
                progress=lambda line: print(line, flush=True),
            ),
            happened=_happened(source, arms, folder),
        )
        for warning in planned.warnings:
            folder.warn(warning)
        _tell(planned, name=str(cfg.scenario.name) if cfg.get("scenario") else "action")
        values = dict(planned.values)
        bounds = {"source": str(cfg.run), "as_of": str(panel.time_of(as_of))}
        folder.note(data=panel_facts(panel), plan=bounds | _facts(planned), scores=values)
        folder.log(0, **{f"plan/{name}": value for name, value in values.items()})
        _write(planned, folder)
        _draw(planned, folder, unit=str(cfg.data.get("unit") or "packages"))
        name = "cost_of_action_usd" if len(arms) == 2 else "expected_usd"
        objective = Objective(name=f"plan/{name}", value=values[name])
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=values)


def arms_of(source: SamplePaths, cutoff: Any, *, days: int, unit: str) -> dict[str, Scenarios]:
    """Sample paths by arm: `ONE` of a backtest at its cutoff (or ``last``), two of a scenario."""
    import pandas as pd

    if source.has_arms:
        return source.arms(days=days, unit=unit)
    cutoffs = [pd.Timestamp(time) for time in source.cutoffs]
    wanted = cutoffs[-1] if cutoff == "last" else pd.Timestamp(cutoff)
    if wanted not in cutoffs:
        raise PlanError(
            f"planning.cutoff={wanted:%F} has no sample paths in {source.folder}; it has"
            f" {', '.join(f'{time:%F}' for time in cutoffs)}"
        )
    return {ONE: source.at(wanted, days=days, unit=unit)}


def first_fit(source: SamplePaths, panel: Panel) -> int:
    """The step up to which bounds may look at volumes: the run's first fit, or its cutoff."""
    split = source.record["split"]
    until = split.get("fitted_until") or [split["cutoff"]]
    return panel.step_of(str(until[0]))


def _happened(source: SamplePaths, arms: dict[str, Scenarios], folder: Run) -> Scenarios | None:
    """What came on the days of a plan, where the run kept it; nothing of a scenario's."""
    import numpy as np

    from lanecast.planning.policies import alone

    if len(arms) > 1:
        return None
    (paths,) = arms.values()
    volume_LT = source.happened(paths.lanes, paths.days)
    if volume_LT is None:
        return None
    if not np.isfinite(volume_LT).all():
        folder.warn("no regret: some lane and day of the plan has no recorded volume")
        return None
    return alone(paths, volume_LT)


def _facts(planned: Planned) -> dict[str, Any]:
    """What the record says of the plans."""
    return {
        "days": [str(day) for day in next(iter(planned.paths.values())).days],
        "scenarios": {arm: paths.fingerprint for arm, paths in planned.paths.items()},
        "parameters": planned.parameters.fingerprint,
        "notes": {arm: list(outcome.notes) for arm, outcome in planned.outcomes.items()},
    }


def _tell(planned: Planned, *, name: str) -> None:
    """What the plans cost and, of two, what the action ``name`` changes."""
    from lanecast.planning.service import change_sentence, cost_lines

    values = planned.values
    for arm, outcome in planned.outcomes.items():
        print("\n".join(cost_lines(outcome, title=f"{outcome.plan.kind} ({arm})")))
    if "cost_of_action_usd" in values:
        print(change_sentence(name, values))
    if "realized_usd" in values:
        print(
            f"as it happened: {values['realized_usd']:,.0f} USD, with perfect information"
            f" {values['perfect_usd']:,.0f} ({values['plan_regret']:.2%} more)"
        )


def _write(planned: Planned, folder: Run) -> None:
    """Plans, costs by sample, and figures by lane, site and day; each arm in its own folder."""
    from lanecast.planning.parameter_table import parameter_frame
    from lanecast.planning.service import lane_frame, site_frame
    from lanecast.planning.tables import outcome_frame, write_plan, write_table

    parameters = planned.parameters
    parameter_frame(parameters).to_csv(folder.folder / "parameters.csv", index=False)
    for arm, outcome in planned.outcomes.items():
        out = folder.folder if len(planned.outcomes) == 1 else folder.folder / arm
        out.mkdir(exist_ok=True)
        write_plan(outcome.plan, out)
        facts = {"kind": outcome.plan.kind, "scenarios": outcome.plan.scenarios}
        write_table(outcome_frame(outcome), out / "outcome.parquet", facts)
        lanes = lane_frame(parameters, outcome, planned.paths[arm])
        lanes.to_csv(out / "lane_days.csv", index=False)
        site_frame(parameters, outcome).to_csv(out / "site_days.csv", index=False)


def _draw(planned: Planned, folder: Run, *, unit: str) -> None:
    """The picture for a manager."""
    from lanecast.report.pictures import keep_picture
    from lanecast.report.plan_figure import plan_figure

    outcomes, paths = dict(planned.outcomes), dict(planned.paths)
    keep_picture(
        folder,
        "plan",
        lambda path: plan_figure(planned.parameters, outcomes, paths, path, unit=unit),
    )
