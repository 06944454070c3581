"""A folder of YAML that nobody named: it says what is computed, and sets nothing of Hydra's own.

Hydra's own settings run code before any check of ours: callbacks and launchers are built, loggers
and search paths import modules, and a job's environment decides what its processes run.  Whether
they are set is read from the files as they lie there and not from a composed config, so that no
choice, sweep or package can hide it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lanecast.config.composing import packaged_conf
from lanecast.errors import ConfigError


def refuse_hydra_settings(folder: Path) -> None:
    """ConfigError where a file of the folder reaches Hydra's own settings.

    Copies of lanecast's own files may: they are compared byte for byte.
    """
    for path in _yaml_files(folder):
        relative = path.relative_to(folder)
        if _reaches_hydra(path, relative) and not _is_lanecasts_own(path, relative):
            raise ConfigError(
                f"{path} sets what Hydra itself runs (hydra.*), and {folder} was found by itself;"
                f" if you trust it, name it: --config-dir {folder}"
            )


def _yaml_files(folder: Path) -> Iterator[Path]:
    """Every file that Hydra would read, behind links as well, by every name it can be read by."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        inside = os.path.realpath(parent)
        # A link back to a folder above is walked no further; what it is called is looked at.
        for name in list(folders):
            real = os.path.realpath(os.path.join(parent, name))
            if inside == real or inside.startswith(real + os.sep):
                folders.remove(name)
                yield Path(parent, name)
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(".yaml"))


def _reaches_hydra(path: Path, relative: Path) -> bool:
    if "hydra" in relative.with_suffix("").parts:
        return True
    if path.is_dir():
        return False
    try:
        text = path.read_text(encoding="utf-8")
        content: Any = OmegaConf.load(path)  # as Hydra reads it
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException):
        return False  # Hydra cannot read it either, and says so where it is chosen
    comments = (line for line in text.splitlines() if line.lstrip().startswith("#"))
    if any("@package" in line and _names_hydra(line.partition("@")[2]) for line in comments):
        return True
    if not OmegaConf.is_dict(content):
        return False
    plain: Any = OmegaConf.to_container(content, resolve=False)
    if any(str(key).partition(".")[0] == "hydra" for key in plain):
        return True
    defaults = plain.get("defaults", [])
    return not isinstance(defaults, list) or any(map(_leads_to_hydra, _words(defaults)))


def _leads_to_hydra(words: str) -> bool:
    """Whether an entry of a defaults list may reach Hydra's package or lead out of the folder."""
    return any(part in words for part in ("..", "//", "$")) or _names_hydra(words.partition("@")[2])


def _names_hydra(package: str) -> bool:
    return any(part in package for part in ("hydra", "$", "_name_"))


def _words(defaults: list[Any]) -> Iterator[str]:
    """Every group, package and option of a defaults list."""
    for entry in defaults:
        for key, options in (entry if isinstance(entry, Mapping) else {entry: None}).items():
            yield str(key)
            yield from map(str, options if isinstance(options, list) else [options])


def _is_lanecasts_own(path: Path, relative: Path) -> bool:
    own = packaged_conf() / relative
    return own.is_file() and own.read_bytes() == path.read_bytes()
