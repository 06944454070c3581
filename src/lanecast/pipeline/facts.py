"""What training, backtesting and forecasting share: results, facts for the record, saved models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import CheckpointError, ConfigError, ScenarioError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.causal.graph.graph import Graph
    from lanecast.causal.scm.layer import CausalLayer
    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowIndex
    from lanecast.models.protocol import Forecaster
    from lanecast.runs.record import Objective

MODEL = "model"  # folder of the saved model inside a run folder


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run: the number it is judged by, its folder and its scores."""

    objective: Objective
    folder: Path
    scores: Mapping[str, float]


def build_forecaster(
    cfg: DictConfig, *, layer: CausalLayer | None = None, graph: Graph | None = None
) -> Forecaster:
    """The model of a config: coupled to its graph, calibrated and reconciled where it asks for it.

    ``dag=`` and ``coupling=`` declare the graph, ``calibration=`` how intervals are corrected,
    ``hierarchy=`` how lanes, sites and the network are made to add up.

    ``graph`` stands in the place of ``dag=``.  It is validated before any data is read, or, where
    the config has no data, at the fit; ConfigError where a coupling lacks its graph.
    Couplings of one panel may share a causal layer, which is then fitted once.
    """
    from lanecast.config import instantiate

    model = _corrected(cfg, _coupled(cfg, layer=layer, graph=graph))
    if not cfg.get("hierarchy") or "_target_" not in cfg.hierarchy:
        return model
    # What stands above the lanes is no part of the graph, which is one of lanes.
    upper = _corrected(cfg, instantiate(cfg.model))
    reconciled: Forecaster = instantiate(cfg.hierarchy)(inner=model, upper=upper)
    return reconciled


def _corrected(cfg: DictConfig, model: Forecaster) -> Forecaster:
    """Calibrated where the config asks for it."""
    from lanecast.config import instantiate

    if not cfg.get("calibration"):
        return model
    calibrated: Forecaster = instantiate(cfg.calibration)(inner=model)
    return calibrated


def refuse_calibrated(cfg: DictConfig) -> None:
    """ScenarioError for a calibrated run: its shifts were learned where nobody acted."""
    if cfg.get("calibration"):
        raise ScenarioError(
            f"run={cfg.get('run')} is calibrated ({cfg.calibration.method.name}), and what it"
            " missed without an action says nothing of intervals under one; ask a run with"
            " calibration=none"
        )


def causal_part(forecaster: Any) -> Any:
    """The coupled model inside a reconciled one: actions reach lanes, and sums follow.

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


def _coupled(cfg: DictConfig, *, layer: CausalLayer | None, graph: Graph | None) -> Forecaster:
    from lanecast.config import instantiate

    declared, coupling = cfg.get("dag"), cfg.get("coupling")
    if not declared and graph is None:
        mode = coupling.mode if coupling else "auto"
        if mode not in ("auto", "none"):
            raise ConfigError(
                f"coupling={mode} needs a causal graph; choose one, such as dag=midmile, or leave"
                " coupling out"
            )
        return _plain(cfg)
    from lanecast.causal.graph.graph import Graph
    from lanecast.data.schema import Schema

    graph = graph or Graph.from_config(plain_config(declared))
    if cfg.get("data"):
        schema = Schema.from_config(plain_config(cfg.data.schema))
        graph.check(schema, context=int(cfg.windows.context), attributes=schema.static)
    shared = {} if layer is None else {"layer": layer}
    build = instantiate(coupling)
    coupled: Forecaster = build(inner=_plain(cfg), graph=graph, **shared)
    return coupled


def _plain(cfg: DictConfig) -> Forecaster:
    """The model itself; with ``weights=`` its loss weighs errors by what they cost a plan."""
    from lanecast.config import instantiate

    if not cfg.get("weights"):
        model: Forecaster = instantiate(cfg.model)
        return model
    target = str(cfg.model.get("_target_"))
    if target != "lanecast.models.deep.forecaster.DeepForecaster":
        raise ConfigError(
            f"weights= weighs the loss of a network, and model={cfg.model.get('name')} has none;"
            " leave weights out"
        )
    weighed: Any = instantiate(cfg.model)
    weighed.weigher = instantiate(cfg.weights)
    found: Forecaster = weighed
    return found


def plain_config(node: Any) -> dict[str, Any]:
    """A config node as plain mappings and lists, resolved."""
    from omegaconf import OmegaConf

    found = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def panel_facts(panel: Panel) -> dict[str, Any]:
    """What the record says of the data."""
    return {
        "fingerprint": panel.fingerprint,
        "series": panel.num_series,
        "cells": panel.num_cells,
        "first": str(panel.time_of(int(panel.start.min()))),
        "last_target": str(panel.time_of(panel.last_step)),
        "roles": {name: str(column.role) for name, column in panel.schema.columns.items()},
        "calendar": list(panel.calendar_names),
        "counts": dict(panel.counts),
    }


def model_facts(forecaster: Forecaster) -> dict[str, Any]:
    """What the record says of the model, and which windows a network is calibrated on."""
    calibrated_on = getattr(forecaster, "calibrated_on", None)
    causal = getattr(forecaster, "causal_facts", None)
    return {
        "name": forecaster.name,
        "uses": sorted(str(role) for role in forecaster.uses),
        "do_validity": forecaster.do_validity,
        "counts": dict(getattr(forecaster, "counts", {})),
        **({} if calibrated_on is None else {"calibrated_on": calibrated_on}),
        **({} if causal is None else {"causal": causal}),
    }


def window_facts(
    panel: Panel, index: WindowIndex, *, context: int, num_cutoffs: int
) -> dict[str, int]:
    """How many windows are asked for, how many of them start before their series does, and how
    many series x cutoffs have too little history for one.
    """
    short = index.cutoff_W - context + 1 < panel.start[index.series_W]
    new = panel.start[index.series_W] > int(index.cutoff_W.min()) if len(index) else short
    return {
        "windows": len(index),
        "windows_without_history": num_cutoffs * panel.num_series - len(index),
        "windows_left_padded": int(short.sum()),
        "windows_of_series_newer_than_first_cutoff": int(new.sum()),
    }


def saved_model(run: str | Path) -> Path:
    """Folder of a run's saved model; CheckpointError where there is none."""
    folder = Path(run) / MODEL
    if not folder.is_dir():
        raise CheckpointError(
            f"run={run} holds no trained model ({folder} is missing), so it failed early;"
            f" train it again: train.py run={run}"
        )
    return folder
