"""The leakage probe: does a forecast depend on anything that was not known at its cutoff?

The whole way is walked again, from the source's raw table over the border, the choice of series,
scaling and fitting to the forecast, at one seed and one number of threads:

| table | the forecast |
|---|---|
| every value not known at the cutoff changed | must be equal, bit by bit |
| every known value changed (the twin) | must move; else equality shows nothing |
| target shuffled in time (control) | must lose its skill over the better of naive and median |
| time reversed (control) | is reported: skill in both directions is level and season |

Text and static columns count as known and are not changed.  Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lanecast.audits.perturbed_tables import hidden_changed, known_changed, shuffled, time_reversed
from lanecast.data import visible
from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import ConfigError, LeakageError
from lanecast.models.as_known import predict_as_known
from lanecast.models.protocol import Forecaster
from lanecast.pipeline.folds import History, fitted
from lanecast.sources import SourceTable

SKILL_LEFT = 0.05  # skill on a shuffled target that chance may leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pipeline: how a table becomes a panel, the unfitted model, and where it is asked."""

    table: SourceTable
    future: pd.DataFrame | None = None
    schema: Schema
    lay_out: Callable[[SourceTable, pd.DataFrame | None], Panel]
    model: Forecaster
    spec: WindowSpec
    cutoff: pd.Timestamp
    season: int = 7
    quantiles: Sequence[float] = (0.1, 0.5, 0.9)
    seed: int = 1
    window: History = "expanding"  # or the last steps of history that a fit may read


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelForecasts:
    """A forecast, and the panel it was made on."""

    panel: Panel
    at: WindowIndex
    forecasts: Forecasts

    @property
    def names_W(self) -> np.ndarray:
        """The series of each window."""
        return self.panel.series[self.at.series_W]

    @property
    def values_WHQ(self) -> np.ndarray:
        """Point and quantiles."""
        parts = [self.forecasts.point_WH[..., None]]
        if self.forecasts.quantiles_WHQ is not None:
            parts.append(self.forecasts.quantiles_WHQ)
        return np.concatenate(parts, axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageProbe:
    """What the probe found; ``moved`` is 0.0 only where all bits are equal."""

    cutoff: str
    windows: int
    moved: float
    where: str
    twin: float
    skill: dict[str, float]

    @property
    def leaks(self) -> bool:
        """Whether the forecast depends on what was not known."""
        return self.moved != 0.0

    @property
    def blind(self) -> bool:
        """Whether the forecast depends on nothing at all, so that nothing is shown."""
        return self.twin == 0.0

    @property
    def warnings(self) -> list[str]:
        """Controls that do not come out as they should."""
        left = self.skill.get("shuffled", 0.0)
        if left <= SKILL_LEFT:
            return []
        return [
            f"skill {left:.3f} is left on a target shuffled in time, more than {SKILL_LEFT}: look"
            " for a column that repeats the target"
        ]

    @property
    def told(self) -> str:
        """One word for the record."""
        return "leak" if self.leaks else "blind" if self.blind else "clean"

    def to_record(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "verdict": self.told,
            "cutoff": self.cutoff,
            "windows": self.windows,
            "moved": self.moved,
            "where": self.where,
            "twin": self.twin,
            "skill": self.skill,
            "warnings": self.warnings,
        }

    def lines(self) -> list[str]:
        """A small table to print."""
        rows = [
            f"probe at {self.cutoff}, {self.windows} windows: {self.told}",
            f"  what was not known moves the forecast by {self.moved:.6g} (must be 0){self.where}",
            f"  what was known moves it by {self.twin:.6g} (must not be 0)",
        ]
        rows += [f"  skill, {name}: {value:+.3f}" for name, value in self.skill.items()]
        return rows + [f"  warning: {warning}" for warning in self.warnings]


def refuse(verdict: LeakageProbe, name: str) -> None:
    """LeakageError unless the verdict is clean."""
    if verdict.leaks:
        raise LeakageError(
            f"{name} reads what was not known at {verdict.cutoff}: its forecast moves by"
            f" {verdict.moved:.6g}{verdict.where}; declare the delay or lead of the column it comes"
            " from, and fit every step of the pipeline on panel and until alone"
        )
    if verdict.blind:
        raise LeakageError(
            f"{name} moves with nothing that was known at {verdict.cutoff}, so the probe shows"
            " nothing; choose another cutoff= or another model"
        )


def probe(subject: Subject, *, controls: bool = True) -> LeakageProbe:
    """Walk the pipeline on the table as it is and on the changed ones."""
    table, schema, cutoff = subject.table, subject.schema, subject.cutoff
    base = answer(subject, table)
    other = replace(table, frame=hidden_changed(table.frame, schema, cutoff))
    future = subject.future
    if future is not None:
        future = hidden_changed(future, schema, cutoff)
    moved, where = change(base, answer(replace(subject, future=future), other))
    twin = replace(table, frame=known_changed(table.frame, schema, cutoff))
    skill = {}
    if controls:
        skill["as it is"] = skill_of(base, subject)
        # The rows after the last target belong to the order of time, so controls go without them.
        alone = replace(subject, future=None)
        skill["shuffled"] = skill_of(answer(alone, shuffled(table, subject.seed)), subject)
        skill["reversed"] = skill_of(answer(alone, time_reversed(table, schema)), subject)
    return LeakageProbe(
        cutoff=str(cutoff),
        windows=len(base.at),
        moved=moved,
        where=where,
        twin=change(base, answer(subject, twin))[0],
        skill=skill,
    )


def answer(subject: Subject, table: SourceTable) -> PanelForecasts:
    """From a raw table to a forecast, with everything fitted afresh."""
    from lanecast.seeding import seed_everything

    panel = subject.lay_out(table, subject.future)
    until = panel.step_of(subject.cutoff)
    at = windows_at(panel, [until], subject.spec)
    if not len(at):
        raise ConfigError(
            f"no series has {subject.spec.min_context} targets in the {subject.spec.context} steps"
            f" up to {subject.cutoff}; set another cutoff="
        )
    seed_everything(subject.seed)
    model = fitted(panel, subject.model, until=until, window=subject.window)
    forecasts = predict_as_known(
        model, panel, at=at, quantiles=list(subject.quantiles), seed=subject.seed
    )
    return PanelForecasts(panel=panel, at=at, forecasts=forecasts)


def change(before: PanelForecasts, after: PanelForecasts) -> tuple[float, str]:
    """Largest difference and its place; infinite where other series are forecast."""
    if not np.array_equal(before.names_W, after.names_W):
        odd = sorted(set(before.names_W.tolist()) ^ set(after.names_W.tolist()))
        return float("inf"), f": series {odd[0]!r} is chosen by it (data.keep.until, cutoff)"
    first, second = before.values_WHQ, after.values_WHQ
    if first.tobytes() == second.tobytes():
        return 0.0, ""
    gap_WHQ = np.abs(first.astype(np.float64) - second)
    gap_WHQ = np.where(np.isfinite(gap_WHQ), gap_WHQ, np.inf)
    window, step, _ = np.unravel_index(int(gap_WHQ.argmax()), gap_WHQ.shape)
    moved = float(gap_WHQ.max()) or float(np.finfo(np.float64).tiny)  # -0.0 is not 0.0
    return moved, f", most for series {before.names_W[window]!r}, step {step + 1}"


def skill_of(answer: PanelForecasts, subject: Subject) -> float:
    """1 - WAPE over that of the better of seasonal naive and the series' median; nan without y."""
    from lanecast.models.classical.naive import SeasonalNaive

    panel, at, spec = answer.panel, answer.at, subject.spec
    y_WH, seen_WH = labels(panel, at, spec.horizon)
    naive = SeasonalNaive(windows=spec, season=min(subject.season, spec.context))
    back = np.arange(-int(at.cutoff_W.max()), 1)
    past_WT = visible.visible(panel, at, TARGET, back)
    median_WH = np.broadcast_to(np.nanmedian(past_WT, axis=1)[:, None], y_WH.shape)
    errors = [
        float(np.abs(y_WH - guess)[seen_WH].sum())
        for guess in (answer.forecasts.point_WH, naive.point(panel, at), median_WH)
    ]
    if not seen_WH.any() or min(errors[1:]) == 0:
        return float("nan")
    return 1 - errors[0] / min(errors[1:])
