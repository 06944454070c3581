"""Why Hydra refused an override, in one message with the nearest valid names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lanecast.cli.folders import ConfFolders
from lanecast.config.keys import key_paths, near, unknown_key


def explain(folders: ConfFolders, root: str, overrides: Sequence[str], trouble: Exception) -> str:
    """One line per override that cannot be read or has no place; else Hydra's own words."""
    parsed, lines = _parse(overrides)
    groups = folders.groups()
    # Choices first: which keys exist depends on them, wherever they stand on the command line.
    parsed.sort(key=lambda override: override.key_or_group not in groups)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folders.main), version_base="1.3"):
        good: list[str] = []
        for override in parsed:
            for text in _variants(override):
                try:
                    compose(root, overrides=[*good, text])
                except (HydraException, OmegaConfBaseException) as refused:
                    lines.append(_refusal(override, text, folders, root, good, refused))
                    break
            else:
                good.append(text)
    return "\n".join(lines) or str(trouble)


def _refusal(
    override: Override,
    text: str,
    folders: ConfFolders,
    root: str,
    good: list[str],
    refused: Exception,
) -> str:
    key = override.key_or_group
    value = text.partition("=")[2]
    if folders.has_group(key) and folders.file(f"{key}/{value}.yaml") is None:
        return f"{text}: {folders.missing(key, value, near(value, folders.options(key)))}"
    config = OmegaConf.to_container(compose(root, overrides=good), resolve=False)
    assert isinstance(config, dict)
    plain = {str(name): child for name, child in config.items()}
    if key in set(key_paths(plain)):
        return f"{text}: {_first_line(refused)}"
    groups = [group for group in folders.groups() if not group.startswith("hydra")]
    return f"{text}: {unknown_key(key, plain, groups=groups)}"


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
