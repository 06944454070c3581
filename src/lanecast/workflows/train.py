"""The verb *train*: fit one model on what is known at the last cutoff, judge it on validation."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import RunResult, model_facts, panel_facts
from lanecast.pipeline.opening import MODEL

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.models.protocol import Forecaster, Validation
    from lanecast.runs.record import Run


def run(cfg: DictConfig) -> RunResult:
    """Train ``cfg.model`` and leave a run folder.

    The objective of a network is that of its best checkpoint.  Whatever has no report of its own,
    a baseline or a wrapper, is scored on the validation windows as it stood before them.
    """
    from lanecast.data.ingest.loading import load_panel
    from lanecast.report.pictures import keep_graph_picture
    from lanecast.runs.record import Objective, Run

    with Run.open(cfg) as folder:
        forecaster = build_forecaster(cfg)
        panel = load_panel(cfg.data)
        until = training_end(panel, cfg.protocol)
        folder.note(
            data=panel_facts(panel),
            split={"until": str(panel.time_of(until)), "val_steps": cfg.protocol.val_steps},
        )
        keep_graph_picture(forecaster.describe().graph, folder)
        started = time.perf_counter()
        forecaster.fit(panel, until=until, reporter=folder)
        folder.note(timings={"fit": time.perf_counter() - started}, model=model_facts(forecaster))
        forecaster.save(folder.folder / MODEL)
        if (report := forecaster.report) is not None:
            objective = Objective(name=report.objective, value=report.value, step=report.step)
            scores = {report.objective: report.value}
        else:
            name, scores = _validated(cfg, forecaster, panel, until, folder)
            objective = Objective(name=name, value=scores.get(name, math.nan))
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=scores)


def training_end(panel: Panel, protocol: Any) -> int:
    """Last step training may know: ``last_cutoff`` or the last target, less ``test_steps``."""
    last = protocol.get("last_cutoff")
    step = panel.last_step if last is None else panel.step_of(last)
    return step - int(protocol.get("test_steps", 0))


def held_out_scores(
    forecaster: Forecaster, panel: Panel, *, until: int, by: Validation, season: int
) -> dict[str, float]:
    """``val/*`` of a forecaster fitted ``until``, which is scored as it stood before the windows.

    A network inside is not trained again: its weights know no label of them, though its best
    checkpoint was chosen by them, exactly as for the network alone.  So a calibration has the point
    errors of the network that it corrects, and quantiles of its own.
    """
    from lanecast.data.windows import windows_at
    from lanecast.evaluation.score import evaluate
    from lanecast.models.wrapping import earlier

    spec = forecaster.describe().windows
    spans = by.split(panel, until=until, horizon=spec.horizon)
    standing = earlier(forecaster, panel, until=spans.train_until)
    at = windows_at(panel, spans.val_cutoffs, spec)
    forecasts = standing.predict(panel, at=at, quantiles=by.levels or None)
    scores = evaluate(forecasts, panel, spec, season=season, slices=()).values
    return {f"val/{name}": value for name, value in scores.items() if "/" not in name}


def _validated(
    cfg: DictConfig, forecaster: Forecaster, panel: Panel, until: int, folder: Run
) -> tuple[str, dict[str, float]]:
    """The objective's name and ``val/*`` of what has no report, by the network inside if any."""
    from lanecast.models.protocol import Validation

    inside, protocol = forecaster.describe().validation, cfg.protocol
    by = inside or Validation(
        objective="val/wape",
        steps=int(protocol.val_steps),
        stride=int(cfg.windows.horizon),
        levels=tuple(protocol.get("quantiles") or ()),
    )
    if not by.steps:
        folder.warn(
            "protocol.val_steps=0 holds nothing out, so that this run has no objective; set it to"
            f" {cfg.windows.horizon} or more"
        )
        return by.objective, {}
    scores = held_out_scores(forecaster, panel, until=until, by=by, season=int(protocol.season))
    folder.note(validation=scores)
    if inside is None:
        folder.log(0, **scores)  # else the curves of the network inside have these names
    if by.objective in scores:
        return by.objective, scores
    folder.warn(
        f"optim.objective={by.objective} is of a network alone; this run is judged by val/wape"
    )
    return "val/wape", scores
