"""A plan as it would run: trailers, doors, shifts and late arrivals, event by event (simpy).

`options` says what is uncertain, `ledger` counts packages at every event, `docks` and `sorters` are
the stations, `engine` runs one path of volumes, `replications` many and judges them.
"""

from __future__ import annotations

from lanecast.planning.simulation.engine import SimulatedRun, simulate
from lanecast.planning.simulation.options import SimulationOptions
from lanecast.planning.simulation.replications import replicate, verdict

__all__ = ["SimulatedRun", "SimulationOptions", "replicate", "simulate", "verdict"]
