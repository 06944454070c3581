"""A config by name from Python: ``conf/`` composed as by the command, settings by their own names.

A setting is a group (``calibration="aci"``, ``optim={"max_steps": 200}``), a dotted key as on the
command line (``{"optim.max_steps": 200}``), or the last word of a key that the model reads:
``max_steps`` is ``optim.max_steps`` of a network, ``hidden_size`` TFT's
``model.network.options.hidden_size``.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lanecast.config.composing import composing, packaged_conf
from lanecast.config.found import refuse_hydra_settings
from lanecast.config.identity import HANDED_ON, NAMING
from lanecast.config.keys import key_paths, near, unknown_key
from lanecast.config.recipe import composed_config
from lanecast.config.unread import OF_NETWORKS
from lanecast.errors import ConfigError

Settings = Mapping[str, Any]
Overrides = Sequence[str] | Mapping[str, Any]

ROOT = "backtest"  # the root config whose groups make a forecaster
# What networks are made of: a model that does not read one of them refuses it.
PARTS = (*OF_NETWORKS, "trainer")
# What stands around any model.
AROUND = ("windows", "dag", "coupling", "calibration", "hierarchy", "weights", "protocol")
REFERENCE = re.compile(r"\$\{(?:oc\.select:)?([a-z_]+)")


def model_config(name: str, settings: Settings, overrides: Overrides = ()) -> DictConfig:
    """The config of ``model=<name>`` under the settings, without data.

    Where they are not set, ``windows.min_context`` gives way to a shorter context, and the span of
    validation to a longer horizon.  ConfigError names what is not there, and the nearest that is.
    """
    wanted = {**settings, **_by_key(overrides)}
    groups = [key for key in wanted if key in (*PARTS, *AROUND)]
    options = {
        key: str(wanted.pop(key) or "none")
        for key in groups
        if not isinstance(wanted[key], Mapping)
    }
    cfg = composed({"data": "panel_csv", "model": name, **options})
    with open_dict(cfg):
        del cfg.data
    read = _sections_read(cfg)
    values = dict(_dotted(cfg, wanted, sections=(*read, *AROUND), where=f"model={name}"))
    for key in (*options, *values):
        if (part := key.partition(".")[0]) in PARTS and part not in read:
            raise ConfigError(
                f"model={name} does not read {part} ({key}); it reads {', '.join(read[1:])}"
            )
    for key, value in values.items():
        set_value(cfg, key, value)
    windows, protocol = cfg.windows, cfg.protocol
    if "windows.min_context" not in values:
        windows.min_context = min(windows.min_context, windows.context)
    if "protocol.val_steps" not in values:
        protocol.val_steps = max(protocol.val_steps, windows.horizon)
    return cfg


def data_config(name: str, settings: Settings, overrides: Overrides = ()) -> DictConfig:
    """The node ``data`` of ``data=<name>``; dotted keys are of that group (``source.lanes``)."""
    cfg = composed({"data": name})
    wanted = {
        f"data.{key}" if "." in key and not key.startswith("data.") else key: value
        for key, value in {**settings, **_by_key(overrides)}.items()
    }
    for key, value in _dotted(cfg, wanted, sections=("data",), where=f"data={name}"):
        set_value(cfg, key, value)
    data: DictConfig = cfg.data
    return data


def plan_config(policy: str, network: str | None, settings: Settings) -> DictConfig:
    """The nodes ``plan`` and ``network`` of a policy and, where it is named, a network."""
    options = {"plan": policy} if network is None else {"plan": policy, "network": network}
    cfg = composed(options)
    sections = tuple(options)
    for key, value in _dotted(cfg, settings, sections=sections, where=f"plan={policy}"):
        set_value(cfg, key, value)
    return cfg


def composed(options: Mapping[str, str], *, root: str = ROOT) -> DictConfig:
    """A root config with one option of each group; ConfigError where there is no such."""
    for group, option in options.items():
        valid = options_of(group)
        if option not in valid:
            looked = " or ".join(str(folder / group) for folder in own_folders())
            raise ConfigError(
                f"{group}={option}: there is no {option}.yaml in {looked}; {near(option, valid)}"
            )
    folders = own_folders()
    if len(folders) > 1:
        refuse_hydra_settings(folders[0])
    with composing(folders[0]):  # the packaged folder is searched behind it
        return compose(root, overrides=[f"{group}={name}" for group, name in options.items()])


def options_of(group: str) -> list[str]:
    """Names of the YAML files of a group, in order."""
    files = (file for folder in own_folders() for file in (folder / group).glob("*.yaml"))
    return sorted({file.stem for file in files if not file.stem.startswith("_")})


def own_folders() -> tuple[Path, ...]:
    """./conf of the working folder, where there is one, before lanecast's own, as the command."""
    beside = Path.cwd() / "conf"
    return tuple(dict.fromkeys(([beside] if beside.is_dir() else []) + [packaged_conf()]))


