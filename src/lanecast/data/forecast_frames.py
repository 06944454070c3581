"""Forecasts, actuals and sample paths as long frames, in the names of the ecosystem.

Axes: ``W`` windows, ``H`` horizon, ``S`` sample paths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lanecast.data.panel import Panel
from lanecast.data.schema import ID, TARGET, TIME, step_length
from lanecast.errors import ConfigError

if TYPE_CHECKING:
    from lanecast.data.forecasts import Forecasts


def forecast_frame(forecasts: Forecasts, panel: Panel, model: str) -> pd.DataFrame:
    """``unique_id, ds, cutoff, <model>, <model>-q0.1 ...``, one row per window and step ahead."""
    columns = {model: forecasts.point_WH.reshape(-1)}
    if forecasts.quantiles_WHQ is not None:
        for q, level in enumerate(forecasts.levels):
            columns[f"{model}-q{level:g}"] = forecasts.quantiles_WHQ[..., q].reshape(-1)
    return _keys(forecasts, panel).assign(**columns)


def actual_frame(forecasts: Forecasts, panel: Panel, *, context: int) -> pd.DataFrame:
    """``unique_id, ds, y`` of every forecast step and the ``context`` steps before each cutoff."""
    index, horizon = forecasts.index, forecasts.point_WH.shape[1]
    step_WT = index.cutoff_W[:, None] + np.arange(1 - context, horizon + 1)
    start_W1, end_W1 = panel.start[index.series_W][:, None], panel.end[index.series_W][:, None]
    inside_WT = (step_WT >= start_W1) & (step_WT < end_W1)
    cell_WT = panel.offsets[index.series_W][:, None] + step_WT - start_W1
    cells, first = np.unique(cell_WT[inside_WT], return_index=True)
    length = step_length(panel.schema.freq).to_timedelta64()
    series = np.broadcast_to(index.series_W[:, None], step_WT.shape)[inside_WT][first]
    return pd.DataFrame(
        {
            ID: panel.series[series],
            TIME: panel.times[0] + step_WT[inside_WT][first] * length,
            TARGET: panel.column(TARGET).numpy()[cells],
        }
    )


def samples_frame(forecasts: Forecasts, panel: Panel, model: str) -> pd.DataFrame:
    """``unique_id, ds, cutoff, sample, <model>``; rows of one ``sample`` are one joint path."""
    if forecasts.samples_SWH is None:
        raise ConfigError(f"{model} made no sample paths; ask for them with samples=<number>")
    keys, paths = _keys(forecasts, panel), forecasts.samples_SWH
    frame = keys.loc[np.tile(keys.index, len(paths))].reset_index(drop=True)
    frame["sample"] = np.repeat(np.arange(len(paths)), len(keys))
    frame[model] = paths.reshape(-1)
    return frame


def to_nixtla(frame: pd.DataFrame) -> pd.DataFrame:
    """The names that utilsforecast and hierarchicalforecast expect: -lo-80, -hi-80, -median."""

    def renamed(name: str) -> str:
        if (match := re.fullmatch(r"(.+)-q(0?\.\d+)", name)) is None:
            return name
        model, level = match[1], float(match[2])
        if level == 0.5:
            return f"{model}-median"
        return f"{model}-{'lo' if level < 0.5 else 'hi'}-{round(abs(1 - 2 * level) * 100, 6):g}"

    return frame.rename(columns=renamed)


def _keys(forecasts: Forecasts, panel: Panel) -> pd.DataFrame:
    """``unique_id, ds, cutoff`` in the order of ``point_WH.reshape(-1)``."""
    index, horizon = forecasts.index, forecasts.point_WH.shape[1]
    length = step_length(panel.schema.freq).to_timedelta64()
    step_WH = index.cutoff_W[:, None] + np.arange(1, horizon + 1)
    return pd.DataFrame(
        {
            ID: np.repeat(panel.series[index.series_W], horizon),
            TIME: (panel.times[0] + step_WH * length).reshape(-1),
            "cutoff": np.repeat(panel.times[0] + index.cutoff_W * length, horizon),
        }
    )
