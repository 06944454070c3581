"""The core of training: one fit on what is known at a step, and the number it is judged by."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lanecast.config.seasons import season_of
from lanecast.data.as_known import as_known
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.evaluation.score import evaluate
from lanecast.models.as_known import predict_as_known
from lanecast.models.protocol import Forecaster, Reporter, Validation
from lanecast.models.wrapping import earlier
from lanecast.pipeline.facts import model_facts
from lanecast.pipeline.folds import fitted
from lanecast.runs.objective import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A fitted model and what it is judged by.

    ``validation``: ``val/*`` of what has no report of its own, else empty.  ``facts``: what a
    record says of the model.
    """

    model: Forecaster
    objective: Objective
    scores: Mapping[str, float]
    validation: Mapping[str, float]
    seconds: Mapping[str, float]
    facts: Mapping[str, Any]


def train(
    panel: Panel,
    model: Forecaster,
    *,
    windows: WindowSpec,
    until: int,
    val_steps: int,
    quantiles: Sequence[float] = (),
    season: int | None = None,
    reporter: Reporter | None = None,
    keep: Callable[[Forecaster], None] | None = None,
) -> Trained:
    """Fit a clone of ``model``, which stays as it is, on what is known at step ``until``.

    The objective of a network is that of its best checkpoint.  Whatever has no report of its own, a
    baseline or a wrapper, is scored as it stood before the validation windows: those of the network
    inside, or else of the last ``val_steps`` steps, with ``quantiles`` behind ``val/wql``.
    ``season``: lag of the MASE scale, in steps (None: the frequency's usual one).  ``keep`` is
    given the fitted model before it is scored, so that a score that fails loses no model.
    """
    started = time.perf_counter()
    trained = fitted(panel, model, until=until, reporter=reporter)
    seconds = {"fit": time.perf_counter() - started}
    if keep is not None:
        keep(trained)
    validation: dict[str, float] = {}
    if (report := trained.report) is not None:
        objective = Objective(name=report.objective, value=report.value, step=report.step)
        scores = {report.objective: report.value}
    else:
        by = Validation(
            objective="val/wape",
            steps=val_steps,
            stride=windows.horizon,
            levels=tuple(quantiles),
        )
        lag = season_of(season, panel.schema.freq)
        name, validation = _validated(panel, trained, by, until=until, season=lag, to=reporter)
        objective = Objective(name=name, value=validation.get(name, math.nan))
        scores = validation
    return Trained(
        model=trained,
        objective=objective,
        scores=scores,
        validation=validation,
        seconds=seconds,
        facts=model_facts(trained),
    )


def held_out_scores(
    forecaster: Forecaster, panel: Panel, *, until: int, by: Validation, season: int
) -> dict[str, float]:
    """``val/*`` of a forecaster fitted ``until``, which is scored as it stood before the windows.

    A network inside is not trained again: its weights know no label of them, though its best
    checkpoint was chosen by them, exactly as for the network alone.  So a calibration has the point
    errors of the network that it corrects, and quantiles of its own.
    """
    spec, panel = forecaster.describe().windows, as_known(panel, until)
    spans = by.split(panel, until=until, horizon=spec.horizon)
    standing = earlier(forecaster, panel, until=spans.train_until)
    at = windows_at(panel, spans.val_cutoffs, spec)
    forecasts = predict_as_known(standing, panel, at=at, quantiles=by.levels or None)
    scores = evaluate(forecasts, panel, spec, season=season, slices=()).values
    return {f"val/{name}": value for name, value in scores.items() if "/" not in name}


def _validated(
    panel: Panel,
    trained: Forecaster,
    otherwise: Validation,
    *,
    until: int,
    season: int,
    to: Reporter | None,
) -> tuple[str, dict[str, float]]:
    """The objective's name and ``val/*`` of what has no report, by the network inside if any."""
    inside = trained.describe().validation
    by = inside or otherwise
    if not by.steps:
        if to is not None:
            to.warn(
                "protocol.val_steps=0 holds nothing out, so that this run has no objective; set it"
                f" to {trained.describe().windows.horizon} or more"
            )
        return by.objective, {}
    scores = held_out_scores(trained, panel, until=until, by=by, season=season)
    if inside is None and to is not None:
        to.log(0, **scores)  # else the curves of the network inside have these names
    if by.objective in scores:
        return by.objective, scores
    if to is not None:
        to.warn(
            f"optim.objective={by.objective} is of a network alone; this run is judged by val/wape"
        )
    return "val/wape", scores
