"""How a program is solved, and what is asked of it beside the plan: one value for every solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lanecast.errors import PlanError
from lanecast.planning.contracts import Plan, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """``weight`` times the mean of the worst ``1 - level`` of recourse costs, on top."""

    weight: float = 0.0
    level: float = 0.9

    def __post_init__(self) -> None:
        """Refuse what is no risk measure."""
        if not (self.weight >= 0 and 0 < self.level < 1):
            raise PlanError(
                f"risk weight={self.weight} must be >= 0 and level={self.level} between 0 and 1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A plan that was made before, from this plan's first day on.

    Its first ``frozen_trailer_days`` of trailers and ``frozen_head_days`` of heads stay as they
    are; on its other days every trailer or head that differs costs so many US dollars.
    """

    previous: Plan
    frozen_trailer_days: int = 0
    frozen_head_days: int = 0
    trailer_usd: float = 0.0
    head_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """How the program is solved, the same for every policy.

    ``integer``: whole trailers and heads within ``gap``, or what ``time_limit_s`` seconds allow,
    starting from ``incumbent``.  ``state``: what is there when the first day begins.  ``flows``
    adds what moves in every scenario, ``duals`` d objective / d volume.  ``kind`` names the plan.
    """

    risk: Risk = Risk()
    state: State | None = None
    integer: bool = False
    gap: float = 0.01
    time_limit_s: float | None = None
    incumbent: Plan | None = None
    change: Change | None = None
    kind: str = "stochastic"
    flows: bool = False
    duals: bool = False
    progress: Callable[[str], None] | None = None


PLAIN = SolveOptions()
