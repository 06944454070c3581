"""A config as a recipe: resolved, hashed without what cannot change a result, targets checked."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lanecast.config.identity import first_named, named_as_today, without_unset_new_keys
from lanecast.config.slots import check_class, check_names
from lanecast.errors import ConfigError, LanecastError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # can be the name of a folder

# Root keys that say who runs it, where and how it is kept, not what is computed.
BOOKKEEPING = (
    "seed",
    "name",
    "tracking",
    "paths",
    "keep",
    "skip_finished",
    "take_over",
    "run",
    "engine",
    "trust",
    "plot",
    "strict",
)
# Keys of `trainer` that choose the machine or the console, at any depth.
MACHINE = frozenset(
    {
        "accelerator",
        "compile",
        "default_root_dir",
        "devices",
        "enable_model_summary",
        "enable_progress_bar",
        "gpu",
        "log_every_n_steps",
        "logger",
        "num_nodes",
        "profiler",
        "progress",
        "strategy",
        "threads",
        "workers",
    }
)


def composed_config(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as a plain dict, interpolations still alive, without Hydra's own node."""
    node = cfg if isinstance(cfg, DictConfig) else OmegaConf.create(dict(cfg))
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "hydra"}


def resolved_config(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as a plain dict with no ``${...}`` and no ``???`` left."""
    return _resolve(OmegaConf.create(composed_config(cfg)))


def config_hash(cfg: DictConfig | Mapping[str, Any]) -> str:
    """Eight hex digits; equal for two configs that compute the same thing, whatever the seed.

    What is left out is blanked *before* interpolation, so that a model which holds ``${seed}`` or
    ``${trainer}`` does not carry it back in.
    """
    plain = composed_config(cfg)
    for key in BOOKKEEPING:
        if key in plain:
            plain[key] = _blanked(plain[key])
    if not plain.get("dag"):  # without a graph nothing reads how it would be coupled
        plain.pop("dag", None)
        plain.pop("coupling", None)
    for correction in ("calibration", "hierarchy", "weights"):
        if not plain.get(correction):  # as it came
            plain.pop(correction, None)
    if not plain.get("plan"):  # nothing is planned
        for key in ("plan", "network", "planning"):
            plain.pop(key, None)
    if "trainer" in plain:
        plain["trainer"] = _without_machine(plain["trainer"])
    resolved = without_unset_new_keys(first_named(_resolve(OmegaConf.create(plain))))
    for key in BOOKKEEPING:
        resolved.pop(key, None)
    text = json.dumps(resolved, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def slug(name: object, *, key: str = "name") -> str:
    """Return ``name`` if it can be the name of a folder; ``key`` is what gave it."""
    text = str(name)
    if NAME.fullmatch(text) is None:
        raise ConfigError(
            f"{key}={text!r} cannot name a folder; use letters, digits, '-', '_' and '.', "
            f"for example {key}=my-first-sweep"
        )
    return text


def check_targets(cfg: DictConfig | Mapping[str, Any]) -> None:
    """Refuse what no config may name: outside the allow-list, private, or in another's place."""
    check_names(composed_config(cfg))


def instantiate(cfg: DictConfig | Mapping[str, Any], **values: Any) -> Any:
    """Build what a config describes, nested targets first, after checking every target.

    A target is a public class that keeps the protocol of its place (`lanecast.config.slots`), and
    *defined* under an allowed name as well: ``lanecast.x.os.system`` is refused.
    """
    import hydra.utils
    from hydra.errors import InstantiationException

    plain = _resolved_in_place(cfg)
    at = str(cfg._get_full_key("") or "") if isinstance(cfg, DictConfig) else ""
    for call in check_names(plain, at=at):
        check_class(call, _locate(call.where, call.target))
    try:
        return hydra.utils.instantiate(plain, _convert_="all", **values)
    except InstantiationException as wrapped:
        if isinstance(wrapped.__cause__, LanecastError):
            raise wrapped.__cause__ from None  # our own message needs no wrapping
        raise


def accepts(cfg: DictConfig | Mapping[str, Any], argument: str) -> bool:
    """Whether the class that a config builds has a parameter of that name."""
    return argument in inspect.signature(_locate("_target_", cfg["_target_"])).parameters


def check_builds(cfg: DictConfig | Mapping[str, Any]) -> None:
    """ConfigError unless a config resolves and every class that it names exists and is ours.

    For configs that are kept: an experiment's must still mean something after the code has moved.
    """
    plain = named_as_today(resolved_config(cfg))
    for call in check_names(plain):
        check_class(call, _locate(call.where, call.target))


def _resolved_in_place(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a node where it stands: ``cfg.model`` may point at ``${windows}`` above it."""
    return _resolve(cfg) if isinstance(cfg, DictConfig) else resolved_config(cfg)


def _locate(path: str, target: str) -> Any:
    import importlib

    parts = target.split(".")
    for end in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:end])
        try:
            located: Any = importlib.import_module(name)
        except ModuleNotFoundError as missing:
            # A missing third-party package (an extra that is not installed) is another matter.
            if missing.name is None or not f"{name}.".startswith(f"{missing.name}."):
                raise
            continue
        for part in parts[end:]:
            if not hasattr(located, part):
                near = difflib.get_close_matches(part, dir(located), n=2)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise ConfigError(f"{path}: there is no {target!r}{hint}")
            located = getattr(located, part)
        return located
    raise ConfigError(f"{path}: there is no module for {target!r}")


def _resolve(node: DictConfig) -> dict[str, Any]:
    try:
        resolved = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as broken:
        raise ConfigError(omegaconf_message(broken)) from broken
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def omegaconf_message(broken: OmegaConfBaseException) -> str:
    """One line: what is wrong and at which key."""
    text = str(broken).splitlines()[0]
    where = getattr(broken, "full_key", None)
    if (missing := re.search(r"(while.*)?Missing mandatory value: (\S+)", text)) is not None:
        key = (
            missing[2] if missing[1] else where or missing[2]
        )  # of an interpolation: what it needs
        return f"{key} has no value yet; set {key}=..."
    _, marker, message = text.partition("ConfigError raised while resolving interpolation: ")
    if marker:
        return message
    return f"config key {where!r}: {text}" if where and where not in text else text


def _blanked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _blanked(child) for key, child in value.items()}
    return None


def _without_machine(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: None if key in MACHINE else _without_machine(child) for key, child in value.items()
        }
    return value
