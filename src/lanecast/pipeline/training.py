"""The core of training: one fit on what is known at a step, and the number it is judged by."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowSpec, split, windows_at
from lanecast.evaluation.score import evaluate
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.pipeline.facts import model_facts
from lanecast.pipeline.folds import fitted
from lanecast.runs.objective import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A fitted model and what it is judged by; ``facts``: what a record says of it."""

    model: Forecaster
    objective: Objective
    scores: Mapping[str, float]
    seconds: Mapping[str, float]
    facts: Mapping[str, Any]


def train(
    panel: Panel,
    model: Forecaster,
    *,
    windows: WindowSpec,
    until: int,
    val_steps: int,
    season: int = 7,
    reporter: Reporter | None = None,
) -> Trained:
    """Fit a clone of ``model``, which stays as it is, on what is known at step ``until``.

    The objective of a network is that of its best checkpoint; a model without one (a baseline) is
    fitted once more before the last ``val_steps`` steps and scored on them, with the same windows.
    ``season``: lag of the MASE scale, in steps.
    """
    started = time.perf_counter()
    trained: Any = fitted(panel, model, until=until, reporter=reporter)
    seconds = {"fit": time.perf_counter() - started}
    report = getattr(trained, "report", None)
    if report is not None:
        objective = Objective(name=report.objective, value=report.value, step=report.step)
        scores = {report.objective: report.value}
    else:
        scores = validate(
            panel, model, windows=windows, until=until, val_steps=val_steps, season=season
        )
        objective = Objective(name="val/wape", value=scores["val/wape"])
        if reporter is not None:
            reporter.log(0, **scores)
    return Trained(
        model=trained,
        objective=objective,
        scores=scores,
        seconds=seconds,
        facts=model_facts(trained),
    )


def validate(
    panel: Panel,
    model: Forecaster,
    *,
    windows: WindowSpec,
    until: int,
    val_steps: int,
    season: int = 7,
) -> dict[str, float]:
    """Scores of a model without a validation of its own, on the windows a network is judged by."""
    spans = split(
        until=until,
        horizon=windows.horizon,
        val_steps=val_steps,
        val_stride=windows.horizon,
        delay=panel.schema.delay_steps(TARGET),
    )
    early = fitted(panel, model, until=spans.train_until)
    at = windows_at(panel, spans.val_cutoffs, windows)
    forecasts = early.predict(panel, at=at)
    scores = evaluate(forecasts, panel, windows, season=season, slices=()).values
    return {f"val/{name}": value for name, value in scores.items() if "/" not in name}
