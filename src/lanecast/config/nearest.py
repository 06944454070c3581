"""Why Hydra refused an override, in one message with the nearest valid names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException


def near(name: str, valid: Sequence[str]) -> str:
    """``did you mean a or b?``, or the valid names if there are few, or nothing."""
    found = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    if found:
        return f"did you mean {' or '.join(found)}?"
    return f"valid names: {', '.join(sorted(valid))}" if 0 < len(valid) <= 20 else ""


def unknown_key(
    key: str, config: Mapping[str, Any], *, groups: Sequence[str], where: str = "the config"
) -> str:
    """Say that ``key`` is not in ``config``, with the nearest keys and groups."""
    paths = [path for path in _paths(config) if path not in groups]
    parent, _, last = key.rpartition(".")
    siblings = [path.rpartition(".")[2] for path in paths if path.rpartition(".")[0] == parent]
    close = difflib.get_close_matches(last, siblings, n=3, cutoff=0.5)
    if parent and close:
        hint = f"did you mean {' or '.join(f'{parent}.{name}' for name in close)}?"
    elif parent and siblings:
        leaf = [path for path in paths if path.rpartition(".")[2] == last]
        hint = near(key, [*leaf, *groups]) if leaf else f"{parent} has: {', '.join(siblings)}"
    else:
        candidates = [*groups, *paths]
        # Short names drown among long dotted paths: roots and groups are looked at first.
        roots = [path for path in candidates if path.count(".") == key.count(".")]
        close = difflib.get_close_matches(key, roots, n=3, cutoff=0.5)
        hint = near(key, roots if close else candidates)
    return f"there is no key {key!r} in {where}; {hint or 'see --cfg job for all keys'}"


def explain(conf: Path, root: str, overrides: Sequence[str], trouble: Exception) -> str:
    """One line per override that cannot be read or has no place; else Hydra's own words."""
    parsed, lines = _parse(overrides)
    groups = sorted(str(folder.relative_to(conf)) for folder in conf.rglob("*") if folder.is_dir())
    # Choices first: which keys exist depends on them, wherever they stand on the command line.
    parsed.sort(key=lambda one: one.key_or_group not in groups)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        good: list[str] = []
        for override in parsed:
            for text in _variants(override):
                try:
                    compose(root, overrides=[*good, text])
                except (HydraException, OmegaConfBaseException) as refused:
                    lines.append(_refusal(override, text, conf, root, good, groups, refused))
                    break
            else:
                good.append(text)
    return "\n".join(lines) or str(trouble)


def _refusal(
    override: Override,
    text: str,
    conf: Path,
    root: str,
    good: list[str],
    groups: list[str],
    refused: Exception,
) -> str:
    key = override.key_or_group
    value = text.partition("=")[2]
    if key in groups and not (conf / key / f"{value}.yaml").is_file():
        options = sorted(file.stem for file in (conf / key).glob("*.yaml"))
        return f"{text}: conf/{key} has no {value}.yaml; {near(value, options)}"
    config = OmegaConf.to_container(compose(root, overrides=good), resolve=False)
    assert isinstance(config, dict)
    plain = {str(name): child for name, child in config.items()}
    if key in set(_paths(plain)):
        return f"{text}: {_first_line(refused)}"
    return f"{text}: {unknown_key(key, plain, groups=[g for g in groups if g[:5] != 'hydra'])}"


def _first_line(refused: Exception) -> str:
    cause = refused.__cause__ if not str(refused) and refused.__cause__ else refused
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__


def _parse(overrides: Sequence[str]) -> tuple[list[Override], list[str]]:
    parser = OverridesParser.create()
    parsed: list[Override] = []
    lines: list[str] = []
    for text in overrides:
        try:
            parsed.append(parser.parse_override(text))
        except HydraException as broken:
            reason = _first_line(broken)
            lines.append(
                f"cannot read {text!r} ({reason}); write key=value, and quote a value that holds "
                "spaces or special characters: 'key=\"a, b\"'"
            )
    return parsed, lines


def _variants(override: Override) -> Iterator[str]:
    if override.is_sweep_override() and override.is_discrete_sweep():
        for value in override.sweep_string_iterator():
            yield f"{override.get_key_element()}={value}"
    else:
        yield str(override.input_line)


def _paths(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        path = f"{prefix}{key}"
        yield path
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")
