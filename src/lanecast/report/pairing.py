"""What a record says of its cutoffs and its fits, as far as a verdict depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lanecast.evaluation.evidence import Evidence, evidence
from lanecast.runs.reading import CompletedRun

OF_POINTS = ("wape", "bias", "mae", "mse", "rmse", "mase")
OF_PATHS = ("plan_regret",)  # another seed draws other paths of any model

RULE = (
    "Verdict: better or worse where the interval ({confidence:.0%}, {over}) leaves out 0, which"
    " happens to equal models in at most {rate:.2g} % of tables. The interval is Student's over"
    " cutoffs (here {windows:.1f} independent windows, counting shared days once; degrees of"
    " freedom one fewer, at most 12) and over seeds; difference_p is the level at which it ends at"
    " 0. No claim with fewer than 4 independent windows, or with fewer than 3 different fits of a"
    " model that another seed changes: copies of one fit are one, and the interval is then that of"
    " these fits alone. Days are taken as independent of each other."
)


def evidence_of(run: CompletedRun) -> Evidence:
    """Of the cutoffs it was scored at; windows do not overlap where its config does not say."""
    times = pd.to_datetime(sorted(str(row["cutoff"]) for row in run.record["by_cutoff"]))
    horizon, step = _of(run, "windows", "horizon"), _of(run, "protocol", "step")
    if horizon is None or step is None or len(times) < 2:
        return evidence(range(len(times)))
    gaps = np.diff(times.to_numpy()).astype(np.float64)
    # `step` lies between the nearest two; cutoffs of one's own may be further apart.
    steps = np.rint(np.cumsum([0.0, *gaps]) / gaps.min() * int(step)).astype(int)
    return evidence(steps.tolist(), int(horizon))


def seeded(run: CompletedRun, metric: str) -> bool:
    """Whether another seed may change the metric; older records do not tell, which means yes."""
    declared = (run.record.get("model") or {}).get("seeded", "all")
    if metric in OF_PATHS:
        return True
    return declared == "all" or (declared == "quantiles" and metric not in OF_POINTS)


def fits(runs: Sequence[CompletedRun]) -> list[CompletedRun]:
    """The runs without copies: those that are equal in every number of every cutoff are one fit."""
    by_numbers = {repr(run.record["by_cutoff"]): run for run in reversed(runs)}
    return list(by_numbers.values())[::-1]


def rule(confidence: float, rows: int, known: Evidence) -> str:
    """The verdict's rule in words."""
    return RULE.format(
        confidence=confidence, over=_over(rows), rate=100 * (1 - confidence), windows=known.windows
    )


def short_rule(confidence: float, rows: int, known: Evidence) -> str:
    """The same on one line of a CSV."""
    return (
        f"called where the {confidence:.0%} interval {_over(rows)} leaves out 0;"
        f" {known.windows:.1f} independent windows"
    )


def by_cutoff(runs: Sequence[CompletedRun], column: str) -> np.ndarray:
    """One number per seed and cutoff, [S, C]; nan where the metric is undefined or missing."""
    rows = [sorted(run.record["by_cutoff"], key=lambda row: str(row["cutoff"])) for run in runs]
    return np.array([[row.get(column) for row in scored] for scored in rows], dtype=np.float64)


def _over(rows: int) -> str:
    return f"for all {rows} rows together" if rows > 1 else "by row"


def _of(run: CompletedRun, group: str, key: str) -> Any:
    options = run.record["config"].get(group)
    return options.get(key) if isinstance(options, Mapping) else None
