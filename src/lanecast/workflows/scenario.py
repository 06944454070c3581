"""The verb *scenario*: what would happen if, asked of a trained run, beside what is expected.

A run answers only what its badge covers: a network that saw treatments as they were logged predicts
well and cannot say what an action does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, NotIdentified, ScenarioError
from lanecast.pipeline.building import build_forecaster, plain_config
from lanecast.pipeline.facts import RunResult, model_facts, panel_facts, window_facts
from lanecast.pipeline.opening import coupled_part, refuse_calibrated, saved_model

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex, WindowSpec
    from lanecast.interventions import Intervention
    from lanecast.models.protocol import Forecaster
    from lanecast.runs.record import Run
    from lanecast.whatif.answers import Answer, Arms
    from lanecast.whatif.coupled import CoupledForecaster


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked, of which model, on which windows; ``told``: nodes whose effect is hidden."""

    forecaster: CoupledForecaster
    panel: Panel
    spec: WindowSpec
    at: WindowIndex
    do: tuple[Intervention, ...]
    told: Mapping[str, str]


def run(cfg: DictConfig) -> RunResult:
    """Answer ``cfg.scenario`` with the model of ``cfg.run`` and leave a run folder.

    The objective is the relative change of the target, or of the volume that moves most where the
    target cannot move, over all series and steps.
    """
    from lanecast.report.pictures import keep_graph_picture
    from lanecast.report.scenario_table import main_node
    from lanecast.runs.folder import read_record
    from lanecast.runs.record import Objective, Run
    from lanecast.whatif.answers import what_if
    from lanecast.whatif.badges import lesser, refuse_lesser

    _check(cfg)
    refuse_calibrated(cfg)
    with Run.open(cfg) as folder:
        forecaster = build_forecaster(cfg)
        coupled = coupled_part(forecaster)
        audit = read_record(Path(str(cfg.run))).get("audit")
        badge = lesser(coupled.describe().do_validity, audit)
        if not cfg.allow_associational:
            refuse_lesser(badge, coupled.mode, run=cfg.run, audited=audit is not None)
        if audit is None:
            folder.warn(f"run={cfg.run} was not audited: its badge is what construction promises")
        case = _case(cfg, forecaster, coupled)
        correlation = None if cfg.bounds is None else float(cfg.bounds)
        bands = _bands(case, correlation, folder)
        answer = what_if(
            case.forecaster,
            case.panel,
            case.at,
            do=case.do,
            samples=int(cfg.samples),
            seed=int(cfg.seed),
        )
        answer = _coherent(answer, forecaster, case, seed=int(cfg.seed))
        badge = _kept(badge, answer, cfg, folder)
        for warning in (*answer.warnings, *case.told.values()):
            folder.warn(warning)
        hidden = set(case.told) - {case.forecaster.graph.target}
        nodes = {name: arms for name, arms in answer.nodes.items() if name not in hidden}
        effect = _write(cfg, nodes, case, folder, badge=badge)
        _note(cfg, case, answer, folder, audit=audit, badge=badge, effect=effect, bounds=bands)
        main = main_node(nodes, case.forecaster.graph)
        _draw(cfg, nodes[main], main, case, folder, badge=badge)
        keep_graph_picture(case.forecaster.graph, folder)
        objective = Objective(name=f"scenario/{main}", value=effect[main]["relative"])
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores={})


def _check(cfg: DictConfig) -> None:
    """Refuse before anything is read."""
    if cfg.get("run") is None:
        raise ConfigError("scenario.py needs the folder of a trained run: run=runs/.../seed1")
    if not cfg.get("dag"):
        raise ScenarioError(
            f"run={cfg.run} has no causal graph, so nothing says what an action reaches; train with"
            " dag=<name>"
        )
    if not cfg.scenario.get("do"):
        raise ConfigError(
            "nothing is done: choose scenario=<name>, or set for example"
            " 'scenario.do=[{node: promo, kind: hard, value: 1, first: 8, last: 14}]'"
        )
    if int(cfg.samples) < 2 or any(not 0 < percent < 100 for percent in cfg.intervals):
        raise ConfigError(
            f"samples={cfg.samples} must be at least 2 and intervals={list(cfg.intervals)} percents"
            " between 0 and 100"
        )


