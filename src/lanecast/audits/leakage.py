"""The leakage probe: does a forecast depend on anything that was not known at its cutoff?

The whole way is walked again, from the source's raw table over the border, the choice of series,
scaling and fitting to the forecast, at one seed and one number of threads:

| table | the forecast |
|---|---|
| rewritten in every way that must not matter (`rewrites`) | must be equal, bit by bit |
| as delivered at the cutoff, without all that came later | must be equal, bit by bit |
| asked at a second cutoff too, for each way to refit | must be equal at the first, bit by bit |
| every known value changed (the twin) | must move; else equality shows nothing |
| target shuffled in time (control) | must lose its skill over the better of naive and median |
| time reversed (control) | is reported: skill in both directions is level and season |

All rewrites come at once; where the forecast moves, each is tried by itself, and where none moves
it alone, one after the other is left out.  Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lanecast.audits.perturbed_tables import known_changed, shuffled, time_reversed
from lanecast.audits.rewrites import DELIVERED, REWRITES, RawTables, rewritten
from lanecast.data import visible
from lanecast.data.forecasts import Forecasts, joined
from lanecast.data.ingest.times import clean_times
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.schema import ID, TARGET, TIME, Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import ConfigError, LeakageError
from lanecast.models.protocol import Forecaster
from lanecast.pipeline.engines import Local
from lanecast.pipeline.folds import FoldOptions, History, folds_of
from lanecast.sources import SourceTable

SECOND = "a second cutoff, refit="
SKILL_LEFT = 0.05  # skill on a shuffled target that chance may leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pipeline: how a table becomes a panel, the unfitted model, and where it is asked.

    ``step``: to a second cutoff, which with each of ``refits`` may not move the first one's
    forecast; None asks at one cutoff alone.
    """

    table: SourceTable
    future: SourceTable | None = None
    schema: Schema
    lay_out: Callable[[SourceTable, pd.DataFrame | None], Panel]
    model: Forecaster
    spec: WindowSpec
    cutoff: pd.Timestamp
    season: int = 7
    quantiles: Sequence[float] = (0.1, 0.5, 0.9)
    seed: int = 1
    window: History = "expanding"  # or the last steps of history that a fit may read
    samples: int | None = None
    step: int | None = None
    refits: tuple[str, ...] = ("never", "each")

    @property
    def tables(self) -> RawTables:
        """What it reads, as it is."""
        further = self.step or 0
        return RawTables(
            frame=_with_times(self.table, self.schema),
            statics=self.table.statics,
            future=None if self.future is None else _with_times(self.future, self.schema),
            fills=self.table.fills,
            schema=self.schema,
            cutoff=self.cutoff,
            reach=self.spec.horizon + further,
            quiet=further,
        )


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
        """Point, quantiles and paths."""
        parts = [self.forecasts.point_WH[..., None]]
        if self.forecasts.quantiles_WHQ is not None:
            parts.append(self.forecasts.quantiles_WHQ)
        if self.forecasts.samples_SWH is not None:
            parts.append(np.moveaxis(self.forecasts.samples_SWH, 0, -1))
        return np.concatenate(parts, axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageProbe:
    """What the probe saw; ``moved`` is 0.0 only where all bits are equal.

    ``tried`` are the rewrites that must not matter, ``movers`` those that do: by itself, or with
    ``" with "`` where none of several moves the forecast alone.
    """

    cutoff: str
    windows: int
    moved: float
    where: str
    tried: tuple[str, ...]
    movers: tuple[str, ...]
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
            "tried": list(self.tried),
            "movers": list(self.movers),
            "twin": self.twin,
            "skill": self.skill,
            "warnings": self.warnings,
        }

    def lines(self) -> list[str]:
        """A small table to print."""
        rows = [
            f"probe at {self.cutoff}, {self.windows} windows: {self.told}",
            f"  {len(self.tried)} rewrites that must not matter move the forecast by"
            f" {self.moved:.6g} (must be 0){self.where}",
            f"  what was known moves it by {self.twin:.6g} (must not be 0)",
        ]
        rows[2:2] = [f"  moved by: {mover}" for mover in self.movers]
        rows += [f"  skill, {name}: {value:+.3f}" for name, value in self.skill.items()]
        return rows + [f"  warning: {warning}" for warning in self.warnings]


def refuse(verdict: LeakageProbe, name: str) -> None:
    """LeakageError unless the verdict is clean."""
    if verdict.leaks:
        raise LeakageError(
            f"{name} reads what was not known at {verdict.cutoff}: its forecast moves by"
            f" {verdict.moved:.6g}{verdict.where}, by: {', '.join(verdict.movers)}; declare the"
            " delay or lead of the column it comes from, and fit every step of the pipeline on"
            " panel and until alone"
        )
    if verdict.blind:
        raise LeakageError(
            f"{name} moves with nothing that was known at {verdict.cutoff}, so the probe shows"
            " nothing; choose another cutoff= or another model"
        )


