"""The leakage probe: a whole pipeline, from the raw table to the forecast, held against its rules.

| pipeline on | must |
|---|---|
| the table as it is | give the forecast |
| all that was not known at the cutoff changed | give the same forecast, to the last bit |
| all that was known changed (the twin) | give another one: else the probe sees nothing |
| targets shuffled in time (control) | be no better than the median of what was known |
| time reversed (control) | be reported: reading backwards should not be much easier |

Each line is a fit of its own with the same seed and threads.  Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lanecast.checks.tampering import reversed_time, shuffled_target, with_other_values
from lanecast.data.schema import Schema
from lanecast.errors import LeakageError
from lanecast.sources import SourceTable

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex
    from lanecast.models.protocol import Forecasts

TOO_GOOD = 0.95  # of the median's WAPE on shuffled targets: what chance does not reach
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The forecast of one pipeline: values by series name, and its WAPE beside a constant's."""

    series: tuple[str, ...]
    values: np.ndarray  # [W, H, 1 + Q], point and quantiles
    wape: float
    median_wape: float


Pipeline = Callable[[SourceTable], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the probe measured.  ``moved`` and ``twin`` are the largest changes of a forecast."""

    moved: float
    twin: float
    through: tuple[str, ...] = ()
    controls: dict[str, float] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """Why the pipeline does not pass; empty if it does."""
        found = []
        if self.moved != 0.0:
            where = f" (through {', '.join(self.through)})" if self.through else ""
            found.append(
                f"the forecast moves by {self.moved:.4g} when only what was not known at the cutoff"
                f" is changed{where}"
            )
        if self.twin == 0.0:
            found.append(
                "the forecast does not move when all that was known is changed: the probe cannot"
                " see through this pipeline"
            )
        if self.controls.get("shuffled_over_median", math.inf) < TOO_GOOD:
            found.append(
                f"on shuffled targets its WAPE is {self.controls['shuffled_over_median']:.3f} of"
                " that of the median: it knows more than a past could tell"
            )
        return found

    def to_record(self) -> dict[str, Any]:
        """The record's ``probe``."""
        return {"passes": not self.reasons, "reasons": self.reasons, **asdict(self)}


def run(cfg: DictConfig) -> Verdict:
    """What ``scripts/probe.py`` does; LeakageError, after the record has it, if it fails."""
    from lanecast.config import instantiate
    from lanecast.data.loading import load_table, panel_of
    from lanecast.data.windows import WindowSpec
    from lanecast.tracking.record import Objective, Run
    from lanecast.verbs import panel_facts

    with Run.open(cfg) as folder:
        table = load_table(cfg.data)
        schema = Schema.from_config(cfg.data.schema)
        spec: WindowSpec = instantiate(cfg.windows)
        panel = panel_of(table, cfg.data)
        cutoff = panel.time_of(panel.step_of(cfg.protocol.first_cutoff))
        folder.note(data=panel_facts(panel), split={"cutoffs": [str(cutoff)]})

        def pipeline(changed: SourceTable) -> Answer:
            return _answer(cfg, panel_of(changed, cfg.data), spec, cutoff)

        verdict = probe(
            pipeline, table, schema, cutoff, controls=bool(cfg.controls), seed=int(cfg.seed)
        )
        folder.note(probe=verdict.to_record())
        folder.set_objective(Objective(name="probe/moved", value=verdict.moved))
        print("\n".join(told(verdict, name=cfg.model.name, cutoff=cutoff)))
        if verdict.reasons:
            raise LeakageError(
                f"model={cfg.model.name} on {cfg.data.source['_target_']} fails the probe at"
                f" {cutoff:%F}: {'; '.join(verdict.reasons)}"
            )
    return verdict


def probe(
    pipeline: Pipeline,
    table: SourceTable,
    schema: Schema,
    cutoff: pd.Timestamp,
    *,
    controls: bool = True,
    seed: int = 1,
) -> Verdict:
    """Measure one pipeline; where it leaks, every column is tried alone to tell through which."""
    base = pipeline(table)

    def change(*, known: bool, columns: Sequence[str] | None = None) -> float:
        other = with_other_values(table, schema, cutoff, known=known, columns=columns)
        return largest_change(base, pipeline(other))

    moved = change(known=False)
    through: tuple[str, ...] = ()
    if moved != 0.0:
        names = [name for name in schema.stored if change(known=False, columns=[name]) != 0.0]
        through = tuple(names) or ("which rows are there",)
    measured: dict[str, float] = {}
    if controls:
        shuffled = pipeline(shuffled_target(table, seed=seed))
        backward = pipeline(reversed_time(table, schema))
        measured = {
            "wape": base.wape,
            "shuffled_over_median": _over(shuffled.wape, shuffled.median_wape),
            "reversed_over_forward": _over(backward.wape, base.wape),
        }
    return Verdict(moved=moved, twin=change(known=True), through=through, controls=measured)


def largest_change(one: Answer, two: Answer) -> float:
    """Largest difference of two forecasts; 0.0 only where all bits are equal.

    Other windows (a series more or less) or a number that is lost count as infinite.
    """
    if one.series != two.series or one.values.shape != two.values.shape:
        return math.inf
    if np.array_equal(one.values, two.values):
        return 0.0
    change = float(np.abs(one.values.astype(np.float64) - two.values).max())
    return change if math.isfinite(change) else math.inf


def told(verdict: Verdict, *, name: str, cutoff: pd.Timestamp) -> list[str]:
    """What the console tells."""
    lines = [
        f"{name} at {cutoff:%F}, refitted on changed tables:",
        f"  what was not known changed: forecast moves by {verdict.moved:.4g}",
        f"  what was known changed:     forecast moves by {verdict.twin:.4g}",
    ]
    if verdict.controls:
        lines += [
            "  shuffled targets: WAPE is"
            f" {verdict.controls['shuffled_over_median']:.3f} of that of the median",
            "  time reversed:    WAPE is"
            f" {verdict.controls['reversed_over_forward']:.3f} of that forward",
        ]
    return [*lines, "  fails" if verdict.reasons else "  passes"]


def _answer(cfg: DictConfig, panel: Panel, spec: Any, cutoff: pd.Timestamp) -> Answer:
    from lanecast.data.windows import windows_at
    from lanecast.seeding import seed_everything
    from lanecast.verbs import build_forecaster

    seed_everything(int(cfg.seed))
    until = panel.step_of(cutoff)
    forecaster = build_forecaster(cfg).fit(panel, until=until)
    at = windows_at(panel, [until], spec)
    forecasts = forecaster.predict(panel, at=at, quantiles=LEVELS, seed=int(cfg.seed))
    return answer_of(forecasts, panel, at, spec)


def answer_of(forecasts: Forecasts, panel: Panel, at: WindowIndex, spec: Any) -> Answer:
    """A forecast as the probe compares it."""
    from lanecast.data.labels import labels
    from lanecast.data.schema import TARGET
    from lanecast.evaluation.metrics import wape
    from lanecast.models import reading

    grid = forecasts.quantiles_WHQ
    point = forecasts.point_WH[..., None]
    y_WH, seen_WH = labels(panel, at, spec.horizon)
    back = np.arange(1 - spec.context, 1)
    median_W = np.nanmedian(reading.visible(panel, at, TARGET, back), axis=1)
    flat_WH = np.broadcast_to(median_W[:, None], y_WH.shape)
    return Answer(
        series=tuple(str(panel.series[number]) for number in at.series_W),
        values=point if grid is None else np.concatenate([point, grid], axis=-1),
        wape=wape(y_WH, seen_WH, forecasts.point_WH),
        median_wape=wape(y_WH, seen_WH, flat_WH),
    )


def _over(above: float, below: float) -> float:
    return above / below if below else math.inf
