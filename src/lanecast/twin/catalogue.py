"""Named interventions over two weeks, as data, and the table of what they would bring.

Axes: ``N`` lanes, ``C`` cutoffs, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from lanecast.errors import ConfigError
from lanecast.interventions import Intervention, Kind
from lanecast.twin.geography import network_of
from lanecast.twin.source import days_of
from lanecast.twin.truth import expected
from lanecast.twin.world import World

Scenario = tuple[Intervention, ...]

PROMO: dict[str, Scenario] = {
    "as_is": (),
    "promo_off": (Intervention(node="promo", value=0),),
    "promo_on": (Intervention(node="promo", value=1),),
    "promo_first_week": (
        Intervention(node="promo", value=0),
        Intervention(node="promo", value=1, last=7),
    ),
    "promo_8_14": (
        Intervention(node="promo", value=0),
        Intervention(node="promo", value=1, first=8, last=14),
    ),
    "promo_on_from_8": (Intervention(node="promo", value=1, first=8),),
    "promo_off_from_8": (Intervention(node="promo", value=0, first=8),),
    "promo_day_1": (Intervention(node="promo", value=1, last=1),),
    "promo_day_7": (Intervention(node="promo", value=1, first=7, last=7),),
    "promo_off_day_1": (Intervention(node="promo", value=0, last=1),),
    "promo_delayed_3": (Intervention(node="promo", kind=Kind.DELAY, value=3),),
    "promo_delayed_7": (Intervention(node="promo", kind=Kind.DELAY, value=7),),
    "promo_random_30": (Intervention(node="promo", kind=Kind.RANDOM, value=0.3, seed=1),),
    "promo_random_70": (Intervention(node="promo", kind=Kind.RANDOM, value=0.7, seed=2),),
    "promo_half_depth": (Intervention(node="promo", kind=Kind.SCALE, value=0.5),),
}
PRICE: dict[str, Scenario] = {
    "price_up_5": (Intervention(node="price", kind=Kind.SCALE, value=1.05),),
    "price_up_10": (Intervention(node="price", kind=Kind.SCALE, value=1.1),),
    "price_down_5": (Intervention(node="price", kind=Kind.SCALE, value=0.95),),
    "price_up_20": (Intervention(node="price", kind=Kind.SCALE, value=1.2),),
    "price_up_5_from_8": (Intervention(node="price", kind=Kind.SCALE, value=1.05, first=8),),
    "price_up_1_unit": (Intervention(node="price", kind=Kind.SHIFT, value=1.0),),
    "price_at_8": (Intervention(node="price", value=8.0),),
    "promo_on_price_up_5": (
        Intervention(node="promo", value=1),
        Intervention(node="price", kind=Kind.SCALE, value=1.05),
    ),
}
FLOW: dict[str, Scenario] = {
    "capacity_down_30": (Intervention(node="capacity", kind=Kind.SCALE, value=0.7),),
    "capacity_down_60_3_days": (
        Intervention(node="capacity", kind=Kind.SCALE, value=0.4, first=3, last=5),
    ),
    "capacity_up_20": (Intervention(node="capacity", kind=Kind.SCALE, value=1.2),),
    "closed_2_days": (Intervention(node="capacity", value=0, first=2, last=3),),
    "promo_on_capacity_down_30": (
        Intervention(node="promo", value=1),
        Intervention(node="capacity", kind=Kind.SCALE, value=0.7),
    ),
    "storm_day_2": (Intervention(node="weather", value=3.0, first=2, last=2),),
    "storm_3_days": (Intervention(node="weather", value=3.0, first=4, last=6),),
    "calm": (Intervention(node="weather", value=0.0),),
    "orders_up_10": (Intervention(node="orders", kind=Kind.SCALE, value=1.1),),
    "orders_surge_day_3": (
        Intervention(node="orders", kind=Kind.SCALE, value=1.5, first=3, last=3),
    ),
    "orders_plus_50": (Intervention(node="orders", kind=Kind.SHIFT, value=50.0),),
}


def catalogue(world: World) -> dict[str, Scenario]:
    """All named scenarios, those about sites and regions of this world included."""
    network = network_of(world)
    lanes, names_N = network.lanes, network.names()

    def lanes_where(chosen_N: np.ndarray) -> tuple[str, ...]:
        return tuple(names_N[chosen_N].tolist())

    busiest_dest = np.bincount(lanes.dest_N, weights=np.exp(lanes.log_base_N)).argmax()
    busiest_origin = np.bincount(lanes.origin_N, weights=np.exp(lanes.log_base_N)).argmax()
    to_dest = lanes_where(lanes.dest_N == busiest_dest)
    from_origin = lanes_where(lanes.origin_N == busiest_origin)
    in_region = lanes_where(lanes.region_N == lanes.region_N[0])
    local: dict[str, Scenario] = {
        "station_closed_3_days": (
            Intervention(node="capacity", value=0, first=3, last=5, series=to_dest),
        ),
        "center_closed_2_days": (
            Intervention(node="capacity", value=0, first=2, last=3, series=from_origin),
        ),
        "promo_on_one_center": (Intervention(node="promo", value=1, series=from_origin),),
        "storm_one_region": (
            Intervention(node="weather", value=3.0, first=3, last=4, series=in_region),
        ),
    }
    return {**PROMO, **PRICE, **FLOW, **local}


def truth_table(
    world: World,
    *,
    cutoffs: Sequence[int],
    horizon: int,
    names: Collection[str] | None = None,
    branches: int = 256,
    node: str = "orders",
) -> pd.DataFrame:
    """``scenario, unique_id, cutoff, ds, mean`` of a lane node for scenarios of the catalogue."""
    every = catalogue(world)
    if unknown := set(names or ()) - set(every):
        raise ConfigError(f"midmile: no scenario {min(unknown)!r}; there are {', '.join(every)}")
    chosen = {name: every[name] for name in (every if names is None else names)}
    means = expected(
        world, cutoffs=cutoffs, horizon=horizon, do=chosen, branches=branches, node=node
    )
    series_N, ds_T = network_of(world).names(), days_of(world)
    shape = (len(series_N), len(cutoffs), horizon)
    day = np.timedelta64(1, "D")
    cutoff_C = ds_T[0] + np.array(cutoffs) * day
    ds_CH = cutoff_C[:, None] + np.arange(1, horizon + 1) * day
    keys = {
        "unique_id": np.broadcast_to(series_N[:, None, None], shape).ravel(),
        "cutoff": np.broadcast_to(cutoff_C[:, None], shape).ravel(),
        "ds": np.broadcast_to(ds_CH, shape).ravel(),
    }
    tables = [
        pd.DataFrame({"scenario": name, **keys, "mean": mean_NCH.ravel()})
        for name, mean_NCH in means.items()
    ]
    return pd.concat(tables, ignore_index=True)