def _case(cfg: DictConfig, forecaster: Forecaster, coupled: CoupledForecaster) -> Case:
    """The model loaded, the panel with its encoding, every series at the cutoff, what is done."""
    from lanecast.config import instantiate
    from lanecast.data.ingest.layout import check_future
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.ingest.statics import vocabulary_of
    from lanecast.data.schema import Schema
    from lanecast.data.views import with_roles
    from lanecast.data.windows import windows_at
    from lanecast.whatif.actions import check_do, interventions_of, unidentified
    from lanecast.whatif.treatments import columns_of

    forecaster.load(saved_model(cfg.run))
    graph, encoded = coupled.graph, coupled.describe().static_names
    vocabulary = vocabulary_of(Schema.from_config(cfg.data.schema), encoded)
    panel = load_panel(cfg.data, vocabulary=vocabulary)
    spec: WindowSpec = instantiate(cfg.windows)
    do = interventions_of(plain_config(cfg.scenario)["do"], panel)
    check_do(do, graph, spec.horizon)
    last = cfg.get("cutoff") in (None, "last")
    cutoff = panel.last_step if last else panel.step_of(cfg.cutoff)
    at = windows_at(panel, [cutoff], spec)
    if not len(at):
        raise ScenarioError(
            f"no series has {spec.min_context} targets in the {spec.context} steps up to"
            f" {panel.time_of(cutoff)}; set another cutoff="
        )
    # Futures of treatments that are not there are drawn from their policies.
    check_future(with_roles(panel, dict.fromkeys(columns_of(graph).values())), at, spec)
    told = unidentified(graph, do, spec.horizon)
    return Case(forecaster=coupled, panel=panel, spec=spec, at=at, do=do, told=told)


def _coherent(answer: Answer, forecaster: Forecaster, case: Case, *, seed: int) -> Answer:
    """With a hierarchy: both arms of the target moved by what reconciling moves the baseline."""
    from lanecast.data.schema import TARGET
    from lanecast.whatif.answers import moved_target

    if forecaster is case.forecaster:
        return answer
    target = case.forecaster.graph.target  # the node of the schema's own target
    before, after = (
        model.predict(case.panel, at=case.at, seed=seed).point_WH
        for model in (case.forecaster, forecaster)
    )
    floor = case.panel.schema.columns[TARGET].non_negative
    return moved_target(answer, target, after - before, floor=floor)


def _bands(case: Case, correlation: float | None, folder: Run) -> dict[str, Any] | None:
    """The band of the target where the graph does not identify the effect on it, or a refusal.

    ``bounds.parquet`` holds it by series and step: where the target may lie under the action if
    the residuals of target and treatment correlate by up to so much through hidden causes.
    """
    from lanecast.causal.attribution.sensitivity import band
    from lanecast.report.scenario_table import band_table
    from lanecast.whatif.actions import action_of

    graph, horizon = case.forecaster.graph, case.spec.horizon
    if graph.target not in case.told:
        return None
    if correlation is None:
        raise NotIdentified(
            f"{case.told[graph.target]}; here: bounds=<r> gives the band for hidden causes whose"
            " residuals correlate by up to r"
        )
    acted = sorted({one.node for one in case.do})
    if len(acted) != 1 or any(one.kind == "delay" for one in case.do):
        raise ScenarioError("bounds= takes an action on one node, and no delay")
    action = action_of(case.do, graph=graph, panel=case.panel, at=case.at, horizon=horizon)
    found = band(
        case.forecaster.layer,
        case.panel,
        case.at,
        horizon=horizon,
        action=action,
        treatment=acted[0],
        max_correlation=correlation,
    )
    table = band_table(found, case.panel, case.at)
    table.to_parquet(folder.folder / "bounds.parquet", index=False)
    means = {name: float(table[name].mean()) for name in ("low", "middle", "high")}
    print(
        f"bounds of {graph.target} for correlations up to {correlation:g}, means over series and"
        f" steps: {means['low']:.4g} .. {means['high']:.4g}"
    )
    return {"max_correlation": correlation, **means}


