"""From a run folder back to its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.errors import CheckpointError, ScenarioError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.models.protocol import Forecaster
    from lanecast.whatif.coupled import CoupledForecaster

MODEL = "model"  # folder of the saved model inside a run folder


def refuse_calibrated(cfg: DictConfig) -> None:
    """ScenarioError for a calibrated run: its shifts were learned where nobody acted."""
    if cfg.get("calibration"):
        raise ScenarioError(
            f"run={cfg.get('run')} is calibrated ({cfg.calibration.method.name}), and what it"
            " missed without an action says nothing of intervals under one; ask a run with"
            " calibration=none"
        )


def causal_part(forecaster: Forecaster) -> Forecaster:
    """The lanes' model inside a reconciled one: actions reach lanes, and sums follow.

    ScenarioError where blocks of steps are forecast beside the steps: no action reaches a block.
    """
    from lanecast.models.hierarchy.forecaster import ReconciledForecaster
    from lanecast.models.hierarchy.temporal import TemporalForecaster

    if not isinstance(forecaster, ReconciledForecaster):
        return forecaster
    if isinstance(forecaster.inner, TemporalForecaster):
        raise ScenarioError(
            f"the run forecasts blocks of {list(forecaster.inner.blocks)} steps beside the steps,"
            " which no action reaches; ask a run with hierarchy.blocks=[]"
        )
    return forecaster.inner


def coupled_part(forecaster: Forecaster) -> CoupledForecaster:
    """As `causal_part`, of a run with a graph; ScenarioError where it has none."""
    from lanecast.whatif.coupled import CoupledForecaster

    coupled = causal_part(forecaster)
    if not isinstance(coupled, CoupledForecaster):
        raise ScenarioError(
            f"{coupled.name} is coupled to no graph, so nothing says what an action reaches; train"
            " with dag=<name>"
        )
    return coupled


def saved_model(run: str | Path) -> Path:
    """Folder of a run's saved model; CheckpointError where there is none."""
    folder = Path(run) / MODEL
    if not folder.is_dir():
        raise CheckpointError(
            f"run={run} holds no trained model ({folder} is missing), so it failed early;"
            f" train it again: train.py run={run}"
        )
    return folder
