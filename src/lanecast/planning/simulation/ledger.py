"""Every package is somewhere: places are counted at every event, and the sum is checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lanecast.errors import PlanError

PLACES = ("yard", "road", "dock", "queue", "sorted")


@dataclass(slots=True)
class Ledger:
    """Packages by place, and a trace of events where it is asked for."""

    traced: bool = False
    released: float = 0.0
    at: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PLACES, 0.0))
    trace: list[dict[str, Any]] = field(default_factory=list)
    events: int = 0

    def enter(self, place: str, packages: float) -> None:
        """New packages, or such that were there before the first day."""
        self.released += packages
        self.at[place] += packages

    def move(self, start: str, end: str, packages: float) -> None:
        """From one place to another."""
        self.at[start] -= packages
        self.at[end] += packages

    def note(self, time: float, kind: str, where: str, **facts: Any) -> None:
        """An event is over: all packages must be somewhere, and no place may hold a negative."""
        self.events += 1
        total = sum(self.at.values())
        least = min(self.at.values())
        slack = 1e-6 * max(self.released, 1.0)
        if abs(total - self.released) > slack or least < -slack:
            raise PlanError(
                f"the simulation lost packages at hour {time:.2f} ({kind} at {where}):"
                f" {self.released:g} released, {self.at}"
            )
        if self.traced:
            self.trace.append({"hour": time, "event": kind, "where": where, **facts})
