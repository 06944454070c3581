"""Plans that are made again as time goes on, scored by what the whole span then cost.

Every day the newest forecast is there, a trigger says whether to plan again, the plan's first day
is carried out against the volume that came, and what is left over is the state of the next day.
Trailers are bound ``trailer_days`` ahead and heads ``roster_days``: a new plan cannot move them.
Axes: ``D`` days of the span, ``T`` days of one plan, ``L`` lanes, ``S`` sites, ``K`` shifts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import COSTS, Plan, Scenarios, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.policies import Policy
from lanecast.planning.program.options import Change, SolveOptions
from lanecast.planning.replanning.execution import carried_out
from lanecast.planning.replanning.triggers import Situation, Trigger

Forecast = Callable[[int], Scenarios]  # day of the span -> paths of the days from it on


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What holds for every strategy: lead times in days and what a change costs in US dollars."""

    trailer_days: int = 2
    roster_days: int = 7
    change_usd_per_trailer: float = 0.0
    change_usd_per_head: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if min(self.trailer_days, self.roster_days) < 0:
            raise PlanError("lead times of trailers and rosters must be 0 days or more")
        if min(self.change_usd_per_trailer, self.change_usd_per_head) < 0:
            raise PlanError("a change may cost nothing, but not less")


@dataclass(frozen=True, slots=True, kw_only=True)
class Travelled:
    """A span as it went.  ``cost_D``: US dollars a day, changes included, by kind in ``by_kind``.

    ``changed_trailers`` and ``changed_heads`` are nervousness: what new plans moved of days that an
    older plan had already promised.  ``rolled`` and ``backlog``: package-days left behind,
    of ``volume`` packages.
    """

    strategy: str
    by_kind: dict[str, np.ndarray]
    planned_on: tuple[int, ...]
    changed_trailers: float
    changed_heads: float
    rolled: float
    backlog: float
    volume: float
    plans: tuple[Plan, ...] = field(default=(), repr=False)

    @property
    def cost_D(self) -> np.ndarray:
        """US dollars of each day."""
        return np.sum(list(self.by_kind.values()), axis=0)

    @property
    def total(self) -> float:
        """US dollars of the span."""
        return float(self.cost_D.sum())


def travel(
    parameters: Parameters,
    volume_LD: np.ndarray,
    *,
    forecast: Forecast,
    policy: Policy,
    trigger: Trigger,
    loop: Loop | None = None,
    strategy: str = "",
    progress: Callable[[str], None] | None = None,
) -> Travelled:
    """Go through the span of ``volume_LD`` day by day.

    ``forecast(d)`` knows nothing of day ``d`` or later; its paths start at day ``d``.  A plan ends
    where its paths end, so that a trigger must ask again before (PlanError otherwise).
    """
    journey = _Journey(parameters, volume_LD, loop or Loop(), policy, trigger, strategy)
    for day in range(volume_LD.shape[1]):
        journey.pass_day(day, forecast(day))
        if progress is not None and (day + 1) % 10 == 0:
            spent = sum(cost.sum() for cost in journey.by_kind.values())
            days = volume_LD.shape[1]
            progress(f"{strategy}: day {day + 1} of {days}, {spent:,.0f} USD so far")
    return journey.travelled()


