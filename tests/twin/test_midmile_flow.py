from dataclasses import replace

import numpy as np
import pytest

from lanecast.twin import World, network_of, simulate
from lanecast.twin.calendar import calendar_of
from lanecast.twin.simulation import factual
from lanecast.twin.sites import Stations
from lanecast.twin.state import LAGS, TRANSIT, part
from lanecast.twin.world import WARM

WORLD = World(lanes=300, days=340)


@pytest.fixture(scope="module")
def values():
    return {node: value.astype(np.float64) for node, value in simulate(WORLD).items()}


def held_somewhere(state, *, whole):
    """Parcels released that have not arrived: not sent yet, moving, or kept back by a storm."""
    (last, before), (moving, moving_before) = state.released, state.moving
    unsent = last - part(last, LAGS[0], whole=whole) + before - part(before, LAGS[1], whole=whole)
    return unsent + moving + moving_before - part(moving_before, TRANSIT, whole=whole) + state.held


def test_orders_are_released_or_wait(values):
    change = np.diff(values["backlog"], axis=1)
    np.testing.assert_array_equal((values["orders"] - values["released"])[:, 1:], change)


def test_no_day_releases_more_than_its_capacity(values):
    assert (values["released"] <= values["capacity"]).all()


def test_a_backlog_waits_only_where_the_capacity_is_used_up(values):
    binds = values["backlog"] > 0
    np.testing.assert_array_equal(values["released"][binds], values["capacity"][binds])


@pytest.mark.parametrize("counts", [True, False])
def test_every_released_parcel_arrives_or_is_on_the_way(counts):
    world = World(lanes=40, days=90, counts=counts)
    released, arrived = np.zeros(40), np.zeros(40)
    for _, state, day in factual(world, network_of(world).lanes):
        released += day["released"]
        arrived += day["arrived"]
        on_the_way = held_somewhere(state, whole=counts)
        if counts:
            np.testing.assert_array_equal(released, arrived + on_the_way)
        else:
            np.testing.assert_allclose(released, arrived + on_the_way, rtol=1e-4)


def test_whole_parcels_stay_whole(values):
    for node in ("capacity", "released", "backlog", "shipments", "arrived"):
        assert (values[node] == np.rint(values[node])).all(), node


def test_shipments_leave_over_three_days(values):
    released = values["released"]
    spread = 0.5 * released[:, 2:] + 0.35 * released[:, 1:-1] + 0.15 * released[:, :-2]
    assert np.abs(values["shipments"][:, 2:] - spread).max() <= 2


def test_storms_hold_parcels_back(values):
    """A calm day brings what is due; the first day of a storm .6 of it."""
    shipments, storm = values["shipments"], values["storm"]
    due = 0.65 * shipments[:, 1:-1] + 0.35 * shipments[:, :-2]
    share = values["arrived"][:, 2:] / np.maximum(due, 1)
    calm = (storm[:, 2:] + storm[:, 1:-1] == 0) & (due > 100)
    first = (storm[:, 2:] > storm[:, 1:-1]) & (storm[:, :-2] == 0) & (due > 100)
    assert np.abs(share[calm] - 1).max() < 0.02
    assert first.any()
    assert np.abs(share[first] - 0.6).max() < 0.02


def test_capacity_rarely_binds_except_in_peaks(values):
    peak = calendar_of(WORLD).peak_T[WARM : WARM + WORLD.days] == 1
    binds = values["orders"] > values["capacity"]
    assert binds[:, ~peak].mean() < 0.03
    assert binds[:, peak].mean() > 2 * binds[:, ~peak].mean()


def test_without_censoring_nothing_waits():
    free = simulate(
        replace(WORLD, capacity_censoring=False), nodes=["backlog", "orders", "released"]
    )
    assert not free["backlog"].any()
    np.testing.assert_array_equal(free["orders"], free["released"])


def test_the_late_share_follows_the_backlog(values):
    behind = values["backlog"] / np.maximum(values["capacity"], 1)
    assert values["late"][behind == 0].mean() < 0.03
    assert values["late"][behind > 2].mean() > 0.6
    assert ((values["late"] > 0) & (values["late"] < 1)).all()


def test_stations_receive_what_their_lanes_bring(values):
    lanes = network_of(WORLD).lanes
    stations = Stations.of(lanes)
    total_TD = stations.total(values["arrived"].T)
    for column, station in enumerate(stations.number_D):
        mine = values["arrived"][lanes.dest_N == station].sum(axis=0)
        np.testing.assert_array_equal(total_TD[:, column], mine)
