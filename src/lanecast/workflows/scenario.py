"""The verb *scenario*: what would happen if, asked of a trained run, beside what is expected.

Compose the question, call the core, write both arms, their sums and their picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, ScenarioError
from lanecast.pipeline.building import plain_config
from lanecast.pipeline.facts import RunResult, panel_facts, tell_of_table

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.pipeline.scenarios import WhatIf
    from lanecast.runs.record import Run


def run(cfg: DictConfig) -> RunResult:
    """Answer ``cfg.scenario`` with the model of ``cfg.run`` and leave a run folder.

    The objective is the relative change of the target, or of the volume that moves most where the
    target cannot move, over all series and steps.
    """
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.pipeline.opening import open_run
    from lanecast.pipeline.scenarios import what_if
    from lanecast.report.pictures import keep_graph_picture
    from lanecast.report.scenario_table import effects, main_node, summary
    from lanecast.runs.folder import read_record
    from lanecast.runs.record import Objective, Run
    from lanecast.whatif.actions import interventions_of

    if cfg.get("run") is None:
        raise ConfigError("scenario needs the folder of a trained run: run=runs/.../seed1")
    _check(
        plain_config(cfg.scenario).get("do"),
        dag=cfg.get("dag"),
        samples=int(cfg.samples),
        intervals=list(cfg.intervals),
    )
    with Run.open(cfg) as folder:
        opened = open_run(cfg)
        panel = opened.panel()
        last = cfg.get("cutoff") in (None, "last")
        audit = read_record(opened.folder).get("audit")
        answer = what_if(
            panel,
            opened.model,
            windows=opened.windows,
            do=interventions_of(plain_config(cfg.scenario)["do"], panel),
            cutoff=None if last else cutoff_step(panel, cfg.cutoff, key="cutoff"),
            samples=int(cfg.samples),
            seed=int(cfg.seed),
            bounds=None if cfg.bounds is None else float(cfg.bounds),
            allow_associational=bool(cfg.allow_associational),
            audit=audit,
            subject=f"run={cfg.run}",
            reporter=folder,
        )
        name, effect = str(cfg.scenario.name), effects(answer.nodes)
        bounds = None if answer.band is None else _write_band(answer, panel, cfg.bounds, folder)
        _write(answer, panel, folder, levels=cfg.levels, intervals=cfg.intervals)
        print("\n".join(summary(effect, name=name, badge=answer.badge)))
        allowed = {"allow_associational": bool(cfg.allow_associational)}
        _note(
            answer, panel, folder, audit=audit, name=name, effect=effect, bounds=bounds, **allowed
        )
        main = main_node(answer.nodes, answer.model.graph)
        unit = str(cfg.data.get("unit") or "units")
        _draw(answer, panel, folder, node=main, title=f"{name}  ({answer.badge})", unit=unit)
        keep_graph_picture(answer.model.graph, folder)
        objective = Objective(name=f"scenario/{main}", value=effect[main]["relative"])
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores={})


def _check(do: Any, *, dag: Any, samples: int, intervals: Sequence[float]) -> None:
    """Refuse before anything is read."""
    if not dag:
        raise ScenarioError(
            "the run has no causal graph, so nothing says what an action reaches; train with"
            " dag=<name>"
        )
    if not do:
        raise ConfigError(
            "nothing is done: choose scenario=<name>, or set for example"
            " 'scenario.do=[{node: promo, kind: hard, value: 1, first: 8, last: 14}]'"
        )
    if samples < 2 or any(not 0 < percent < 100 for percent in intervals):
        raise ConfigError(
            f"samples={samples} must be at least 2 and intervals={list(intervals)} percents"
            " between 0 and 100"
        )


def _note(answer: WhatIf, panel: Panel, folder: Run, *, audit: Any, **question: Any) -> None:
    """What the record says of the question and of the answer."""
    tell_of_table(panel, folder, strict=False)
    folder.note(
        data=panel_facts(panel),
        windows=answer.windows,
        split={"cutoff": str(panel.time_of(answer.cutoff))},
        model=answer.facts,
        audit=audit,
        scenario={
            "do": [asdict(action) for action in answer.do],
            "dag_hash": answer.model.graph.dag_hash,
            "badge": answer.badge,
            "moved": list(answer.answer.moved),
            "changed_before_first_action": answer.answer.early,
            "changed_beyond_reach": answer.answer.strays,
            "not_identified": sorted(answer.not_identified),
            "points": "means of sample paths",
            **question,
        },
    )


def _write_band(answer: WhatIf, panel: Panel, correlation: Any, folder: Run) -> dict[str, float]:
    """``bounds.parquet``: where the target may lie, by series and step; its means for the record.

    The residuals of target and treatment may correlate by up to ``correlation`` through hidden
    causes.
    """
    from lanecast.report.scenario_table import band_table

    assert answer.band is not None
    table = band_table(answer.band, panel, answer.at)
    table.to_parquet(folder.folder / "bounds.parquet", index=False)
    means = {name: float(table[name].mean()) for name in ("low", "middle", "high")}
    print(
        f"bounds of {answer.model.graph.target} for correlations up to {float(correlation):g},"
        f" means over series and steps: {means['low']:.4g} .. {means['high']:.4g}"
    )
    return {"max_correlation": float(correlation), **means}


def _write(
    answer: WhatIf, panel: Panel, folder: Run, *, levels: Sequence[str], intervals: Sequence[float]
) -> None:
    """The tables of nodes and of sums over levels, and the paths of the target."""
    from lanecast.report import scenario_table as tables

    known, badge, graph = [], answer.badge, answer.model.graph
    for level in levels:
        if level == tables.TOTAL or level in panel.attributes:
            known.append(str(level))
        else:
            folder.warn(
                f"levels names {level!r}, which is no static attribute of this panel (it has"
                f" {', '.join(panel.attributes) or 'none'}); that level is left out"
            )
    percents = [float(percent) for percent in intervals]
    frame = tables.node_table(answer.nodes, panel, intervals=percents).assign(badge=badge)
    frame.to_parquet(folder.folder / "scenario.parquet", index=False)
    if graph.target in answer.nodes and folder.keep.get("forecasts", True):
        paths = tables.sample_table(answer.nodes[graph.target], panel)  # the verb plan reads them
        paths.to_parquet(folder.folder / "samples.parquet", index=False)
    sums = tables.level_sums(answer.nodes, panel, graph, levels=known)
    table = tables.level_table(sums, panel, intervals=percents).assign(badge=badge)
    table.to_parquet(folder.folder / "scenario_levels.parquet", index=False)


def _draw(answer: WhatIf, panel: Panel, folder: Run, *, node: str, title: str, unit: str) -> None:
    """The picture of one node."""
    import numpy as np

    from lanecast.report.pictures import keep_picture
    from lanecast.report.scenario_figure import scenario_figure

    arms = answer.nodes[node]
    horizon = arms.baseline_SWH.shape[-1]
    acted = np.zeros(horizon, dtype=bool)
    for action in answer.do:
        acted |= action.touched(panel.series, horizon).any(axis=0)
    draw = partial(
        scenario_figure,
        panel,
        arms,
        title=title,
        node=node,
        column=str(answer.model.graph.nodes[node].column),
        unit=unit,
        acted=acted,
    )
    keep_picture(folder, "scenario", draw)
