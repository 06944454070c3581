"""All entrants of one world, one after another: trained, asked, and each left in a file.

A file that was made with the same facts is taken as it is, so a stopped run goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.benchmarks.midmile_do.protocol import ORACLE, BenchmarkPlan, Cell
from lanecast.config import composed_roots, config_hash, instantiate, trusted, trusting

if TYPE_CHECKING:
    from lanecast.benchmarks.midmile_do.judging import Judge
    from lanecast.data.panel import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A cell, its overrides, and what its file must say it was made with."""

    cell: Cell
    overrides: tuple[str, ...]
    facts: dict[str, Any]

    @property
    def path(self) -> str:
        """Of its file, inside the benchmark's folder."""
        return f"cells/{self.cell.name}.json"

    def finished(self, folder: Path) -> dict[str, Any] | None:
        """What its file says, if it was made with the same facts."""
        path = folder / self.path
        if not path.is_file():
            return None
        scores: dict[str, Any] = json.loads(path.read_text())
        return scores if scores["facts"] == self.facts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The entrants of one world that are still to be asked."""

    tasks: tuple[Task, ...]
    plan: BenchmarkPlan
    conf: str
    folder: str
    trust: tuple[str, ...] = ()


def tasks_of(cells: Sequence[Cell], plan: BenchmarkPlan, *, conf: Path) -> list[Task]:
    """Every cell with the hash of the config that it comes to."""
    overrides = [plan.overrides_of(_composable(cell)) for cell in cells]
    return [
        Task(
            cell=cell,
            overrides=tuple(each),
            facts={**plan.facts(), "config": config_hash(cfg)},
        )
        for cell, each, cfg in zip(
            cells, overrides, composed_roots(conf, "backtest", overrides), strict=True
        )
    ]


def groups_of(
    tasks: Sequence[Task], plan: BenchmarkPlan, *, conf: Path, folder: Path
) -> list[Group]:
    """Tasks that are not finished, by world."""
    todo: dict[tuple[str, int], list[Task]] = {}
    for task in tasks:
        if task.finished(folder) is None:
            todo.setdefault((task.cell.policy, task.cell.seed), []).append(task)
    return [
        Group(tasks=tuple(each), plan=plan, conf=str(conf), folder=str(folder), trust=trusted())
        for each in todo.values()
    ]


def work(group: Group) -> int:
    """Train and score the group's entrants, in this process or another; count them."""
    with trusting(group.trust):
        return _train_and_score(group)


def _train_and_score(group: Group) -> int:
    """The entrants share the panel and the causal layer."""
    import torch

    torch.set_num_threads(1)
    from lanecast.causal.scm.layer import CausalLayer
    from lanecast.data.ingest.loading import load_panel
    from lanecast.pipeline.building import build_forecaster
    from lanecast.pipeline.folds import fitted
    from lanecast.workflows.backtest import cutoffs_of

    overrides = [task.overrides for task in group.tasks]
    configs = composed_roots(Path(group.conf), "backtest", overrides)
    panel = load_panel(configs[0].data)
    layer: CausalLayer | None = None
    judge = None
    for task, cfg in zip(group.tasks, configs, strict=True):
        started = time.perf_counter()
        model: Any = build_forecaster(cfg, layer=layer)
        if judge is None:
            cutoffs = cutoffs_of(panel, cfg.protocol, model.windows.horizon)
            world = instantiate(cfg.data.source).world
            judge = _judge(group.plan, world, panel, model, cutoffs)
        if task.cell.network == ORACLE:
            scores, seconds = judge.floor(), {"fit": 0.0}
        else:
            entrant: Any = fitted(panel, model, until=judge.cutoffs[0])
            layer = entrant.layer
            seconds = {"fit": time.perf_counter() - started}
            scores = judge.score(entrant, badge=_badge(entrant, panel, judge.cutoffs[0]))
        seconds["all"] = time.perf_counter() - started
        scores |= {"facts": task.facts, "seconds": seconds, "cell": task.cell.name}
        _keep(Path(group.folder) / task.path, scores)
        print(f"{task.cell.name}: {seconds['all']:.0f} s", flush=True)
    return len(group.tasks)


def _composable(cell: Cell) -> Cell:
    """The oracle needs a world and a graph, for which any network's config will do."""
    return Cell(cell.policy, cell.seed, "linear", "no_future") if cell.network == ORACLE else cell


def _badge(forecaster: Any, panel: Panel, cutoff: int) -> str:
    """What an audit measures on some windows of the first cutoff."""
    from lanecast.audits.do_validity import audit

    return audit(forecaster, panel, cutoff=cutoff, max_series=32, samples=8).badge


def _judge(
    plan: BenchmarkPlan, world: Any, panel: Panel, model: Any, cutoffs: Sequence[int]
) -> Judge:
    from lanecast.benchmarks.midmile_do.judging import Judge

    return Judge(
        world=world,
        panel=panel,
        graph=model.graph,
        spec=model.windows,
        cutoffs=tuple(cutoffs),
        branches=plan.branches,
        paths=plan.paths,
        path_cutoffs=plan.path_cutoffs,
    )


def _keep(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(draft, path)
