"""Good data, its reference profile, and what the checks say of a mutant or of a clean run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.mutation.defects import TABLE, WHOLE_TABLE, Scene, frozen, without_days
from benchmarks.mutation.pipelines import PIPELINES, WHOLE
from benchmarks.mutation.skipping import SKIP, is_noticed
from lanecast.audits.leakage import Subject, probe
from lanecast.data.ingest.calendar import calendar_features
from lanecast.data.ingest.loading import calendar_options, panel_of
from lanecast.data.panel import Panel
from lanecast.data.schema import ID, TARGET, TIME, Schema, step_length
from lanecast.data.windows import WindowSpec
from lanecast.errors import ConfigError, SchemaError
from lanecast.monitor.profile import Finding, Profile, check_forecasts, frozen_share, grid_of
from lanecast.monitor.statistics import Shape
from lanecast.sources import SourceTable

WEEKS = 4  # seasons that the small forecast averages
SPEC = WindowSpec(context=28, horizon=7, min_context=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defect at one severity and place."""

    defect: str
    data: str
    column: str
    severity: float
    place: str


@dataclass(frozen=True, kw_only=True)
class MutationCase:
    """Good data up to ``now``, with a profile of what came until ``until``."""

    config: Mapping[str, Any]
    table: SourceTable
    schema: Schema
    shape: Shape
    until: pd.Timestamp
    now: pd.Timestamp
    profile: Profile
    usual: float  # share of forecasts that repeat the last ones in the reference

    @property
    def scene(self) -> Scene:
        """What a defect may touch."""
        return Scene(frame=self.table.frame, schema=self.schema, until=self.until, now=self.now)

    def calendar(self) -> pd.DataFrame:
        """The last year and the next."""
        return calendar_of(self.config, self.until - pd.Timedelta(days=365), 731)

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Forecasts of a season from each season of the delivery, and whose target moved."""
        frame = self.table.frame
        grid = grid_of(frame, self.schema, ids=self.profile.ids, until=self.now)
        season, seasons = self.shape.season, self.shape.steps // self.shape.season
        y_NT = grid[TARGET]
        return points_at(y_NT, [y_NT.shape[1] - k * season for k in range(seasons, -1, -1)], season)

    def clean(self) -> list[Finding]:
        """Findings where nothing is wrong: false alarms."""
        frame = self.table.frame
        findings = self.profile.check(frame[frame[TIME] <= self.now], now=self.now)
        findings += self.profile.check_calendar(self.calendar())
        return findings + check_forecasts(*self.points(), self.usual)

    def caught(self, mutant: Mutant) -> list[str]:
        """The checks that find the mutant."""
        if mutant.defect in PIPELINES:
            return ["probe"] if self._leaks(mutant) else []
        if mutant.defect == SKIP:
            severity, ids = mutant.severity, self.scene.places(mutant.place)
            return ["skip_finished"] if is_noticed(self.table.frame, ids, severity) else []
        if mutant.defect == "missing_holidays":
            spoiled = without_days(self.calendar(), mutant.column, mutant.severity)
            findings = self.profile.check_calendar(spoiled)
        elif mutant.defect == "frozen_forecasts":
            points, moved = self.points()
            at = [len(points) - 1] if mutant.place == "last" else list(range(1, len(points)))
            findings = check_forecasts(frozen(points, mutant.severity, at), moved, self.usual)
        else:
            spoil = TABLE[mutant.defect]
            frame = spoil(self.scene, mutant.column, mutant.severity, mutant.place)
            if mutant.defect in WHOLE_TABLE and self._is_refused(frame):
                return ["contract"]
            findings = self.profile.check(frame[frame[TIME] <= self._end], now=self.now)
        return sorted({finding.check for finding in findings})

    def _kept(self, table: SourceTable, future: pd.DataFrame | None = None) -> Panel:
        """The panel of a table, whose whole a leak may read."""
        return WHOLE.keep(panel_of(self.config, table, future), table.frame[ID])

    @property
    def _end(self) -> pd.Timestamp:
        """Stamps of the last step, whatever the hour."""
        return self.now + step_length(self.schema.freq) - pd.Timedelta(1, "ns")

    def _is_refused(self, frame: pd.DataFrame) -> bool:
        """Whether the border refuses the table as a whole."""
        try:
            panel_of(self.config, replace(self.table, frame=frame))
        except SchemaError:
            return True
        return False

    def _leaks(self, mutant: Mutant) -> bool:
        model = PIPELINES[mutant.defect](
            share=mutant.severity,
            place=mutant.place,
            windows=SPEC,
            season=self.shape.season,
        )
        subject = Subject(
            table=self.table,
            schema=self.schema,
            lay_out=self._kept,
            model=model,
            spec=SPEC,
            cutoff=self.until,
        )
        return probe(subject, controls=False, bisect=False).leaks


def case_of(
    config: Mapping[str, Any], table: SourceTable, *, until: str | pd.Timestamp, shape: Shape
) -> MutationCase:
    """Fit the reference on the rows up to ``until``; series enter by those rows alone."""
    schema, until = Schema.from_config(config["schema"]), pd.Timestamp(until)
    now = until + shape.steps * step_length(schema.freq)
    frame = table.frame
    first = frame.groupby(ID)[TIME].min()
    old = first[first <= frame[TIME].min() + pd.Timedelta(days=14)].index
    flown = frame[(frame[TIME] <= until) & (frame[TIME] > until - pd.Timedelta(days=56))]
    busy = flown.groupby(ID)[TARGET].apply(lambda y: (y > 0).mean() > 0.5)
    frame = frame[frame[ID].isin(old) & frame[ID].isin(busy[busy].index)]
    frame = frame[frame[TIME] <= now].reset_index(drop=True)
    frame = frame[[ID, TIME, *schema.stored, *(n for n in schema.static if n in frame)]]
    statics = table.statics
    if statics is not None:
        statics = statics[statics[ID].isin(frame[ID].unique())]
    calendar = calendar_of(config, until - pd.Timedelta(days=730), 731)
    profile = Profile.fit(frame, schema, until=until, shape=shape, calendar=calendar)
    y_NT = grid_of(frame, schema, ids=profile.ids, until=until)[TARGET]
    cutoffs = list(range((WEEKS + 1) * shape.season, y_NT.shape[1] + 1, shape.season))
    return MutationCase(
        config=config,
        table=SourceTable(frame=frame, statics=statics),
        schema=schema,
        shape=shape,
        until=until,
        now=now,
        profile=profile,
        usual=frozen_share(*points_at(y_NT, cutoffs, shape.season)),
    )


def calendar_of(config: Mapping[str, Any], first: pd.Timestamp, days: int) -> pd.DataFrame:
    """The calendar of a data group, day by day."""
    times = pd.date_range(first.normalize(), periods=days, freq="D")
    options = calendar_options(config.get("calendar"))
    values, names = calendar_features(times, freq="D", **options)
    return pd.DataFrame(values, index=times, columns=list(names))


def points_at(y_NT: np.ndarray, cutoffs: list[int], season: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each phase over the last seasons before each cutoff, and whose input moved.

    Shapes: [C, N, H] and [C, N].  The input moved if the newest season differs from the one that
    it pushed out.
    """
    back = WEEKS * season
    parts = [y_NT[:, end - back : end].reshape(len(y_NT), WEEKS, season) for end in cutoffs]
    gone = [y_NT[:, max(0, end - back - season) : max(season, end - back)] for end in cutoffs]
    moved_CN = np.stack(
        [(part[:, -1] != old).any(axis=1) for part, old in zip(parts, gone, strict=True)]
    )
    return np.nan_to_num(np.stack([part.mean(axis=1) for part in parts])), moved_CN


def mutants_of(groups: list[Mapping[str, Any]]) -> list[Mutant]:
    """Every combination of a group's data, columns, severities and places."""
    mutants = []
    for group in groups:
        defect = str(group["defect"])
        if defect not in (*TABLE, *PIPELINES, SKIP, "missing_holidays", "frozen_forecasts"):
            raise ConfigError(f"mutation: there is no defect {defect!r}; see checks/mutation")
        columns = group.get("columns") or [TARGET]
        for data, column, severity, place in product(
            group["data"], columns, group["severities"], group["places"]
        ):
            mutant = Mutant(
                defect=defect,
                data=str(data),
                column=str(column),
                severity=float(severity),
                place=str(place),
            )
            mutants.append(mutant)
    return mutants
