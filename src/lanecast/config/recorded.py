"""What the command line asked for, and a recorded run's config with new overrides on top."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lanecast.config.coupling import AUTO, with_coupling_named
from lanecast.config.foreign import (
    check_facts,
    check_links,
    check_recorded,
    own_paths,
    seed_of,
    without_resume,
)
from lanecast.config.identity import named_as_today
from lanecast.config.keys import unknown_key
from lanecast.config.recipe import composed_config, config_hash, slug
from lanecast.config.seasons import season_of_data
from lanecast.errors import ConfigError

# Root keys that another verb than the recorded one takes from its own config: a trained run is not
# backtested on its holdout protocol, nor planned with as its backtest was.
OF_A_VERB = ("protocol", "plan", "network", "planning", "cutoff", "samples", "loop", "strategies")
# Root keys that belong to this invocation, never to the run that is repeated or evaluated: who
# runs it, where, and what is written.
KEEP = "keep"
OF_THIS_CALL = (
    *("verb", "name", "tracking", "paths", KEEP, "skip_finished", "run", "trust", "engine"),
    *("out", "take_over"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The overrides and group choices of this job; empty outside Hydra."""

    overrides: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    hydra: DictConfig | None = None


def invocation() -> Invocation:
    """Read what Hydra knows of the job that is running now."""
    if not HydraConfig.initialized():
        return Invocation()
    state: Any = HydraConfig.instance().cfg
    hydra = state.hydra
    choices = {
        key: str(value)
        for key, value in hydra.runtime.choices.items()
        if not str(key).startswith("hydra/") and value is not None
    }
    return Invocation(
        overrides=tuple(hydra.overrides.task),
        choices=choices,
        hydra=hydra,
    )


def sweep_job() -> int | None:
    """Return the number of the running job within its sweep; None outside a sweep."""
    hydra = invocation().hydra
    if hydra is None or hydra.mode != RunMode.MULTIRUN:
        return None
    return int(hydra.job.num)


def recorded_config(run_dir: str | Path, overrides: Sequence[str] = ()) -> DictConfig:
    """Return the config a run was started with, and the value overrides applied to it.

    It is read from the run's own folder, so ``conf/`` may have changed since; interpolations are
    alive in it, so that ``seed=2`` or ``windows.horizon=28`` reaches every place that uses it.
    """
    folder = Path(run_dir)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    recorded = _judged(folder, said=[override.key_or_group for override in parsed])
    for override in parsed:
        _apply(recorded, override, folder)
    return recorded


def read_config(folder: Path) -> DictConfig:
    """Read a run folder's config as it was composed, judged as a stranger's.

    What that run trusted is not in it.  ConfigError for a value that reaches beyond the config; a
    class is judged when it is built.
    """
    return _judged(folder, said=(), same_verb=False)


def _judged(
    folder: Path, *, said: Collection[str], fresh: Collection[str] = (), same_verb: bool = True
) -> DictConfig:
    """The recorded config without the root keys ``fresh``, which come from elsewhere.

    ConfigError where a value must be given again, unless ``said`` gives it.
    """
    facts, composed = recorded_facts(folder), folder / ".hydra" / "config.yaml"
    check_facts(facts, folder)
    check_links(folder)
    try:
        node = OmegaConf.load(composed) if composed.is_file() else OmegaConf.create(facts["config"])
        plain: Any = OmegaConf.to_container(node, resolve=False)
    except (OSError, ValueError, KeyError, YAMLError, OmegaConfBaseException) as broken:
        reason = (str(broken).splitlines() or [""])[0]
        raise ConfigError(f"run={folder}: its config cannot be read ({reason})") from broken
    if not isinstance(plain, dict):
        raise ConfigError(f"run={folder}: its config is no mapping")
    plain = {key: value for key, value in plain.items() if key not in ("trust", "hydra", *fresh)}
    if "paths" in plain:
        plain["paths"] = own_paths(plain["paths"])
    judged = {key: value for key, value in plain.items() if key != "paths"}
    check_recorded(judged, folder=folder, said=said, same_verb=same_verb)
    if not same_verb:
        plain = without_resume(plain)
    today: DictConfig = OmegaConf.create(named_as_today(plain))
    OmegaConf.set_struct(today, True)
    return today


def recorded_facts(folder: Path) -> dict[str, Any]:
    """Read ``record.json``; a folder without one is not a run."""
    path = folder / "record.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"run={folder} is not a run folder: {path} does not exist; give a folder such as "
            "runs/<name>/<model>-<data>-<hash>/seed1"
        ) from None
    except (OSError, ValueError) as broken:
        raise ConfigError(
            f"run={folder}: {path} cannot be read ({broken}); put it back from a copy, or repeat"
            " the run"
        ) from broken
    if not isinstance(facts, dict) or not isinstance(facts.get("config"), dict):
        raise ConfigError(
            f"run={folder}: {path} holds no record of a run; put it back from a copy, or repeat it"
        )
    return facts


