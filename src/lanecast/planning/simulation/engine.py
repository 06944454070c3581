"""One plan under one path of volumes, event by event.

A day of a lane: packages are released, fill trailers, leave full or at the cut-off; what is left
may get ad-hoc trailers if they are cheaper than rolling, or rolls.  A trailer is unloaded on its
planned day or later, never before.  Packages that are due and not sorted at the end of a day are
backlog, wherever they are.  So every run is a feasible recourse of the program, and costs at least
as much. Axes: ``L`` lanes, ``J`` stages, ``S`` sites, ``T`` days, ``K`` shifts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import COSTS, Flows, Plan, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.simulation.ledger import Ledger
from lanecast.planning.simulation.options import SimulationOptions
from lanecast.planning.simulation.stations import SMALL, Docks, Queue, work
from lanecast.planning.simulation.yards import Yards

if TYPE_CHECKING:
    pass

DAY = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRun:
    """What happened: US dollars by kind; trailers, packages and hours by place and day.

    ``on_time_share``: packages sorted on the day they were due, over all that were due.
    ``missed_cutoffs``: packages that did not leave on their day.
    """

    by_kind: dict[str, float]
    adhoc_LT: np.ndarray
    load_JT: np.ndarray
    rolled_JT: np.ndarray
    sorted_ST: np.ndarray
    backlog_ST: np.ndarray
    overtime_ST: np.ndarray
    dock_wait_hours: float
    on_time_share: float
    missed_cutoffs: float
    events: int
    trace: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def cost(self) -> float:
        """US dollars in all."""
        return float(sum(self.by_kind.values()))


def simulate(
    parameters: Parameters,
    plan: Plan,
    volume_LT: np.ndarray,
    *,
    options: SimulationOptions | None = None,
    seed: int = 0,
    state: State | None = None,
    recourse: Flows | None = None,
    trace: bool = False,
) -> SimulatedRun:
    """Run a plan against one path of volumes.

    ``recourse``: ad-hoc trailers and overtime of the program's first scenario, followed as they
    are; otherwise the dispatcher decides at the cut-off and at the end of each shift.  PlanError
    for volumes of another shape, and for lanes of 0 days, which leave at the cut-off of the same
    day.
    """
    num_days = plan.trailers_LT.shape[1]
    if volume_LT.shape != (parameters.num_lanes, num_days):
        raise PlanError(
            f"volumes have shape {volume_LT.shape}, the plan covers {parameters.num_lanes} lanes"
            f" and {num_days} days"
        )
    if (parameters.lanes.transit_days_L < 1).any():
        lane = parameters.lanes.name_L[parameters.lanes.transit_days_L.argmin()]
        raise PlanError(f"lane {lane!r}: a simulated lane takes 1 day or more, not 0")
    if parameters.num_shifts * parameters.rules.shift_hours > DAY:
        raise PlanError("the shifts of a day take more than 24 hours")
    world = _World(
        parameters, plan, volume_LT, options or SimulationOptions(), seed, recourse, trace
    )
    return world.run(state or State.empty(parameters, num_days))


class _World:
    """The stations of a network and what is counted on the way."""

    def __init__(
        self,
        parameters: Parameters,
        plan: Plan,
        volume_LT: np.ndarray,
        options: SimulationOptions,
        seed: int,
        recourse: Flows | None,
        trace: bool,
    ) -> None:
        import simpy

        self.env = simpy.Environment()
        self.parameters, self.plan, self.volume_LT = parameters, plan, volume_LT
        self.options, self.seed, self.recourse = options, seed, recourse
        self.num_days = volume_LT.shape[1]
        self.ledger = Ledger(traced=trace)
        sites = range(parameters.num_sites)
        self.docks = [Docks(self.env, self._dock_count(site)) for site in sites]
        self.queues = [Queue(self.env) for _ in sites]
        shape = (parameters.num_sites, self.num_days)
        self.sorted_ST, self.overtime_ST = np.zeros(shape), np.zeros(shape)
        self.due_ST, self.backlog_ST, self.on_time = np.zeros(shape), np.zeros(shape), 0.0
        self.yards = Yards(self)

    def _dock_count(self, site: int) -> int | None:
        doors = self.parameters.sites.doors_trailers_per_day_S[site]
        if self.options.dock_use == 0 or not np.isfinite(doors):
            return None
        return max(1, int(np.ceil(doors * self.options.unload_hours / DAY / self.options.dock_use)))

    def day(self) -> int:
        """The running day, from 0."""
        return int((self.env.now + SMALL) // DAY)

    def run(self, state: State) -> SimulatedRun:
        """Until the end of the last day."""
        self._begin(state)
        self.yards.begin(state)
        for site in range(self.parameters.num_sites):
            self.env.process(self._shifts(site))
        self.env.process(self._day_ends())
        self.env.run(until=DAY * self.num_days + 1e-3)
        return self._result()

    def _begin(self, state: State) -> None:
        """Backlog from before; trailers that are on the road."""
        stages = self.parameters.stages
        end_J = self.parameters.lanes.destination_L[stages.carrier_J]
        for site in range(self.parameters.num_sites):
            onward = np.flatnonzero((end_J == site) & (state.backlog_J > 0))
            last = float(state.backlog_S[site] - state.backlog_J[onward].sum())
            parts = [(int(j), float(state.backlog_J[j])) for j in onward]
            for stage, packages in [*parts, (-1, last)]:
                if packages > SMALL:
                    self.ledger.enter("queue", packages)
                    self.queues[site].put(stage, packages)
                    self.due_ST[site, 0] += packages
        for stage, day in np.argwhere(state.arriving_JT[:, : self.num_days] > 0):
            packages = float(state.arriving_JT[stage, day])
            self.ledger.enter("road", packages)
            load, hour = [(int(stage), packages)], DAY * float(day)
            self.env.process(self.arrive(load, int(end_J[stage]), hour, int(day), (int(stage), -1)))

    def arrive(
        self, load: list[tuple[int, float]], site: int, hour: float, due: int, key: tuple[int, ...]
    ) -> Any:
        """A trailer reaches a site at an hour, waits for a dock and is unloaded."""
        packages = sum(part[1] for part in load)
        if due < self.num_days:
            self.due_ST[site, due] += packages
        yield self.env.timeout(max(hour - self.env.now, 0.0))
        where = str(self.parameters.sites.name_S[site])
        self.ledger.move("road", "dock", packages)
        self.ledger.note(self.env.now, "arrive", where, packages=packages)
        yield from self.docks[site].unload(self._unload_hours(key))
        self.ledger.move("dock", "queue", packages)
        for stage, some in load:
            self.queues[site].put(stage, some)
        self.ledger.note(self.env.now, "unload", where, packages=packages)

    def _unload_hours(self, key: tuple[int, ...]) -> float:
        from lanecast.planning.simulation.options import drawn

        hours = self.options.unload_hours
        if hours == 0 or not self.options.unload_random:
            return hours
        place = tuple(part + 1 for part in key)
        return hours * float(drawn(self.seed, "unload", *place).standard_exponential())

    def _shifts(self, site: int) -> Any:
        hours = self.parameters.rules.shift_hours
        for day in range(self.num_days):
            for shift in range(self.parameters.num_shifts):
                start = DAY * day + shift * hours + 1e-6
                yield self.env.timeout(max(start - self.env.now, 0.0))
                self.env.process(self._shift(site, day, shift))

    def _shift(self, site: int, day: int, shift: int) -> Any:
        """One shift: its heads, then overtime where it pays."""
        sites, rules = self.parameters.sites, self.parameters.rules
        heads = float(self.plan.heads_STK[site, day, shift])
        rate = heads * float(sites.rate_pkg_per_hour_S[site])
        most = float(sites.sort_max_pkg_per_shift_S[site])
        end = self.env.now + rules.shift_hours
        batch = self.options.sort_batch_pkg
        shared: dict[str, Any] = {"batch_pkg": batch, "sorted_out": lambda x: self._sorted(site, x)}
        sorted_pkg = yield from work(
            self.env, self.queues[site], rate_pkg_per_hour=rate, until=end, most_pkg=most, **shared
        )
        yield self.env.timeout(max(end - self.env.now, 0.0))
        longer = self._overtime_hours(site, day, shift, heads)
        if longer <= SMALL or rate <= 0:
            return
        room = min(most - sorted_pkg, rate * longer, self.queues[site].total)
        extra = yield from work(
            self.env, self.queues[site], rate_pkg_per_hour=rate, until=self.env.now + longer,
            most_pkg=max(room, 0.0), **shared,
        )  # fmt: skip
        self.overtime_ST[site, day] += extra / float(sites.rate_pkg_per_hour_S[site])

    def _overtime_hours(self, site: int, day: int, shift: int, heads: float) -> float:
        """Hours of overtime per head: those of the program, or all that are cheaper than"
        " backlog."""
        rules, sites = self.parameters.rules, self.parameters.sites
        if self.recourse is not None:
            return float(self.recourse.overtime_WSTK[0, site, day, shift]) / max(heads, SMALL)
        price = rules.overtime_multiplier * rules.wage_usd_per_hour
        times = rules.final_multiplier if day == self.num_days - 1 else 1.0
        saved = times * float(sites.backlog_usd_per_pkg_day_S[site])
        pays = price / float(sites.rate_pkg_per_hour_S[site]) < saved
        return rules.overtime_max_share * rules.shift_hours if pays else 0.0

    def _sorted(self, site: int, taken: list[tuple[int, float, float]]) -> None:
        stages, day = self.parameters.stages, min(self.day(), self.num_days - 1)
        packages = sum(part[1] for part in taken)
        self.sorted_ST[site, day] += packages
        for stage, some, _ in taken:
            following = -1 if stage < 0 else int(stages.next_J[stage])
            if following < 0:
                self.ledger.move("queue", "sorted", some)
            else:
                self.ledger.move("queue", "yard", some)
                self.yards.put(following, some)
        where = str(self.parameters.sites.name_S[site])
        self.ledger.note(self.env.now, "sort", where, packages=packages)

    def _day_ends(self) -> Any:
        """What was due and is not sorted, wherever it is."""
        for day in range(self.num_days):
            yield self.env.timeout(DAY * (day + 1) - 1e-3 - self.env.now)
            before_S = self.backlog_ST[:, day - 1] if day else np.zeros(len(self.queues))
            owed_S = before_S + self.due_ST[:, day]
            sorted_S = self.sorted_ST[:, day]
            self.backlog_ST[:, day] = np.maximum(owed_S - sorted_S, 0.0)
            self.on_time += float(np.clip(sorted_S - before_S, 0.0, self.due_ST[:, day]).sum())

    def _result(self) -> SimulatedRun:
        parameters, rules = self.parameters, self.parameters.rules
        times_T = np.ones(self.num_days)
        times_T[-1] = rules.final_multiplier
        lanes, sites = parameters.lanes, parameters.sites
        price_L = lanes.contract_usd_per_trailer_L
        roll_J = lanes.roll_usd_per_pkg_day_L[parameters.stages.lane_J]
        wage, yards = rules.wage_usd_per_hour, self.yards
        usd = {
            "contract": (price_L[:, None] * yards.contracted_LT).sum(),
            "labor": wage * rules.shift_hours * self.plan.heads_STK.sum(),
            "adhoc": ((price_L * lanes.adhoc_multiplier_L)[:, None] * yards.adhoc_LT).sum(),
            "roll": (roll_J[:, None] * yards.rolled_JT * times_T).sum(),
            "backlog": (sites.backlog_usd_per_pkg_day_S[:, None] * self.backlog_ST * times_T).sum(),
            "overtime": wage * rules.overtime_multiplier * self.overtime_ST.sum(),
            "reroute": 0.0,
        }
        waits = [wait for docks in self.docks for wait in docks.waits]
        due = float(self.due_ST.sum())
        return SimulatedRun(
            by_kind={kind: float(usd[kind]) for kind in COSTS},
            adhoc_LT=yards.adhoc_LT,
            load_JT=yards.load_JT,
            rolled_JT=yards.rolled_JT,
            sorted_ST=self.sorted_ST,
            backlog_ST=self.backlog_ST,
            overtime_ST=self.overtime_ST,
            dock_wait_hours=float(np.mean(waits)) if waits else 0.0,
            on_time_share=self.on_time / due if due > 0 else 1.0,
            missed_cutoffs=float(yards.rolled_JT.sum()),
            events=self.ledger.events,
            trace=self.ledger.trace,
        )
