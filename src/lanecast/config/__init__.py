"""Configs: what a run is made of, its hash, and which classes it may build.

Nothing here imports more than the standard library, hydra and omegaconf, so that ``--help`` and
a misspelled key answer at once; and those two only where a config is handled, so that whoever needs
the nearest name for an error has no Hydra.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanecast.config.composing import composed_roots, packaged_conf, running_conf
    from lanecast.config.recipe import (
        check_builds,
        check_targets,
        config_hash,
        instantiate,
        resolved_config,
    )
    from lanecast.config.recorded import Invocation, invocation, recorded_config
    from lanecast.config.threads import CALM_THREADS
    from lanecast.config.trust import ALLOWED_TARGETS, trusted, trusting

__all__ = [
    "ALLOWED_TARGETS",
    "CALM_THREADS",
    "Invocation",
    "check_builds",
    "check_targets",
    "composed_roots",
    "config_hash",
    "instantiate",
    "invocation",
    "packaged_conf",
    "recorded_config",
    "resolved_config",
    "running_conf",
    "trusted",
    "trusting",
]

_HOMES = {
    "composing": ("composed_roots", "packaged_conf", "running_conf"),
    "recipe": ("check_builds", "check_targets", "config_hash", "instantiate", "resolved_config"),
    "recorded": ("Invocation", "invocation", "recorded_config"),
    "threads": ("CALM_THREADS",),
    "trust": ("ALLOWED_TARGETS", "trusted", "trusting"),
}


def __getattr__(name: str) -> Any:
    """A name of the list above, from its home, when it is first asked for (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"lanecast.config.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
