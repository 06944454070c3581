"""Packages that only some choices need: told by name before anything is read."""

from __future__ import annotations

from importlib.util import find_spec

from lanecast.errors import ConfigError


def require_package(name: str, *, extra: str, needed_by: str) -> None:
    """ConfigError where a package that no plain installation has is not there."""
    if find_spec(name) is None:
        raise ConfigError(
            f"{needed_by} needs the package {name}, which is not installed;"
            f" pip install 'lanecast[{extra}]' brings it"
        )
