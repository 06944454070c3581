"""Joins between levels: sums are sums, whatever is done; what no action reaches keeps its bits."""

import numpy as np
import pytest
import torch

from lanecast.causal.scm.chaining import Action, Chain, Soft, chain
from lanecast.causal.scm.joins import join_columns
from lanecast.causal.scm.replay import replayed
from lanecast.causal.scm.unrolled import Unrolled
from lanecast.data.views import with_values
from lanecast.data.windows import WindowIndex
from lanecast.errors import GraphError
from small_networks import (
    CUTOFF,
    GRAPH,
    HORIZON,
    LANES,
    LATE,
    LATE_START,
    SITES,
    at,
    graph,
    layer,
    panel,
)

ALL = len(LANES) + len(SITES)
NODES = tuple(GRAPH["nodes"])
TO_X = np.array([name.endswith(">X") for name in LANES] + [False, False])
SITE_X, SITE_Y = len(LANES), len(LANES) + 1
LANE_ROWS = np.arange(ALL) < len(LANES)


def rolled(action=None, *, on=None, which=None, **how):
    windows = at() if which is None else at()[which]
    return chain(layer(), on or panel(), windows, horizon=HORIZON, action=action, how=Chain(**how))


def path(value, rows, first=1):
    found = np.full((ALL, HORIZON), np.nan, np.float32)
    found[rows, first - 1 :] = value
    return found


def test_a_join_adds_up_what_the_pairs_say():
    load, orders = join_columns(graph(), panel())
    assert (load.name, orders.name) == ("hours:load_of_dest", "orders:sum_by_dest")
    natural = torch.arange(2.0 * ALL).view(2, ALL) ** 2
    for row, total in zip(natural.tolist(), orders.sums(natural).tolist(), strict=True):
        wanted = [0.0] * len(LANES)
        for site in SITES:
            wanted.append(sum(row[k] for k, name in enumerate(LANES) if name.endswith(site)))
        assert total == wanted
    for row, told in zip(natural.tolist(), load.sums(natural).tolist(), strict=True):
        sites = dict(zip(SITES, row[len(LANES) :], strict=True))
        assert told == [*(sites[name[-1]] for name in LANES), 0.0, 0.0]
    assert orders.rows.tolist() == [SITE_X, SITE_Y]
    assert load.rows.tolist() == list(range(len(LANES)))
    assert orders.gives.tolist() == LANE_ROWS.tolist()


def joined_natural(x, number=1):
    """The joined column of the sums in parcels, from link space."""
    space = layer().prepare(panel()).space
    linked = x.double() * space.join_scale_V[number] + space.join_center_VN[number][:, None]
    return torch.expm1(linked).numpy()


def lane_orders(x_WT):
    space = layer().prepare(panel()).space
    node = layer().node("orders")
    linked = x_WT.double() * space.scale_J[node] + space.center_NJ[:, node][:, None]
    return torch.expm1(linked).numpy()


def summed(orders_NT, rows=LANE_ROWS):
    return np.stack([orders_NT[rows & TO_X].sum(axis=0), orders_NT[rows & ~TO_X].sum(axis=0)])


def test_the_prepared_sum_is_that_of_the_lanes_that_have_begun():
    prepared = layer().prepare(panel())
    natural = joined_natural(prepared.x_NTX[..., len(NODES) + 1])
    orders = panel().column("y").numpy()
    cell = np.split(orders, panel().offsets[1:-1])
    grid = np.zeros((ALL, len(panel().times)))
    for row in range(len(LANES)):
        grid[row, panel().start[row] : panel().end[row]] = cell[row]
    steps = prepared.x_NTX.shape[1]
    assert np.allclose(natural[len(LANES) :], summed(grid[:, :steps]), rtol=1e-5)
    seen = prepared.seen_NTX[..., len(NODES) + 1]
    assert seen[len(LANES) :].all()
    assert not seen[: len(LANES)].any()


def test_a_sum_with_a_missing_part_is_not_seen():
    y = panel().column("y").numpy().copy()
    y[panel().offsets[0] + 100] = np.nan  # A>X
    prepared = layer().prepare(with_values(panel(), {"y": y}))
    seen = prepared.seen_NTX[..., len(NODES) + 1]
    assert not seen[SITE_X, 100]
    assert seen[SITE_Y, 100]
    assert seen[SITE_X, 99]


@pytest.mark.parametrize("promo", [None, 0.0, 1.0])
def test_sums_over_lanes_agree_under_any_action(promo):
    """C14: to 1e-6, on every rolled step; and so do the differences that an action makes."""
    window = Unrolled.of(layer(), panel(), at(), HORIZON)
    node, back = layer().node("orders"), window.back
    plain = window.rolled()
    told = plain
    if promo is not None:
        done = torch.full((ALL, HORIZON), promo)
        done[~torch.from_numpy(LANE_ROWS)] = float("nan")
        told = window.with_paths({"promo": done}).rolled()
    parts = [summed(lane_orders(x[:, back:, node])) for x in (plain, told)]
    totals = [joined_natural(x[:, back:, len(NODES) + 1])[len(LANES) :] for x in (plain, told)]
    assert np.abs(totals[1] / parts[1] - 1).max() <= 1e-6
    change, wanted = totals[1] - totals[0], parts[1] - parts[0]
    assert np.abs(change - wanted).max() <= 1e-6 * np.abs(totals[0]).max()
    if promo is not None:
        assert np.abs(wanted).min() > 0.1