def set_value(cfg: DictConfig, key: str, value: Any) -> None:
    """Set one dotted key that is there; a mapping with a class of its own replaces what was."""
    whole = isinstance(value, Mapping) and ("_target_" in value or key == "dag")
    # Names of columns and the like are free, and so are options of a class that is not ours.
    free = whole or not (HANDED_ON | NAMING).isdisjoint(key.split("."))
    try:
        OmegaConf.update(cfg, key, _plain(value), merge=not whole, force_add=free)
    except OmegaConfBaseException as broken:
        plain = composed_config(cfg)
        if key in set(key_paths(plain)):
            raise ConfigError(f"{key}={value!r}: {str(broken).splitlines()[0]}") from broken
        raise ConfigError(unknown_key(key, plain, groups=())) from broken


def _by_key(overrides: Overrides) -> dict[str, Any]:
    """Overrides of the command line as a mapping."""
    if isinstance(overrides, Mapping):
        return dict(overrides)
    lines = [overrides] if isinstance(overrides, str) else list(overrides)
    try:
        parsed = OverridesParser.create().parse_overrides(lines)
    except HydraException as broken:
        reason = str(broken).strip().splitlines()[0]
        raise ConfigError(f"cannot read overrides={lines} ({reason}); write key=value") from broken
    return {override.key_or_group: override.value() for override in parsed}


def _dotted(
    cfg: DictConfig, wanted: Settings, *, sections: Sequence[str], where: str
) -> Iterator[tuple[str, Any]]:
    """Each setting under its dotted key."""
    for key, value in wanted.items():
        if key in (*PARTS, *AROUND):
            whole = "_target_" in value or key == "dag"
            yield from [(key, value)] if whole else ((f"{key}.{k}", v) for k, v in value.items())
        else:
            yield key if "." in key else _place_of(cfg, key, sections, where), value


def _place_of(cfg: DictConfig, name: str, sections: Sequence[str], where: str) -> str:
    """The dotted key that ends in ``name``, in the first of the sections that has one."""
    if name == "seed" and "model" in sections:
        return name  # the root's, which all seeds follow
    words = {"seed"}
    plain = composed_config(cfg)
    for section in sections:
        node = plain.get(section)
        paths = list(key_paths(node, f"{section}.")) if isinstance(node, Mapping) else []
        same = [path for path in paths if path.rpartition(".")[2] == name]
        if f"{section}.{name}" in same:
            return f"{section}.{name}"
        if len(same) > 1:
            raise ConfigError(
                f"{where}: {name} could be {' or '.join(same)}; give one in full:"
                f" overrides={{{same[0]!r}: ...}}"
            )
        if same:
            return same[0]
        if section == "windows" or section not in AROUND:  # the others are rarely what was meant
            words |= {path.rpartition(".")[2] for path in paths} - {"_target_", "_partial_"}
    raise ConfigError(
        f"{where} has no setting {name!r}; {near(name, sorted(words)) or 'its YAML names them'}"
    )


def _sections_read(cfg: DictConfig) -> tuple[str, ...]:
    """``model`` and the sections that it interpolates, those that these interpolate included."""
    sections = ["model"]
    for section in sections:  # grows on the way
        text = OmegaConf.to_yaml(cfg[section]) if isinstance(cfg[section], DictConfig) else ""
        sections += [name for name in dict.fromkeys(REFERENCE.findall(text))
                     if name in cfg and name not in sections]  # fmt: skip
    return tuple(name for name in sections if isinstance(cfg[name], DictConfig))


def _plain(value: Any) -> Any:
    """A Python value as a config can hold it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Real):  # NumPy's among them
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, list | tuple) else value
