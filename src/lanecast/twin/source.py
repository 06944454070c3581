"""The world as tables: the source of ``conf/data/midmile*.yaml``, its labels, weather forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from lanecast.errors import ConfigError
from lanecast.sources import SourceTable
from lanecast.twin.geography import LaneTraits, TwinNetwork, network_of
from lanecast.twin.noise import Shock, Stream
from lanecast.twin.publication import Plane, degraded, original, revision_labels, vintages
from lanecast.twin.simulation import simulate, site_values
from lanecast.twin.sites import Stations
from lanecast.twin.state import STORM
from lanecast.twin.stepping import Values
from lanecast.twin.world import PromoPolicy, World

COLUMNS = (
    "y", "promo", "price", "capacity", "weather", "storm", "shipments", "backlog", "late",
)  # fmt: skip
NODE_OF = {"y": "orders"}  # column to node, where the names differ
FORECAST_SD = 0.25  # of a weather forecast for tomorrow; grows with the root of the lead


@dataclass(frozen=True, slots=True, kw_only=True)
class Midmile:
    """A world as a long table, one series per lane ``origin>dest``; ``y`` are its orders.

    ``lanes``, ``days`` and ``tail`` change the preset.  ``level="network"`` adds a series
    ``site:<station>`` for each delivery station, with arrivals and labor_hrs; its other columns are
    empty, but for price and capacity, which are 0 (a known future may have no gap).  The last four
    are faults of the data plane, as shares; see `lanecast.twin.publication`.
    """

    preset: str = "small"
    seed: int = 1
    policy: str = PromoPolicy.REACTIVE
    confounded_price: bool = False
    counts: bool = True
    storms: bool = True
    capacity_censoring: bool = True
    breaks: bool = True
    lanes: int | None = None
    days: int | None = None
    tail: float | None = None
    level: str = "lane"
    missing: float = 0.0
    duplicates: float = 0.0
    renames: float = 0.0
    revisions: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an unknown level; the world and the plane check the rest."""
        if self.level not in ("lane", "network"):
            raise ConfigError(f"midmile: level={self.level!r} is neither lane nor network")
        assert self.world
        assert self.plane

    @property
    def world(self) -> World:
        """The key of the world behind the table, which the truth asks for."""
        own = {field.name for field in fields(self)}
        changes = {f.name: getattr(self, f.name) for f in fields(World) if f.name in own}
        changed = {name: value for name, value in changes.items() if value is not None}
        return World.preset(self.preset, **changed)

    @property
    def plane(self) -> Plane:
        """The faults of the data plane."""
        return Plane(**{field.name: getattr(self, field.name) for field in fields(Plane)})

    def load(self) -> SourceTable:
        """The table as a reader meets it, and one row of traits per series."""
        frame, _ = degraded(self.clean(), self.plane, self.seed)
        traits = lane_statics(self.world)
        if self.level == "network":
            stations = site_statics(self.world)
            traits = pd.concat([traits.assign(kind="lane"), stations], ignore_index=True)
        if self.renames:
            by_name = traits.set_index("unique_id")
            names = frame["unique_id"].unique()
            traits = by_name.loc[[original(name) for name in names]].reset_index()
            traits["unique_id"] = names
        return SourceTable(frame=frame, statics=traits)

    def clean(self) -> pd.DataFrame:
        """The table without faults."""
        world = self.world
        nodes = [NODE_OF.get(name, name) for name in COLUMNS]
        values = simulate(world, nodes=[*nodes, "arrived"])
        network = network_of(world)
        frame = lane_frame(world, values, network.lanes)
        if self.level == "lane":
            return frame
        stations = Stations.of(network.lanes)
        arrivals_TD = stations.total(values["arrived"].T)
        sites = site_values(world, np.ascontiguousarray(arrivals_TD.T))
        return pd.concat(
            [frame, site_frame(world, sites, stations.names(network))], ignore_index=True
        )

    def labels(self) -> pd.DataFrame:
        """What the data plane did: ``kind, unique_id, ds, detail``."""
        clean = self.clean()
        defects = degraded(clean, self.plane, self.seed)[1]
        revised = revision_labels(vintages(clean, self.plane, self.seed))
        return pd.concat([defects, revised], ignore_index=True) if len(revised) else defects

    def vintages(self) -> pd.DataFrame:
        """Each publication of a value: ``unique_id, ds, known_time, y``."""
        return vintages(self.clean(), self.plane, self.seed)


def lane_frame(world: World, values: Values, lanes: LaneTraits) -> pd.DataFrame:
    """Nodes [N, T] of some lanes as a long table in series and time order."""
    columns = {name: values[NODE_OF.get(name, name)].ravel() for name in COLUMNS}
    return pd.DataFrame({**_index(world, network_of(world).names(lanes)), **columns})


def site_frame(world: World, values: Values, names_D: np.ndarray) -> pd.DataFrame:
    """Nodes [D, T] of stations as a long table; price and capacity are 0."""
    columns = {name: node_DT.ravel() for name, node_DT in values.items()}
    return pd.DataFrame({**_index(world, names_D), **columns, "price": 0.0, "capacity": 0.0})


def lane_statics(world: World) -> pd.DataFrame:
    """``unique_id, origin, dest, region``; the region is that of the destination."""
    network = network_of(world)
    return pd.DataFrame(
        {
            "unique_id": network.names(),
            "origin": network.origins_F[network.lanes.origin_N],
            "dest": network.dests_D[network.lanes.dest_N],
            "region": network.regions_E[network.lanes.region_N],
        }
    )


def site_statics(world: World) -> pd.DataFrame:
    """As `lane_statics`, of the stations: no origin."""
    network: TwinNetwork = network_of(world)
    stations = Stations.of(network.lanes)
    return pd.DataFrame(
        {
            "unique_id": stations.names(network),
            "origin": "",
            "dest": network.dests_D[stations.number_D],
            "region": network.regions_E[network.region_D[stations.number_D]],
            "kind": "site",
        }
    )


def days_of(world: World) -> np.ndarray:
    """The dates of the world, [T]."""
    return np.datetime64(world.start, "ns") + np.arange(world.days) * np.timedelta64(1, "D")


def weather_forecasts(world: World, *, leads: Sequence[int] = range(1, 8)) -> pd.DataFrame:
    """``region, ds, issued, weather, storm``: forecasts by vintage (equation 2).

    The error grows with the root of the lead; ``storm`` says whether the forecast itself is one.
    """
    network = network_of(world)
    region_N, first_N = np.unique(network.lanes.region_N, return_index=True)
    truth_ET = simulate(world, nodes=["weather"])["weather"][first_N]
    ds_T, tables = days_of(world), []
    for lead in leads:
        stream = Stream(world.seed)
        shock_TE = [
            stream.at(Shock.FORECAST, day=day, branch=lead).standard_normal(len(network.regions_E))
            for day in range(world.days)
        ]
        error_ET = FORECAST_SD * lead**0.5 * np.stack(shock_TE, axis=1)[region_N]
        guess = (truth_ET + error_ET).astype(np.float32).ravel()
        table = {
            "region": np.repeat(network.regions_E[region_N], world.days),
            "ds": np.tile(ds_T, len(region_N)),
            "issued": np.tile(ds_T - lead * np.timedelta64(1, "D"), len(region_N)),
            "weather": guess,
            "storm": (guess > STORM).astype(np.float32),
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _index(world: World, names: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "unique_id": np.repeat(names, world.days),
        "ds": np.tile(days_of(world), len(names)),
    }
