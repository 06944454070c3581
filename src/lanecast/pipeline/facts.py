"""What training, backtesting and forecasting share: results, facts for the record, saved models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.data.ingest.odd_lanes import odd_lanes
from lanecast.data.lifetime import closes, num_closed
from lanecast.errors import SchemaError

if TYPE_CHECKING:
    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex
    from lanecast.models.protocol import Forecaster, Reporter
    from lanecast.runs.record import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run: the number it is judged by, its folder and its scores."""

    objective: Objective
    folder: Path
    scores: Mapping[str, float]


def panel_facts(panel: Panel) -> dict[str, Any]:
    """What the record says of the data."""
    return {
        "fingerprint": panel.fingerprint,
        "series": panel.num_series,
        "cells": panel.num_cells,
        "first": str(panel.time_of(int(panel.start.min()))),
        "last_target": str(panel.time_of(panel.last_step)),
        "roles": {name: str(column.role) for name, column in panel.schema.columns.items()},
        "calendar": list(panel.calendar_names),
        "counts": dict(panel.counts),
    }


def tell_of_table(panel: Panel, reporter: Reporter, *, strict: bool) -> None:
    """Warn of what the table holds that may be meant otherwise; SchemaError where ``strict``."""
    for warning in panel.warnings:
        if strict:
            raise SchemaError(f"{warning} (refused, as strict=true)")
        reporter.warn(warning)


def model_facts(forecaster: Forecaster) -> dict[str, Any]:
    """What the record says of the model, where its quantiles come from and on what they rest."""
    facts = forecaster.describe()
    learned = {"calibrated_on": facts.calibrated_on, "causal": facts.causal}
    return {
        "name": forecaster.name,
        "uses": sorted(str(role) for role in facts.uses),
        "do_validity": facts.do_validity,
        "quantiles": facts.quantiles,
        "seeded": facts.seeded,
        "counts": dict(facts.counts),
        **{name: fact for name, fact in learned.items() if fact is not None},
    }


def window_facts(
    panel: Panel, index: WindowIndex, *, context: int, cutoffs: Sequence[int]
) -> dict[str, int]:
    """How many windows are asked for, how many of them start before their series does, and how
    many series x cutoffs have too little history for one, or are closed where series close.
    """
    short = index.cutoff_W - context + 1 < panel.start[index.series_W]
    new = panel.start[index.series_W] > int(index.cutoff_W.min()) if len(index) else short
    facts = {
        "windows": len(index),
        "windows_without_history": len(cutoffs) * panel.num_series - len(index),
        "windows_left_padded": int(short.sum()),
        "windows_of_series_newer_than_first_cutoff": int(new.sum()),
    }
    if closes(panel.schema):
        facts["windows_of_closed_series"] = num_closed(panel, cutoffs)
        facts["windows_without_history"] -= facts["windows_of_closed_series"]
    return facts


def warn_of_lanes(panel: Panel, data: Mapping[str, Any], reporter: Reporter) -> None:
    """Name the lanes of a table worth a second look; those of a store are left to ``check``."""
    if data.get("store") is None:
        for message in odd_lanes(panel):
            reporter.warn(message)