class _Journey:
    """Where a strategy is in its span: the plan in force, the state of the network, the bill."""

    def __init__(
        self,
        parameters: Parameters,
        volume_LD: np.ndarray,
        loop: Loop,
        policy: Policy,
        trigger: Trigger,
        strategy: str,
    ) -> None:
        self.parameters, self.volume_LD, self.loop = parameters, volume_LD, loop
        self.policy, self.trigger, self.strategy = policy, trigger, strategy
        self.state = State.empty(parameters, 1)
        self.plan: Plan | None = None
        self.made_on = 0
        self.by_kind = {kind: np.zeros(volume_LD.shape[1]) for kind in (*COSTS, "change")}
        self.planned_on: list[int] = []
        self.plans: list[Plan] = []
        self.moved = {"trailers": 0.0, "heads": 0.0, "rolled": 0.0, "backlog": 0.0}

    def pass_day(self, day: int, paths: Scenarios) -> None:
        """Plan again if the trigger says so, then carry out the day."""
        age = day - self.made_on
        situation = Situation(
            day=day,
            age=age,
            left=0 if self.plan is None else self.plan.trailers_LT.shape[1] - age,
            paths=paths,
            plan=_from(self.plan, age),
            parameters=self.parameters,
            state=self.state.over(len(paths.days)),
            volume_LD=self.volume_LD[:, :day],
        )
        if self.plan is None or self.trigger.fires(situation):
            self._replan(situation)
        plan, at = self.plan, day - self.made_on
        if plan is None or at >= plan.trailers_LT.shape[1]:
            covered = 0 if plan is None else plan.trailers_LT.shape[1]
            raise PlanError(
                f"strategy {self.strategy!r}: the plan of day {self.made_on} covers {covered} days"
                f" and day {day} is past them; a trigger must plan again before a plan runs out"
            )
        last = day == self.volume_LD.shape[1] - 1
        volume_L = self.volume_LD[:, day]
        outcome = carried_out(self.parameters, plan, paths, volume_L, self.state, at=at, last=last)
        self.state = outcome.state
        for kind in COSTS:
            self.by_kind[kind][day] = outcome.by_kind[kind]
        self.moved["rolled"] += outcome.rolled
        self.moved["backlog"] += outcome.backlog

    def _replan(self, situation: Situation) -> None:
        loop = self.loop
        new = _plan_again(self.parameters, situation.paths, self.policy, situation, loop)
        if situation.plan is not None:
            trailers, heads = _changed(situation.plan, new)
            self.moved["trailers"] += trailers
            self.moved["heads"] += heads
            price = loop.change_usd_per_trailer * trailers + loop.change_usd_per_head * heads
            self.by_kind["change"][situation.day] = price
        self.plan, self.made_on = new, situation.day
        self.plans.append(new)
        self.planned_on.append(situation.day)
        self.trigger.planned(situation)

    def travelled(self) -> Travelled:
        """The span as it went."""
        return Travelled(
            strategy=self.strategy,
            by_kind=self.by_kind,
            planned_on=tuple(self.planned_on),
            changed_trailers=self.moved["trailers"],
            changed_heads=self.moved["heads"],
            rolled=self.moved["rolled"],
            backlog=self.moved["backlog"],
            volume=float(self.volume_LD.sum()),
            plans=tuple(self.plans),
        )


def _plan_again(
    parameters: Parameters, paths: Scenarios, policy: Policy, situation: Situation, loop: Loop
) -> Plan:
    """A plan over the paths' days that leaves alone what is bound already."""
    change = None
    if situation.plan is not None:
        bound = situation.plan.trailers_LT.shape[1]
        change = Change(
            previous=situation.plan,
            frozen_trailer_days=min(loop.trailer_days, bound),
            frozen_head_days=min(loop.roster_days, bound),
            trailer_usd=loop.change_usd_per_trailer,
            head_usd=loop.change_usd_per_head,
        )
    options = SolveOptions(state=situation.state, change=change)
    return policy.plan(parameters, paths, options=options).plan


def _from(plan: Plan | None, first: int) -> Plan | None:
    """What is left of a plan from its day ``first`` on; None where nothing is."""
    if plan is None or first >= plan.trailers_LT.shape[1]:
        return None
    return replace(
        plan,
        trailers_LT=plan.trailers_LT[:, first:],
        heads_STK=plan.heads_STK[:, first:],
        days=plan.days[first:],
    )


def _changed(old: Plan, new: Plan) -> tuple[float, float]:
    """Trailers and heads that differ on the days of both."""
    both = min(old.trailers_LT.shape[1], new.trailers_LT.shape[1])
    trailers = np.abs(new.trailers_LT[:, :both] - old.trailers_LT[:, :both]).sum()
    heads = np.abs(new.heads_STK[:, :both] - old.heads_STK[:, :both]).sum()
    return float(trailers), float(heads)
