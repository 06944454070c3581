"""Run folders as a stranger might send them: sound ones, and the same with one thing put in.

A case is what a sound folder holds (`prepare`), what is put in (`poison`), and why it is refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lanecast.config import config_hash
from lanecast.errors import ConfigError

OLD = Path(__file__).parent / "fixtures" / "of-2026-11-29"
Config = dict[str, Any]
SECRET = "LANECAST_TEST_SECRET"
SHELL = {"_target_": "lanecast.runs.folder.shutil.rmtree", "path": "precious"}
PRIVATE = {"_target_": "lanecast.runs.environment._git", "arguments": ["-c", "alias.x=!touch p"]}
FUNCTION = {"_target_": "lanecast.workflows.record.write_index", "root": "precious"}
LINEAR = {"_target_": "lanecast.models.deep.networks.base.Linear", "_partial_": True}
NAIVE = {
    "_target_": "lanecast.models.classical.naive.SeasonalNaive",
    "windows": "${windows}",
    "season": 7,
    "name": "seasonal_naive",
}
ENSEMBLE = {
    "_target_": "lanecast.models.ensemble.Ensemble",
    "name": "ensemble",
    "members": {"first": NAIVE, "second": {**NAIVE, "season": 14}},
}
EVERY = {"_target_": "lanecast.planning.replanning.triggers.Every", "days": 7}


def put(path: str, value: Any) -> Callable[[Config], None]:
    """Set a value at a dotted path, making what is missing on the way."""

    def into(config: Config) -> None:
        *parents, last = path.split(".")
        for key in parents:
            config = config.setdefault(key, {})
        config[last] = json.loads(json.dumps(value))

    return into


def nothing(config: Config) -> None:
    """A sound folder is fine as it is."""


@dataclass(frozen=True)
class Case:
    """``reason`` is a part of the one line that refuses the poisoned folder."""

    poison: Callable[[Config], None]
    reason: str
    prepare: Callable[[Config], None] = nothing


CASES: dict[str, Case] = {
    # functions, methods and private names, in every kind of slot
    "model is a private helper": Case(put("model", PRIVATE), "is no public name"),
    "model is a function of another room": Case(
        put("model", FUNCTION), "model._target_='lanecast.workflows.record.write_index' does not"
    ),
    "model is a function of its own room": Case(
        put("model", {"_target_": "lanecast.models.protocol.split", "until": 3, "horizon": 1}),
        "is no class",
    ),
    "model is what a module imports": Case(put("model", SHELL), "does not belong there"),
    "model is what a module of its room imports": Case(
        put(
            "model", {"_target_": "lanecast.models.deep.training.shutil.rmtree", "path": "precious"}
        ),
        "outside lanecast and what is trusted",
    ),
    "model is a method that unpickles": Case(
        put(
            "model",
            {
                "_target_": "lanecast.models.deep.module.ForecastModule.load_from_checkpoint",
                "checkpoint_path": "evil.ckpt",
            },
        ),
        "is defined in 'lightning",
    ),
    "model is a class of Lightning": Case(
        put("model", {"_target_": "lightning.pytorch.LightningModule.load_from_checkpoint"}),
        "may not be built from a config",
    ),
    "model is the command itself": Case(
        put("model", {"_target_": "lanecast.__main__.main"}), "is no public name"
    ),
    "model is a protocol": Case(
        put("model", {"_target_": "lanecast.models.protocol.Forecaster"}), "does not belong there"
    ),
    "network is a private helper": Case(put("model.network", PRIVATE), "model.network._target_="),
    "network is a loss": Case(
        put("model.network", {"_target_": "lanecast.models.deep.losses.Point", "kind": "mae"}),
        "takes a Network",
    ),
    "scaler is a model": Case(put("scaler", NAIVE), "takes a Scaler"),
    "loss is a function": Case(put("loss", FUNCTION), "takes a Loss"),
    "anchor is what a module imports": Case(put("anchor", SHELL), "takes a Anchor"),
    "windows are a source": Case(
        put("windows", {"_target_": "lanecast.sources.tables.CsvTable", "path": "lanes.csv"}),
        "takes a WindowSpec",
    ),
    "optimizer is a function of torch.optim": Case(
        put("optim.optimizer", {"_target_": "torch.optim.lr_scheduler.partial", "_partial_": True}),
        "outside lanecast",
    ),
    "source is a method": Case(
        put("data.source", {"_target_": "lanecast.sources.tables.CsvTable.load", "self": "x"}),
        "is no class",
    ),
    "source is a model": Case(put("data.source", NAIVE), "takes a Source"),
    # through what holds others
    "ensemble has a hostile member": Case(
        put("model.members.second", PRIVATE), "model.members.second", put("model", ENSEMBLE)
    ),
    "ensemble has a member's network": Case(
        put("model.members.second.deep", {"network": SHELL}),
        "model.members.second.deep.network",
        put("model", ENSEMBLE),
    ),
    "coupling is a function": Case(put("coupling", FUNCTION), "takes a CoupledForecaster"),
    "calibration's method is a function": Case(put("calibration.method", FUNCTION), "a Method"),
    "hierarchy's structure is a private helper": Case(
        put("hierarchy.structure", PRIVATE), "hierarchy.structure"
    ),
    "weights name a function": Case(put("weights", FUNCTION), "takes a DualWeights"),
    "a trigger is a function": Case(
        put("strategies.weekly", FUNCTION),
        "strategies.weekly",
        put("strategies", {"weekly": EVERY}),
    ),
    "an option of a network is a call": Case(
        put("model.network.options", {"x": LINEAR}), "no class belongs there"
    ),
    "a column is a call": Case(put("data.schema.columns.extra", NAIVE), "no class belongs there"),
    # what Hydra reads beside a target
    "arguments by position": Case(put("model.network._args_", ["x"]), "_args_"),
    "calls left unbuilt": Case(put("model._recursive_", False), "_recursive_"),
    "another conversion": Case(put("model._convert_", "object"), "_convert_"),
    # values that reach beyond the config
    "the environment": Case(put("model.name", f"${{oc.env:{SECRET}}}"), "model.name="),
    "the environment by another name": Case(
        put("model.name", "${oc.${part}:" + SECRET + "}"), "model.name=", put("part", "env")
    ),
    "the environment inside a default": Case(
        put("data.unit", "${oc.select:nowhere,${oc.env:" + SECRET + "}}"), "data.unit="
    ),
    "the environment, decoded": Case(
        put("data.unit", "${oc.decode:'${oc.env:" + SECRET + "}'}"), "data.unit="
    ),
    "the environment, hidden": Case(
        put("data.unit", "\\${oc.env:" + SECRET + "}"), "hides an interpolation"
    ),
    "Hydra's own state": Case(put("data.unit", "${hydra:runtime.cwd}"), "data.unit="),
    "a mapping made on the way": Case(put("data.unit", "${oc.create:'a: 1'}"), "data.unit="),
    # types, weights and paths
    "seed is a path": Case(put("seed", "1/../../../outside"), "is no whole number"),
    "seed is a path by way of another key": Case(
        put("seed", "${part}"), "is no whole number", put("part", "1/../../../outside")
    ),
    "seed is true": Case(put("seed", True), "is no whole number"),
    "weights to go on from": Case(put("model.resume", "evil.ckpt"), "model.resume="),
    "weights of a member": Case(
        put("model.members.second.resume", "evil.ckpt"),
        "model.members.second.resume=",
        put("model", ENSEMBLE),
    ),
}


def sound(folder: Path, case: Case, *, poisoned: bool) -> Path:
    """A copy of an old run under ``folder``, its hash computed anew; poisoned, or its twin."""
    source = next(OLD.glob("linear-*/seed1"))
    shutil.copytree(source, folder)
    config: Any = OmegaConf.to_container(
        OmegaConf.load(source / ".hydra" / "config.yaml"), resolve=False
    )
    case.prepare(config)
    if poisoned:
        case.poison(config)
    write(folder, config)
    return folder


def write(folder: Path, config: Config, **facts: Any) -> None:
    """The config and its hash into both files of a run folder."""
    OmegaConf.save(OmegaConf.create(config), folder / ".hydra" / "config.yaml")
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    record |= {"config": config, "verb": "train", **facts}
    try:
        record["config_hash"] = config_hash(config)
    except ConfigError:  # of what cannot be resolved here
        record["config_hash"] = "0" * 8
    record |= facts
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
