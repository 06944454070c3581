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
from lanecast.planning.execution import carried_out
from lanecast.planning.parameters import Parameters
from lanecast.planning.policies import Policy, SolveOptions
from lanecast.planning.program import Change
from lanecast.planning.triggers import Situation, Trigger

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
    loop = loop or Loop()
    num_days = volume_LD.shape[1]
    state, plan, made_on = State.empty(parameters, 1), None, 0
    by_kind = {kind: np.zeros(num_days) for kind in (*COSTS, "change")}
    planned_on: list[int] = []
    plans: list[Plan] = []
    moved = {"trailers": 0.0, "heads": 0.0, "rolled": 0.0, "backlog": 0.0}
    for day in range(num_days):
        paths = forecast(day)
        left = 0 if plan is None else plan.trailers_LT.shape[1] - (day - made_on)
        told = Situation(
            day=day, age=day - made_on, left=left, paths=paths,
            plan=_from(plan, day - made_on),
            parameters=parameters, state=_sized(state, len(paths.days)), volume_LD=volume_LD[:,
            :day],
        )  # fmt: skip
        if plan is None or trigger.fires(told):
            new = _plan_again(parameters, paths, policy, told, loop)
            if told.plan is not None:
                trailers, heads = _changed(told.plan, new)
                moved["trailers"] += trailers
                moved["heads"] += heads
                by_kind["change"][day] = (
                    loop.change_usd_per_trailer * trailers + loop.change_usd_per_head * heads
                )
            plan, made_on = new, day
            plans.append(new)
            planned_on.append(day)
            trigger.planned(told)
        if day - made_on >= plan.trailers_LT.shape[1]:
            raise PlanError(
                f"strategy {strategy!r}: the plan of day {made_on} covers"
                f" {plan.trailers_LT.shape[1]} days and day {day} is past them; a trigger must plan"
                " again before a plan runs out"
            )
        done = carried_out(
            parameters, plan, paths, volume_LD[:, day], state, at=day - made_on,
            last=day == num_days - 1,
        )  # fmt: skip
        state = done.state
        for kind in COSTS:
            by_kind[kind][day] = done.by_kind[kind]
        moved["rolled"] += done.rolled
        moved["backlog"] += done.backlog
        if progress is not None and (day + 1) % 10 == 0:
            spent = sum(cost.sum() for cost in by_kind.values())
            progress(f"{strategy}: day {day + 1} of {num_days}, {spent:,.0f} USD so far")
    return Travelled(
        strategy=strategy,
        by_kind=by_kind,
        planned_on=tuple(planned_on),
        changed_trailers=moved["trailers"],
        changed_heads=moved["heads"],
        rolled=moved["rolled"],
        backlog=moved["backlog"],
        volume=float(volume_LD.sum()),
        plans=tuple(plans),
    )


def _plan_again(
    parameters: Parameters, paths: Scenarios, policy: Policy, told: Situation, loop: Loop
) -> Plan:
    """A plan over the paths' days that leaves alone what is bound already."""
    change = None
    if told.plan is not None:
        bound = told.plan.trailers_LT.shape[1]
        change = Change(
            previous=told.plan,
            frozen_trailer_days=min(loop.trailer_days, bound),
            frozen_head_days=min(loop.roster_days, bound),
            trailer_usd=loop.change_usd_per_trailer,
            head_usd=loop.change_usd_per_head,
        )
    options = SolveOptions(state=told.state, change=change)
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


def _sized(state: State, days: int) -> State:
    """The state with arrivals over so many days."""
    arriving_JT = np.zeros((len(state.rolled_J), days))
    known = min(days, state.arriving_JT.shape[1])
    arriving_JT[:, :known] = state.arriving_JT[:, :known]
    return replace(state, arriving_JT=arriving_JT)
