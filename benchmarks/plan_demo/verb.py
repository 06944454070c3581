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
from lanecast.planning.policies import Policy, alone
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.regret import Yardstick, ratio_error, realized

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.planning.network import PricedNetwork
    from lanecast.twin.world import World
    from lanecast.workflows.sample_paths import SamplePaths

COLUMNS = ("plan", "regret", "se", "evpi", "excess", "excess_se", "wape", "bias", "cost_usd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is planned, drawn and simulated; the keys of its config."""

    cutoffs: int
    days: int
    samples: int
    draws: int
    simulated: int
    seed: int


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
    from lanecast.config.recorded import read_config
    from lanecast.data.ingest.loading import load_panel
    from lanecast.workflows.sample_paths import SamplePaths

    started, out = time.perf_counter(), Path(str(cfg.out))
    out.mkdir(parents=True, exist_ok=True)
    source = run_folder(str(cfg.runs))
    size = Size(**{name: int(cfg[name]) for name in Size.__dataclass_fields__})
    policies: list[Policy] = [instantiate(policy) for policy in cfg.plans.values()]
    data = read_config(source).data
    origins = origins_of(
        SamplePaths.of(source, samples=size.samples),
        load_panel(data),
        instantiate(data.source).world,
        instantiate(cfg.network),
        size,
    )
    first: list[Plan] = []
    rows = []
    for policy in policies:
        plans = [
            policy.plan(origin.parameters, origin.paths, options=SolveOptions()).plan
            for origin in origins
        ]
        first = first or plans
        rows.append(_row(policy, origins, plans))
        print(_line(rows[-1]), flush=True)
    table = _table(rows)
    table.to_csv(out / "regret.csv", index=False)
    lines = [
        *_markdown(table),
        "",
        *_simulated(origins[0], first[0], size, service=float(cfg.service)),
    ]
    seconds = time.perf_counter() - started
    lines.append(f"{seconds:.0f} s; {len(origins)} cutoffs x {size.draws} draws")
    (out / "regret.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return float(rows[0]["excess"])


def run_folder(pattern: str) -> Path:
    """The one run folder that a pattern names; ConfigError otherwise."""
    folders = sorted(path.parent for path in Path().glob(f"{pattern}/record.json"))
    if len(folders) != 1:
        raise ConfigError(
            f"runs={pattern} names {len(folders)} run folders; it must name one backtest of midmile"
            " with sample paths (experiment=plan_demo)"
        )
    return folders[0]


def origins_of(
    paths: SamplePaths, panel: Panel, world: World, network: PricedNetwork, size: Size
) -> list[Origin]:
    """The first cutoffs of a run, each with its paths and with draws from the truth."""
    cutoffs = paths.cutoffs[: size.cutoffs]
    as_of = panel.step_of(str(cutoffs[0]))
    origins = []
    for cutoff in cutoffs:
        volumes = paths.at(cutoff, days=size.days, unit=network.unit, most=size.samples)
        parameters = network.parameters(panel, volumes.lanes, as_of=as_of)
        truth = _truth(volumes, world, np.datetime64(cutoff), size)
        yardstick = Yardstick.of(parameters, truth)
        origins.append(
            Origin(parameters=parameters, paths=volumes, truth=truth, yardstick=yardstick)
        )
    return origins


def _truth(paths: Scenarios, world: World, cutoff: np.datetime64, size: Size) -> Scenarios:
    """Draws of the days ahead: all equations known, levels as far as orders show them."""
    from lanecast.twin.geography import network_of
    from lanecast.twin.oracle import filtered_draws

    day = int((cutoff - np.datetime64(world.start)) / np.timedelta64(1, "D"))
    volume_KNH = filtered_draws(
        world, cutoff=day, horizon=size.days, branches=size.draws, seed=size.seed
    )
    place = {str(name): at for at, name in enumerate(network_of(world).names())}
    chosen = np.array([place[str(name)] for name in paths.lanes])
    return replace(paths, volume_WLT=volume_KNH[:, chosen], probability_W=None, source="truth")


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
        cells = " | ".join(f"{100 * row[name]:.2f} %" for name in shares)
        lines.append(f"| {row['plan']} | {cells} | {row['cost_usd']:,.0f} |")
    return lines


def _simulated(origin: Origin, plan: Plan, size: Size, *, service: float) -> list[str]:
    """The first plan event by event on some draws, beside what the program says it costs."""
    from lanecast.planning.program.program import solve
    from lanecast.planning.simulation import simulate, verdict

    runs, ratios, below = [], [], 0
    for number in range(size.simulated):
        draw = alone(origin.truth, origin.truth.volume_WLT[number])
        priced = solve(
            origin.parameters, draw, fixed=plan, options=SolveOptions(flows=True, kind=plan.kind)
        )
        volume_LT = draw.volume_WLT[0]
        run = simulate(origin.parameters, plan, volume_LT, seed=number, recourse=priced.flows)
        runs.append(run)
        ratios.append(run.cost / priced.expected)
        below += ratios[-1] < 1 - 1e-6
    level = verdict(runs, target=service)
    return [
        f"Simulated event by event ({plan.kind}, {len(runs)} draws, late trailers and docks): cost"
        f" {np.mean(ratios):.4f} of the program's, below it in {below} runs; {level}."
    ]
