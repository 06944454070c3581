"""The verb *plan*: trailers and heads from the sample paths that a run left in its folder.

``run=`` is a backtest or a scenario.  A backtest gives one plan, and its regret where the days have
happened; a scenario gives a plan with and one without the action, and what the action changes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.errors import ConfigError, PlanError
from lanecast.pipeline.facts import RunResult, panel_facts
from lanecast.pipeline.machine import require_solver

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.planning.contracts import Outcome, Scenarios
    from lanecast.planning.network import Network
    from lanecast.planning.parameters import Parameters
    from lanecast.runs.record import Run

SAMPLES = "samples.parquet"
ARMS = ("baseline", "scenario")


def run(cfg: DictConfig) -> RunResult:
    """Plan with the paths of ``cfg.run`` and leave a run folder.

    The objective is the expected cost in US dollars; of a scenario, the cost of the action.
    """
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.runs.record import Objective, Run

    _check(cfg)
    require_solver("plan")
    with Run.open(cfg) as folder:
        panel = load_panel(cfg.data)
        network: Network = instantiate(cfg.network)
        arms = _paths(cfg, network.unit)
        first = next(iter(arms.values()))
        as_of = _as_of(cfg, panel)
        parameters = network.parameters(panel, first.lanes, as_of=as_of)
        made = {arm: _planned(cfg, parameters, paths, folder) for arm, paths in arms.items()}
        values = _told(cfg, made, arms)
        if len(made) == 1:
            values |= _regret(cfg, parameters, made["plan"], first, folder)
        folder.note(
            data=panel_facts(panel),
            plan={
                "source": str(cfg.run),
                "days": [str(day) for day in first.days],
                "scenarios": {arm: paths.fingerprint for arm, paths in arms.items()},
                "parameters": parameters.fingerprint,
                "as_of": str(panel.time_of(as_of)),
                "notes": {arm: list(outcome.notes) for arm, outcome in made.items()},
            },
            scores=values,
        )
        folder.log(0, **{f"plan/{name}": value for name, value in values.items()})
        _write(parameters, made, arms, folder)
        _draw(cfg, parameters, made, arms, folder)
        name = "cost_of_action_usd" if len(made) == 2 else "expected_usd"
        objective = Objective(name=f"plan/{name}", value=values[name])
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=values)


def _check(cfg: DictConfig) -> None:
    """Refuse before anything is read."""
    if cfg.get("run") is None:
        raise ConfigError(
            "plan.py needs a run that left sample paths: run=runs/.../seed1 of a backtest with"
            " protocol.samples=100, or of a scenario"
        )
    for group in ("plan", "network"):
        if not cfg.get(group):
            raise ConfigError(
                f"nothing says which {group}: choose {group}=<name>; --help lists them"
            )
    if int(cfg.planning.days) < 1:
        raise ConfigError(f"planning.days={cfg.planning.days} must be at least 1")


def _paths(cfg: DictConfig, unit: str) -> dict[str, Scenarios]:
    """Sample paths by arm: ``plan`` of a backtest at its cutoff, both arms of a scenario."""
    import pandas as pd

    from lanecast.planning.tables import scenarios_from
    from lanecast.runs.folder import read_record

    source = Path(str(cfg.run))
    record = read_record(source)
    if not (source / SAMPLES).is_file():
        asked = "samples=200" if record["verb"] == "scenario" else "protocol.samples=100"
        raise PlanError(
            f"{source} holds no {SAMPLES}; run it again with {asked} and keep.forecasts"
        )
    frame = pd.read_parquet(source / SAMPLES)
    days, volume_unit = int(cfg.planning.days), str(cfg.data.get("unit") or unit)
    if record["verb"] == "scenario":
        return {
            arm: scenarios_from(frame, column=arm, days=days, unit=volume_unit, source=str(source))
            for arm in ARMS
        }
    frame = _at_cutoff(frame, cfg)
    model = str(record["model"]["name"])
    found = scenarios_from(frame, column=model, days=days, unit=volume_unit, source=str(source))
    return {"plan": found}


def _at_cutoff(frame: pd.DataFrame, cfg: DictConfig) -> pd.DataFrame:
    import pandas as pd

    cutoffs = frame["cutoff"].drop_duplicates().sort_values()
    wanted = (
        cutoffs.iloc[-1] if cfg.planning.cutoff == "last" else pd.Timestamp(cfg.planning.cutoff)
    )
    if wanted not in set(cutoffs):
        raise PlanError(
            f"planning.cutoff={wanted:%F} has no sample paths in {cfg.run}; it has"
            f" {', '.join(f'{one:%F}' for one in cutoffs)}"
        )
    return frame[frame["cutoff"] == wanted]


def _as_of(cfg: DictConfig, panel: Panel) -> int:
    """The step up to which bounds may look at volumes: the run's first fit, or its cutoff."""
    from lanecast.runs.folder import read_record

    split = read_record(Path(str(cfg.run)))["split"]
    until = split.get("fitted_until") or [split["cutoff"]]
    return panel.step_of(str(until[0]))


