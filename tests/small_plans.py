"""Random small networks and volumes for tests of planning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lanecast.planning.contracts import Scenarios, State
from lanecast.planning.defaults import default_parameters
from lanecast.planning.parameters import Parameters

LANES = ("A>B", "A>C", "B>C", "A>H", "H>C", "B>H", "H>B")


def small_network(
    seed: int = 0, lanes: tuple[str, ...] = LANES, *, rich: bool = True, **options: Any
) -> Parameters:
    """A network with a lane through a hub, a way around, two shifts and mixed transit times."""
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {"arrival_share": (0.6, 0.4)} if rich else {}
    if rich and set(LANES) <= set(lanes):
        given |= {"via": {"A>C": "H"}, "alternatives": {"A>B": "H", "B>C": "H"}}
    mean_L = rng.uniform(300, 900, len(lanes))
    found = default_parameters(
        lanes,
        mean_L,
        **({"cube_pkg_per_trailer": 200.0, "contract_usd": (80, 320)} | given | options),
    )
    if not rich:
        return found
    transit_L = rng.integers(0, 3, len(lanes))
    return replace(found, lanes=replace(found.lanes, transit_days_L=transit_L))


def small_volumes(
    parameters: Parameters, *, days: int = 5, scenarios: int = 6, seed: int = 0
) -> Scenarios:
    """Volumes around 600 packages a lane and day, with shocks that all lanes share."""
    rng = np.random.default_rng(100 + seed)
    shape = (scenarios, parameters.num_lanes, days)
    shared = rng.lognormal(0, 0.3, (scenarios, 1, days))
    weight = rng.uniform(0.5, 1.5, scenarios)
    return Scenarios(
        volume_WLT=600 * shared * rng.lognormal(0, 0.3, shape),
        lanes=parameters.lanes.name_L,
        days=np.datetime64("2024-03-04") + np.arange(days),
        probability_W=weight / weight.sum(),
    )


def small_state(parameters: Parameters, *, days: int = 5, seed: int = 0) -> State:
    """Something rolled, something unsorted, something on the road."""
    rng = np.random.default_rng(200 + seed)
    stages = parameters.stages
    onward = stages.next_J >= 0
    end_J = parameters.lanes.destination_L[stages.carrier_J]
    backlog_J = np.where(onward, rng.uniform(0, 80, len(stages)), 0.0)
    least_S = np.bincount(end_J, weights=backlog_J, minlength=parameters.num_sites)
    arriving_JT = np.zeros((len(stages), days))
    arriving_JT[:, :1] = rng.uniform(0, 100, (len(stages), 1))
    return State(
        rolled_J=rng.uniform(0, 100, len(stages)),
        backlog_S=least_S + rng.uniform(0, 50, parameters.num_sites),
        backlog_J=backlog_J,
        arriving_JT=arriving_JT,
    )
