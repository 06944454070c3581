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
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from lanecast.cli.folders import ConfFolders
from lanecast.config.trust import normal_prefixes
from lanecast.errors import ConfigError

VARIABLE = "LANECAST_TRUST"
FILE = "trust.yaml"


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
