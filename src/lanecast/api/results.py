"""What the Python door gives back: values that hand themselves on as frames, and draw themselves.

Every ``frame`` is in Nixtla's long form (``unique_id, ds, cutoff, <model>, <model>-q0.1 ...``).
Axes: ``W`` windows, ``H`` horizon, ``Q`` quantile levels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lanecast.data.cutoffs import short_time
from lanecast.data.forecast_frames import forecast_frame, samples_frame, to_nixtla
from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, TIME
from lanecast.data.windows import WindowSpec
from lanecast.models.protocol import Forecaster
from lanecast.pipeline.backtesting import Backtest
from lanecast.report.canvas import open_axes
from lanecast.report.figures import FORECAST_SIZE, draw_forecast
from lanecast.report.forecast_summary import headline, total_lines
from lanecast.report.rendering import plain_lines
from lanecast.report.table import Comparison
from lanecast.runs.reading import CompletedRun
from lanecast.runs.semantics import SEMANTICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BY_NAME = ("hash", "runs", "baseline")  # what tells run folders apart
METRICS = ("wape", "bias", "mase", "wql", "coverage_80", "coverage_90")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ForecastResult:
    """Forecasts beyond what is known: one window of ``H`` steps for each series.

    ``forecasts`` holds the arrays (``point_WH``, ``quantiles_WHQ``, ``samples_SWH``).  ``left_out``
    are the series that could not be forecast, and ``warnings`` say why.
    """

    panel: Panel
    model: Forecaster
    forecasts: Forecasts
    cutoff: pd.Timestamp
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """That of the model."""
        return self.model.name

    @cached_property
    def frame(self) -> pd.DataFrame:
        """``unique_id, ds, cutoff, <model>, <model>-q0.1 ...``: a row for each series and step."""
        return forecast_frame(self.forecasts, self.panel, self.model.name)

    def to_nixtla(self) -> pd.DataFrame:
        """`frame` under the names of utilsforecast: ``<model>-lo-80``, ``-hi-80``, ``-median``."""
        return to_nixtla(self.frame)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """``unique_id, ds, cutoff, sample, <model>``: rows of one ``sample`` are one joint path.

        ConfigError unless the forecast was made with ``samples=``.
        """
        return samples_frame(self.forecasts, self.panel, self.model.name)

    @property
    def paths(self) -> dict[str, tuple[pd.DataFrame, str]]:
        """What is planned with, by arm: sample paths and the column that holds them."""
        return {"plan": (self.samples, self.model.name)}

    @cached_property
    def total(self) -> pd.DataFrame:
        """``ds, <model>``: the sum of the points over all series; not the median of the sum."""
        name = self.model.name
        return self.frame.groupby(TIME, as_index=False, sort=True)[[name]].sum()

    def plot(
        self, series: str | None = None, *, ax: Axes | None = None, history: int | None = None
    ) -> Axes:
        """Draw one series, the busiest by default: its past, the forecast and its intervals.

        ``history`` is in steps (default: four horizons).  LanecastError for an unknown series.
        """
        return _drawn(self.panel, self.forecasts, series, None, ax=ax, history=history)

    def __repr__(self) -> str:
        lines = total_lines(self.panel, self.forecasts, unit=self.panel.table.target)
        first = f"Forecast of {self.name}: {headline(self.panel, self.forecasts)}"
        return "\n".join([first, *(f"  {line}" for line in lines), *self.warnings])


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BacktestResult:
    """Forecasts from several cutoffs, and their scores; ``model`` is the last one fitted.

    ``cutoffs`` are ascending, ``step`` lies between two of them, in steps of the panel.
    """

    panel: Panel
    core: Backtest
    windows: WindowSpec
    cutoffs: tuple[pd.Timestamp, ...]
    step: int
    seed: int

    @property
    def model(self) -> Forecaster:
        """The last one fitted."""
        return self.core.model

    @property
    def forecasts(self) -> Forecasts:
        """The arrays: ``point_WH``, ``quantiles_WHQ``, ``samples_SWH``, one window by row."""
        return self.core.forecasts

    @property
    def scores(self) -> dict[str, float]:
        """``metric`` over all cells, ``metric/slice``, ``total/metric`` for the sum over series."""
        return {**self.core.scores.values, **self.core.futures}

    @cached_property
    def by_cutoff(self) -> pd.DataFrame:
        """One row for each cutoff: its metrics and what they are divided by."""
        rows = pd.DataFrame(self.core.scores.by_cutoff)
        return rows.assign(cutoff=pd.to_datetime(rows["cutoff"]))

    @cached_property
    def frame(self) -> pd.DataFrame:
        """``unique_id, ds, cutoff, y, <model>, <model>-q0.1 ...``; y is nan where it is missing."""
        y_WH, seen_WH = labels(self.panel, self.forecasts.index, self.windows.horizon)
        frame = forecast_frame(self.forecasts, self.panel, self.model.name)
        frame.insert(3, TARGET, np.where(seen_WH, y_WH, np.nan).reshape(-1))
        return frame

    def to_nixtla(self) -> pd.DataFrame:
        """`frame` under the names of utilsforecast: ``<model>-lo-80``, ``-hi-80``, ``-median``."""
        return to_nixtla(self.frame)

    def table(self) -> pd.DataFrame:
        """Metrics by slice: all cells, groups of steps ahead, of volume and of age, the total."""
        rows: dict[str, dict[str, float]] = {"all": {}}
        for name, value in self.core.scores.values.items():
            metric, _, part = name.partition("/")
            metric, part = (part, metric) if metric == "total" else (metric, part or "all")
            if metric in METRICS:
                rows.setdefault(part, {})[metric] = value
        table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(METRICS))
        return table.dropna(how="all")

    def plot(
        self,
        series: str | None = None,
        *,
        cutoff: Any = None,
        ax: Axes | None = None,
        history: int | None = None,
    ) -> Axes:
        """Draw one series at one cutoff (default: the busiest at the last), with its actuals.

        ``history`` is in steps (default: four horizons).  LanecastError for an unknown series or
        a time that is no cutoff of this backtest.
        """
        return _drawn(self.panel, self.forecasts, series, cutoff, ax=ax, history=history)

    def as_run(self, label: str) -> CompletedRun:
        """This backtest as a table of runs reads it, under a name of one's own."""
        kind = type(self.model)
        config = {
            "model": {"_target_": f"{kind.__module__}.{kind.__qualname__}"},
            "windows": {"horizon": self.windows.horizon},
            "protocol": {"step": self.step},
        }
        return CompletedRun(
            folder=Path(label),
            record={
                "choices": {"model": label},
                "config": config,
                "config_hash": label,
                "semantics": SEMANTICS,
                "seed": self.seed,
                "model": {"seeded": self.model.describe().seeded},
                "timings": {"total": sum(self.core.seconds.values())},
                **self.core.scores.to_record(),
            },
        )

    def __repr__(self) -> str:
        counts, values = self.core.scores.counts, self.core.scores.values
        shown = ", ".join(f"{name} {values[name]:.4f}" for name in METRICS if name in values)
        return (
            f"Backtest of {self.model.name}: {counts['num_series']} series,"
            f" {counts['num_cutoffs']} cutoffs from {short_time(self.cutoffs[0])} to"
            f" {short_time(self.cutoffs[-1])}, {counts['num_windows']} windows of"
            f" {self.windows.horizon} steps\n  {shown}"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ComparisonResult:
    """Backtests side by side: metrics, and each one's difference to the baseline, paired by cutoff.

    ``notes`` say how to read the differences.
    """

    comparison: Comparison

    @property
    def table(self) -> pd.DataFrame:
        """One row for each name, best first: metrics, their deviation over seeds, differences.

        With a baseline: ``<metric>_difference`` with its interval, p-value and verdict, and
        ``mcs_p``, the p-value in the model confidence set.
        """
        table = self.comparison.table
        return table.drop(columns=[name for name in BY_NAME if name in table])

    @property
    def notes(self) -> tuple[str, ...]:
        """How to read the table."""
        return self.comparison.notes

    def __repr__(self) -> str:
        return "\n".join([*plain_lines(self._shown()), *self.notes])

    def _repr_html_(self) -> str:
        return pd.DataFrame(self.table[list(self._shown().shown)]).to_html(index=False)

    def _shown(self) -> Comparison:
        """Without the columns that only tell run folders apart."""
        shown = tuple(name for name in self.comparison.shown if name not in BY_NAME)
        return replace(self.comparison, shown=shown)


def _drawn(
    panel: Panel,
    forecasts: Forecasts,
    series: str | None,
    cutoff: Any,
    *,
    ax: Axes | None,
    history: int | None,
) -> Axes:
    """One window on the axes given, or on those of a new figure of pyplot."""
    step = int(forecasts.index.cutoff_W.max())
    if cutoff is not None:
        step = panel.step_of(cutoff)
    if series is None:
        rows = np.flatnonzero(forecasts.index.cutoff_W == step)
        busiest = rows[np.argmax(forecasts.point_WH[rows].sum(axis=1))] if len(rows) else 0
        series = str(panel.series[forecasts.index.series_W[busiest]])
    with open_axes(ax, FORECAST_SIZE) as axes:
        draw_forecast(
            axes, panel, forecasts, series, step, unit=panel.table.target, history=history
        )
    return axes
