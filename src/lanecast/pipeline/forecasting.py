"""The core of a forecast: a fitted model asked at one cutoff; no target is needed after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.ingest.layout import check_future
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import SchemaError
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.pipeline.facts import model_facts, window_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Forecasts from one cutoff.

    ``left_out``: series that say too little to be forecast.  ``windows`` counts windows, ``facts``
    is what a record says of the model.
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
    reporter: Reporter | None = None,
) -> Ahead:
    """Forecast every series from ``cutoff``, the last step with a target where it is None.

    ``reporter`` is warned of series that are left out; SchemaError where none is left, or where a
    known-future column ends before the horizon.
    """
    step = panel.last_step if cutoff is None else cutoff
    at = windows_at(panel, [step], windows)
    silent = np.setdiff1d(np.arange(panel.num_series), at.series_W)
    if len(silent):
        _warn_of_silent_series(panel, silent, at, windows, reporter)
    check_future(panel, at, windows)
    forecasts = model.predict(
        panel, at=at, quantiles=list(quantiles), samples=samples or None, seed=seed
    )
    return Ahead(
        forecasts=forecasts,
        cutoff=step,
        left_out=tuple(str(name) for name in panel.series[silent]),
        windows=window_facts(panel, at, context=windows.context, num_cutoffs=1),
        facts=model_facts(model),  # after: it counts what it met on the way
    )


def _warn_of_silent_series(
    panel: Panel,
    silent: np.ndarray,
    at: WindowIndex,
    windows: WindowSpec,
    reporter: Reporter | None,
) -> None:
    """Name a series that is not forecast because it says too little; refuse if all do."""
    message = (
        f"{len(silent)} of {panel.num_series} series are not forecast, the first of them"
        f" {str(panel.series[silent[0]])!r}: they have fewer than {windows.min_context} targets in"
        f" the {windows.context} steps up to the cutoff (windows.min_context)"
    )
    if not len(at):
        raise SchemaError(f"{message}; supply newer rows, or set an earlier cutoff=")
    if reporter is not None:
        reporter.warn(message)
