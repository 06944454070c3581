"""The verb *check*: all faults of a table and its config at once, before anything is trained."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from lanecast.errors import Faults, SchemaError

if TYPE_CHECKING:
    import numpy as np
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowSpec


def run(cfg: DictConfig) -> None:
    """Print every fault of ``cfg``, one line each, and notes on what is no fault.

    SchemaError, and exit code 1, where there is any; else what the table holds and what comes next.
    """
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import checked_panel
    from lanecast.data.ingest.odd_lanes import odd_lanes
    from lanecast.pipeline.building import build_forecaster

    faults, spec = Faults(keep=True), None
    notes: list[str] = []
    with faults.kept_from():
        spec = instantiate(cfg.windows)
        build_forecaster(cfg)
    panel = checked_panel(cfg.data, faults)
    if panel is not None:
        if cfg.get("strict"):
            for warning in panel.warnings:
                faults.add(SchemaError(warning))
        else:
            notes += panel.warnings
    if panel is not None and cfg.get("hierarchy"):
        with faults.kept_from():
            instantiate(cfg.hierarchy.structure).of(panel)
    if panel is not None and spec is not None:
        notes += _check_windows(cfg, panel, spec, faults)
        notes += [*odd_lanes(panel), *_notes_on_series(panel, spec)]
        notes += _notes_on_future(cfg, panel, spec)
    for line in (*(f"fault: {fault}" for fault in faults.kept), *(f"note: {n}" for n in notes)):
        print(line)
    if faults.kept:
        count = len(faults.kept)
        raise SchemaError(f"{count} fault{'s' if count > 1 else ''}")
    assert panel is not None
    print(f"no faults: {_size(panel)}; next step: {_next_step(cfg)}")


def _check_windows(cfg: DictConfig, panel: Panel, spec: WindowSpec, faults: Faults) -> list[str]:
    """Windows that no series fills, cutoffs outside, nothing before them to train on.

    What only the default protocol of a backtest asks for is a note.
    """
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.workflows.backtest import cutoffs_of
    from lanecast.workflows.train import training_end

    with faults.kept_from():
        spec.check_against(panel)
    if cfg.cutoff not in (None, "last"):
        with faults.kept_from():
            cutoff_step(panel, cfg.cutoff, key="cutoff")
    if cfg.get("run") is not None:  # it is trained already
        return []
    if "first_cutoff" not in cfg.protocol:
        with faults.kept_from():
            _check_training(cfg, panel, spec, until=training_end(panel, cfg.protocol))
        return []
    of_backtest = faults if _protocol_is_chosen() else Faults(keep=True)
    with of_backtest.kept_from():
        _check_training(cfg, panel, spec, until=cutoffs_of(panel, cfg.protocol, spec.horizon)[0])
    if of_backtest is faults:
        return []
    with faults.kept_from():
        _check_training(cfg, panel, spec, until=panel.last_step)
    return [f"backtest needs other cutoffs than its own: {fault}" for fault in of_backtest.kept]


def _check_training(cfg: DictConfig, panel: Panel, spec: WindowSpec, *, until: int) -> None:
    """SchemaError where nothing could be trained on what is known at ``until``."""
    from lanecast.data.schema import TARGET
    from lanecast.data.windows import require_training_windows, split, training_windows

    spans = split(
        until=until,
        horizon=spec.horizon,
        val_steps=int(cfg.optim.val_steps) if "optim" in cfg.model else 0,
        val_stride=spec.horizon,
        delay=panel.schema.delay_steps(TARGET),
    )
    windows = training_windows(panel, until=spans.train_until, spec=spec)
    require_training_windows(windows, panel, spec, spans.train_until)


def _protocol_is_chosen() -> bool:
    """Whether the command line says which cutoffs are meant."""
    from lanecast.config import invocation

    words = [word.lstrip("+") for word in invocation().overrides]
    return any(word.startswith(("protocol", "experiment=")) for word in words)


def _notes_on_series(panel: Panel, spec: WindowSpec) -> list[str]:
    """Series that are not trained on or not forecast, and steps without a row."""
    import numpy as np

    from lanecast.data.lifetime import closes, open_at
    from lanecast.data.windows import windows_at

    notes, last = [], panel.last_step
    steps_N = np.minimum(panel.end - 1, last) - panel.start + 1
    least = spec.min_context + spec.horizon
    if len(short := np.flatnonzero(steps_N < least)):
        notes.append(
            f"{len(short)} of {panel.num_series} series have fewer than {least} steps"
            " (windows.min_context + windows.horizon) and are not trained on:"
            f" {_names(panel, short)}"
        )
    forecast = windows_at(panel, [last], spec).series_W
    silent = np.setdiff1d(np.arange(panel.num_series), forecast)
    if closes(panel.schema):
        is_open = open_at(panel, silent, np.full(len(silent), last))
        if len(closed := silent[~is_open]):
            notes.append(
                f"{len(closed)} of {panel.num_series} series are closed and not forecast"
                f" (data.schema.closed, data.schema.closes_after): {_names(panel, closed)}"
            )
        silent = silent[is_open]
    if len(silent):
        notes.append(
            f"{len(silent)} of {panel.num_series} series have fewer than {spec.min_context} targets"
            f" in the last {spec.context} steps and are not forecast: {_names(panel, silent)}"
        )
    gaps = sum(panel.counts.get(f"gaps_{kind}", 0) for kind in ("left_missing", "filled_with_zero"))
    if gaps:
        notes.append(
            f"{gaps:,} of {panel.num_cells:,} steps have no row, which means"
            f" {panel.schema.absent} (data.schema.absent)"
        )
    return notes


def _notes_on_future(cfg: DictConfig, panel: Panel, spec: WindowSpec) -> list[str]:
    """Series whose known future is not there yet, or never had a history."""
    import numpy as np

    from lanecast.data.ingest.layout import future_holes
    from lanecast.data.windows import windows_at

    notes = []
    at = windows_at(panel, [panel.last_step], spec)
    holes = future_holes(panel, at, spec)
    lacking = np.flatnonzero(np.any([step_W > 0 for step_W in holes.values()], axis=0))
    if holes and cfg.data.get("future_path") is None:
        notes.append(
            f"forecasting needs {', '.join(holes)} for {spec.horizon} steps after the last target:"
            " give those rows in a file of their own (data.future_path)"
        )
    elif len(lacking):
        notes.append(
            f"{len(lacking)} of {panel.num_series} series lack {', '.join(holes)} for some of the"
            f" {spec.horizon} steps after the last target and are not forecast:"
            f" {_names(panel, at.series_W[lacking])}"
        )
    if strangers := panel.counts.get("future_rows_of_unknown_series"):
        notes.append(f"{strangers} rows of the future table are of series without a history")
    return notes


def _names(panel: Panel, series: np.ndarray) -> str:
    from lanecast.data.ingest.odd_lanes import NAMED, listed

    return listed([repr(str(name)) for name in panel.series[series[:NAMED]]], len(series))


def _size(panel: Panel) -> str:
    from lanecast.data.cutoffs import short_time

    first, last = int(panel.start.min()), panel.last_step
    span = f"{short_time(panel.time_of(first))} to {short_time(panel.time_of(last))}"
    return f"{panel.num_series:,} series, {last - first + 1:,} steps of {panel.schema.freq}, {span}"


def _next_step(cfg: DictConfig) -> str:
    """The command that does what was checked, with the same words."""
    from lanecast.config import invocation

    verb = "train"
    if cfg.get("run") is not None:
        verb = "forecast"
    elif _protocol_is_chosen() and "first_cutoff" in cfg.protocol:
        verb = "backtest"
    words = (re.sub("^name='(.*)'$", r"name=\1", word) for word in invocation().overrides)
    return shlex.join(["lanecast", verb, *words])
