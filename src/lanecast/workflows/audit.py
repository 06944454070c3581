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
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.pipeline.opening import causal_part, open_run
    from lanecast.runs.folder import read_record, write_record

    if cfg.get("run") is None:
        raise ConfigError("audit needs the folder of a trained run: run=runs/.../seed1")
    if read_record(Path(str(cfg.run))).get("status") == "running":
        raise RunFolderError(f"{cfg.run} is being written; audit it once it is finished")
    opened = open_run(cfg)
    model, folder = causal_part(opened.model), opened.folder
    panel = opened.panel()
    assert model.fitted_until is not None
    cutoff = model.fitted_until
    if cfg.cutoff is not None:
        cutoff = cutoff_step(panel, cfg.cutoff, key="cutoff")
    measured = audit(
        model,
        panel,
        cutoff=cutoff,
        max_series=int(cfg.max_series),
        samples=int(cfg.samples),
    )
    record = read_record(folder)
    record["audit"] = {"cutoff": str(panel.time_of(cutoff)), **measured.to_record()}
    write_record(folder, record)
    print("\n".join([f"audit of {folder}", *measured.lines()]))
