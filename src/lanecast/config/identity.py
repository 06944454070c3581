"""What a config is called by, whatever moved since: first names, and keys of the first day.

A config hash must outlive a move of code and a new key.  A class is hashed under the name it was
first recorded under, and a key that did not exist on 2026-11-29 is hashed only where it says
something.  ``first_keys.json`` holds the keys of that day; nothing is ever added to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

# Module of today -> the module its classes were first recorded under.
FIRST_MODULES: Mapping[str, str] = {
    "lanecast.models.calibration.conformal": "lanecast.models.conformal",
    "lanecast.models.calibration.forecaster": "lanecast.models.calibrated",
    "lanecast.models.classical.lightgbm": "lanecast.models.trees",
    "lanecast.models.classical.naive": "lanecast.models.baselines",
    "lanecast.models.classical.smoothing": "lanecast.models.smoothing",
    "lanecast.models.classical.statistical": "lanecast.models.statistical",
    "lanecast.models.deep.anchors": "lanecast.models.anchors",
    "lanecast.models.deep.forecaster": "lanecast.models.deep",
    "lanecast.models.deep.inputs": "lanecast.models.inputs",
    "lanecast.models.deep.losses": "lanecast.models.losses",
    "lanecast.models.deep.networks.base": "lanecast.models.networks",
    "lanecast.models.deep.optimization": "lanecast.models.optimization",
    "lanecast.models.deep.seeds": "lanecast.models.stacked",
    "lanecast.models.hierarchy.forecaster": "lanecast.models.reconciled",
    "lanecast.models.peers.mint_bootstrap": "lanecast.models.mint_bootstrap",
    "lanecast.models.peers.neuralforecast": "lanecast.models.reference",
    "lanecast.planning.replanning.closed_loop": "lanecast.planning.closed_loop",
    "lanecast.planning.replanning.triggers": "lanecast.planning.triggers",
    "lanecast.runs.callback": "lanecast.tracking.callback",
    "lanecast.runs.wandb_mirror": "lanecast.tracking.wandb",
    "lanecast.twin": "lanecast.sources.midmile",
    "lanecast.whatif.coupled": "lanecast.models.coupled",
    "lanecast.pipeline.engines": "lanecast.engines",
}
_OF_TODAY = {first: today for today, first in FIRST_MODULES.items()}

# Mappings whose keys are names (of columns, options of a peer's class), not keys of a config.
NAMING = frozenset(
    {"columns", "days", "factors", "joins", "levels", "members", "names", "nodes", "rename"}
)
# Options handed on as they are, to a class that is not ours.
HANDED_ON = frozenset({"options", "params"})


def first_named(config: Any) -> Any:
    """The config with every ``_target_`` under its first name."""
    return _with_targets(config, lambda target: _moved(target, FIRST_MODULES))


def named_as_today(config: Any) -> Any:
    """A recorded config with every ``_target_`` where its class is found today."""
    return _with_targets(config, lambda target: _moved(target, _OF_TODAY))


def without_unset_new_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config, its classes under first names, without new keys that are null or empty."""
    sections: Mapping[str, list[str]] = _first_keys()["sections"]
    pruned = {}
    for root, value in config.items():
        kept = _pruned(value, frozenset(sections.get(root, ())))
        if root in sections or not _is_empty(kept):
            pruned[root] = kept
    return pruned


def _pruned(value: Any, section: frozenset[str], *, naming: bool = False) -> Any:
    if isinstance(value, list):
        return [_pruned(child, section) for child in value]
    if not isinstance(value, Mapping):
        return value
    target = value.get("_target_")
    first = section if target is None else frozenset(_first_keys()["targets"].get(target, ()))
    pruned = {}
    for key, child in value.items():
        kept = child if key in HANDED_ON else _pruned(child, section, naming=key in NAMING)
        if naming or key in first or not _is_empty(kept):
            pruned[key] = kept
    return pruned


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, Mapping)) and len(value) == 0)


def _with_targets(config: Any, renamed: Callable[[str], str]) -> Any:
    if isinstance(config, Mapping):
        return {
            key: renamed(child)
            if key == "_target_" and isinstance(child, str)
            else _with_targets(child, renamed)
            for key, child in config.items()
        }
    if isinstance(config, list):
        return [_with_targets(child, renamed) for child in config]
    return config


def _moved(target: str, modules: Mapping[str, str]) -> str:
    module, _, name = target.rpartition(".")
    return f"{modules[module]}.{name}" if module in modules else target


@lru_cache(maxsize=1)
def _first_keys() -> dict[str, Any]:
    keys: dict[str, Any] = json.loads(
        Path(__file__).with_name("first_keys.json").read_text(encoding="utf-8")
    )
    return keys