def _kept(badge: str, answer: Answer, cfg: DictConfig, folder: Run) -> str:
    """The badge, unless this very answer moved what the action cannot reach."""
    from lanecast.whatif.badges import ASSOCIATIONAL, is_do_valid

    moved = max(answer.early, answer.strays)
    if not is_do_valid(badge) or moved == 0:
        return badge
    message = (
        f"the answer changes what the action cannot reach, by up to {moved:g}; it is"
        f" {ASSOCIATIONAL}, not {badge}"
    )
    if not cfg.allow_associational:
        raise ScenarioError(
            f"{message}: train with coupling=delta, or set allow_associational=true"
        )
    folder.warn(message)
    return ASSOCIATIONAL


def _note(
    cfg: DictConfig, case: Case, answer: Answer, folder: Run, *, audit: Any, **found: Any
) -> None:
    """What the record says of the question and of the answer."""
    panel, at = case.panel, case.at
    folder.note(
        data=panel_facts(panel),
        windows=window_facts(panel, at, context=case.spec.context, num_cutoffs=1),
        split={"cutoff": str(panel.time_of(int(at.cutoff_W[0])))},
        model=model_facts(case.forecaster),
        audit=audit,
        scenario={
            "name": str(cfg.scenario.name),
            "do": [asdict(one) for one in case.do],
            "dag_hash": case.forecaster.graph.dag_hash,
            "allow_associational": bool(cfg.allow_associational),
            "moved": list(answer.moved),
            "changed_before_first_action": answer.early,
            "changed_beyond_reach": answer.strays,
            "not_identified": sorted(case.told),
            "points": "means of sample paths",
            **found,
        },
    )


def _write(
    cfg: DictConfig, nodes: Mapping[str, Arms], case: Case, folder: Run, *, badge: str
) -> dict[str, dict[str, float]]:
    """Both tables, and the means that the record and the console tell."""
    from lanecast.report import scenario_table as tables

    panel, levels = case.panel, []
    for level in cfg.levels:
        if level == tables.TOTAL or level in panel.attributes:
            levels.append(str(level))
        else:
            folder.warn(
                f"levels names {level!r}, which is no static attribute of this panel (it has"
                f" {', '.join(panel.attributes) or 'none'}); that level is left out"
            )
    intervals = [float(percent) for percent in cfg.intervals]
    frame = tables.node_table(nodes, panel, intervals=intervals).assign(badge=badge)
    frame.to_parquet(folder.folder / "scenario.parquet", index=False)
    target = case.forecaster.graph.target
    if target in nodes and folder.keep.get("forecasts", True):  # what plan.py plans with
        paths = tables.sample_table(nodes[target], panel)
        paths.to_parquet(folder.folder / "samples.parquet", index=False)
    sums = tables.level_sums(nodes, panel, case.forecaster.graph, levels=levels)
    table = tables.level_table(sums, panel, intervals=intervals).assign(badge=badge)
    table.to_parquet(folder.folder / "scenario_levels.parquet", index=False)
    effect = tables.effects(nodes)
    print("\n".join(tables.summary(effect, name=str(cfg.scenario.name), badge=badge)))
    return effect


def _draw(cfg: DictConfig, arms: Arms, node: str, case: Case, folder: Run, *, badge: str) -> None:
    """The picture of one node; a warning without matplotlib."""
    import numpy as np

    from lanecast.report.scenario_figure import scenario_figure

    panel, horizon = case.panel, case.spec.horizon
    acted = np.zeros(horizon, dtype=bool)
    for one in case.do:
        acted |= one.touched(panel.series, horizon).any(axis=0)
    try:
        path = scenario_figure(
            panel,
            arms,
            folder.folder / "scenario.png",
            title=f"{cfg.scenario.name}  ({badge})",
            node=node,
            column=str(case.forecaster.graph.nodes[node].column),
            unit=str(cfg.data.get("unit") or "units"),
            acted=acted,
        )
    except ImportError as err:
        folder.warn(f"no scenario plot ({err}); pip install lanecast[demo] brings matplotlib")
        return
    folder.image("scenario", path)
