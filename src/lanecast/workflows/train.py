"""The verb *train*: fit one model on what is known at the last cutoff, judge it on validation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import RunResult, model_facts, panel_facts
from lanecast.pipeline.opening import MODEL

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel


def run(cfg: DictConfig) -> RunResult:
    """Train ``cfg.model`` and leave a run folder.

    The objective of a network is that of its best checkpoint; a model without one (a baseline) is
    fitted before the validation span and scored on it, with the same windows.
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
        keep_graph_picture(getattr(forecaster, "graph", None), folder)
        started = time.perf_counter()
        forecaster.fit(panel, until=until, reporter=folder)
        folder.note(timings={"fit": time.perf_counter() - started}, model=model_facts(forecaster))
        forecaster.save(folder.folder / MODEL)
        report = getattr(forecaster, "report", None)
        if report is not None:
            objective = Objective(name=report.objective, value=report.value, step=report.step)
            scores = {report.objective: report.value}
        else:
            scores = _validate(cfg, panel, until)
            objective = Objective(name="val/wape", value=scores["val/wape"])
            folder.log(0, **scores)
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores=scores)


def training_end(panel: Panel, protocol: Any) -> int:
    """Last step training may know: ``last_cutoff`` or the last target, less ``test_steps``."""
    last = protocol.get("last_cutoff")
    step = panel.last_step if last is None else panel.step_of(last)
    return step - int(protocol.get("test_steps", 0))


def _validate(cfg: DictConfig, panel: Panel, until: int) -> dict[str, float]:
    """Scores of a model without a validation of its own, on the windows a network is judged by."""
    from lanecast.config import instantiate
    from lanecast.data.schema import TARGET
    from lanecast.data.windows import split, windows_at
    from lanecast.evaluation.score import evaluate

    spec = instantiate(cfg.windows)
    spans = split(
        until=until,
        horizon=spec.horizon,
        val_steps=cfg.protocol.val_steps,
        val_stride=spec.horizon,
        delay=panel.schema.delay_steps(TARGET),
    )
    forecaster = build_forecaster(cfg).fit(panel, until=spans.train_until)
    at = windows_at(panel, spans.val_cutoffs, spec)
    forecasts = forecaster.predict(panel, at=at)
    scores = evaluate(forecasts, panel, spec, season=cfg.protocol.season, slices=()).values
    return {f"val/{name}": value for name, value in scores.items() if "/" not in name}
