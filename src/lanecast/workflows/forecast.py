"""The verb *forecast*: a trained run forecasts beyond the last row; no target is needed there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.errors import ConfigError, SchemaError
from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import RunResult, model_facts, panel_facts, window_facts
from lanecast.pipeline.opening import saved_model

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.forecasts import Forecasts
    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex, WindowSpec
    from lanecast.runs.record import Run

NAMED = 5  # series that a warning names
CSV_ROWS = 1_000_000  # above, only Parquet is written


def run(cfg: DictConfig) -> RunResult:
    """Forecast every series of ``cfg.data`` from ``cfg.cutoff`` with the model of ``cfg.run``.

    The objective is the number of series forecast: nothing can be scored yet.
    """
    from lanecast.config import instantiate
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.ingest.statics import vocabulary_of
    from lanecast.data.schema import Schema
    from lanecast.data.windows import windows_at
    from lanecast.report.forecast_summary import headline
    from lanecast.runs.record import Objective, Run

    if cfg.get("run") is None:
        raise ConfigError("forecast.py needs the folder of a trained run: run=runs/.../seed1")
    with Run.open(cfg) as folder:
        forecaster = build_forecaster(cfg).load(saved_model(cfg.run))
        names = getattr(forecaster, "static_names", None)
        vocabulary = None
        if names is not None:
            vocabulary = vocabulary_of(Schema.from_config(cfg.data.schema), names)
        panel = load_panel(cfg.data, vocabulary=vocabulary)
        spec = instantiate(cfg.windows)
        last = cfg.get("cutoff") in (None, "last")
        cutoff = panel.last_step if last else cutoff_step(panel, cfg.cutoff, key="cutoff")
        at = windows_at(panel, [cutoff], spec)
        _warn_of_silent_series(panel, at, spec, folder)
        at = _with_known_future(panel, at, spec, folder, strict=bool(cfg.strict))
        folder.note(
            data=panel_facts(panel),
            split={"cutoff": str(panel.time_of(cutoff))},
            windows=window_facts(panel, at, context=spec.context, num_cutoffs=1),
        )
        quantiles = list(cfg.protocol.quantiles)
        forecasts = forecaster.predict(panel, at=at, quantiles=quantiles, seed=int(cfg.seed))
        folder.note(model=model_facts(forecaster))  # after: it counts what it met on the way
        _write(forecasts, panel, cfg.model.name, folder)
        _show(cfg, forecasts, panel, folder)
        objective = Objective(name="forecast/series", value=float(len(at)))
        folder.set_objective(objective, summary=headline(panel, forecasts))
        return RunResult(objective=objective, folder=folder.folder, scores={})


def _with_known_future(
    panel: Panel, at: WindowIndex, spec: WindowSpec, folder: Run, *, strict: bool
) -> WindowIndex:
    """The windows whose known future is all there; the others are named, or refused if strict."""
    import numpy as np

    from lanecast.data.ingest.layout import check_future, future_holes
    from lanecast.data.schema import short_time
    from lanecast.report.forecast_summary import listed

    holes = future_holes(panel, at, spec)
    lacking_W = np.zeros(len(at), dtype=bool)
    for step_W in holes.values():
        lacking_W |= step_W > 0
    if lacking_W.all() or (strict and lacking_W.any()):
        check_future(panel, at, spec)
    lacking = np.flatnonzero(lacking_W)
    if not len(lacking):
        return at
    names = []
    for window in lacking[:NAMED]:
        column, step_W = next((name, step_W) for name, step_W in holes.items() if step_W[window])
        since = short_time(panel.time_of(int(at.cutoff_W[window] + step_W[window])))
        names.append(f"{str(panel.series[at.series_W[window]])!r} ({column} from {since})")
    folder.warn(
        f"{len(lacking)} of {panel.num_series} series are not forecast, as their known_future is"
        f" missing: {listed(names, len(lacking))}; supply it in the future table"
        " (data.future_path) up to the last step, or set strict=true to refuse"
    )
    return at[~lacking_W]


def _write(forecasts: Forecasts, panel: Panel, name: str, folder: Run) -> None:
    """forecasts.parquet and, for whoever opens it in a spreadsheet, forecasts.csv."""
    from lanecast.data.forecast_frames import forecast_frame

    frame = forecast_frame(forecasts, panel, name)
    frame.to_parquet(folder.folder / "forecasts.parquet", index=False)
    if len(frame) <= CSV_ROWS:
        frame.to_csv(folder.folder / "forecasts.csv", index=False)
    else:
        folder.warn(
            f"no forecasts.csv: {len(frame):,} rows are more than {CSV_ROWS:,}; read"
            " forecasts.parquet"
        )


def _show(cfg: DictConfig, forecasts: Forecasts, panel: Panel, folder: Run) -> None:
    """The totals on the console and, with the series of ``plot=``, in a picture."""
    from lanecast.report.figures import overview_figure
    from lanecast.report.forecast_summary import pictured_series, total_lines
    from lanecast.report.pictures import keep_picture

    unit = str(cfg.data.get("unit") or "y")
    print("\n".join(total_lines(panel, forecasts, unit=unit)))
    plot = [cfg.plot] if isinstance(cfg.plot, str | int) else cfg.plot
    names = None if plot is None else [str(name) for name in plot]

    def draw(path: Path) -> None:
        series = pictured_series(panel, forecasts, names, folder.warn)
        overview_figure(panel, forecasts, series, path, unit=unit)

    keep_picture(folder, "forecast", draw)


def _warn_of_silent_series(panel: Panel, at: WindowIndex, spec: WindowSpec, folder: Run) -> None:
    """Name a series that is not forecast because it says too little; refuse if all do."""
    import numpy as np

    from lanecast.report.forecast_summary import listed

    silent = np.setdiff1d(np.arange(panel.num_series), at.series_W)
    if len(silent):
        names = [repr(str(name)) for name in panel.series[silent[:NAMED]]]
        message = (
            f"{len(silent)} of {panel.num_series} series are not forecast, as they have fewer than"
            f" {spec.min_context} targets in the {spec.context} steps up to the cutoff"
            f" (windows.min_context): {listed(names, len(silent))}"
        )
        if not len(at):
            raise SchemaError(f"{message}; supply newer rows, or set an earlier cutoff=")
        folder.warn(message)
