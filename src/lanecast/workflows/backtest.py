"""The verb *backtest*: compose a model and its cutoffs, call the core, write the run folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError
from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import RunResult, panel_facts, window_facts
from lanecast.pipeline.opening import MODEL, open_run

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.forecasts import Forecasts
    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowSpec
    from lanecast.evaluation.score import Scores
    from lanecast.runs.record import Run


def run(cfg: DictConfig) -> RunResult:
    """Backtest ``cfg.model``, or the trained model of ``cfg.run``, and leave a run folder."""
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.windows import windows_at
    from lanecast.pipeline.backtesting import backtest
    from lanecast.pipeline.folds import folds_of, history_of
    from lanecast.report.pictures import keep_graph_picture
    from lanecast.runs.record import Objective, Run
    from lanecast.whatif.leakage import futures_lines

    _check_plan(cfg)
    with Run.open(cfg) as folder:
        panel = load_panel(cfg.data)
        spec: WindowSpec = instantiate(cfg.windows)
        cutoffs = cutoffs_of(panel, cfg.protocol, spec.horizon)
        trained = cfg.get("run") is not None
        refit = "never" if trained else cfg.protocol.refit
        folds = folds_of(cutoffs, refit)
        if len(folds) > 1 and cfg.model.get("resume") is not None:
            raise ConfigError(
                f"model.resume={cfg.model.resume} goes on with one fit, but"
                f" protocol.refit={cfg.protocol.refit} asks for {len(folds)}; set"
                " protocol.refit=never, or leave model.resume out"
            )
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
                num_cutoffs=len(cutoffs),
            ),
        )
        model = open_run(cfg).model if trained else build_forecaster(cfg)
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
            season=int(cfg.protocol.season),
            engine=instantiate(cfg.engine) if cfg.get("engine") else None,
            reporter=folder,
        )
        if not trained:
            result.model.save(folder.folder / MODEL)
        keep_graph_picture(getattr(result.model, "graph", None), folder)
        folder.note(timings=dict(result.seconds), model=result.facts)
        forecasts, scores = result.forecasts, result.scores
        _write(forecasts, panel, cfg.model.name, folder)
        levels = _levels(cfg, forecasts, panel)
        scores = replace(scores, values=scores.values | levels)
        scores = _planned(cfg, scores, forecasts, panel)
        futures = result.futures
        folder.note(**scores.to_record(), **({"futures": futures} if futures else {}))
        folder.log(
            0, **{f"test/{name}": value for name, value in (scores.values | futures).items()}
        )
        print("\n".join(futures_lines(futures)), end="\n" if futures else "")
        _draw(forecasts, panel, folder, unit=cfg.data.get("unit") or "y")
        objective = Objective(name="test/wape", value=scores.values["wape"])
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=scores.values)


def cutoffs_of(panel: Panel, protocol: Any, horizon: int) -> list[int]:
    """``count`` cutoffs from ``first_cutoff`` on, ``step`` apart; ConfigError if they overrun."""
    first, step = panel.step_of(protocol.first_cutoff), int(protocol.step)
    room = (panel.last_step - horizon - first) // step + 1
    count = room if protocol.count is None else int(protocol.count)
    if count > room or room < 1:
        raise ConfigError(
            f"protocol asks for {max(count, 1)} cutoffs from {protocol.first_cutoff}, {step} steps"
            f" apart, but the last target is {panel.time_of(panel.last_step)} and only"
            f" {max(room, 0)} fit with a horizon of {horizon}; lower protocol.count or move"
            " protocol.first_cutoff"
        )
    return [first + k * step for k in range(count)]


def _write(forecasts: Forecasts, panel: Panel, name: str, folder: Run) -> None:
    from lanecast.data.forecast_frames import actual_frame, forecast_frame, samples_frame
    from lanecast.data.forecast_parts import by_series, in_order, write_parts

    if not folder.keep.get("forecasts", True):
        return
    told = (forecast_frame(part, panel, name) for part in in_order(forecasts))
    write_parts(folder.folder / "forecasts.parquet", told)
    horizon = forecasts.point_WH.shape[1]
    parts = by_series(forecasts, steps=3 * horizon)
    actual = (actual_frame(part, panel, context=2 * horizon) for part in parts)
    write_parts(folder.folder / "actuals.parquet", actual)
    if forecasts.samples_SWH is not None:
        paths = samples_frame(forecasts, panel, name)
        paths.to_parquet(folder.folder / "samples.parquet", index=False)


def _levels(cfg: DictConfig, forecasts: Forecasts, panel: Panel) -> dict[str, float]:
    """Scores of sites, regions and the network; nothing without a hierarchy."""
    if not cfg.get("hierarchy"):
        return {}
    from lanecast.config import instantiate
    from lanecast.evaluation.levels import level_lines, level_scores

    found = level_scores(forecasts, panel, instantiate(cfg.hierarchy.structure).of(panel))
    print("\n".join(level_lines(found)))
    return found


def _check_plan(cfg: DictConfig) -> None:
    """A plan needs its parameters and paths; told before anything is trained."""
    if not cfg.get("plan"):
        return
    if not cfg.get("network"):
        raise ConfigError("plan= needs a network: network=midmile, network=table, ..")
    if not int(cfg.protocol.samples):
        raise ConfigError("plan= needs sample paths: set protocol.samples=100")


def _planned(cfg: DictConfig, scores: Scores, forecasts: Forecasts, panel: Panel) -> Scores:
    """The scores with plan regret, over all and by cutoff; as they are without a plan."""
    if not cfg.get("plan"):
        return scores
    from lanecast.config import instantiate
    from lanecast.planning.backtest import plan_scores

    found = plan_scores(
        forecasts,
        panel,
        network=instantiate(cfg.network),
        policy=instantiate(cfg.plan),
        days=int(cfg.planning.days),
        unit=cfg.data.get("unit"),
    )
    error = found.values["plan_regret_se"]
    print(f"plan regret {found.values['plan_regret']:.2%} +- {error:.2%} (standard error)")
    rows = [row | found.by_cutoff[str(row["cutoff"])] for row in scores.by_cutoff]
    return replace(scores, values=scores.values | found.values, by_cutoff=rows)


def _draw(forecasts: Forecasts, panel: Panel, folder: Run, *, unit: str) -> None:
    """One picture per run: the busiest series at the last cutoff; a warning without matplotlib."""
    import numpy as np

    from lanecast.report.figures import forecast_figure

    last = forecasts.index.cutoff_W.max()
    rows = np.flatnonzero(forecasts.index.cutoff_W == last)
    row = rows[np.argmax(forecasts.point_WH[rows].sum(axis=1))]
    path = folder.folder / "forecast.png"
    series = str(panel.series[forecasts.index.series_W[row]])
    try:
        forecast_figure(panel, forecasts, series=series, cutoff=int(last), path=path, unit=unit)
    except ImportError as err:
        folder.warn(f"no forecast plot ({err}); pip install lanecast[demo] brings matplotlib")
        return
    folder.image("forecast", path)
