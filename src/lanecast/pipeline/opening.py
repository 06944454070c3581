"""From a run folder back to its model, and to its data as the model reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import CheckpointError, ConfigError, RunFolderError, ScenarioError
from lanecast.runs.contents import check_files, read_frame, readable, replaced
from lanecast.runs.folder import read_record

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowSpec
    from lanecast.models.protocol import Forecaster
    from lanecast.whatif.coupled import CoupledForecaster

MODEL = "model"  # folder of the saved model inside a run folder


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OpenedRun:
    """A trained run: its folder, its config with what was asked of it now, its model loaded."""

    folder: Path
    config: DictConfig
    model: Forecaster

    @property
    def windows(self) -> WindowSpec:
        """The windows of its config."""
        from lanecast.config import instantiate

        spec: WindowSpec = instantiate(self.config.windows)
        return spec

    @property
    def record(self) -> dict[str, Any]:
        """What ``record.json`` says of it: status, objective, data, scores, versions."""
        return read_record(self.folder)

    @property
    def frame(self) -> pd.DataFrame:
        """The forecasts it left: ``unique_id, ds, cutoff, <model>, <model>-q0.1 ...``.

        RunFolderError where it left none.
        """
        path = self.folder / "forecasts.parquet"
        if not path.is_file():
            raise RunFolderError(
                f"{self.folder} holds no {path.name}: it was trained and not yet asked; backtest or"
                " forecast with it"
            )
        return read_frame(self.folder, path.name, self.record)

    def __repr__(self) -> str:
        objective = self.record.get("objective") or {}
        shown = f": {objective['name']} {objective['value']:.4g}" if objective else ""
        return f"Run {self.folder} of {self.model.name}{shown}"

    def panel(self) -> Panel:
        """The data of its config, statics encoded as when it was trained."""
        from lanecast.data.ingest.loading import load_panel
        from lanecast.data.schema import Schema
        from lanecast.data.statics import vocabulary_of

        schema = Schema.from_config(self.config.data.schema)
        vocabulary = vocabulary_of(schema, self.model.describe().static_names)
        return load_panel(self.config.data, vocabulary=vocabulary)


def open_run(run: DictConfig | str | Path) -> OpenedRun:
    """Open a run folder, or that of ``cfg.run`` with a config in which it was asked something.

    CheckpointError where it holds no trained model, a damaged one, or one of another config.
    """
    from lanecast.config.recorded import read_config
    from lanecast.pipeline.building import build_forecaster

    if isinstance(run, str | Path):
        folder, config = Path(run), read_config(Path(run))
    else:
        if run.get("run") is None:
            raise ConfigError("this needs the folder of a trained run: run=runs/.../seed1")
        folder, config = Path(str(run.run)), run
    saved, record = saved_model(folder), read_record(folder)
    check_files(folder, record, MODEL, refused=CheckpointError)
    model = build_forecaster(config)
    with readable(saved, refused=CheckpointError):
        model = model.load(saved)
    return OpenedRun(folder=folder, config=config, model=model)


def causal_part(forecaster: Forecaster) -> Forecaster:
    """The model that actions reach: the coupled one inside a reconciled one, since sums follow.

    ScenarioError for a calibrated one, whose shifts were learned where nobody acted, and where
    blocks of steps are forecast beside the steps: no action reaches a block.
    """
    from lanecast.models.calibration.forecaster import CalibratedForecaster
    from lanecast.models.hierarchy.forecaster import ReconciledForecaster
    from lanecast.models.hierarchy.temporal import TemporalForecaster

    if isinstance(forecaster, ReconciledForecaster):
        forecaster = forecaster.inner
    if isinstance(forecaster, TemporalForecaster):
        raise ScenarioError(
            f"the run forecasts blocks of {list(forecaster.blocks)} steps beside the steps,"
            " which no action reaches; ask a run with hierarchy.blocks=[]"
        )
    if isinstance(forecaster, CalibratedForecaster):
        raise ScenarioError(
            f"{forecaster.name} is calibrated ({forecaster.method.name}), and what it missed"
            " without an action says nothing of intervals under one; ask a run with"
            " calibration=none"
        )
    return forecaster


def coupled_part(forecaster: Forecaster) -> CoupledForecaster:
    """As `causal_part`, of a model with a graph; ScenarioError where it has none."""
    from lanecast.whatif.coupled import CoupledForecaster

    coupled = causal_part(forecaster)
    if not isinstance(coupled, CoupledForecaster):
        raise ScenarioError(
            f"{coupled.name} is coupled to no graph, so nothing says what an action reaches; train"
            " with dag=<name>"
        )
    return coupled


def keep_model(model: Forecaster, run: Path) -> None:
    """Save a model into a run folder, whole or not at all."""
    with replaced(run / MODEL) as draft:
        model.save(draft)


def saved_model(run: str | Path) -> Path:
    """Folder of a run's saved model; CheckpointError where there is none."""
    folder = Path(run) / MODEL
    if not folder.is_dir():
        raise CheckpointError(
            f"run={run} holds no trained model ({folder} is missing), so it failed early;"
            f" train it again: lanecast train run={run}"
        )
    return folder
