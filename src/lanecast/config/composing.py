"""Configs that a verb composes itself, such as those of a benchmark's entrants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


def conf_folder() -> Path:
    """The ``conf/`` that the running script was composed from."""
    sources = HydraConfig.get().runtime.config_sources
    return Path(next(source.path for source in sources if source.provider == "main"))


def composed_roots(conf: Path, root: str, overrides: Sequence[Sequence[str]]) -> list[DictConfig]:
    """``conf/<root>.yaml`` under each list of overrides, in order."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        return [compose(root, overrides=list(each)) for each in overrides]