def _planned(cfg: DictConfig, parameters: Parameters, paths: Scenarios, folder: Run) -> Outcome:
    """The plan of one arm, priced over all of its paths, with what moves in each."""
    from lanecast.config import instantiate
    from lanecast.planning.policies import SolveOptions
    from lanecast.planning.program.program import solve

    paths.require(parameters, unit=instantiate(cfg.network).unit)
    options = SolveOptions(
        integer=bool(cfg.planning.integer),
        gap=float(cfg.planning.gap),
        time_limit_s=cfg.planning.time_limit_s,
        progress=lambda line: print(line, flush=True),
    )
    made = instantiate(cfg.plan).plan(parameters, paths, options=options)
    plan = replace(made.plan, source=paths.source, scenarios=paths.fingerprint)
    priced = solve(parameters, paths, fixed=plan, flows=True, kind=plan.kind)
    if made.gap > float(cfg.planning.gap):
        folder.warn(f"plan {plan.kind}: gap {made.gap:.2%} after {made.seconds:.0f} s")
    return replace(priced, plan=plan, notes=(*made.notes, f"gap of the plan {made.gap:.2e}"))


def _told(
    cfg: DictConfig, made: dict[str, Outcome], arms: dict[str, Scenarios]
) -> dict[str, float]:
    """The scores of the record, and the sentence on the console."""
    from lanecast.planning.service import change_sentence, cost_lines, plan_values

    values: dict[str, float] = {}
    for arm, outcome in made.items():
        prefix = "" if len(made) == 1 else f"{arm}/"
        found = plan_values(outcome, arms[arm])
        values |= {f"{prefix}{name}": value for name, value in found.items()}
        print("\n".join(cost_lines(outcome, title=f"{outcome.plan.kind} ({arm})")))
    if len(made) == 2:
        change = {
            name: values[f"scenario/{name}"] - values[f"baseline/{name}"]
            for name in ("expected_usd", "trailers", "head_shifts")
        }
        values["cost_of_action_usd"] = change["expected_usd"]
        values |= {"more_trailers": change["trailers"], "more_head_shifts": change["head_shifts"]}
        print(change_sentence(str(cfg.scenario.name) if cfg.get("scenario") else "action", values))
    return values


def _regret(
    cfg: DictConfig, parameters: Parameters, outcome: Outcome, paths: Scenarios, folder: Run
) -> dict[str, float]:
    """Against what then happened, where the run kept it."""
    import numpy as np
    import pandas as pd

    from lanecast.planning.policies import alone
    from lanecast.planning.program.program import perfect
    from lanecast.planning.regret import over_origins, realized

    path = Path(str(cfg.run)) / "actuals.parquet"
    if not path.is_file():
        return {}
    wide = pd.read_parquet(path).pivot(index="unique_id", columns="ds", values="y")
    wide.columns = pd.DatetimeIndex(wide.columns).values.astype("datetime64[D]")
    truth_LT = wide.reindex(index=paths.lanes, columns=paths.days).to_numpy(dtype=np.float64)
    if not np.isfinite(truth_LT).all():
        folder.warn("no regret: some lane and day of the plan has no recorded volume")
        return {}
    truth = alone(paths, truth_LT)
    cost = float(realized(parameters, outcome.plan, truth)[0])
    best = float(perfect(parameters, truth)[0])
    regret = over_origins([cost], [best])["plan_regret"]
    print(
        f"as it happened: {cost:,.0f} USD, with perfect information {best:,.0f} ({regret:.2%} more)"
    )
    return {"realized_usd": cost, "perfect_usd": best, "plan_regret": regret}


def _write(
    parameters: Parameters, made: dict[str, Outcome], arms: dict[str, Scenarios], folder: Run
) -> None:
    """Plans, costs by sample, and figures by lane, site and day; each arm in its own folder."""
    from lanecast.planning.parameter_table import parameter_frame
    from lanecast.planning.service import lane_frame, site_frame
    from lanecast.planning.tables import outcome_frame, write_plan, write_table

    parameter_frame(parameters).to_csv(folder.folder / "parameters.csv", index=False)
    for arm, outcome in made.items():
        out = folder.folder if len(made) == 1 else folder.folder / arm
        out.mkdir(exist_ok=True)
        write_plan(outcome.plan, out)
        facts = {"kind": outcome.plan.kind, "scenarios": outcome.plan.scenarios}
        write_table(outcome_frame(outcome), out / "outcome.parquet", facts)
        lane_frame(parameters, outcome, arms[arm]).to_csv(out / "lane_days.csv", index=False)
        site_frame(parameters, outcome).to_csv(out / "site_days.csv", index=False)


def _draw(
    cfg: DictConfig,
    parameters: Parameters,
    made: dict[str, Outcome],
    arms: dict[str, Scenarios],
    folder: Run,
) -> None:
    """The picture for a manager."""
    from lanecast.report.pictures import keep_picture
    from lanecast.report.plan_figure import plan_figure

    unit = str(cfg.data.get("unit") or "packages")
    keep_picture(folder, "plan", lambda path: plan_figure(parameters, made, arms, path, unit=unit))
