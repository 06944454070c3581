"""When to plan again: on a calendar, when the forecast drifts, or when the old plan got dear.

Axes: ``W`` scenarios, ``L`` lanes, ``T`` days, ``D`` days of the span so far.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from lanecast.planning.contracts import Plan, Scenarios, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.decomposition import solve_decomposed
from lanecast.planning.program.options import SolveOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known on the morning of ``day``: the newest paths, what is left of the plan (None at
    the start), its age and days left, the volumes of the days before."""

    day: int
    age: int
    left: int
    paths: Scenarios
    plan: Plan | None
    parameters: Parameters
    state: State
    volume_LD: np.ndarray


class Trigger(Protocol):
    """Says on a morning whether to plan again."""

    def fires(self, situation: Situation) -> bool:
        """Whether to plan now."""
        ...

    def planned(self, situation: Situation) -> None:
        """A plan was made now, from these paths."""
        ...


@dataclass(slots=True, kw_only=True)
class Every:
    """Every ``days`` days, and when the plan runs out; 1 is daily replanning."""

    days: int

    def fires(self, situation: Situation) -> bool:
        """By the age of the plan."""
        return situation.age >= self.days or situation.left <= 0

    def planned(self, situation: Situation) -> None:
        """Nothing to remember."""


@dataclass(slots=True, kw_only=True)
class Drift:
    """When the volume runs away from the paths that the plan was made from, and when few days of
    the plan are ``left``.

    Two-sided CUSUM (Page 1954) of the network's daily volume, in standard deviations of those
    paths: it fires once the sum of misses beyond ``slack`` exceeds ``threshold``.
    """

    threshold: float = 2.0
    slack: float = 0.5
    left: int = 1
    seen: Scenarios | None = field(default=None, init=False)
    up: float = field(default=0.0, init=False)
    down: float = field(default=0.0, init=False)

    def fires(self, situation: Situation) -> bool:
        """Add yesterday's miss."""
        if self.seen is not None and situation.age >= 1:
            total_W = self.seen.volume_WLT[:, :, situation.age - 1].sum(axis=1)
            spread = max(float(total_W.std()), 1e-9)
            miss = (float(situation.volume_LD[:, -1].sum()) - float(total_W.mean())) / spread
            self.up = max(0.0, self.up + miss - self.slack)
            self.down = max(0.0, self.down - miss - self.slack)
        return max(self.up, self.down) > self.threshold or situation.left <= self.left

    def planned(self, situation: Situation) -> None:
        """Start anew from the paths that are planned with."""
        self.seen, self.up, self.down = situation.paths, 0.0, 0.0


@dataclass(slots=True, kw_only=True)
class Costly:
    """When the newest paths make what is left of the plan dearer, by ``share``, than the paths it
    was made from did, and when few days of it are ``left``."""

    share: float = 0.05
    left: int = 1
    seen: Scenarios | None = field(default=None, init=False)

    def fires(self, situation: Situation) -> bool:
        """Price what is left of the plan on both sets of paths."""
        if situation.plan is None or self.seen is None or situation.left <= self.left:
            return True
        days = min(situation.left, len(situation.paths.days))
        now = _days(situation.paths, 0, days)
        then = replace(_days(self.seen, situation.age, situation.age + days), days=now.days)
        plan = replace(
            situation.plan,
            trailers_LT=situation.plan.trailers_LT[:, :days],
            heads_STK=situation.plan.heads_STK[:, :days],
            days=now.days,
        )
        options = SolveOptions(state=situation.state.over(days))
        cost, promised = (
            solve_decomposed(situation.parameters, paths, fixed=plan, options=options).expected
            for paths in (now, then)
        )
        return cost > (1.0 + self.share) * promised

    def planned(self, situation: Situation) -> None:
        """Remember the paths that are planned with."""
        self.seen = situation.paths


def _days(paths: Scenarios, first: int, last: int) -> Scenarios:
    return replace(
        paths, volume_WLT=paths.volume_WLT[:, :, first:last], days=paths.days[first:last]
    )
