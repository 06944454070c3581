"""The verb *probe*: does a forecast depend on what was not known?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.config.seasons import season_of
from lanecast.data.windows import WindowSpec

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.audits.leakage import Subject


def run(cfg: DictConfig) -> None:
    """Probe ``cfg.model`` on ``cfg.data``; LeakageError, and exit code 1, where it leaks."""
    from lanecast.audits.leakage import probe, refuse
    from lanecast.runs.folder import read_record, write_record
    from lanecast.runs.record import Run

    with Run.open(cfg) as folder:
        verdict = probe(subject_of(cfg), controls=bool(cfg.controls))
        print("\n".join(verdict.lines()))
        for warning in verdict.warnings:
            folder.warn(warning)
        folder.note(probe=verdict.to_record())
        if cfg.get("run") is not None:
            record = read_record(Path(str(cfg.run)))
            record["probe"] = verdict.to_record()
            write_record(Path(str(cfg.run)), record)
    refuse(verdict, str(cfg.model.name))


def subject_of(cfg: DictConfig) -> Subject:
    """The pipeline of a config."""
    from lanecast.audits.leakage import Subject
    from lanecast.config import instantiate
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.data.ingest.loading import panel_of, read_tables
    from lanecast.data.ingest.times import with_plain_times
    from lanecast.pipeline.building import build_forecaster
    from lanecast.pipeline.folds import history_of
    from lanecast.workflows.backtest import cutoffs_of

    spec: WindowSpec = instantiate(cfg.windows)
    model = build_forecaster(cfg)  # what cannot be built is told before data are read
    table, future = read_tables(cfg.data)
    panel = panel_of(cfg.data, table, future)
    table = with_plain_times(table, panel.schema.freq)
    ahead = None if future is None else with_plain_times(future, panel.schema.freq)
    step = (
        cutoffs_of(panel, cfg.protocol, spec.horizon)[0]
        if cfg.cutoff is None
        else cutoff_step(panel, cfg.cutoff, key="cutoff")
    )
    further = int(cfg.protocol.step)
    if step + further + spec.horizon > panel.last_step:
        further = 0  # no second cutoff has its whole window in this table
    return Subject(
        table=table,
        future=ahead,
        schema=panel.schema,
        lay_out=partial(panel_of, cfg.data),
        model=model,
        spec=spec,
        cutoff=panel.time_of(step),
        season=season_of(cfg.protocol.season, panel.schema.freq),
        quantiles=tuple(cfg.protocol.quantiles),
        seed=int(cfg.seed),
        window=history_of(cfg.protocol.window),
        samples=int(cfg.protocol.samples) or None,
        step=further or None,
    )
