"""Figures of forecasts, drawn without a display and without pyplot's global state."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lanecast.data.cutoffs import short_time
from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import LanecastError
from lanecast.evaluation.metrics import INTERVALS
from lanecast.report.canvas import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colors, which people with color-blindness can tell apart.
BLUE, BLACK, VERMILION = "#0072B2", "#000000", "#D55E00"
SHADES = {90: 0.18, 80: 0.32}
FORECAST_SIZE = (9.0, 3.6)  # inches
STEP_NAMES = {"D": "day", "h": "hour", "W": "week", "min": "minute"}


def forecast_figure(
    panel: Panel,
    forecasts: Forecasts,
    series: str | int,
    cutoff: int | str | pd.Timestamp,
    path: Path,
    *,
    unit: str = "y",
    history: int | None = None,
) -> Path:
    """Write the picture of one window to ``path``; see `draw_forecast`."""
    with canvas(path, FORECAST_SIZE, layout="constrained") as figure:
        axes = figure.add_subplot()
        draw_forecast(axes, panel, forecasts, series, cutoff, unit=unit, history=history)
    return path


def draw_forecast(
    axes: Axes,
    panel: Panel,
    forecasts: Forecasts,
    series: str | int,
    cutoff: int | str | pd.Timestamp,
    *,
    unit: str = "y",
    history: int | None = None,
) -> None:
    """Draw one window: its history, the forecast with its 80 and 90 % fans, the actuals if known.

    ``series`` is a unique_id or its number; ``cutoff`` a step or a time; ``unit`` names the target
    on the axis; ``history`` is in steps (default: four horizons).
    """
    number = series if isinstance(series, int) else _series_number(panel, series)
    step = cutoff if isinstance(cutoff, int) else panel.step_of(cutoff)
    _draw_window(axes, panel, forecasts, number, step, history=history)
    _dress(axes, panel, step, unit)


def overview_figure(
    panel: Panel, forecasts: Forecasts, series: Sequence[int], path: Path, *, unit: str = "y"
) -> Path:
    """Draw the total over all forecast series above some of them, from the one cutoff they have."""
    step, horizon = int(forecasts.index.cutoff_W[0]), forecasts.point_WH.shape[1]
    past, ahead = range(step - 4 * horizon + 1, step + 1), range(step + 1, step + horizon + 1)
    total_T = panel.total(forecasts.index.series_W, past)
    with canvas(path, (9.0, 3.0 * (1 + len(series))), layout="constrained") as figure:
        rows = figure.subplots(1 + len(series), squeeze=False)[:, 0]
        rows[0].plot(times_of(panel, past), total_T, color=BLACK, linewidth=1.2, label="history")
        total_H = forecasts.point_WH.sum(axis=0, dtype=np.float64)
        rows[0].plot(times_of(panel, ahead), total_H, color=BLUE, linewidth=1.6, label="forecast")
        title = f"total of {len(forecasts.index)} series: {horizon} steps ahead"
        rows[0].set_title(f"{title} from {short_time(panel.time_of(step))}", loc="left")
        for axes, number in zip(rows[1:], series, strict=True):
            _draw_window(axes, panel, forecasts, number, step, history=None)
        for axes in rows:
            _dress(axes, panel, step, unit)
    return path


def _draw_window(
    axes: Axes,
    panel: Panel,
    forecasts: Forecasts,
    number: int,
    step: int,
    *,
    history: int | None,
) -> None:
    """One series at one cutoff, with its name and date."""
    window = _window(panel, forecasts.index, number, step)
    horizon = forecasts.point_WH.shape[1]
    back = 4 * horizon if history is None else history
    _draw_actuals(axes, panel, number, step, back=back, horizon=horizon)
    _draw_forecast(axes, panel, forecasts, window, step)
    name, date = panel.series[number], panel.time_of(step)
    axes.set_title(f"{name}: {horizon} steps ahead from {short_time(date)}", loc="left")


def _dress(axes: Axes, panel: Panel, cutoff: int, unit: str) -> None:
    """Cutoff, names of the axes, spines, grid and legend."""
    axes.axvline(times_of(panel, [cutoff])[0], color="0.5", linewidth=0.8, linestyle=":")
    axes.set_ylabel(f"{unit} per {step_name(panel.schema.freq)}")
    axes.set_xlabel(step_name(panel.schema.freq))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _draw_actuals(
    axes: Axes, panel: Panel, series: int, cutoff: int, *, back: int, horizon: int
) -> None:
    """Labels of a window that starts ``back`` steps early are its history and its future."""
    index = WindowIndex(series_W=np.array([series]), cutoff_W=np.array([cutoff - back]))
    y_WH, seen_WH = labels(panel, index, back + horizon)
    y = np.where(seen_WH[0], y_WH[0], np.nan)
    times = times_of(panel, range(cutoff - back + 1, cutoff + horizon + 1))
    axes.plot(times[:back], y[:back], color=BLACK, linewidth=1.2, label="history")
    if seen_WH[0, back:].any():
        axes.plot(times[back:], y[back:], "o", color=VERMILION, ms=3.5, zorder=3, label="actual")


def _draw_forecast(
    axes: Axes, panel: Panel, forecasts: Forecasts, window: int, cutoff: int
) -> None:
    horizon = forecasts.point_WH.shape[1]
    times = times_of(panel, range(cutoff + 1, cutoff + horizon + 1))
    point_H = forecasts.point_WH[window]
    levels = np.asarray(forecasts.levels)
    for percent, alpha in SHADES.items():
        at = [np.flatnonzero(np.isclose(levels, bound)) for bound in INTERVALS[percent]]
        if forecasts.quantiles_WHQ is not None and all(len(places) for places in at):
            low, high = (forecasts.quantiles_WHQ[window, :, places[0]] for places in at)
            label = f"{percent} % interval"
            axes.fill_between(times, low, high, color=BLUE, alpha=alpha, linewidth=0, label=label)
    axes.plot(times, point_H, color=BLUE, linewidth=1.6, label="forecast")


def _series_number(panel: Panel, series: str) -> int:
    names = panel.series.astype(str)
    numbers = np.flatnonzero(names == series)
    if not len(numbers):
        near = difflib.get_close_matches(series, names.tolist(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the first is {str(names[0])!r}"
        raise LanecastError(
            f"series {series!r} is not in the panel of {panel.num_series} series; {hint}"
        )
    return int(numbers[0])


def _window(panel: Panel, index: WindowIndex, series: int, cutoff: int) -> int:
    windows = np.flatnonzero((index.series_W == series) & (index.cutoff_W == cutoff))
    if not len(windows):
        steps = np.unique(index.cutoff_W[index.series_W == series])
        known = ", ".join(short_time(panel.time_of(int(step))) for step in steps) or "no cutoff"
        raise LanecastError(
            f"there is no forecast of {panel.series[series]!r} at cutoff"
            f" {short_time(panel.time_of(cutoff))}; this series was forecast at {known}"
        )
    return int(windows[0])


def times_of(panel: Panel, steps: range | list[int]) -> np.ndarray:
    """Start of the period of each step."""
    return np.array([panel.time_of(step) for step in steps], dtype="datetime64[ns]")


def step_name(freq: str) -> str:
    """``day`` for D, ``15 minutes`` for 15min, ``week`` for W-SUN."""
    offset = pd.tseries.frequencies.to_offset(freq)
    name = STEP_NAMES.get(offset.rule_code.split("-")[0], offset.rule_code)
    return name if offset.n == 1 else f"{offset.n} {name}s"
