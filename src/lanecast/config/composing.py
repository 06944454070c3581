"""Configs that a verb composes itself, such as those of a benchmark's entrants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir, version
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


def packaged_conf() -> Path:
    """The ``conf/`` of this package: inside it in a wheel, the checkout's where it is editable."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


@contextmanager
def apart_from_hydra() -> Iterator[None]:
    """As if no Hydra ran: what it holds is hidden in the block, and as it was after it."""
    running, job = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    base = version.VersionBase.instance().version_base
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = running
        HydraConfig.instance().cfg = job
        version.VersionBase.instance().version_base = base


@contextmanager
def composing(conf: Path) -> Iterator[None]:
    """Hydra's `compose` reads ``conf`` inside the block; what ran before is as it was after it."""
    with apart_from_hydra(), initialize_config_dir(str(conf), version_base="1.3"):
        yield


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
    with composing(conf):
        return [compose(root, overrides=list(each)) for each in overrides]