def probe(subject: Subject, *, controls: bool = True, bisect: bool = True) -> LeakageProbe:
    """Walk the pipeline on the table as it is and on the changed ones.

    ``bisect=False`` leaves it at all rewrites at once, without a word which of them moves.
    """
    tables = subject.tables
    base = answer(subject, tables)
    if not len(base.at):
        raise ConfigError(
            f"no series has {subject.spec.min_context} targets in the {subject.spec.context} steps"
            f" up to {subject.cutoff}; set another cutoff="
        )
    every = tuple(REWRITES)
    second = [f"{SECOND}{refit}" for refit in subject.refits] if subject.step else []
    moved, where, movers = 0.0, "", []
    groups = [(*every, name) for name in second] or [every]
    for names in (*groups, (DELIVERED,)):
        by, place = change(base, rewritten_answer(subject, names))
        if by:
            movers += bisected(subject, base, names) if bisect else [" with ".join(names)]
        if by > moved:
            moved, where = by, place
    twin = known_changed(tables.frame, subject.schema, subject.cutoff)
    skill = {}
    if controls:
        skill["as it is"] = skill_of(base, subject)
        # The rows after the last target belong to the order of time, so controls go without them.
        for name, table in (
            ("shuffled", shuffled(tables.source, subject.seed)),
            ("reversed", time_reversed(tables.source, subject.schema)),
        ):
            other = replace(tables, frame=table.frame, future=None)
            skill[name] = skill_of(answer(subject, other), subject)
    return LeakageProbe(
        cutoff=str(subject.cutoff),
        windows=len(base.at),
        moved=moved,
        where=where,
        tried=(*every, DELIVERED, *second),
        movers=tuple(dict.fromkeys(movers)),
        twin=change(base, answer(subject, replace(tables, frame=twin)))[0],
        skill=skill,
    )


def bisected(subject: Subject, base: PanelForecasts, names: Sequence[str]) -> list[str]:
    """The rewrites that move the forecast by themselves; if none does, a least set that does."""

    def moves(some: Sequence[str]) -> bool:
        return change(base, rewritten_answer(subject, some))[0] != 0.0

    if len(names) == 1:
        return list(names)
    if alone := [name for name in names if moves([name])]:
        return alone
    left = list(names)
    for name in names:
        rest = [other for other in left if other != name]
        if rest and moves(rest):
            left = rest
    return [" with ".join(left)]


def rewritten_answer(subject: Subject, names: Sequence[str]) -> PanelForecasts:
    """The forecast with some of what must not matter: `REWRITES`, and a second cutoff."""
    refits = [name.removeprefix(SECOND) for name in names if name.startswith(SECOND)]
    tables = rewritten(subject.tables, tuple(names))
    return answer(subject, tables, refit=refits[0] if refits else None)


def answer(subject: Subject, tables: RawTables, *, refit: str | None = None) -> PanelForecasts:
    """From raw tables to the forecast at the cutoff, with everything fitted afresh.

    By the core of the backtest; with ``refit`` it is asked at a second cutoff as well.
    """
    from lanecast.seeding import seed_everything

    panel = subject.lay_out(tables.source, tables.future)
    first = panel.step_of(subject.cutoff)
    if not len(at := windows_at(panel, [first], subject.spec)):  # none of those chosen is there yet
        nothing = Forecasts(index=at, point_WH=np.zeros((0, subject.spec.horizon)))
        return PanelForecasts(panel=panel, at=at, forecasts=nothing)
    cutoffs = [first] if refit is None else [first, first + (subject.step or 1)]
    options = FoldOptions(
        windows=subject.spec,
        window=subject.window,
        quantiles=tuple(subject.quantiles),
        samples=subject.samples,
        seed=subject.seed,
    )
    seed_everything(subject.seed)
    folds = folds_of(cutoffs, refit or "never")
    results = Local().forecast(panel, subject.model, folds, options=options)
    forecasts = joined([fold.forecasts for fold in results.folds])
    at_first = forecasts.index.cutoff_W == first
    return PanelForecasts(
        panel=panel, at=forecasts.index[at_first], forecasts=_some(forecasts, at_first)
    )


def _with_times(table: SourceTable, schema: Schema) -> pd.DataFrame:
    """The frame with times as such, where they are text or of another zone in the table."""
    frame = table.frame
    times = clean_times(frame[TIME], frame[ID], freq=schema.freq, dates=table.dates)
    return frame.assign(**{TIME: times})


def _some(forecasts: Forecasts, rows_W: np.ndarray) -> Forecasts:
    grid, paths = forecasts.quantiles_WHQ, forecasts.samples_SWH
    return Forecasts(
        index=forecasts.index[rows_W],
        point_WH=forecasts.point_WH[rows_W],
        levels=forecasts.levels,
        quantiles_WHQ=None if grid is None else grid[rows_W],
        samples_SWH=None if paths is None else paths[:, rows_W],
    )


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