@pytest.mark.parametrize("samples", [None, range(3)])
@pytest.mark.parametrize("node", NODES)
def test_an_action_at_one_site_leaves_the_other_and_all_before_it_bit_equal(node, samples):
    """C2 and C3 through both joins: by node, by series and by step."""
    rows = TO_X if graph().nodes[node].level == "lane" else np.arange(ALL) == SITE_X
    before, after = (
        rolled(samples=samples),
        rolled(Action(hard={node: path(1.0, rows, first=3)}), samples=samples),
    )
    same_NH = (before.x_SWHJ == after.x_SWHJ).all(dim=0)
    assert same_NH[:, :2].all()
    assert same_NH[~TO_X & (np.arange(ALL) != SITE_X)].all()
    reached = {node} | graph().descendants(node)
    for name in NODES:
        part = same_NH[..., layer().node(name)]
        if name not in reached:
            assert part.all(), name
        elif samples is None or name != "promo":  # a coin may fall on the same side
            assert not part.all(), name


def test_a_busy_site_slows_its_lanes_the_day_after():
    hours = path(6.0, np.arange(ALL) == SITE_X, first=3)
    before, after = rolled(), rolled(Action(hard={"hours": hours}))
    change = (after.link("orders") - before.link("orders"))[0]
    assert (change[TO_X, :3] == 0).all()
    assert (change[TO_X, 3:] < 0).all()


def test_nothing_after_the_cutoff_is_read_through_a_join():
    lengths = np.diff(panel().offsets)
    step = np.arange(panel().num_cells) + np.repeat(panel().start - panel().offsets[:-1], lengths)
    rng, columns = np.random.default_rng(2), {}
    for name in panel().schema.stored:
        values = panel().column(name).numpy().copy()
        late = step > CUTOFF
        values[late] = rng.uniform(1, 90, late.sum())
        columns[name] = values
    changed = with_values(panel(), columns)
    for how in ({}, {"samples": range(2)}, {"reference": True}):
        assert torch.equal(rolled(**how).x_SWHJ, rolled(on=changed, **how).x_SWHJ)


def test_some_series_of_a_cutoff_are_rolled_with_all_the_others():
    chosen = np.array([SITE_Y, 0])
    whole, part = rolled(samples=range(2)), rolled(which=chosen, samples=range(2))
    assert torch.equal(whole.x_SWHJ[:, chosen], part.x_SWHJ)
    ones = np.ones((1, HORIZON))
    action = Action(
        hard={"promo": np.ones((1, HORIZON), np.float32)},
        soft={"orders": Soft(shift_WH=3 * ones, scale_WH=ones)},
    )
    alone = rolled(action, which=np.array([0]), samples=range(2))
    done = path(1.0, np.arange(ALL) == 0)
    shift, scale = np.zeros((ALL, HORIZON)), np.ones((ALL, HORIZON))
    shift[0] = 3
    action = Action(hard={"promo": done}, soft={"orders": Soft(shift_WH=shift, scale_WH=scale)})
    assert torch.equal(alone.x_SWHJ[:, 0], rolled(action, samples=range(2)).x_SWHJ[:, 0])


def test_a_lane_that_has_not_begun_adds_nothing_to_its_site():
    cutoff = LATE_START - 10
    window = chain(
        layer(), panel(), at(cutoff), horizon=HORIZON, how=Chain(training=True, samples=range(1))
    )
    orders = window.natural("orders")[0]
    assert (orders[LATE] == 0).all()
    lifted = path(1.0, np.arange(ALL) == LATE)
    action = Action(hard={"promo": lifted})
    again = chain(
        layer(),
        panel(),
        at(cutoff),
        horizon=HORIZON,
        action=action,
        how=Chain(training=True, samples=range(1)),
    )
    arrivals = layer().node("arrivals")
    assert torch.equal(window.x_SWHJ[..., arrivals], again.x_SWHJ[..., arrivals])


def test_doing_what_was_done_reproduces_both_levels():
    """C6 through joins."""
    prepared = layer().prepare(panel())
    promo = layer().node("promo")
    do = {"promo": prepared.whole_NTX[..., promo].clone()}
    found = replayed(layer().mechanisms, prepared, graph(), do=do)
    error = (found - prepared.whole_NTX)[..., : len(NODES)].abs()
    assert float(error.max()) <= 1e-5


def test_a_replayed_promotion_reaches_the_site_of_its_lanes_alone():
    prepared = layer().prepare(panel())
    path_NT = torch.full(prepared.whole_NTX.shape[:2], float("nan"))
    path_NT[torch.from_numpy(TO_X), 100:] = 1.0
    found = replayed(layer().mechanisms, prepared, graph(), do={"promo": path_NT}, first=100)
    hours = (found - prepared.whole_NTX)[..., layer().node("hours")].abs()
    assert float(hours[SITE_Y].max()) <= 1e-5
    assert float(hours[SITE_X, 100:].mean()) > 1e-2


def test_a_look_inside_wants_whole_cutoffs():
    part = WindowIndex(series_W=np.array([0, 1]), cutoff_W=np.full(2, CUTOFF))
    with pytest.raises(GraphError, match="give every series of each cutoff"):
        Unrolled.of(layer(), panel(), part, HORIZON)
