"""From the sample paths of a backtest on the twin to a table of plan regret against its truth.

At every cutoff each policy plans with the run's paths; plans are priced on draws from the true
joint distribution of the days ahead, beside perfect information and the here-and-now optimum of the
same draws.  Axes: ``W`` draws, ``L`` lanes, ``T`` days.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import ConfigError
from lanecast.planning.contracts import Plan, Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.planning.policies import Policy, SolveOptions, alone
from lanecast.planning.regret import Yardstick, ratio_error, realized

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.planning.network import Network
    from lanecast.twin.world import World

COLUMNS = ("plan", "regret", "se", "evpi", "excess", "excess_se", "wape", "bias", "cost_usd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One cutoff: the run's paths, the true draws, and what they make of a plan."""

    parameters: Parameters
    paths: Scenarios
    truth: Scenarios
    yardstick: Yardstick


def run(cfg: DictConfig) -> float:
    """Write ``regret.csv`` and ``regret.md``; the excess of the stochastic plan."""
    from lanecast.config import instantiate

    started, out = time.perf_counter(), Path(str(cfg.out))
    out.mkdir(parents=True, exist_ok=True)
    source = run_folder(str(cfg.runs))
    policies: dict[str, Policy] = {name: instantiate(one) for name, one in cfg.plans.items()}
    origins = list(origins_of(cfg, source))
    first: list[Plan] = []
    rows = []
    for policy in policies.values():
        plans = [
            policy.plan(origin.parameters, origin.paths, options=SolveOptions()).plan
            for origin in origins
        ]
        first = first or plans
        rows.append(_row(policy, origins, plans))
        print(_line(rows[-1]), flush=True)
    table = _table(rows)
    table.to_csv(out / "regret.csv", index=False)
    lines = [*_markdown(table), "", *_simulated(cfg, origins[0], first[0])]
    lines.append(
        f"{time.perf_counter() - started:.0f} s; {len(origins)} cutoffs x {cfg.draws} draws"
    )
    (out / "regret.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return float(rows[0]["excess"])


def run_folder(pattern: str) -> Path:
    """The one run folder that a pattern names; ConfigError otherwise."""
    found = sorted(path.parent for path in Path().glob(f"{pattern}/record.json"))
    if len(found) != 1:
        raise ConfigError(
            f"runs={pattern} names {len(found)} run folders; it must name one backtest of midmile"
            " with sample paths (experiment=plan_demo)"
        )
    return found[0]


def origins_of(cfg: DictConfig, source: Path) -> Any:
    """The cutoffs of a run, each with its paths and with draws from the truth."""
    import pandas as pd

    from lanecast.config import instantiate
    from lanecast.config.recorded import read_config
    from lanecast.data.ingest.loading import load_panel
    from lanecast.runs.folder import read_record

    record, recorded = read_record(source), read_config(source)
    panel = load_panel(recorded.data)
    world: World = instantiate(recorded.data.source).world
    network: Network = instantiate(cfg.network)
    frame = pd.read_parquet(source / "samples.parquet")
    cutoffs = np.sort(frame["cutoff"].unique())[: cfg.cutoffs]
    for cutoff in cutoffs:
        rows = frame[frame["cutoff"] == cutoff]
        yield _origin(
            cfg, panel, world, network, rows, str(record["model"]["name"]),
            step=panel.step_of(str(cutoff)), as_of=panel.step_of(str(cutoffs[0])),
        )  # fmt: skip


def _origin(
    cfg: DictConfig,
    panel: Panel,
    world: World,
    network: Network,
    rows: pd.DataFrame,
    column: str,
    *,
    step: int,
    as_of: int,
) -> Origin:
    from lanecast.planning.tables import scenarios_from
    from lanecast.twin.geography import network_of
    from lanecast.twin.oracle import filtered_draws

    days = int(cfg.days)
    rows = rows[rows["sample"] < int(cfg.samples)]
    paths = scenarios_from(rows, column=column, days=days, unit=network.unit)
    parameters = network.parameters(panel, paths.lanes, as_of=as_of)
    day = int((panel.time_of(step) - np.datetime64(world.start)) / np.timedelta64(1, "D"))
    volume_KNH = filtered_draws(
        world, cutoff=day, horizon=days, branches=int(cfg.draws), seed=int(cfg.seed)
    )
    place = {str(name): at for at, name in enumerate(network_of(world).names())}
    chosen = np.array([place[str(name)] for name in paths.lanes])
    truth = replace(paths, volume_WLT=volume_KNH[:, chosen], probability_W=None, source="truth")
    return Origin(
        parameters=parameters,
        paths=paths,
        truth=truth,
        yardstick=Yardstick.of(parameters, truth),
    )


def _row(policy: Policy, origins: list[Origin], plans: list[Plan]) -> dict[str, Any]:
    """All cutoffs pooled; errors are those of the draws, given the cutoffs."""
    cost_W = [
        realized(origin.parameters, plan, origin.truth)
        for origin, plan in zip(origins, plans, strict=True)
    ]
    cost = np.concatenate(cost_W)
    perfect = np.concatenate([origin.yardstick.perfect_W for origin in origins])
    optimum = np.concatenate([origin.yardstick.optimum_W for origin in origins])
    weight_W, base = np.full(len(cost), 1.0 / len(cost)), perfect.mean()
    errors = [_error(policy, origin) for origin in origins]
    return {
        "plan": policy.name,
        "regret": (cost.mean() - base) / base,
        "se": ratio_error(cost, perfect, perfect, weight_W),
        "evpi": (optimum.mean() - base) / base,
        "excess": (cost.mean() - optimum.mean()) / base,
        "excess_se": ratio_error(cost, optimum, perfect, weight_W),
        "wape": sum(e[0] for e in errors) / sum(e[2] for e in errors),
        "bias": sum(e[1] for e in errors) / sum(e[2] for e in errors),
        "cost_usd": cost.mean(),
    }


def _error(policy: Policy, origin: Origin) -> tuple[float, float, float]:
    """Absolute error, error and volume of what the policy plans for, against every draw."""
    miss_WLT = policy.point(origin.parameters, origin.paths) - origin.truth.volume_WLT
    return (
        float(np.abs(miss_WLT).sum()),
        float(miss_WLT.sum()),
        float(origin.truth.volume_WLT.sum()),
    )


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)[list(COLUMNS)]


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['plan']}: regret {row['regret']:.2%} +- {row['se']:.2%}, excess {row['excess']:.2%}"
    )


