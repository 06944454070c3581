"""One day of all lanes, and days one after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lanecast.twin import demand, flow
from lanecast.twin.doing import Do
from lanecast.twin.geography import LaneTraits
from lanecast.twin.noise import Noise, Shock
from lanecast.twin.state import DayState
from lanecast.twin.world import World

NODES = (
    "weather", "storm", "level", "break", "drift", "residual", "promo", "price", "rate", "orders",
    "capacity", "released", "backlog", "shipments", "arrived", "late",
)  # fmt: skip
DEMAND = NODES[: NODES.index("orders") + 1]

Values = dict[str, np.ndarray]
NOTHING = Do()


def days(
    world: World,
    lanes: LaneTraits,
    state: DayState,
    noise: Noise,
    *,
    first: int,
    last: int,
    do: Do = NOTHING,
    demand_only: bool = False,
) -> Iterator[tuple[int, DayState, Values]]:
    """Each day of ``first .. last`` with the state after it and its values, [..., N].

    ``demand_only`` stops at the orders, and gives their mean given the rate instead of a count.
    """
    for day in range(first, last + 1):
        ahead = day - first + 1
        state, values = demand_of_day(
            world, lanes, state, noise, day=day, do=do, ahead=ahead, mean=demand_only
        )
        if not demand_only:
            state = flow_of_day(world, lanes, state, noise, values, day=day, do=do, ahead=ahead)
        yield day, state, values


def demand_of_day(
    world: World,
    lanes: LaneTraits,
    state: DayState,
    noise: Noise,
    *,
    day: int,
    do: Do,
    ahead: int,
    mean: bool = False,
) -> tuple[DayState, Values]:
    """Equations 2 to 6; with ``mean`` the orders told are their mean given the rate."""
    weather = do("weather", ahead, demand.weather(world, lanes, state, noise, day))
    level, jump = demand.level(world, state, noise, day)
    drift = demand.drift(state, noise, day)
    promo = do("promo", ahead, demand.promo(world, state, noise, day))
    price = do("price", ahead, demand.price(world, lanes, promo, level, noise, day))
    planned = demand.planned_log(world, lanes, day)
    explained = demand.explained(
        lanes, state, planned=planned, weather=weather, promo=promo, price=price
    )
    own = drift + level + demand.ORDERS_SD * noise.normal(Shock.ORDERS, day)
    rate = np.exp(explained + own)
    known = mean and not demand.reacts(world)  # nobody looks at the count
    mean_orders = demand.mean_orders(lanes, rate)
    count = mean_orders if known else demand.orders(world, lanes, rate, noise, day)
    orders = do("orders", ahead, count)
    residual = demand.residual(lanes, orders, explained)
    values = {
        "weather": weather, "storm": demand.storm(world, weather), "level": level, "break": jump,
        "drift": drift, "residual": residual, "promo": promo, "price": price, "rate": rate,
        "orders": do("orders", ahead, mean_orders) if mean else orders,
    }  # fmt: skip
    after = replace(
        state,
        weather=weather,
        level=level,
        drift=drift,
        residual=residual,
        promo=promo,
        plan=demand.plan(world, state, residual, noise, day),
    )
    return after, values


def flow_of_day(
    world: World,
    lanes: LaneTraits,
    state: DayState,
    noise: Noise,
    values: Values,
    *,
    day: int,
    do: Do,
    ahead: int,
) -> DayState:
    """Equations 7 to 9 and 11; adds to ``values``."""
    whole = world.counts
    capacity = do("capacity", ahead, flow.capacity(world, lanes, noise, day))
    released, backlog = flow.released(world, values["orders"], capacity, state)
    shipments = flow.shipments(released, state, whole=whole)
    arrived, held = flow.arrived(state, values["storm"], whole=whole)
    values |= {
        "capacity": capacity, "released": released,
        "backlog": backlog, "shipments": shipments, "arrived": arrived,
        "late": flow.late(backlog, capacity, noise, day),
    }  # fmt: skip
    return replace(
        state,
        backlog=backlog,
        released=(released, state.released[0]),
        moving=(shipments, state.moving[0]),
        held=held,
    )
