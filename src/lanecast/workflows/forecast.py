"""The verb *forecast*: a trained run forecasts beyond the last row; no target is needed there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError
from lanecast.pipeline.facts import RunResult, panel_facts, tell_of_table, warn_of_lanes

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.forecasts import Forecasts
    from lanecast.data.panel import Panel
    from lanecast.runs.record import Run

CSV_ROWS = 1_000_000  # above, only Parquet is written


def run(cfg: DictConfig) -> RunResult:
    """Forecast every series of ``cfg.data`` from ``cfg.cutoff`` with the model of ``cfg.run``.

    The objective is the number of series forecast: nothing can be scored yet.
    """
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.pipeline.forecasting import forecast
    from lanecast.pipeline.opening import open_run
    from lanecast.report.forecast_summary import headline
    from lanecast.runs.record import Objective, Run

    if cfg.get("run") is None:
        raise ConfigError("forecast needs the folder of a trained run: run=runs/.../seed1")
    with Run.open(cfg) as folder:
        opened = open_run(cfg)
        panel = opened.panel()
        tell_of_table(panel, folder, strict=bool(cfg.strict))
        last = cfg.get("cutoff") in (None, "last")
        cutoff = panel.last_step if last else cutoff_step(panel, cfg.cutoff, key="cutoff")
        folder.note(data=panel_facts(panel), split={"cutoff": str(panel.time_of(cutoff))})
        warn_of_lanes(panel, cfg.data, folder)
        ahead = forecast(
            panel,
            opened.model,
            windows=opened.windows,
            cutoff=cutoff,
            quantiles=list(cfg.protocol.quantiles),
            seed=int(cfg.seed),
            strict=bool(cfg.strict),
            reporter=folder,
        )
        folder.note(windows=ahead.windows, model=ahead.facts)
        _write(ahead.forecasts, panel, cfg.model.name, folder)
        unit = str(cfg.data.get("unit") or "y")
        _show(ahead.forecasts, panel, folder, unit=unit, plot=cfg.plot)
        objective = Objective(name="forecast/series", value=float(len(ahead.forecasts.index)))
        folder.set_objective(objective, summary=headline(panel, ahead.forecasts))
        return RunResult(objective=objective, folder=folder.folder, scores={})


def _write(forecasts: Forecasts, panel: Panel, name: str, folder: Run) -> None:
    """forecasts.parquet and, for whoever opens it in a spreadsheet, forecasts.csv."""
    from lanecast.data.forecast_frames import forecast_frame
    from lanecast.runs.contents import replaced

    frame = forecast_frame(forecasts, panel, name)
    with replaced(folder.folder / "forecasts.parquet") as draft:
        frame.to_parquet(draft, index=False)
    if len(frame) <= CSV_ROWS:
        frame.to_csv(folder.folder / "forecasts.csv", index=False)
    else:
        folder.warn(
            f"no forecasts.csv: {len(frame):,} rows are more than {CSV_ROWS:,}; read"
            " forecasts.parquet"
        )


def _show(forecasts: Forecasts, panel: Panel, folder: Run, *, unit: str, plot: Any) -> None:
    """The totals on the console and, with the series of ``plot=``, in a picture."""
    from lanecast.report.figures import overview_figure
    from lanecast.report.forecast_summary import pictured_series, total_lines
    from lanecast.report.pictures import keep_picture

    print("\n".join(total_lines(panel, forecasts, unit=unit)))
    names = None
    if plot is not None:
        names = [str(name) for name in ([plot] if isinstance(plot, str | int) else plot)]

    def draw(path: Path) -> None:
        series = pictured_series(panel, forecasts, names, folder.warn)
        overview_figure(panel, forecasts, series, path, unit=unit)

    keep_picture(folder, "forecast", draw)
