"""A recorded config as data: what a stranger may have written into it is judged before it is used.

A record says what was computed.  It does not reach the environment, files or the clock of whoever
repeats it, names no weights to go on from, and holds values of the types that they have here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from lanecast.errors import ConfigError

# Resolvers that read nothing but the config, and the number of the job.
HARMLESS = frozenset({"oc.select", "slug", "run_hash", "run_folder", "job_gpu", "usual_season"})
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
HASH = re.compile(r"[0-9A-Za-z]{1,64}")
RESUME = "resume"
# What lanecast's own conf/ says of paths, and resolves for this call.
OWN_PATHS = frozenset({"${oc.env:LANECAST_DATA,data}", "${hydra:runtime.output_dir}"})


def seed_of(value: object, *, where: str) -> int:
    """The seed, if it is one: a whole number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"{where}: seed={value!r} is no whole number from 0 up; give seed=1")
    return value


def check_facts(facts: Mapping[str, Any], folder: Path) -> None:
    """ConfigError where what names folders and rows in a record is not of its type."""
    where = f"{folder}/record.json"
    if facts.get("seed") is not None:
        seed_of(facts["seed"], where=where)
    digest = facts.get("config_hash")
    if digest is not None and not (isinstance(digest, str) and HASH.fullmatch(digest)):
        raise ConfigError(
            f"{where}: config_hash={digest!r} is no hash; that run is not one of ours"
        )
    choices = facts.get("choices") or {}
    named = choices.items() if isinstance(choices, Mapping) else [("choices", choices)]
    for key, choice in [*named, ("verb", facts.get("verb"))]:
        sound = choice is None or (isinstance(choice, str) and NAME.fullmatch(choice))
        if not sound or ".." in str(choice):
            raise ConfigError(
                f"{where}: {key}={choice!r} is no name of a choice; that run is not one of ours"
            )


def check_links(folder: Path) -> None:
    """ConfigError where a link in the folder leads out of it: what is written there goes astray."""
    top = folder.resolve()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_symlink() and inside[0] != "wandb" and not path.resolve().is_relative_to(top):
            raise ConfigError(
                f"{path} is a link that leads out of the run folder; put the file in its place"
            )


def check_recorded(
    config: Mapping[str, Any], *, folder: Path, said: Collection[str], same_verb: bool
) -> None:
    """ConfigError for each recorded value that must be given again on the command line.

    ``said``: keys that the command line gives.  Where another verb than the recorded one is run,
    nothing is resumed, and what was resumed then does not matter.
    """
    for path, value in _leaves(config):
        if any(_is_below(path, key) for key in said):
            continue
        again = f"give it again on the command line: {path}=..."
        if isinstance(value, str) and (reason := _reaches(value)):
            raise ConfigError(
                f"{path}={value!r}, recorded in {folder}, {reason}, and is not resolved; {again}"
            )
        is_resume = path.rpartition(".")[2] == RESUME
        if is_resume and value is not None and same_verb:
            raise ConfigError(
                f"{path}={value!r}, recorded in {folder}, names weights to go on from; {again},"
                f" or {path}=null"
            )
        if path == "seed" and not (isinstance(value, str) and value.startswith("${")):
            seed_of(value, where=str(folder))


def own_paths(paths: Any) -> dict[str, Any]:
    """Recorded paths without those that reach beyond the config in another way than ours do."""
    if not isinstance(paths, Mapping):
        return {}
    return {
        str(key): value
        for key, value in paths.items()
        if isinstance(value, str) and (value in OWN_PATHS or _reaches(value) is None)
    }


def without_resume(value: Any) -> Any:
    """A recorded config as another verb takes it: nothing in it is resumed."""
    if isinstance(value, Mapping):
        return {
            key: None if key == RESUME and not isinstance(child, Mapping) else without_resume(child)
            for key, child in value.items()
        }
    return [without_resume(child) for child in value] if isinstance(value, list) else value


def refuse_reaching(config: Any, *, where: str) -> None:
    """ConfigError where any text of a config would be resolved beyond the config itself."""
    for path, value in _leaves(config):
        if isinstance(value, str) and (reason := _reaches(value)):
            raise ConfigError(f"{where}: {path}={value!r} {reason}, and is not resolved")


def _reaches(text: str) -> str | None:
    """How an interpolation reaches beyond the config; None where it does not."""
    if "${" not in text:
        return None
    if "\\${" in text:
        return "hides an interpolation"
    from omegaconf import grammar_parser
    from omegaconf.errors import GrammarParseError

    try:
        tree: Any = grammar_parser.parse(text)
    except GrammarParseError:
        return "cannot be read"
    parser: Any = vars(grammar_parser)["OmegaConfGrammarParser"]  # not among its exports
    resolver, node = parser.InterpolationResolverContext, parser.InterpolationNodeContext
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, resolver):
            name = part.resolverName().getText()
            if name not in HARMLESS:
                return f"reaches beyond the config ({name})"
        if isinstance(part, node) and "${" in part.getText()[2:]:
            return "names its key by another interpolation"
        waiting.extend(getattr(part, "children", None) or ())
    return None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that holds no others, by its dotted key; those of a list under the list's."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, path)
    else:
        yield path, value


def _is_below(path: str, key: str) -> bool:
    return f"{path}.".startswith(f"{key}.")
