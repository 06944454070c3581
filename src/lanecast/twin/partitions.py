"""A world in Parquet: partitions of lanes, each written whole or not at all.

Axes: ``N`` lanes, ``T`` days, ``D`` delivery stations of the whole network.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lanecast.twin.geography import LaneTraits, network_of
from lanecast.twin.noise import BLOCK
from lanecast.twin.simulation import chunks, factual, simulate, site_values
from lanecast.twin.sites import Stations
from lanecast.twin.source import COLUMNS, NODE_OF, days_of
from lanecast.twin.stepping import Values
from lanecast.twin.world import World

PARTITION = 4 * BLOCK  # lanes in a file
LATENT = ("level", "break", "drift", "residual", "rate", "released", "arrived")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionJob:
    """One partition to make; without a folder it is simulated and forgotten."""

    world: World
    number: int
    last: int  # lanes of the whole job; the last partition may be short
    folder: str | None = None
    truth: bool = False

    @property
    def lanes(self) -> tuple[int, int]:
        """First lane and the one after the last."""
        first = self.number * PARTITION
        return first, min(first + PARTITION, self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedPartition:
    """A finished partition: arrivals of all stations from its lanes, and what it cost."""

    number: int
    arrivals_DT: np.ndarray | None
    seconds: float
    peak_bytes: int


def make(job: PartitionJob) -> FinishedPartition:
    """Simulate a partition and write its files; in a process of its own."""
    network_of(job.world)  # drawn once per process: not part of the rate
    clock = time.perf_counter()
    arrivals = None
    if job.folder is None:
        _measured(job)
    else:
        arrivals = _written(job, Path(job.folder))
    return FinishedPartition(
        number=job.number,
        arrivals_DT=arrivals,
        seconds=time.perf_counter() - clock,
        peak_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )


def _measured(job: PartitionJob) -> None:
    lanes = network_of(job.world).lanes.part(*job.lanes)
    for chunk in chunks(lanes):
        for _ in factual(job.world, chunk):
            pass


def _written(job: PartitionJob, folder: Path) -> np.ndarray:
    world, (first, last) = job.world, job.lanes
    network = network_of(world)
    lanes = network.lanes.part(first, last)
    shown = [NODE_OF.get(name, name) for name in COLUMNS]
    nodes = dict.fromkeys([*shown, *(LATENT if job.truth else ()), "arrived"])
    values = simulate(world, nodes=list(nodes), first=first, last=last)
    names = network.names(lanes)
    table = {name: values[NODE_OF.get(name, name)] for name in COLUMNS}
    write_table(folder / "lanes" / part_name(job.number), world, names, table)
    if job.truth:
        latent = {name: values[name] for name in LATENT}
        write_table(folder / "truth" / part_name(job.number), world, names, latent)
    return station_arrivals(lanes, values["arrived"], len(network.dests_D))


def part_name(number: int) -> str:
    """File name of a partition."""
    return f"part-{number:05d}.parquet"


def station_arrivals(lanes: LaneTraits, arrived_NT: np.ndarray, count: int) -> np.ndarray:
    """Arrivals of all stations from some lanes, [D, T]."""
    stations = Stations.of(lanes)
    total_DT = np.zeros((count, arrived_NT.shape[1]), dtype=np.float32)
    ordered_NT = arrived_NT[stations.order_N]
    total_DT[stations.number_D] = np.add.reduceat(ordered_NT, stations.start_D, axis=0)
    return total_DT


def write_sites(folder: Path, world: World, arrivals_DT: np.ndarray) -> None:
    """``sites/part-00000.parquet`` from the arrivals of all lanes."""
    network = network_of(world)
    stations = Stations.of(network.lanes)
    values = site_values(world, arrivals_DT[stations.number_D])
    write_table(folder / "sites" / part_name(0), world, stations.names(network), values)


def write_table(path: Path, world: World, names: np.ndarray, values: Values) -> None:
    """A long table of nodes [N, T], in series and time order; the file appears when complete."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = np.repeat(np.arange(len(names), dtype=np.int32), world.days)
    ids = pa.DictionaryArray.from_arrays(pa.array(number), pa.array(names.tolist()))
    ds = pa.array(np.tile(days_of(world).astype("datetime64[ms]"), len(names)))
    columns: dict[str, Any] = {"unique_id": ids, "ds": ds}
    columns |= {name: pa.array(node_NT.reshape(-1)) for name, node_NT in values.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        pq.write_table(pa.table(columns), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
