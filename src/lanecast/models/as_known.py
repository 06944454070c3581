"""Forecasts from what was known at each cutoff: a forecaster is handed nothing else.

Axes: ``W`` windows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lanecast.data.forecast_parts import rows_of
from lanecast.data.forecasts import Forecasts, joined
from lanecast.data.panel import Panel
from lanecast.data.views import of_series
from lanecast.data.visibility.as_known import AsKnown, as_known
from lanecast.data.windows import WindowIndex
from lanecast.models.protocol import Capabilities, Forecaster, Reporter

NAMED = 5  # series that a warning names


def predict_as_known(
    forecaster: Forecaster, panel: Panel, *, at: WindowIndex, **options: Any
) -> Forecasts:
    """Forecast ``at``, each cutoff from the panel as it was known there; ``options``: of `predict`.

    Cutoffs are asked one by one, so that none depends on how many others there are, unless a
    window's answer depends on that window alone.
    """
    able = forecaster.describe()

    def ask(some: WindowIndex) -> Forecasts:
        return _asked(forecaster, able, panel, some, options)

    return ask(at) if able.alone else by_cutoff(at, ask)


def by_cutoff(at: WindowIndex, ask: Callable[[WindowIndex], Forecasts]) -> Forecasts:
    """What ``ask`` forecasts of ``at``, cutoff by cutoff, in the order of ``at``."""
    cutoffs, which_W = np.unique(at.cutoff_W, return_inverse=True)
    if len(cutoffs) < 2:
        return ask(at)
    rows = [np.flatnonzero(which_W == number) for number in range(len(cutoffs))]
    forecasts = joined([ask(at[rows_of_cutoff]) for rows_of_cutoff in rows])
    place_W = np.concatenate(rows)
    if (np.diff(place_W) > 0).all():
        return forecasts
    order = np.argsort(place_W, kind="stable")
    return rows_of(forecasts, order)


def view_at(panel: Panel, at: WindowIndex, able: Capabilities) -> tuple[AsKnown, WindowIndex]:
    """The panel as known at the last cutoff of ``at``, for who is so ``able``; ``at`` in it."""
    last = int(at.cutoff_W.max()) if len(at) else panel.last_step
    view = as_known(panel, last, ahead=able.windows.horizon, static_names=able.static_names)
    place_N = np.full(panel.num_series, -1, dtype=np.int64)
    place_N[view.numbers] = np.arange(view.num_series)
    return view, WindowIndex(series_W=place_N[at.series_W], cutoff_W=at.cutoff_W)


def answerable(
    forecaster: Forecaster, panel: Panel, at: WindowIndex, reporter: Reporter | None
) -> WindowIndex:
    """The windows of series that the forecaster can answer for; ``reporter`` is told of others."""
    if (series := forecaster.describe().series) is None:
        return at
    known = set(series)
    able_N = np.array([str(name) in known for name in panel.series], dtype=bool)
    new = np.unique(at.series_W[~able_N[at.series_W]])
    if len(new) and reporter is not None:
        names = ", ".join(repr(str(name)) for name in panel.series[new[:NAMED]])
        more = f" and {len(new) - NAMED} more" if len(new) > NAMED else ""
        reporter.warn(
            f"{forecaster.name} forecasts exactly the series of its fit, so that {len(new)} that"
            f" began after it are left out: {names}{more}; refit (protocol.refit=each), or choose"
            " a univariate network"
        )
    return at[able_N[at.series_W]]


def _asked(
    forecaster: Forecaster,
    able: Capabilities,
    panel: Panel,
    at: WindowIndex,
    options: dict[str, Any],
) -> Forecasts:
    view, index = view_at(panel, at, able)
    # What takes all series of its fit at once is given those, whatever began since.
    known = (view, index) if able.series is None else of_series(view, index, able.series)
    forecasts = forecaster.predict(known[0], at=known[1], **options)
    return Forecasts(
        index=at,
        point_WH=forecasts.point_WH,
        levels=forecasts.levels,
        quantiles_WHQ=forecasts.quantiles_WHQ,
        samples_SWH=forecasts.samples_SWH,
    )