def _markdown(table: pd.DataFrame) -> list[str]:
    """Percent of perfect-information cost."""
    shares = ("regret", "se", "evpi", "excess", "excess_se", "wape", "bias")
    lines = [f"| plan | {' | '.join(shares)} | cost USD |", f"|---|{'---:|' * (len(shares) + 1)}"]
    for row in table.to_dict("records"):
        told = " | ".join(f"{100 * row[name]:.2f} %" for name in shares)
        lines.append(f"| {row['plan']} | {told} | {row['cost_usd']:,.0f} |")
    return lines


def _simulated(cfg: DictConfig, origin: Origin, plan: Plan) -> list[str]:
    """The first plan event by event on some draws, beside what the program says it costs."""
    from lanecast.planning.program.program import solve
    from lanecast.planning.simulation import simulate, verdict

    runs, ratios, below = [], [], 0
    for number in range(int(cfg.simulated)):
        one = alone(origin.truth, origin.truth.volume_WLT[number])
        told = solve(origin.parameters, one, fixed=plan, flows=True, kind=plan.kind)
        run = simulate(origin.parameters, plan, one.volume_WLT[0], seed=number, recourse=told.flows)
        runs.append(run)
        ratios.append(run.cost / told.expected)
        below += ratios[-1] < 1 - 1e-6
    found = verdict(runs, target=float(cfg.service))
    return [
        f"Simulated event by event ({plan.kind}, {len(runs)} draws, late trailers and docks): cost"
        f" {np.mean(ratios):.4f} of the program's, below it in {below} runs; {found}."
    ]
