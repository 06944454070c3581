"""What would happen: expectations under do(), exact counterfactuals, and tables of both.

An expectation continues the world's own state at the cutoff, latent level included, under many
alternative futures; a counterfactual keeps the factual noise.  Steps are 0-based days: a cutoff is
the last known day and step ahead h is day cutoff + h.
Axes: ``S`` scenarios, ``K`` branches, ``N`` lanes, ``D`` stations, ``C`` cutoffs, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lanecast.errors import ConfigError
from lanecast.interventions import Intervention
from lanecast.twin.doing import Do, compiled
from lanecast.twin.geography import LaneTraits, network_of
from lanecast.twin.noise import Noise, Shock
from lanecast.twin.simulation import factual
from lanecast.twin.sites import SITE_NODES, SiteState, Stations, sort_hours
from lanecast.twin.state import DayState
from lanecast.twin.stepping import DEMAND, NODES, Values, days
from lanecast.twin.world import World

CELLS = 32_768  # numbers per array of a batch of branches: they stay in the cache

Scenarios = Sequence[Sequence[Intervention]] | Mapping[str, Sequence[Intervention]]
Paths = Mapping[str, np.ndarray]


def expected(
    world: World,
    *,
    cutoffs: Sequence[int],
    horizon: int,
    do: Scenarios,
    branches: int = 256,
    node: str = "orders",
    paths: Paths | None = None,
) -> dict[str, np.ndarray]:
    """E[node given do, everything known at the cutoff], each [N, C, H] float32, per scenario.

    Known are the days up to the cutoff, prices a week ahead (unless confounded), capacities two
    weeks ahead, and committed promos.

    Lane nodes are in the order of the lanes' names; ``arrivals`` and ``labor_hrs`` are [D, C, H].
    No interventions are the world as its policy would run it.  ``paths`` [N, C, H] set nodes in
    every scenario, before its interventions (NaN: left free).  Branches are the same in all
    scenarios, so differences between them are nearly free of noise.  Scenarios without a name are
    numbered.
    """
    if node not in (*NODES, *SITE_NODES):
        raise ConfigError(
            f"midmile: {node!r} is no node; they are {', '.join((*NODES, *SITE_NODES))}"
        )
    if branches < 1 or horizon < 1:
        raise ConfigError(f"midmile: branches={branches} and horizon={horizon} must be at least 1")
    return means(
        starts(world, cutoffs),
        scenarios_of(do),
        horizon=horizon,
        branches=branches,
        node=node,
        paths=paths or {},
    )


def means(
    begun: Mapping[int, Start],
    named: Mapping[str, Sequence[Intervention]],
    *,
    horizon: int,
    branches: int,
    node: str,
    paths: Paths,
) -> dict[str, np.ndarray]:
    """Means of the futures of each start, [N, C, H] per scenario, in the order of the starts."""
    means_SNH = []
    for number, start in enumerate(begun.values()):
        start_paths = {name: np.asarray(path)[:, number] for name, path in paths.items()}
        future = start.under(list(named.values()), horizon=horizon, paths=start_paths)
        means_SNH.append(future.mean(node, branches=branches))
    mean_CSNH = np.stack(means_SNH)
    return {name: mean_CSNH[:, s].swapaxes(0, 1) for s, name in enumerate(named)}


def draws(
    world: World,
    *,
    cutoff: int,
    horizon: int,
    branches: int,
    node: str = "orders",
    do: Sequence[Intervention] = (),
) -> np.ndarray:
    """Futures of a lane node given everything known at the cutoff, [branches, N, H] float64.

    They are draws from the true joint distribution, the same that `expected` averages over.
    """
    if node not in NODES or branches < 1 or horizon < 1:
        raise ConfigError(
            f"midmile: draws of {node!r} (one of {', '.join(NODES)}), branches={branches},"
            f" horizon={horizon}: the last two must be at least 1"
        )
    start = starts(world, [cutoff])[cutoff]
    return start.draws(horizon=horizon, branches=branches, node=node, do=do)


def counterfactual(
    world: World,
    *,
    cutoff: int,
    horizon: int,
    do: Sequence[Intervention],
    paths: Paths | None = None,
) -> Values:
    """What the same days would have been under do, each lane node [N, H], each site node [D, H]."""
    start = starts(world, [cutoff])[cutoff]
    return start.under([do], horizon=horizon, paths=paths).factual()


def scenarios_of(do: Scenarios) -> dict[str, Sequence[Intervention]]:
    """Scenarios by name; those of a list are numbered."""
    if isinstance(do, Mapping):
        return dict(do)
    return {str(number): each for number, each in enumerate(do)}


@dataclass(frozen=True)
class Start:
    """The world at a cutoff."""

    world: World
    cutoff: int
    state: DayState
    sites: SiteState

    def draws(
        self,
        *,
        horizon: int,
        branches: int,
        node: str = "orders",
        do: Sequence[Intervention] = (),
    ) -> np.ndarray:
        """Futures of a lane node from this state, [branches, N, H] float64."""
        future = self.under([list(do)], horizon=horizon)
        width, demand_only = len(future.lanes), node in DEMAND
        draw_HKN = [
            np.broadcast_to(values[node].reshape(-1, width), (branches, width))
            for values in future.walk(
                range(1, branches + 1), with_sites=False, demand_only=demand_only
            )
        ]
        return np.stack(draw_HKN, axis=2).astype(np.float64)

    def under(
        self,
        scenarios: Sequence[Sequence[Intervention]],
        *,
        horizon: int,
        paths: Paths | None = None,
    ) -> Future:
        """The days after the cutoff under scenarios."""
        network = network_of(self.world)
        do = compiled(
            scenarios,
            names_N=network.names(),
            horizon=horizon,
            planned=lambda node: Future(self, Do(), horizon, 1).factual()[node],
            paths=paths,
        )
        return Future(self, do, horizon, len(scenarios))


@dataclass(frozen=True)
class Future:
    """``horizon`` days after a cutoff under scenarios side by side."""

    start: Start
    do: Do
    horizon: int
    scenarios: int

    @cached_property
    def stations(self) -> Stations:
        """The stations of the world's lanes."""
        return Stations.of(self.lanes)

    @property
    def lanes(self) -> LaneTraits:
        """The world's lanes."""
        return network_of(self.start.world).lanes

    def factual(self) -> Values:
        """Under the factual noise; one scenario."""
        daily = list(self.walk(None, with_sites=True))
        return {
            node: np.stack([values[node].reshape(-1) for values in daily], axis=1)
            for node in (*NODES, *SITE_NODES)
        }

    def mean(self, node: str, *, branches: int) -> np.ndarray:
        """Mean over alternative futures, [S, N, H] float32 ([S, D, H] for a node of sites)."""
        width = len(self.stations.number_D) if node in SITE_NODES else len(self.lanes)
        total_HSN = np.zeros((self.horizon, self.scenarios, width))
        batch = max(1, CELLS // (self.scenarios * len(self.lanes)))
        for low in range(1, branches + 1, batch):
            chosen = range(low, min(low + batch, branches + 1))
            futures = self.walk(chosen, with_sites=node in SITE_NODES, demand_only=node in DEMAND)
            for ahead, values in enumerate(futures):
                value = values[node]
                value_SKN = value.reshape((1,) * (3 - value.ndim) + value.shape)
                total_HSN[ahead] += len(chosen) * value_SKN.mean(axis=1, dtype=np.float64)
        return (total_HSN / branches).transpose(1, 2, 0).astype(np.float32)

    def walk(
        self, branches: Sequence[int] | None, *, with_sites: bool, demand_only: bool = False
    ) -> Iterator[Values]:
        """The values of each day, [..., N], under the factual noise or that of ``branches``."""
        world, cutoff = self.start.world, self.start.cutoff
        noise = Noise(seed=world.seed, count=len(self.lanes), branches=branches, cutoff=cutoff)
        sites = self.start.sites
        for day, _, values in days(
            world,
            self.lanes,
            self.start.state,
            noise,
            first=cutoff + 1,
            last=cutoff + self.horizon,
            do=self.do,
            demand_only=demand_only,
        ):
            if with_sites:
                arrivals, stations = self.stations.total(values["arrived"]), self.stations
                shock = noise.shared(Shock.LABOR, day, int(stations.number_D[-1]) + 1)
                shock = shock[..., stations.number_D]
                sites, hours = sort_hours(sites, arrivals, shock)
                values |= {"arrivals": arrivals, "labor_hrs": hours}
            yield values


def starts(world: World, cutoffs: Sequence[int]) -> dict[int, Start]:
    """The world at each cutoff, from one pass over its days."""
    if not cutoffs:
        raise ConfigError("midmile: name at least one cutoff")
    if outside := [c for c in cutoffs if not 0 <= c < world.days]:
        raise ConfigError(f"midmile: cutoff {outside[0]} lies outside days 0..{world.days - 1}")
    lanes = network_of(world).lanes
    stations = Stations.of(lanes)
    sites, start_of = stations.first_state(lanes), {}
    for day, state, values in factual(world, lanes):
        if day >= 0:  # rosters begin on the first day that is shown
            arrivals = stations.total(values["arrived"])
            sites, _ = sort_hours(sites, arrivals, np.zeros_like(arrivals))
        if day in cutoffs:
            start_of[day] = Start(world, day, state, sites)
        if day == max(cutoffs):
            break
    return {cutoff: start_of[cutoff] for cutoff in cutoffs}
