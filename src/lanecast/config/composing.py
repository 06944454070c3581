"""Configs that a verb composes itself, such as those of a benchmark's entrants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir, version
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig


def packaged_conf() -> Path:
    """The ``conf/`` of this package: inside it in a wheel, the checkout's where it is editable."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


@contextmanager
def composing(conf: Path) -> Iterator[None]:
    """Hydra's `compose` reads ``conf`` inside the block; what ran before is as it was after it."""
    running, base = GlobalHydra.instance().hydra, version.VersionBase.instance().version_base
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running
        version.VersionBase.instance().version_base = base


def composed_roots(conf: Path, root: str, overrides: Sequence[Sequence[str]]) -> list[DictConfig]:
    """``conf/<root>.yaml`` under each list of overrides, in order."""
    with composing(conf):
        return [compose(root, overrides=list(each)) for each in overrides]
