"""The factual world: arrays of every lane node, states at cutoffs, and the sites' nodes.

Axes: ``N`` lanes, ``T`` days, ``D`` delivery stations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lanecast.errors import ConfigError
from lanecast.twin.geography import LaneTraits, network_of
from lanecast.twin.noise import BLOCK, Noise, Shock
from lanecast.twin.sites import Stations, sort_hours
from lanecast.twin.state import DayState, first_state
from lanecast.twin.stepping import NODES, Values, days
from lanecast.twin.world import WARM, World

CHUNK = 4 * BLOCK  # lanes simulated together: their arrays stay in the cache


def simulate(
    world: World, *, nodes: Sequence[str] | None = None, first: int = 0, last: int | None = None
) -> Values:
    """The factual values of lane nodes, each [N, T] float32, of lanes ``first .. last - 1``.

    ``first`` is the start of a block of 1,024 lanes.  Values do not depend on which lanes are
    simulated together.
    """
    wanted = chosen_nodes(nodes)
    lanes = network_of(world).lanes.part(first, world.lanes if last is None else last)
    parts = [_arrays(world, chunk, wanted) for chunk in chunks(lanes)]
    return {node: np.concatenate([each[node] for each in parts]) for node in wanted}


def chosen_nodes(nodes: Sequence[str] | None) -> tuple[str, ...]:
    """``nodes`` if they are all lane nodes; all of them for None."""
    if unknown := set(nodes or ()) - set(NODES):
        raise ConfigError(f"midmile: {min(unknown)!r} is no lane node; they are {', '.join(NODES)}")
    return NODES if nodes is None else tuple(nodes)


def chunks(lanes: LaneTraits, size: int = CHUNK) -> Iterator[LaneTraits]:
    """The lanes in runs of ``size``, a multiple of the block."""
    for low in range(0, len(lanes), size):
        yield lanes.part(low, min(low + size, len(lanes)))


def factual(world: World, lanes: LaneTraits) -> Iterator[tuple[int, DayState, Values]]:
    """Every day of the world for some lanes, warm-up days (negative) included."""
    noise = Noise(seed=world.seed, first=lanes.first, count=len(lanes))
    state = first_state(world, lanes, noise)
    yield from days(world, lanes, state, noise, first=-WARM, last=world.days - 1)


def site_values(world: World, arrivals_DT: np.ndarray) -> Values:
    """``arrivals`` and ``labor_hrs`` [D, T] of the stations, from the arrivals of all lanes.

    The roster begins with the mean volume of the base.
    """
    lanes = network_of(world).lanes
    stations = Stations.of(lanes)
    noise = Noise(seed=world.seed, count=len(lanes))
    state = stations.first_state(lanes)
    hours_TD = np.empty(arrivals_DT.shape[::-1], dtype=np.float32)
    for day, arrivals_D in enumerate(arrivals_DT.T):
        shock = noise.shared(Shock.LABOR, day, int(stations.number_D[-1]) + 1)
        state, hours_TD[day] = sort_hours(state, arrivals_D, shock[stations.number_D])
    return {"arrivals": arrivals_DT, "labor_hrs": np.ascontiguousarray(hours_TD.T)}


def _arrays(world: World, lanes: LaneTraits, nodes: Sequence[str]) -> Values:
    table_TN = {node: np.empty((world.days, len(lanes)), dtype=np.float32) for node in nodes}
    for day, _, values in factual(world, lanes):
        if day >= 0:
            for node in nodes:
                table_TN[node][day] = values[node]
    return {node: np.ascontiguousarray(table.T) for node, table in table_TN.items()}
