"""The core of a forecast: a fitted model asked at one cutoff; no target is needed after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lanecast.data.cutoffs import short_time
from lanecast.data.forecasts import Forecasts
from lanecast.data.ingest.layout import check_future, future_holes
from lanecast.data.ingest.odd_lanes import NAMED, listed
from lanecast.data.lifetime import closes, open_at
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import SchemaError
from lanecast.models.as_known import answerable, predict_as_known
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.pipeline.facts import model_facts, window_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Forecasts from one cutoff.

    ``left_out``: series that say too little to be forecast, or whose known future is not all there,
    as warnings say.  ``windows`` counts windows, ``facts`` is what a record says of the model.
    """

    forecasts: Forecasts
    cutoff: int
    left_out: tuple[str, ...]
    windows: Mapping[str, int]
    facts: Mapping[str, Any]


def forecast(
    panel: Panel,
    model: Forecaster,
    *,
    windows: WindowSpec,
    cutoff: int | None = None,
    quantiles: Sequence[float] = (),
    samples: int | None = None,
    seed: int = 1,
    strict: bool = False,
    reporter: Reporter | None = None,
) -> Ahead:
    """Forecast every series from ``cutoff``, the last step with a target where it is None.

    Series that say too little, or whose known-future columns end before the horizon, are left out:
    ``reporter`` is warned, SchemaError where none is left.  ``strict`` refuses the latter.
    """
    step = panel.last_step if cutoff is None else cutoff
    at = windows_at(panel, [step], windows)
    _name_silent(panel, at, step, windows, reporter)
    at = _with_known_future(panel, at, windows, reporter, strict=strict)
    at = answerable(model, panel, at, reporter)
    forecasts = predict_as_known(
        model, panel, at=at, quantiles=list(quantiles), samples=samples or None, seed=seed
    )
    left_out = np.setdiff1d(np.arange(panel.num_series), at.series_W)
    return Ahead(
        forecasts=forecasts,
        cutoff=step,
        left_out=tuple(str(name) for name in panel.series[left_out]),
        windows=window_facts(panel, at, context=windows.context, cutoffs=[step]),
        facts=model_facts(model),  # after: it counts what it met on the way
    )


def _name_silent(
    panel: Panel, at: WindowIndex, cutoff: int, windows: WindowSpec, reporter: Reporter | None
) -> None:
    """Warn of the series that are closed or say too little; SchemaError where none has a window."""
    silent = np.setdiff1d(np.arange(panel.num_series), at.series_W)
    closed = np.zeros(0, dtype=np.int64)
    if closes(panel.schema):
        is_open = open_at(panel, silent, np.full(len(silent), cutoff))
        silent, closed = silent[is_open], silent[~is_open]
    of_all, messages = f"of {panel.num_series} series are not forecast, as they", []
    for series, reason in (
        (closed, "are closed as of the cutoff (data.schema.closed, data.schema.closes_after)"),
        (
            silent,
            f"have fewer than {windows.min_context} targets in the {windows.context} steps up to"
            " the cutoff (windows.min_context)",
        ),
    ):
        names = [repr(str(name)) for name in panel.series[series[:NAMED]]]
        if len(series):
            messages.append(f"{len(series)} {of_all} {reason}: {listed(names, len(series))}")
    if not len(at):
        raise SchemaError(f"{'; '.join(messages)}; supply newer rows, or set an earlier cutoff=")
    for message in messages:
        if reporter is not None:
            reporter.warn(message)


def _with_known_future(
    panel: Panel,
    at: WindowIndex,
    windows: WindowSpec,
    reporter: Reporter | None,
    *,
    strict: bool,
) -> WindowIndex:
    """The windows whose known future is all there; the others are named, or refused if strict."""
    holes = future_holes(panel, at, windows)
    lacking_W = np.zeros(len(at), dtype=bool)
    for step_W in holes.values():
        lacking_W |= step_W > 0
    if lacking_W.all() or (strict and lacking_W.any()):
        check_future(panel, at, windows)
    lacking = np.flatnonzero(lacking_W)
    if not len(lacking):
        return at
    names = []
    for window in lacking[:NAMED]:
        column, step_W = next((name, step_W) for name, step_W in holes.items() if step_W[window])
        since = short_time(panel.time_of(int(at.cutoff_W[window] + step_W[window])))
        names.append(f"{str(panel.series[at.series_W[window]])!r} ({column} from {since})")
    if reporter is not None:
        reporter.warn(
            f"{len(lacking)} of {panel.num_series} series are not forecast, as their known_future"
            f" is missing: {listed(names, len(lacking))}; supply it in the future table"
            " (data.future_path) up to the last step, or set strict=true to refuse"
        )
    return at[~lacking_W]
