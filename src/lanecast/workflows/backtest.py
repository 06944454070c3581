"""The verb *backtest*: compose a model and its cutoffs, call the core, write the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError
from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import (
    RunResult,
    panel_facts,
    tell_of_table,
    warn_of_lanes,
    window_facts,
)
from lanecast.pipeline.machine import require_solver
from lanecast.pipeline.opening import keep_model, open_run

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.forecasts import Forecasts
    from lanecast.data.hierarchy import Structure
    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowSpec
    from lanecast.evaluation.score import Scores
    from lanecast.models.protocol import Forecaster
    from lanecast.pipeline.folds import Fold
    from lanecast.planning.backtest import PlanScores
    from lanecast.runs.record import Run


def run(cfg: DictConfig) -> RunResult:
    """Backtest ``cfg.model``, or the trained model of ``cfg.run``, and leave a run folder."""
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.pipeline.backtesting import backtest
    from lanecast.pipeline.engines import Engine, Local
    from lanecast.pipeline.folds import folds_of, history_of
    from lanecast.runs.record import Objective, Run

    if cfg.get("plan"):
        _check_plan(cfg.get("network"), samples=int(cfg.protocol.samples))
    with Run.open(cfg) as folder:
        engine: Engine = instantiate(cfg.engine) if cfg.get("engine") else Local()
        trained = open_run(cfg) if cfg.get("run") is not None else None
        # What cannot be built is told before data are read.
        model = (
            trained.model
            if trained
            else build_forecaster(cfg, on_this_machine=isinstance(engine, Local))
        )
        panel, spec = trained.panel() if trained else load_panel(cfg.data), instantiate(cfg.windows)
        tell_of_table(panel, folder, strict=bool(cfg.get("strict")))
        cutoffs = cutoffs_of(panel, cfg.protocol, spec.horizon)
        refit = "never" if trained else cfg.protocol.refit
        folds = folds_of(cutoffs, refit)
        if len(folds) > 1 and cfg.model.get("resume") is not None:
            _refuse_resume(cfg.model.resume, refit, len(folds))
        warn_of_lanes(panel, cfg.data, folder)
        _note_question(panel, spec, folds, folder)
        result = backtest(
            panel,
            model,
            windows=spec,
            cutoffs=cutoffs,
            refit=refit,
            window=history_of(cfg.protocol.window),
            quantiles=list(cfg.protocol.quantiles),
            samples=int(cfg.protocol.samples),
            seed=int(cfg.seed),
            season=cfg.protocol.season,
            engine=engine,
            reporter=folder,
            keep=partial(_keep, panel=panel, name=cfg.model.name, folder=folder, new=not trained),
        )
        folder.note(timings=dict(result.seconds), model=result.facts)
        scores = result.scores
        if cfg.get("hierarchy"):
            structure = instantiate(cfg.hierarchy.structure)
            scores = _with_levels(scores, result.forecasts, panel, structure)
        if cfg.get("plan"):
            scores = _with_regret(scores, _plan_scores(cfg, result.forecasts, panel))
        _note_scores(scores, dict(result.futures), folder)
        _draw(result.forecasts, panel, folder, unit=cfg.data.get("unit") or "y")
        objective = Objective(name="test/wape", value=scores.values["wape"])
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=scores.values)


def _plan_scores(cfg: DictConfig, forecasts: Forecasts, panel: Panel) -> PlanScores:
    """What plans made with these forecasts cost beside perfect information."""
    from lanecast.config import instantiate
    from lanecast.planning.backtest import plan_scores

    return plan_scores(
        forecasts,
        panel,
        network=instantiate(cfg.network),
        policy=instantiate(cfg.plan),
        days=int(cfg.planning.days),
        unit=cfg.data.get("unit"),
    )


def _note_question(panel: Panel, spec: WindowSpec, folds: Sequence[Fold], folder: Run) -> None:
    """What is asked stands in the record before anything is fitted."""
    from lanecast.data.windows import windows_at

    cutoffs = [step for fold in folds for step in fold.cutoffs]
    folder.note(
        data=panel_facts(panel),
        split={
            "cutoffs": [str(panel.time_of(step)) for step in cutoffs],
            "fitted_until": [str(panel.time_of(fold.until)) for fold in folds],
        },
        windows=window_facts(
            panel,
            windows_at(panel, cutoffs, spec),
            context=spec.context,
            cutoffs=cutoffs,
        ),
    )


def _note_scores(scores: Scores, futures: dict[str, float], folder: Run) -> None:
    from lanecast.whatif.leakage import futures_lines

    folder.note(**scores.to_record(), **({"futures": futures} if futures else {}))
    values = scores.values | futures
    folder.log(0, **{f"test/{name}": value for name, value in values.items()})
    print("\n".join(futures_lines(futures)), end="\n" if futures else "")


def cutoffs_of(panel: Panel, protocol: Any, horizon: int) -> list[int]:
    """The cutoffs of a rolling protocol on this panel."""
    from lanecast.data.cutoffs import rolling_cutoffs

    return rolling_cutoffs(
        panel,
        first=protocol.first_cutoff,
        step=int(protocol.step),
        count=None if protocol.count is None else int(protocol.count),
        horizon=horizon,
    )


def _keep(
    model: Forecaster, forecasts: Forecasts, *, panel: Panel, name: str, folder: Run, new: bool
) -> None:
    """The model where it is new, the picture of its graph, and the tables of its forecasts."""
    from lanecast.data.forecast_frames import actual_frame, forecast_frame, samples_frame
    from lanecast.data.forecast_parts import by_series, in_order, write_parts
    from lanecast.report.pictures import keep_graph_picture
    from lanecast.runs.contents import replaced

    if new:
        keep_model(model, folder.folder)
    keep_graph_picture(model.describe().graph, folder)
    if not folder.keep.get("forecasts", True):
        return
    frames = (forecast_frame(part, panel, name) for part in in_order(forecasts))
    write_parts(folder.folder / "forecasts.parquet", frames)
    horizon = forecasts.point_WH.shape[1]
    parts = by_series(forecasts, steps=3 * horizon)
    actual = (actual_frame(part, panel, context=2 * horizon) for part in parts)
    write_parts(folder.folder / "actuals.parquet", actual)
    if forecasts.samples_SWH is not None:
        paths = samples_frame(forecasts, panel, name)
        with replaced(folder.folder / "samples.parquet") as draft:
            paths.to_parquet(draft, index=False)


def _with_levels(
    scores: Scores, forecasts: Forecasts, panel: Panel, structure: Structure
) -> Scores:
    """The scores with those of sites, regions and the network."""
    from lanecast.evaluation.levels import level_lines, level_scores

    levels = level_scores(forecasts, panel, structure.of(panel))
    print("\n".join(level_lines(levels)))
    return replace(scores, values=scores.values | levels)


def _refuse_resume(checkpoint: str, refit: str | int, fits: int) -> None:
    raise ConfigError(
        f"model.resume={checkpoint} goes on with one fit, but protocol.refit={refit} asks for"
        f" {fits}; set protocol.refit=never, or leave model.resume out"
    )


def _check_plan(network: Any, *, samples: int) -> None:
    """A plan needs its parameters and paths; told before anything is trained."""
    if not network:
        raise ConfigError("plan= needs a network: network=midmile, network=table, ..")
    if not samples:
        raise ConfigError("plan= needs sample paths: set protocol.samples=100")
    require_solver("plan")


def _with_regret(scores: Scores, regret: PlanScores) -> Scores:
    """The scores with plan regret, over all and by cutoff."""
    error = regret.values["plan_regret_se"]
    print(f"plan regret {regret.values['plan_regret']:.2%} +- {error:.2%} (standard error)")
    rows = [row | regret.by_cutoff[str(row["cutoff"])] for row in scores.by_cutoff]
    return replace(scores, values=scores.values | regret.values, by_cutoff=rows)


def _draw(forecasts: Forecasts, panel: Panel, folder: Run, *, unit: str) -> None:
    """One picture per run: the busiest series at the last cutoff."""
    import numpy as np

    from lanecast.report.figures import forecast_figure
    from lanecast.report.pictures import keep_picture

    last = forecasts.index.cutoff_W.max()
    rows = np.flatnonzero(forecasts.index.cutoff_W == last)
    row = rows[np.argmax(forecasts.point_WH[rows].sum(axis=1))]
    series = int(forecasts.index.series_W[row])
    draw = partial(forecast_figure, panel, forecasts, series, int(last), unit=unit)
    keep_picture(folder, "forecast", draw)
