"""Which of the swept parameters mattered: a table of the trials and a picture of importances."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lanecast.report.canvas import canvas

log = logging.getLogger(__name__)


def write_trials(trials: Sequence[Any], path: Path) -> Path:
    """Write one row per trial: number, state, value, run folder, and each swept parameter."""
    keys = sorted({key for trial in trials for key in trial.params})
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["trial", "state", "value", "folder", *keys])
        for trial in trials:
            value = "" if trial.value is None else repr(float(trial.value))
            folder = trial.user_attrs.get("folder", "")
            params = [trial.params.get(key, "") for key in keys]
            rows.writerow([trial.number, trial.state.name.lower(), value, folder, *params])
    return path


def importances(study: Any) -> dict[str, float]:
    """Share of each parameter in the spread of the objective (PED-ANOVA), largest first.

    Empty where the study cannot say: fewer than four finished trials, or all of one value.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    good = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(good) < 4 or len({trial.value for trial in good}) < 2:
        return {}
    # The better half against all: the default tenth is one trial in a sweep of ten.
    evaluator = PedAnovaImportanceEvaluator(target_quantile=0.5)
    return {str(k): float(v) for k, v in get_param_importances(study, evaluator=evaluator).items()}


def importance_figure(study: Any, path: Path) -> Path | None:
    """Draw `importances` as bars; None, and a line in the log, where there are none."""
    shares = importances(study)
    if not shares:
        log.warning("no %s: it takes four finished trials of different values", path.name)
        return None
    num_trials = sum(trial.value is not None for trial in study.trials)
    with canvas(path, (6.4, 1.2 + 0.4 * len(shares)), layout="constrained") as figure:
        axes = figure.add_subplot()
        bars = axes.barh(list(shares)[::-1], list(shares.values())[::-1], color="#0072B2")
        axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.set_xlim(0, 1.1)
        axes.set_xlabel(f"share of importance (PED-ANOVA, better half of {num_trials} trials)")
        axes.spines[["top", "right"]].set_visible(False)
    return path
