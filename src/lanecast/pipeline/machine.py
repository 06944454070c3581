"""What a config needs of the machine it runs on, told in one line before data are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lanecast.config.packages import require_package

HARDWARE = "lanecast.models.deep.optimization.Hardware"


def require_gpus(model: Any) -> None:
    """ConfigError where a model is to run on GPUs that this machine does not have."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(model, resolve=True) if OmegaConf.is_config(model) else model
    for options in _hardware_in(plain):
        if options.get("accelerator", "cpu") == "cpu":
            continue
        from lanecast.models.deep.optimization import Hardware

        Hardware(**{key: value for key, value in options.items() if key != "_target_"}).require()


def require_solver(group: str) -> None:
    """ConfigError where the solver of plans is not installed."""
    require_package("highspy", extra="planning", needed_by=f"{group}=")


def _hardware_in(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping that describes hardware, at any depth."""
    if isinstance(node, Mapping):
        if node.get("_target_") == HARDWARE:
            yield node
        for child in node.values():
            yield from _hardware_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from _hardware_in(child)
