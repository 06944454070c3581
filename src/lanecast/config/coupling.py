"""What ``coupling=auto`` stands for: the rule, and where a config is told."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

AUTO, TREATMENT = "auto", "treatment"


def mode_of(mode: str, *, treatments: bool) -> str:
    """``auto`` is delta where the graph has treatments, features where it has none."""
    if mode != AUTO:
        return mode
    return "delta" if treatments else "features"


def with_coupling_named(cfg: DictConfig) -> DictConfig:
    """The config with the mode that ``auto`` stands for, so that both have one hash.

    Without a graph nothing is coupled, and ``auto`` stays.  A config that was recorded with
    ``auto`` must not come here: it keeps the hash it was recorded under.
    """
    coupling, graph = cfg.get("coupling"), cfg.get("dag")
    if not graph or not coupling or coupling.get("mode") != AUTO:
        return cfg
    from omegaconf import read_write

    named = copy.deepcopy(cfg)
    with read_write(named):
        named.coupling.mode = mode_of(AUTO, treatments=_has_treatments(graph))
    return named


def _has_treatments(graph: DictConfig) -> bool:
    nodes = graph.get("nodes")
    if not isinstance(nodes, Mapping):  # refused when the graph is built
        return False
    return any(
        isinstance(node, Mapping) and node.get("kind") == TREATMENT for node in nodes.values()
    )
