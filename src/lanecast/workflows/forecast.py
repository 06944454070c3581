"""The verb *forecast*: a trained run forecasts beyond the last row; no target is needed there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanecast.errors import ConfigError, SchemaError
from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import RunResult, model_facts, panel_facts, window_facts
from lanecast.pipeline.opening import saved_model

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex, WindowSpec
    from lanecast.runs.record import Run


def run(cfg: DictConfig) -> RunResult:
    """Forecast every series of ``cfg.data`` from ``cfg.cutoff`` with the model of ``cfg.run``.

    The objective is the number of series forecast: nothing can be scored yet.
    """
    from lanecast.config import instantiate
    from lanecast.data.forecast_frames import forecast_frame
    from lanecast.data.ingest.layout import check_future
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.ingest.statics import vocabulary_of
    from lanecast.data.schema import Schema
    from lanecast.data.windows import windows_at
    from lanecast.runs.record import Objective, Run

    if cfg.get("run") is None:
        raise ConfigError("forecast.py needs the folder of a trained run: run=runs/.../seed1")
    with Run.open(cfg) as folder:
        forecaster = build_forecaster(cfg).load(saved_model(cfg.run))
        encoded = forecaster.describe().static_names
        vocabulary = vocabulary_of(Schema.from_config(cfg.data.schema), encoded)
        panel = load_panel(cfg.data, vocabulary=vocabulary)
        spec = instantiate(cfg.windows)
        last = cfg.get("cutoff") in (None, "last")
        cutoff = panel.last_step if last else panel.step_of(cfg.cutoff)
        at = windows_at(panel, [cutoff], spec)
        _warn_of_silent_series(panel, at, spec, folder)
        check_future(panel, at, spec)
        folder.note(
            data=panel_facts(panel),
            split={"cutoff": str(panel.time_of(cutoff))},
            windows=window_facts(panel, at, context=spec.context, num_cutoffs=1),
        )
        quantiles = list(cfg.protocol.quantiles)
        forecasts = forecaster.predict(panel, at=at, quantiles=quantiles, seed=int(cfg.seed))
        folder.note(model=model_facts(forecaster))  # after: it counts what it met on the way
        frame = forecast_frame(forecasts, panel, cfg.model.name)
        frame.to_parquet(folder.folder / "forecasts.parquet", index=False)
        objective = Objective(name="forecast/series", value=float(len(at)))
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores={})


def _warn_of_silent_series(panel: Panel, at: WindowIndex, spec: WindowSpec, folder: Run) -> None:
    """Name a series that is not forecast because it says too little; refuse if all do."""
    import numpy as np

    silent = np.setdiff1d(np.arange(panel.num_series), at.series_W)
    if len(silent):
        message = (
            f"{len(silent)} of {panel.num_series} series are not forecast, the first of them"
            f" {str(panel.series[silent[0]])!r}: they have fewer than {spec.min_context} targets in"
            f" the {spec.context} steps up to the cutoff (windows.min_context)"
        )
        if not len(at):
            raise SchemaError(f"{message}; supply newer rows, or set an earlier cutoff=")
        folder.warn(message)
