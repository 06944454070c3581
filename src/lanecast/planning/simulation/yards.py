"""Where lanes begin: packages fill trailers, leave full or at the cut-off, or roll.

Axes: ``L`` lanes, ``J`` stages, ``T`` days.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lanecast.planning.contracts import State
from lanecast.planning.simulation.options import delay_factor
from lanecast.planning.simulation.stations import SMALL

if TYPE_CHECKING:
    from lanecast.planning.contracts import Flows, Plan
    from lanecast.planning.parameters import Parameters
    from lanecast.planning.simulation.ledger import Ledger
    from lanecast.planning.simulation.options import SimulationOptions

DAY = 24.0


class YardEnvironment(Protocol):
    """What yards need of the network around them."""

    env: Any
    parameters: Parameters
    plan: Plan
    volume_LT: np.ndarray
    options: SimulationOptions
    seed: int
    recourse: Flows | None
    num_days: int
    ledger: Ledger

    def day(self) -> int:
        """The running day, from 0."""

    def arrive(
        self, load: list[tuple[int, float]], site: int, hour: float, due: int, key: tuple[int, ...]
    ) -> Any:
        """A trailer on its way to a site."""


class Yards:
    """All lanes' yards; ``contracted_LT`` trailers are paid whether they leave or not."""

    def __init__(self, environment: YardEnvironment) -> None:
        self.environment = environment
        parameters = environment.parameters
        self.stages, self.lanes = parameters.stages, parameters.lanes
        trailers_LT = environment.plan.trailers_LT
        self.contracted_LT = (
            np.ceil(trailers_LT - 1e-6) if environment.options.whole else trailers_LT
        )
        self.waiting: list[deque[list[Any]]] = [deque() for _ in range(parameters.num_lanes)]
        self.room_L = np.zeros(parameters.num_lanes)  # packages that today's trailers still take
        self.sent_L = np.zeros(parameters.num_lanes, dtype=np.int64)  # trailers of today that left
        self.adhoc_LT = np.zeros(trailers_LT.shape)
        self.load_JT = np.zeros((len(self.stages), environment.num_days))
        self.rolled_JT = np.zeros((len(self.stages), environment.num_days))
        self.first_J = {
            int(self.stages.lane_J[j]): int(j)
            for j in np.flatnonzero(self.stages.first_J & ~self.stages.rerouted_J)
        }

    def begin(self, state: State) -> None:
        """What rolled from before; then every lane's releases and every day's cut-off."""
        self._open(0)
        for stage in np.flatnonzero(state.rolled_J > 0):
            self.environment.ledger.enter("yard", float(state.rolled_J[stage]))
            self._wait(int(stage), float(state.rolled_J[stage]))
        for lane in range(self.environment.parameters.num_lanes):
            self.environment.env.process(self._release(lane))
        self.environment.env.process(self._cutoffs())

    def _open(self, day: int) -> None:
        self.room_L = self.contracted_LT[:, day] * self.lanes.cube_pkg_per_trailer_L
        self.sent_L = np.zeros_like(self.sent_L)

    def _release(self, lane: int) -> Any:
        """A lane's packages, in equal parts over the day."""
        environment, options = self.environment, self.environment.options
        parts = options.batches_per_day
        for day in range(environment.num_days):
            for number in range(parts):
                hour = DAY * day + options.release_hours * (number + 0.5) / parts
                yield environment.env.timeout(max(hour - environment.env.now, 0.0))
                packages = float(environment.volume_LT[lane, day]) / parts
                environment.ledger.enter("yard", packages)
                self.put(self.first_J[lane], packages)
            yield environment.env.timeout(
                max(DAY * day + options.cutoff_hour - environment.env.now, 0.0)
            )

    def put(self, stage: int, packages: float) -> None:
        """Packages come to the start of a stage; full trailers leave."""
        self._wait(stage, packages)
        lane = int(self.stages.carrier_J[stage])
        cube = float(self.lanes.cube_pkg_per_trailer_L[lane])
        while self._standing(lane) >= cube - SMALL and self.room_L[lane] >= cube - SMALL:
            self._leave(lane, cube)

    def _wait(self, stage: int, packages: float) -> None:
        if packages > 0:
            self.waiting[int(self.stages.carrier_J[stage])].append([stage, packages])

    def _standing(self, lane: int) -> float:
        return float(sum(part[1] for part in self.waiting[lane]))

    def _leave(self, lane: int, most: float) -> None:
        """One trailer takes the packages that wait longest and is on its way."""
        environment, left = self.environment, most
        load: list[tuple[int, float]] = []
        while left > SMALL and self.waiting[lane]:
            first = self.waiting[lane][0]
            some = min(first[1], left)
            load.append((first[0], some))
            first[1] -= some
            left -= some
            if first[1] <= SMALL:
                self.waiting[lane].popleft()
        packages, day = most - left, min(environment.day(), environment.num_days - 1)
        for stage, some in load:
            self.load_JT[stage, day] += some
        self.room_L[lane] = max(self.room_L[lane] - packages, 0.0)
        number = int(self.sent_L[lane])
        self.sent_L[lane] += 1
        transit = int(self.lanes.transit_days_L[lane])
        planned = DAY * transit - environment.options.cutoff_hour
        factor = delay_factor(environment.seed, environment.options, lane, day, number)
        due = day + transit
        hour = max(environment.env.now + planned * factor, DAY * due)
        environment.ledger.move("yard", "road", packages)
        where = str(self.lanes.name_L[lane])
        environment.ledger.note(
            environment.env.now, "leave", where, packages=packages, trailer=number
        )
        site = int(self.lanes.destination_L[lane])
        environment.env.process(environment.arrive(load, site, hour, due, (lane, day, number)))

    def _cutoffs(self) -> Any:
        """At the cut-off of every day: half-empty trailers, ad-hoc ones, and what rolls."""
        environment = self.environment
        for day in range(environment.num_days):
            yield environment.env.timeout(
                DAY * day + environment.options.cutoff_hour - environment.env.now
            )
            inbound_S = np.zeros(environment.parameters.num_sites)
            np.add.at(inbound_S, self.lanes.destination_L, self.contracted_LT[:, day])
            for lane in range(environment.parameters.num_lanes):
                self._flush(lane, float(self.room_L[lane]))
                self._adhoc(lane, day, inbound_S)
                for stage, packages in self.waiting[lane]:
                    self.rolled_JT[stage, day] += packages
            if day + 1 < environment.num_days:
                self._open(day + 1)

    def _flush(self, lane: int, room: float) -> None:
        """Trailer by trailer until there is no room or nothing waits."""
        cube = float(self.lanes.cube_pkg_per_trailer_L[lane])
        while room > SMALL and self._standing(lane) > SMALL:
            most = min(cube, room, self._standing(lane))
            self._leave(lane, most)
            room -= most

    def _adhoc(self, lane: int, day: int, inbound_S: np.ndarray) -> None:
        """Ad-hoc trailers: as the program says, or while one is cheaper than rolling its load."""
        environment, lanes = self.environment, self.lanes
        cube, left = float(lanes.cube_pkg_per_trailer_L[lane]), self._standing(lane)
        if left <= SMALL:
            return
        site = int(lanes.destination_L[lane])
        doors = float(environment.parameters.sites.doors_trailers_per_day_S[site]) - inbound_S[site]
        most = max(min(float(lanes.adhoc_max_trailers_per_day_L[lane]), doors), 0.0)
        if environment.recourse is not None:
            called = float(environment.recourse.adhoc_WLT[0, lane, day])
        else:
            called = self._worth(lane, day, left / cube, most)
        inbound_S[site] += called
        self.adhoc_LT[lane, day] = called
        self._flush(lane, called * cube)

    def _worth(self, lane: int, day: int, needed: float, most: float) -> float:
        """How many ad-hoc trailers cost less than their packages would by rolling."""
        rules, lanes = self.environment.parameters.rules, self.lanes
        cube = float(lanes.cube_pkg_per_trailer_L[lane])
        price = float(lanes.contract_usd_per_trailer_L[lane] * lanes.adhoc_multiplier_L[lane])
        times = rules.final_multiplier if day == self.environment.num_days - 1 else 1.0
        roll = times * float(lanes.roll_usd_per_pkg_day_L[lane])
        if not self.environment.options.whole:
            return min(needed, most) if price < roll * cube else 0.0
        full, rest = np.floor(needed + 1e-9), needed - np.floor(needed + 1e-9)
        called = full if price < roll * cube else 0.0
        if price < roll * cube * rest:
            called += 1.0
        return float(min(called, np.floor(most)))
