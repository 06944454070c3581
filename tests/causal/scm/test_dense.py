"""Link space: centers and scales of what is known at the fit, and conversions that come back."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from causal_worlds import panel_of
from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.dense import Dense, LinkSpace, bind, visible_values
from lanecast.data.links import link_of, torch_inverse, torch_link
from lanecast.data.views import with_roles
from lanecast.errors import LeakageError, SchemaError
from small_networks import layer as network_layer
from small_networks import panel as network_panel
from small_worlds import UNTIL, graph, panel, refilled, steps

CONFIG = {
    "nodes": {
        "promo": {"kind": "treatment", "family": "bernoulli", "policy_parents": []},
        "price": {"kind": "treatment", "link": "log", "policy_parents": []},
        "orders": {"kind": "endogenous", "column": "y", "link": "log1p"},
        "margin": {"kind": "endogenous"},
    },
    "edges": [
        {"from": "promo", "to": "orders", "lags": [0]},
        {"from": "price", "to": "orders", "lags": [0]},
        {"from": "orders", "to": "margin", "lags": [0]},
    ],
}
ROLES = {
    "y": {"role": "target", "non_negative": True},
    "promo": {"role": "observed", "manipulable": True},
    "price": {"role": "observed", "manipulable": True, "non_negative": True},
    "margin": {"role": "observed"},
}


def world(steps=60):
    rng = np.random.default_rng(0)
    shape = (3, steps)
    level = np.array([[0.0], [2.0], [5.0]])
    columns = {
        "y": np.expm1(level + 0.5 * np.abs(rng.normal(size=shape))),
        "promo": (rng.random(shape) < 0.4).astype(float),
        "price": np.exp(1 + 0.2 * rng.normal(size=shape)),
        "margin": 10 * level + rng.normal(size=shape),
    }
    return panel_of({k: v.astype(np.float32) for k, v in columns.items()}, ROLES)


def fitted(held, until=50):
    dag = Graph.from_config(CONFIG)
    return LinkSpace(dag).fit(Dense.of(held, dag), until=until), dag


def test_values_lie_on_the_grid_and_are_missing_elsewhere():
    dense = Dense.of(panel(), graph())
    for number, name in enumerate(graph().order):
        column = panel().column(str(graph().nodes[name].column)).numpy()
        for series in range(panel().num_series):
            low, high = panel().offsets[series : series + 2]
            start, end = panel().start[series], panel().end[series]
            row = dense.values_NTJ[series, :, number]
            assert np.array_equal(row[start:end], column[low:high], equal_nan=True)
            assert np.isnan(row[:start]).all()


def test_visible_values_are_those_known_at_the_cutoff():
    dense = Dense.of(panel(), graph())
    seen = visible_values(dense, graph(), 100)
    newest = {"weather": 97, "promo": 100, "price": 105, "orders": 99, "backlog": 98}
    for number, name in enumerate(graph().order):
        last = newest[name]
        kept = dense.values_NTJ[:, : last + 1, number]
        assert np.array_equal(seen[:, : last + 1, number], kept, equal_nan=True)
        assert np.isnan(seen[:, last + 1 :, number]).all()


def test_centers_are_medians_by_series_and_scales_one_spread_by_node():
    held = world()
    space, dag = fitted(held)
    y = np.log1p(held.column("y").numpy().reshape(3, 60)[:, :51])
    orders = dag.order.index("orders")
    assert np.allclose(space.center_MJ[:, orders], np.median(y, axis=1), atol=1e-5)
    spread = np.sqrt(np.mean((y - np.median(y, axis=1)[:, None]) ** 2))
    assert space.scale_J[orders] == pytest.approx(spread, rel=1e-4)


def test_treatments_are_centered_but_not_scaled_and_0_1_nodes_left_as_they_are():
    space, dag = fitted(world())
    price, promo = dag.order.index("price"), dag.order.index("promo")
    assert space.scale_J[[price, promo]].tolist() == [1.0, 1.0]
    assert np.abs(space.center_MJ[:, price] - 1).max() < 0.2
    assert (space.center_MJ[:, promo] == 0).all()


def test_a_constant_node_is_not_divided_by_nothing():
    held = world()
    values = held.values.clone()
    values[:, held.schema.stored.index("margin")] = 4.0
    space, dag = fitted(replace(held, values=values))
    assert space.scale_J[dag.order.index("margin")] == 4.0  # its own size


def test_the_fit_reads_nothing_that_is_not_known():
    one = LinkSpace(graph()).fit(Dense.of(panel(), graph()), until=UNTIL)
    spoiled = refilled(panel(), UNTIL, seed=1)
    two = LinkSpace(graph()).fit(Dense.of(spoiled, graph()), until=UNTIL)
    for name in ("center_MJ", "scale_J", "profile_MPK", "restless_MK"):
        assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True), name


@pytest.mark.parametrize("link", ["identity", "log", "log1p"])
def test_a_link_comes_back(link):
    values = torch.tensor([0.5, 1.0, 7.0, 3e4])
    assert torch.allclose(torch_inverse(torch_link(values, link), link), values, rtol=1e-5)
    assert np.allclose(link_of(values.numpy(), link), torch_link(values, link).numpy(), rtol=1e-6)


def test_a_wild_path_stays_finite_and_a_count_never_negative():
    wild = torch.tensor([-500.0, 500.0])
    for link in ("log", "log1p"):
        assert torch.isfinite(torch_inverse(wild, link)).all()
        assert (torch_inverse(wild, link) >= 0).all()


def test_the_log_of_what_is_not_positive_is_missing():
    assert np.isnan(link_of(np.array([0.0, -1.0]), "log")).all()
    assert link_of(np.array([-1.0]), "log1p").tolist() == [0.0]


@pytest.mark.parametrize("name", ["promo", "price", "orders", "margin"])
def test_natural_values_come_back_through_the_space(name):
    held = world()
    space, dag = fitted(held)
    bound, node = bind(space, Dense.of(held, dag), at=50), dag.order.index(name)
    column = held.column(str(dag.nodes[name].column)).reshape(3, 60)
    rows = torch.arange(3)
    again = bound.to_natural(bound.to_link(column, rows, node), rows, node)
    assert torch.allclose(again, column, rtol=1e-4, atol=1e-5)
    zero = bound.to_link(torch.zeros(3, 1), rows, node)[:, 0]
    assert torch.allclose(bound.nothing(node), zero)


def test_another_order_of_the_series_finds_each_its_own_center():
    held = world()
    space, dag = fitted(held)
    turned = held.select([2, 0, 1])
    found = space.centers(Dense.of(turned, dag), at=50)
    assert np.allclose(found, space.center_MJ[[2, 0, 1]])


def test_joined_centers_are_those_of_the_sums():
    links = network_layer()._links
    dense = Dense.of(network_panel(), links.graph)
    bound = bind(links, dense, at=140)
    number = [join.name for join in bound.joins].index("orders:sum_by_dest")
    grid = np.nan_to_num(dense.values_NTJ[..., links.graph.order.index("orders")])[:, :141]
    sites = [[0, 2, 4], [1, 3, 5]]  # X and Y
    for row, lanes in enumerate(sites, start=6):
        middle = np.median(np.log1p(grid[lanes].sum(axis=0)))
        assert float(bound.join_center_VN[number, row]) == pytest.approx(middle, rel=1e-4)
    assert (bound.join_center_VN[number, :6] == 0).all()


def test_a_space_that_saw_later_steps_or_none_is_refused():
    space, dag = fitted(world())
    with pytest.raises(LeakageError, match=r"at cutoff 49 .* fitted until step 50; refit"):
        bind(space, Dense.of(world(), dag), at=49)
    with pytest.raises(LeakageError, match="never fitted"):
        bind(LinkSpace(dag), Dense.of(world(), dag), at=60)


def test_a_node_whose_column_is_not_there_is_named():
    view = with_roles(panel(), {"weather": None})
    with pytest.raises(SchemaError, match=r"node 'weather' reads column 'weather'.*it has"):
        Dense.of(view, graph())


def test_a_calendar_that_is_too_short_is_refused():
    assert steps(panel()).max() == 199
    with pytest.raises(SchemaError, match="the calendar has 150 steps, the panel 200"):
        Dense.of(replace(panel(), calendar=panel().calendar[:150]), graph())
