"""Which classes may stand where: every place of a config that builds something is a slot.

A slot names the rooms its classes are defined in and the protocol that they keep, so that a config
written by a stranger can choose among our models and losses, and call nothing else: no function, no
method, no private name, no class of another slot.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lanecast.config.trust import may_name, refusal, trusted
from lanecast.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Slot:
    """``protocol``: ``module:Class``, a base class or a protocol; ``rooms``: where to look."""

    protocol: str
    rooms: tuple[str, ...]


def _own(protocol: str, *rooms: str) -> Slot:
    return Slot(protocol, rooms or (protocol.partition(":")[0],))


_FORECASTER = _own("lanecast.models.protocol:Forecaster", "lanecast.models")
_HARDWARE = _own("lanecast.models.deep.optimization:Hardware")
_PRICED = _own("lanecast.planning.network:PricedNetwork")
SLOTS: Mapping[str, Slot] = {
    "anchor": _own("lanecast.models.deep.anchors:Anchor"),
    "calibration": _own("lanecast.models.calibration.forecaster:CalibratedForecaster"),
    "callbacks": _own("lanecast.runs.callback:RunRecord"),
    "coupling": _own("lanecast.whatif.coupled:CoupledForecaster"),
    "engine": _own("lanecast.pipeline.engines:Engine"),
    "hardware": _HARDWARE,
    "hierarchy": _own("lanecast.models.hierarchy.forecaster:ReconciledForecaster"),
    "inner": _FORECASTER,
    "inputs": _own("lanecast.models.deep.inputs:Inputs"),
    "loop": _own("lanecast.planning.replanning.closed_loop:Loop"),
    "loss": _own("lanecast.models.deep.losses:Loss"),
    "member": _FORECASTER,
    "members": _FORECASTER,
    "method": _own("lanecast.models.calibration.conformal:Method"),
    "model": _FORECASTER,
    "network": _own("lanecast.models.deep.networks.base:Network", "lanecast.models.deep.networks"),
    "optim": _own("lanecast.models.deep.optimization:Optimization"),
    "optimizer": Slot("torch.optim:Optimizer", ("torch.optim",)),
    "past": _own("lanecast.models.hierarchy.forecaster:PastPlan"),
    "paths": _own("lanecast.models.hierarchy.forecaster:PathPlan"),
    "plan": _own("lanecast.planning.policies:Policy"),
    "plans": _own("lanecast.planning.policies:Policy"),
    "scaler": _own("lanecast.data.scaling:Scaler"),
    "source": _own("lanecast.sources:Source", "lanecast.sources", "lanecast.twin"),
    "strategies": _own("lanecast.planning.replanning.triggers:Trigger"),
    "structure": _own("lanecast.data.hierarchy:Structure"),
    "tracking": _own("lanecast.runs.wandb_mirror:NoMirror"),
    "trainer": _HARDWARE,
    "upper": _FORECASTER,
    "weigher": _own("lanecast.planning.duals:DualWeights"),
    "weights": _own("lanecast.planning.duals:DualWeights"),
    "windows": _own("lanecast.data.windows:WindowSpec"),
}
NAMED = frozenset(
    {"members", "strategies", "callbacks", "plans"}
)  # slots of several, each under a name
OPTIONS: Mapping[str, tuple[Any, ...]] = {  # what Hydra may be asked for beside a target
    "_partial_": (True, False),
    "_convert_": ("all",),
    "_recursive_": (True,),
}


@dataclass(frozen=True, slots=True)
class TargetCall:
    """One ``_target_`` of a config: the dotted path it stands at, and the call around it."""

    path: str
    target: Any
    node: Mapping[Any, Any]
    keys: tuple[str, ...]
    parent: TargetCall | None

    @property
    def where(self) -> str:
        """The key of the target itself."""
        return f"{self.path}._target_" if self.path else "_target_"

    @property
    def slot(self) -> Slot | None:
        """What belongs here; None at the root of a config, and where nothing does."""
        if not self.keys:
            return None
        named = len(self.keys) > 1 and self.keys[-2] in NAMED
        key = self.keys[-2] if named else self.keys[-1]
        if self.parent is None:
            own = len(self.keys) == 1
        else:
            own = str(self.parent.target).startswith("lanecast.planning.")
        return _PRICED if key == "network" and own else SLOTS.get(key)


def calls(value: Any, *, at: str = "") -> list[TargetCall]:
    """Every call of a config, outer ones first; ``at``: the dotted path of ``value`` itself."""
    return list(_calls(value, at, tuple(filter(None, at.split("."))), None))


def _calls(
    value: Any, path: str, keys: tuple[str, ...], parent: TargetCall | None
) -> Iterator[TargetCall]:
    if isinstance(value, Mapping):
        if "_target_" in value:
            parent = TargetCall(path, value["_target_"], value, keys, parent)
            yield parent
        for key, child in value.items():
            if key != "_target_":
                under = f"{path}.{key}" if path else str(key)
                yield from _calls(child, under, (*keys, *str(key).split(".")), parent)
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _calls(child, f"{path}[{number}]", keys, parent)


def check_names(config: Any, *, at: str = "") -> list[TargetCall]:
    """The calls of a config; ConfigError for one that no config may name, before any import."""
    listed = calls(config, at=at)
    for call in listed:
        if not may_name(call.target):
            raise ConfigError(refusal(call.where, call.target))
    for call in listed:
        # Hydra's own classes are private ones.
        if call.keys[:1] != ("hydra",) or call.target.startswith("lanecast."):
            _check_call(call)
    return listed


def _check_call(call: TargetCall) -> None:
    for option in (key for key in call.node if _is_option(key)):
        value, allowed = call.node[option], OPTIONS.get(option, ())
        if not any(value is choice or (value == choice != 1) for choice in allowed):
            where = f"{call.path}.{option}".lstrip(".")
            raise ConfigError(
                f"{where}={value!r} may not stand in a config: arguments go by name, and"
                " _partial_: true is all that may be asked for beside _target_"
            )
    *modules, name = call.target.split(".")
    if not modules or not all(map(_is_public, (*modules, name))):
        raise ConfigError(
            f"{call.where}={call.target!r} is no public name; a config names public classes only"
        )
    if _is_trusted(call.target):
        return
    slot = call.slot
    free = not call.keys or (call.parent is not None and _is_trusted(call.parent.target))
    if slot is None and not free:
        raise ConfigError(f"{call.where}={call.target!r}: no class belongs there; take it out")
    if slot is not None and not _in_rooms(call.target, slot):
        raise ConfigError(_misplaced(call, slot))


def check_class(call: TargetCall, located: Any) -> None:
    """ConfigError unless what was found under the target is a class that fits its slot."""
    home = f"{getattr(located, '__module__', '')}.{getattr(located, '__qualname__', '')}"
    if not may_name(home):
        raise ConfigError(
            f"{call.where}={call.target!r} is defined in {home.rpartition('.')[0]!r}, outside"
            " lanecast and what is trusted"
        )
    if not inspect.isclass(located) or located.__qualname__ != located.__name__:
        raise ConfigError(
            f"{call.where}={call.target!r} is no class; a config builds public classes, and calls"
            " no function and no method"
        )
    if _is_trusted(call.target) or _is_trusted(home):
        return
    slots = [call.slot] if call.slot else list(SLOTS.values())
    if not any(_keeps(located, home, slot) for slot in slots):
        raise ConfigError(_misplaced(call, call.slot))


def _keeps(located: type, home: str, slot: Slot) -> bool:
    """Whether a class is of the slot's rooms and keeps its protocol, which it is not itself."""
    if not _in_rooms(home, slot):
        return False
    module, _, name = slot.protocol.partition(":")
    protocol = getattr(import_module(module), name)
    if getattr(protocol, "_is_protocol", False):
        methods = [
            name for name, value in vars(protocol).items()
            if inspect.isfunction(value) and name[0] != "_"
        ]  # fmt: skip
        is_one = not getattr(located, "_is_protocol", False)
        return is_one and all(callable(getattr(located, name, None)) for name in methods)
    if slot is SLOTS["tracking"]:
        return all(callable(getattr(located, name, None)) for name in ("start", "log", "finish"))
    abstract = inspect.isabstract(located) or located is getattr(protocol, "Optimizer", None)
    return issubclass(located, protocol) and not abstract


def _misplaced(call: TargetCall, slot: Slot | None) -> str:
    text = f"{call.where}={call.target!r} does not belong there"
    if slot is None:
        return f"{text}; it is nothing that a config builds"
    name, rooms = slot.protocol.rpartition(":")[2], " or ".join(slot.rooms)
    return f"{text}; that place takes a {name} of {rooms}, or of a package you trust"


def _in_rooms(name: str, slot: Slot) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in slot.rooms)


def _is_trusted(target: object) -> bool:
    return bool(trusted()) and f"{target}.".startswith(trusted())


def _is_option(key: object) -> bool:
    text = str(key)
    return len(text) > 2 and text[0] == text[-1] == "_" and text != "_target_"


def _is_public(name: str) -> bool:
    return name.isidentifier() and name[0] != "_" and not keyword.iskeyword(name)
