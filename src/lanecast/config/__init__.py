"""Configs: what a run is made of, its hash, which classes it may build, and the scripts' entry.

Nothing here imports more than the standard library, hydra and omegaconf, so that ``--help`` and
a misspelled key answer at once.
"""

from lanecast.config.composing import composed_roots, conf_folder
from lanecast.config.entry import CALM_THREADS, RunInterrupted, main
from lanecast.config.recipe import (
    ALLOWED_TARGETS,
    check_builds,
    check_targets,
    config_hash,
    instantiate,
    resolved_config,
)
from lanecast.config.recorded import Invocation, invocation, recorded_config

__all__ = [
    "ALLOWED_TARGETS",
    "CALM_THREADS",
    "Invocation",
    "RunInterrupted",
    "check_builds",
    "check_targets",
    "composed_roots",
    "conf_folder",
    "config_hash",
    "instantiate",
    "invocation",
    "main",
    "recorded_config",
    "resolved_config",
]
