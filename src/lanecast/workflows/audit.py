"""The verb *audit*: measure what a trained run may be asked, and write it into its record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.errors import ConfigError, RunFolderError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(cfg: DictConfig) -> None:
    """Audit the model of ``cfg.run``, print a table and write it into the run's record."""
    from lanecast.audits.do_validity import audit
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.ingest.statics import vocabulary_of
    from lanecast.data.schema import Schema
    from lanecast.pipeline.building import build_forecaster
    from lanecast.pipeline.opening import causal_part, refuse_calibrated, saved_model
    from lanecast.runs.folder import read_record, write_record

    if cfg.get("run") is None:
        raise ConfigError("audit.py needs the folder of a trained run: run=runs/.../seed1")
    folder = Path(str(cfg.run))
    if read_record(folder).get("status") == "running":
        raise RunFolderError(f"{folder} is being written; audit it once it is finished")
    refuse_calibrated(cfg)
    forecaster = causal_part(build_forecaster(cfg).load(saved_model(cfg.run)))
    encoded = forecaster.describe().static_names
    vocabulary = vocabulary_of(Schema.from_config(cfg.data.schema), encoded)
    panel = load_panel(cfg.data, vocabulary=vocabulary)
    assert forecaster.fitted_until is not None
    cutoff = forecaster.fitted_until if cfg.cutoff is None else panel.step_of(cfg.cutoff)
    found = audit(
        forecaster,
        panel,
        cutoff=cutoff,
        max_series=int(cfg.max_series),
        samples=int(cfg.samples),
    )
    record = read_record(folder)
    record["audit"] = {"cutoff": str(panel.time_of(cutoff)), **found.to_record()}
    write_record(folder, record)
    print("\n".join([f"audit of {folder}", *found.lines()]))
