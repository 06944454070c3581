"""Configs: what a run is made of, its hash, and which classes it may build.

Nothing here imports more than the standard library, hydra and omegaconf, so that ``--help`` and
a misspelled key answer at once.
"""

from lanecast.config.composing import composed_roots, packaged_conf
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
    "trusted",
    "trusting",
]
