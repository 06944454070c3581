"""The errors a user can meet; each message names the thing, the place and the way out."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn


class LanecastError(Exception):
    """Base of every error that lanecast raises on purpose."""


class SchemaError(LanecastError, ValueError):
    """A table or a column declaration breaks the data contract; ``named``: it says which table."""

    named = False


class LeakageError(LanecastError, ValueError):
    """Something fitted was asked about a time before the end of what it saw."""


class ConfigError(LanecastError, ValueError):
    """A configuration cannot mean what it says."""


class CheckpointError(LanecastError, ValueError):
    """A checkpoint does not belong to the model that tries to load it."""


class RunFolderError(LanecastError, OSError):
    """A run folder cannot be written, or holds a run that would be overwritten."""


class GraphError(LanecastError, ValueError):
    """A declared causal graph contradicts itself, the data config or the windows."""


class NotIdentified(LanecastError, ValueError):
    """A causal effect cannot be told from hidden confounding under the declared graph."""


class ScenarioError(LanecastError, ValueError):
    """A question about an action that cannot be answered: what it means, or what is trained."""


class WorseError(LanecastError):
    """A comparison that was asked to fail found a run that is worse."""


class PlanError(LanecastError, ValueError):
    """A plan cannot be made or priced: its parameters, its volumes, or the two together."""


class Faults:
    """Where checks report what is wrong: the first fault is raised, or all are kept as values.

    A check goes on after `add` with what is sound, which only happens where faults are kept.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.keep = keep
        self.kept: list[LanecastError] = []
        self.place: str | None = None

    def add(self, fault: LanecastError) -> None:
        """Raise ``fault``, or keep it."""
        if not self.keep:
            raise fault
        self.kept.append(_named(fault, self.place))

    def end(self) -> NoReturn:
        """Nothing further can be checked: raise the last fault that is kept."""
        raise self.kept[-1]

    def within(self, place: str | None) -> _Within:
        """``with faults.within("t.csv"):`` says of a SchemaError of the block where it arose."""
        return _Within(self, place)

    def kept_from(self) -> _KeptFrom:
        """``with faults.kept_from():`` adds what the block raises as well."""
        return _KeptFrom(self)


class _KeptFrom:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> bool:
        if not self._faults.keep or not isinstance(fault, LanecastError):
            return False
        if fault not in self._faults.kept:
            self._faults.add(fault)
        return True


class _Within:
    """Faults of the table that the block checks; blocks within blocks keep the inner name."""

    def __init__(self, faults: Faults, place: str | None) -> None:
        self._faults, self._place = faults, place

    def __enter__(self) -> None:
        self._before, self._faults.place = self._faults.place, self._place

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> None:
        self._faults.place = self._before
        if isinstance(fault, SchemaError) and fault not in self._faults.kept:
            fault.args = _named(fault, self._place).args


def _named(fault: LanecastError, place: str | None) -> LanecastError:
    """The fault with the name of its table in front, once."""
    if place is not None and isinstance(fault, SchemaError) and not fault.named:
        fault.args = (f"{place}: {fault}",)
        fault.named = True
    return fault
