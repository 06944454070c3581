"""The verb *forecast*: a trained run forecasts beyond the last row; no target is needed there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanecast.errors import ConfigError
from lanecast.pipeline.facts import RunResult, panel_facts

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(cfg: DictConfig) -> RunResult:
    """Forecast every series of ``cfg.data`` from ``cfg.cutoff`` with the model of ``cfg.run``.

    The objective is the number of series forecast: nothing can be scored yet.
    """
    from lanecast.data.forecast_frames import forecast_frame
    from lanecast.pipeline.forecasting import forecast
    from lanecast.pipeline.opening import open_run
    from lanecast.runs.record import Objective, Run

    if cfg.get("run") is None:
        raise ConfigError("forecast.py needs the folder of a trained run: run=runs/.../seed1")
    with Run.open(cfg) as folder:
        opened = open_run(cfg)
        panel = opened.panel()
        last = cfg.get("cutoff") in (None, "last")
        cutoff = panel.last_step if last else panel.step_of(cfg.cutoff)
        folder.note(data=panel_facts(panel), split={"cutoff": str(panel.time_of(cutoff))})
        ahead = forecast(
            panel,
            opened.model,
            windows=opened.windows,
            cutoff=cutoff,
            quantiles=list(cfg.protocol.quantiles),
            seed=int(cfg.seed),
            reporter=folder,
        )
        folder.note(windows=ahead.windows, model=ahead.facts)
        frame = forecast_frame(ahead.forecasts, panel, cfg.model.name)
        frame.to_parquet(folder.folder / "forecasts.parquet", index=False)
        objective = Objective(name="forecast/series", value=float(len(ahead.forecasts.index)))
        folder.set_objective(objective)
        return RunResult(objective=objective, folder=folder.folder, scores={})