def effective_config(cfg: DictConfig) -> DictConfig:
    """Return the job's config: ``cfg``, or what ``run=`` recorded with the overrides given.

    The mode that ``coupling=auto`` stands for is named in it, except where it was recorded.
    Groups chosen on the command line come from today's ``conf/``; the protocol too when another
    verb is run than the recorded one (a trained run is not backtested on its holdout protocol).
    """
    if cfg.get("run") is None:
        return with_coupling_named(cfg)
    folder = Path(str(cfg.run))
    call = invocation()
    parsed = OverridesParser.create().parse_overrides(list(call.overrides))
    current = composed_config(cfg)
    facts = recorded_facts(folder)
    other_verb = facts.get("verb") != current.get("verb")
    groups = {
        parsed_override.key_or_group
        for parsed_override in parsed
        if _is_choice(parsed_override, call)
    }
    if "experiment" in groups:
        raise ConfigError(
            "experiment= and run= exclude each other: run= takes the config from the recorded "
            "run; leave one out"
        )
    fresh = {*OF_THIS_CALL, *groups, *(OF_A_VERB if other_verb else ())}
    if KEEP not in current:  # a verb that makes no run keeps nothing; models refer to it
        fresh.discard(KEEP)
    said = [parsed_override.key_or_group for parsed_override in parsed]
    recorded = _judged(folder, said=said, fresh=fresh, same_verb=not other_verb)
    with open_dict(recorded):
        for key in current:
            if key in fresh or key not in recorded:
                recorded[key] = current[key]
        if other_verb:
            recorded.evaluates = f"{facts['config_hash']}/seed{facts['seed']}"
    for override in parsed:
        root = override.key_or_group.split(".")[0]
        if override.key_or_group not in groups and root not in fresh:
            _apply(recorded, override, folder)
    return with_coupling_named(recorded) if groups & {"coupling", "dag"} else recorded


def effective_choices(cfg: DictConfig) -> dict[str, str]:
    """Return the group choices behind `effective_config`, for names of folders and the record."""
    call = invocation()
    choices = dict(call.choices)
    if cfg.get("run") is not None:
        parsed = OverridesParser.create().parse_overrides(list(call.overrides))
        chosen = {override.key_or_group for override in parsed}
        facts = recorded_facts(Path(str(cfg.run)))
        if facts.get("verb") != cfg.get("verb"):
            chosen |= {key for key in OF_A_VERB if key in choices}
        choices |= {
            key: name for key, name in facts.get("choices", {}).items() if key not in chosen
        }
    if choices.get("coupling") == AUTO and (config := effective_config(cfg)).get("dag"):
        choices["coupling"] = str(config.coupling.mode)
    return choices


def _is_choice(override: Override, call: Invocation) -> bool:
    return override.key_or_group in call.choices and "." not in override.key_or_group


def _apply(config: DictConfig, override: Override, folder: Path) -> None:
    key = override.key_or_group
    if override.is_add():
        OmegaConf.update(config, key, override.value(), force_add=True)
        return
    if override.is_delete():
        raise ConfigError(
            f"{override.input_line}: nothing can be taken from the config of {folder}"
        )
    try:
        OmegaConf.update(config, key, override.value())
    except OmegaConfBaseException as broken:
        raise ConfigError(
            unknown_key(key, composed_config(config), groups=(), where=f"the config of {folder}")
        ) from broken


def _run_folder(*, _root_: DictConfig) -> str:
    """``<model>-<data>-<hash8>/seed<k>``, of the recorded run's choices when ``run=`` is given."""
    config = effective_config(_root_)
    choices = effective_choices(_root_)
    parts = [choices[key].replace("/", "_") for key in ("model", "data") if key in choices]
    seed = seed_of(config.get("seed", 0), where=f"{config.get('name', 'config')}")
    return f"{'-'.join([*parts, config_hash(config)])}/seed{seed}"


def _run_hash(*, _root_: DictConfig) -> str:
    return config_hash(effective_config(_root_))


def register_resolvers() -> None:
    """Make ``${slug:...}``, ``${run_hash:}``, ``${run_folder:}`` and others known."""
    OmegaConf.register_new_resolver("slug", slug, replace=True)
    OmegaConf.register_new_resolver("run_hash", _run_hash, replace=True)
    OmegaConf.register_new_resolver("run_folder", _run_folder, replace=True)
    OmegaConf.register_new_resolver("job_gpu", sweep_job, replace=True)
    OmegaConf.register_new_resolver("usual_season", season_of_data, replace=True)


register_resolvers()
