"""The verb *train*: compose a model and its data, call the core, write the run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError
from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import RunResult, panel_facts, tell_of_table, warn_of_lanes
from lanecast.pipeline.opening import keep_model

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel


def run(cfg: DictConfig) -> RunResult:
    """Train ``cfg.model`` and leave a run folder."""
    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import load_panel
    from lanecast.pipeline.training import train
    from lanecast.report.pictures import keep_graph_picture
    from lanecast.runs.record import Run

    with Run.open(cfg) as folder:
        model = build_forecaster(cfg)
        panel = load_panel(cfg.data)
        tell_of_table(panel, folder, strict=bool(cfg.get("strict")))
        until = training_end(panel, cfg.protocol)
        folder.note(
            data=panel_facts(panel),
            split={"until": str(panel.time_of(until)), "val_steps": cfg.protocol.val_steps},
        )
        warn_of_lanes(panel, cfg.data, folder)
        keep_graph_picture(model.describe().graph, folder)
        trained = train(
            panel,
            model,
            windows=instantiate(cfg.windows),
            until=until,
            val_steps=int(cfg.protocol.val_steps),
            quantiles=list(cfg.protocol.get("quantiles") or ()),
            season=cfg.protocol.season,
            reporter=folder,
            keep=lambda fitted: keep_model(fitted, folder.folder),
        )
        folder.note(timings=trained.seconds, model=trained.facts)
        if trained.validation:
            folder.note(validation=trained.validation)
        folder.set_objective(trained.objective)
        return RunResult(objective=trained.objective, folder=folder.folder, scores=trained.scores)


def training_end(panel: Panel, protocol: Any) -> int:
    """Last step training may know: ``last_cutoff`` or the last target, less ``test_steps``."""
    from lanecast.data.cutoffs import cutoff_step

    last = protocol.get("last_cutoff")
    step = panel.last_step
    if last is not None:
        step = cutoff_step(panel, last, key="protocol.last_cutoff")
    until = step - int(protocol.get("test_steps", 0))
    if until < (first := int(panel.start.min())):
        raise ConfigError(
            f"protocol.test_steps={protocol.test_steps} leaves nothing to train on: the table has"
            f" {step - first + 1} steps up to {panel.time_of(step)}; lower protocol.test_steps"
        )
    return until
