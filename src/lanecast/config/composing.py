"""Configs that a verb composes itself, such as those of a benchmark's entrants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig


def packaged_conf() -> Path:
    """The ``conf/`` of this package: inside it in a wheel, the checkout's where it is editable."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def composed_roots(conf: Path, root: str, overrides: Sequence[Sequence[str]]) -> list[DictConfig]:
    """``conf/<root>.yaml`` under each list of overrides, in order."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        return [compose(root, overrides=list(each)) for each in overrides]
