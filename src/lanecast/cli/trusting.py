"""What the person at the command trusts: said on the command line, in the environment, or in a
folder that --config-dir names.

A recorded run and a ./conf that was found by itself say nothing here: what they hold may have been
written by somebody else, and a class that is built runs code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lanecast.cli.folders import ConfFolders, shown
from lanecast.config.recipe import check_targets
from lanecast.config.trust import normal_prefixes, trusting
from lanecast.errors import ConfigError

VARIABLE = "LANECAST_TRUST"
FILE = "trust.yaml"
ENVIRONMENT = "hydra.job.env_set"  # on the command line a person sets it
# What Hydra may build for itself from a folder that nobody named: plugins, and classes that log.
PLUGINS = ("hydra.", "hydra_plugins.", "logging.", "colorlog.", "rich.")


def granted(
    argv: Sequence[str], *, root: str, folders: ConfFolders
) -> tuple[tuple[str, ...], list[str]]:
    """All prefixes that are trusted, and the arguments with one override that says so."""
    kept = [text for text in argv if not _is_trust(text)]
    prefixes = [
        *_of_command_line(text for text in argv if _is_trust(text)),
        *filter(None, os.environ.get(VARIABLE, "").replace(",", " ").split()),
        *(_of_folder(folders.main, root) if folders.named else ()),
    ]
    trust = normal_prefixes(prefixes)
    return trust, [*kept, f"++trust=[{','.join(trust)}]"] if trust else kept


def check_trust(cfg: DictConfig, trust: Sequence[str]) -> None:
    """ConfigError where a config asks for trust that no person gave."""
    wanted = set(normal_prefixes(_listed(OmegaConf.select(cfg, "trust"), "trust")))
    if beyond := sorted(wanted - set(trust)):
        names = ",".join(beyond)
        raise ConfigError(
            f"trust=[{names}] stands in a config where it does not count; if you trust that, add"
            f" trust=[{names}] to the command line, set {VARIABLE}={names}, or name a folder whose"
            f" {FILE} says so: --config-dir <folder>"
        )


@contextmanager
def trust_of_children(trust: Sequence[str]) -> Iterator[None]:
    """Processes started inside trust the same, whatever ``hydra.job.env_set`` of a config says."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = ",".join(trust)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def check_found_folder(
    overrides: Sequence[str], trust: Sequence[str], *, root: str, folders: ConfFolders
) -> None:
    """ConfigError where a ./conf that was found by itself lets Hydra run foreign code.

    Hydra builds its callbacks, launcher and loggers before any check of ours, and a variable such
    as PYTHONPATH decides what the processes that a job starts will run.
    """
    if folders.named or not folders.is_own:
        return
    for settings in _hydra_settings(overrides, root=root, folders=folders):
        if settings["job"]["env_set"]:
            raise ConfigError(
                f"{ENVIRONMENT} stands in {shown(folders.main)}, which was found by itself; if"
                f" you trust it, name it: --config-dir {shown(folders.main)}"
            )
        with trusting((*PLUGINS, *trust)):
            check_targets({f"hydra.{key}": _with_loggers(child) for key, child in settings.items()})


def _hydra_settings(
    overrides: Sequence[str], *, root: str, folders: ConfFolders
) -> Iterator[dict[str, Any]]:
    """Hydra's own config for the sweep as a whole, and for a job; nothing of what cannot be."""
    try:
        parsed = OverridesParser.create().parse_overrides(
            [text for text in overrides if not text.startswith("-")]
        )
    except HydraException:
        return  # refused with its explanation when Hydra reads it
    single = [
        override
        for override in parsed
        if not override.is_sweep_override() and not override.key_or_group.startswith(ENVIRONMENT)
    ]
    of_sweep = [override for override in single if override.key_or_group.startswith("hydra")]
    for candidate in (of_sweep, single):
        if settings := _composed(candidate, root=root, folders=folders):
            yield settings


def _composed(
    overrides: Sequence[Override], *, root: str, folders: ConfFolders
) -> dict[str, Any] | None:
    texts = [str(override.input_line) for override in overrides]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folders.main), version_base="1.3"):
            cfg = compose(root, overrides=texts, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException):
        return None
    settings: Any = OmegaConf.to_container(cfg.hydra, resolve=False)
    assert isinstance(settings, dict)
    return settings


def _with_loggers(settings: Any) -> Any:
    """The settings, with a class of `logging.config` named as any other: by ``_target_``."""
    if isinstance(settings, list):
        return [_with_loggers(child) for child in settings]
    if not isinstance(settings, Mapping):
        return settings
    return {
        "_target_" if key in ("()", "class") else key: _with_loggers(child)
        for key, child in settings.items()
    }


def _is_trust(text: str) -> bool:
    return text.partition("=")[0].lstrip("+~") == "trust"


def _of_command_line(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        try:
            override = OverridesParser.create().parse_override(text)
            if override.is_sweep_override():
                raise ConfigError(f"{text}: write the packages as one list: trust=[one.,other.]")
            value = None if override.is_delete() else override.value()
        except HydraException as broken:
            raise ConfigError(f"cannot read {text!r}; write trust=[mypackage.]") from broken
        yield from _listed(value, text)


def _of_folder(folder: Path, root: str) -> Iterator[str]:
    """``trust:`` of the verb's root config, and ``trust.yaml``: a list, or ``trust:`` as well."""
    for path in (folder / f"{root}.yaml", folder / FILE):
        if not path.is_file():
            continue
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(content, Mapping):
            yield from _listed(content.get("trust"), path)
        elif path.name == FILE:
            yield from _listed(content, path)


def _listed(value: Any, where: object) -> list[str]:
    """Prefixes as they may be written: none, one, or a list of them."""
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if plain is None:
        return []
    listed = [plain] if isinstance(plain, str) else plain
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise ConfigError(f"{where}: trust is a list of packages: trust=[mypackage.]")
    return listed
