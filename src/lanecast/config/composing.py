"""Configs that a verb composes itself, such as those of a benchmark's entrants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


def packaged_conf() -> Path:
    """The ``conf/`` of this package: inside it in a wheel, the checkout's where it is editable."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def running_conf() -> Path:
    """The main folder of the command that is running, which may be one's own; else the packaged.

    A choice that it lacks is looked for in the packaged one.
    """
    if not HydraConfig.initialized():
        return packaged_conf()
    sources: Any = HydraConfig.get().runtime.config_sources
    return next(
        (Path(str(each.path)) for each in sources if each.provider == "main"), packaged_conf()
    )


def composed_roots(conf: Path, root: str, overrides: Sequence[Sequence[str]]) -> list[DictConfig]:
    """``conf/<root>.yaml`` under each list of overrides, in order."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        return [compose(root, overrides=list(each)) for each in overrides]
