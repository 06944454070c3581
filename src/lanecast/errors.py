"""The errors a user can meet; each message names the thing, the place and the way out."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn


class LanecastError(Exception):
    """Base of every error that lanecast raises on purpose."""


class SchemaError(LanecastError, ValueError):
    """A table or a column declaration breaks the data contract."""


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

    def add(self, fault: LanecastError) -> None:
        """Raise ``fault``, or keep it."""
        if not self.keep:
            raise fault
        self.kept.append(fault)

    def end(self) -> NoReturn:
        """Nothing further can be checked: raise the last fault that is kept."""
        raise self.kept[-1]

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
