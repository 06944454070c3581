"""What a forecast came to: a headline, the total of every step, and the series worth a picture."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import numpy as np

from lanecast.data.cutoffs import short_time
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel

SHOWN = 14  # steps whose totals are printed
COMPARED = 10_000  # series among which a name that is none is looked for


def headline(panel: Panel, forecasts: Forecasts) -> str:
    """How many series, how many steps, which days."""
    cutoff, horizon = int(forecasts.index.cutoff_W[0]), forecasts.point_WH.shape[1]
    first, last = (short_time(panel.time_of(cutoff + step)) for step in (1, horizon))
    span = f"{horizon} steps of {panel.schema.freq}, {first} to {last}"
    return f"{len(forecasts.index):,} series, {span}"


def total_lines(panel: Panel, forecasts: Forecasts, *, unit: str) -> list[str]:
    """The total over all series by step; of a long horizon the first steps and the last."""
    cutoff, horizon = int(forecasts.index.cutoff_W[0]), forecasts.point_WH.shape[1]
    total_H = forecasts.point_WH.sum(axis=0, dtype=np.float64)
    pattern = ",.0f" if np.abs(total_H).max() >= 1000 else ".4g"
    rows = [
        f"{short_time(panel.time_of(cutoff + 1 + step)):<16} {format(total, pattern):>14}"
        for step, total in enumerate(total_H)
    ]
    if horizon > SHOWN:
        rows[SHOWN - 2 : -1] = [f"... {horizon - SHOWN + 1} more steps"]
    return [f"{'total per step':<16} {unit:>14}", *rows]


def pictured_series(
    panel: Panel,
    forecasts: Forecasts,
    names: Sequence[str] | None,
    warn: Callable[[str], None],
) -> list[int]:
    """Numbers of the series to draw: those named, or the one with the largest forecast.

    ``warn`` is told of a name that was not forecast.
    """
    forecast_S = forecasts.index.series_W
    if names is None:
        return [int(forecast_S[np.argmax(forecasts.point_WH.sum(axis=1))])]
    numbers = dict(zip(panel.series[forecast_S].tolist(), forecast_S.tolist(), strict=True))
    for name in names:
        if name not in numbers:
            near = difflib.get_close_matches(name, list(numbers)[:COMPARED], n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            warn(f"plot names {name!r}, which is no series that is forecast{hint}")
    return [int(numbers[name]) for name in names if name in numbers]
