"""The verb *midmile_do*: ask every entrant on every world, and print one table."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.benchmarks.midmile_do.cells import Group, groups_of, tasks_of, work
from lanecast.benchmarks.midmile_do.protocol import GOAL_AXES, ORACLE, VERSION, BenchmarkPlan, Cell
from lanecast.config import running_conf
from lanecast.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(cfg: DictConfig) -> float:
    """Train, ask and judge; the result is the least mean do-WAPE under the first policy."""
    from lanecast.benchmarks.midmile_do import tables

    started, conf, folder = time.perf_counter(), running_conf(), Path(str(cfg.out))
    cells, plan = cells_of(cfg), plan_of(cfg)
    folder.mkdir(parents=True, exist_ok=True)
    tasks = tasks_of(cells, plan, conf=conf)
    groups = groups_of(tasks, plan, conf=conf, folder=folder)
    todo = sum(len(group.tasks) for group in groups)
    print(f"midmile-do {VERSION}: {len(cells)} cells, {len(cells) - todo} of them finished before")
    _work(groups, workers=int(cfg.workers))
    results = {task.cell: scores for task in tasks if (scores := task.finished(folder)) is not None}
    written = tables.write(results, folder)
    (folder / "protocol.json").write_text(json.dumps(plan.facts(), indent=1) + "\n")
    print("\n".join(tables.wide_lines(written["table"], written["moved"])))
    print("\n".join(["", *tables.goal_lines(written["table"], written["coverage"])]))
    print(f"\n{folder / 'table.csv'}: {todo} cells in {time.perf_counter() - started:.0f} s")
    table = written["table"]
    chosen = table["axis"].isin(GOAL_AXES) & (table["policy"] == cells[0].policy)
    goal = table[chosen & (table["network"] != ORACLE)]
    return float(goal.groupby(["network", "coupling"])["wape"].mean().min())


def cells_of(cfg: DictConfig) -> list[Cell]:
    """Every entrant on every world, the oracle last."""
    pairs = [(str(n), str(c)) for n in cfg.networks for c in cfg.couplings]
    pairs += [(str(entry.network), str(entry.coupling)) for entry in cfg.more]
    if int(cfg.seeds) < 1 or not pairs or not cfg.policies:
        raise ConfigError("midmile-do needs a seed, a policy and an entrant at the least")
    pairs.append((ORACLE, ORACLE))
    return [
        Cell(str(policy), seed, network, coupling)
        for policy in cfg.policies
        for network, coupling in dict.fromkeys(pairs)
        for seed in range(1, int(cfg.seeds) + 1)
    ]


def plan_of(cfg: DictConfig) -> BenchmarkPlan:
    """What can change a number."""
    return BenchmarkPlan(
        preset=str(cfg.preset),
        confounded_price=bool(cfg.confounded_price),
        branches=int(cfg.branches),
        paths=int(cfg.paths),
        path_cutoffs=tuple(int(number) for number in cfg.path_cutoffs),
        overrides=tuple(str(override) for override in cfg.overrides),
        samples={str(key): int(value) for key, value in cfg.samples.items()},
    )


def _work(groups: Sequence[Group], *, workers: int) -> None:
    """Worlds side by side, each with one thread; a stopped run keeps its finished cells."""
    if workers == 1 or len(groups) < 2:
        for group in groups:
            work(group)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(groups)),
        mp_context=multiprocessing.get_context("spawn"),
    )
    try:
        for future in as_completed([pool.submit(work, group) for group in groups]):
            future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
