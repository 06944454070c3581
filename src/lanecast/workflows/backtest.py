"""The verb *backtest*: one engine for every forecaster, over rolling cutoffs.

Every (series, cutoff) pair of one fit is forecast in one batched call; a refit is a separate fit
that knows nothing later than the first cutoff it serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError
from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import RunResult, panel_facts, window_facts
from lanecast.workflows.engines import Engine, Fold, Local

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.forecasts import Forecasts
    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowSpec
    from lanecast.evaluation.score import Scores
    from lanecast.runs.record import Run
    from lanecast.whatif.leakage import OtherFutures


def run(cfg: DictConfig) -> RunResult:
    """Backtest ``cfg.model``, or the trained model of ``cfg.run``, and leave a run folder."""
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.windows import windows_at
    from lanecast.evaluation.score import evaluate
    from lanecast.runs.record import Objective, Run
    from lanecast.whatif.leakage import OtherFutures, futures_lines

    _check_plan(cfg)
    with Run.open(cfg) as folder:
        panel = load_panel(cfg.data)
        spec: WindowSpec = instantiate(cfg.windows)
        cutoffs = cutoffs_of(panel, cfg.protocol, spec.horizon)
        folds = folds_of(cutoffs, cfg.protocol.refit)
        if cfg.get("run") is not None:
            folds = [Fold(until=cutoffs[0], cutoffs=tuple(cutoffs))]
        elif len(folds) > 1 and cfg.model.get("resume") is not None:
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
        others = OtherFutures()
        forecasts = _forecast(cfg, panel, folds, folder, others)
        _write(forecasts, panel, cfg.model.name, folder)
        scores = evaluate(forecasts, panel, spec, season=cfg.protocol.season)
        told = _levels(cfg, forecasts, panel)
        scores = replace(scores, values=scores.values | told)
        scores = _planned(cfg, scores, forecasts, panel)
        told = others.scores(scores.values["wape"], panel, spec, season=cfg.protocol.season)
        folder.note(**scores.to_record(), **({"futures": told} if told else {}))
        folder.log(0, **{f"test/{name}": value for name, value in (scores.values | told).items()})
        print("\n".join(futures_lines(told)), end="\n" if told else "")
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


def folds_of(cutoffs: Sequence[int], refit: str | int) -> list[Fold]:
    """Group cutoffs by the fit that serves them: never, each, or every k-th cutoff."""
    every = {"never": len(cutoffs), "each": 1}.get(str(refit))
    if every is None:
        if not str(refit).isdigit() or int(refit) < 1:
            raise ConfigError(f"protocol.refit={refit!r} is not never, each or a count of cutoffs")
        every = int(refit)
    groups = [tuple(cutoffs[i : i + every]) for i in range(0, len(cutoffs), every)]
    return [Fold(until=group[0], cutoffs=group) for group in groups]


def _forecast(
    cfg: DictConfig, panel: Panel, folds: Sequence[Fold], folder: Run, others: OtherFutures
) -> Forecasts:
    """Fit and predict fold by fold; the last fitted model is saved."""
    from lanecast.config import instantiate
    from lanecast.data.forecasts import joined
    from lanecast.report.pictures import keep_graph_picture

    engine: Engine = instantiate(cfg.engine) if cfg.get("engine") else Local()
    served, facts = engine.serve(cfg, panel, folds, folder)
    for one in served:
        others.add(one.others)
    seconds = {
        "fit": sum(one.fit_seconds for one in served),
        "predict": sum(one.predict_seconds for one in served),
    }
    keep_graph_picture(build_forecaster(cfg).describe().graph, folder)
    folder.note(timings=seconds, model=facts)
    return joined([one.forecasts for one in served])


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
