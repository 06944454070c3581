"""From a config to an unfitted forecaster: coupled, calibrated and reconciled as it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError
from lanecast.pipeline.machine import require_gpus, require_solver

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.causal.graph.graph import Graph
    from lanecast.causal.scm.layer import CausalLayer
    from lanecast.models.protocol import Forecaster


def build_forecaster(
    cfg: DictConfig,
    *,
    layer: CausalLayer | None = None,
    graph: Graph | None = None,
    on_this_machine: bool = True,
) -> Forecaster:
    """The model of a config: coupled to its graph, calibrated and reconciled where it asks for it.

    ``dag=`` and ``coupling=`` declare the graph, ``calibration=`` how intervals are corrected,
    ``hierarchy=`` how lanes, sites and the network are made to add up.

    ``graph`` stands in the place of ``dag=``.  It is validated before any data is read, or, where
    the config has no data, at the fit; ConfigError where a coupling lacks its graph,
    and where the command line chooses what only a network reads, but the model is none.
    Couplings of one panel may share a causal layer, which is then fitted once.
    What the model needs of this machine is told at once; not so where it will run elsewhere.
    """
    from lanecast.config import instantiate
    from lanecast.config.unread import refuse_unread
    from lanecast.runs.record import current_run

    ignored, run = refuse_unread(cfg), current_run()
    if ignored is not None and run is not None:
        run.warn(ignored)
    if on_this_machine:
        require_gpus(cfg.model)
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
    from lanecast.config.recipe import accepts

    if not cfg.get("weights"):
        model: Forecaster = instantiate(cfg.model)
        return model
    require_solver("weights")
    if not accepts(cfg.model, "weigher"):
        raise ConfigError(
            f"weights= weighs the loss of a network, and model={cfg.model.get('name')} takes no"
            " weigher; leave weights out"
        )
    build = instantiate(cfg.model, _partial_=True)
    weighed: Forecaster = build(weigher=instantiate(cfg.weights))
    return weighed


def plain_config(node: Any) -> dict[str, Any]:
    """A config node as plain mappings and lists, resolved."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
