"""What is identified, what is refused with its open path, and how wide the band must be."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.causal.graph.identify import bounds, check_effect, open_path
from lanecast.errors import GraphError, NotIdentified
from small_graphs import small


def check(graph, treatment, outcome="orders", horizon=14):
    check_effect(graph, treatment=treatment, outcome=outcome, horizon=horizon)


# --- C13, the exact part --------------------------------------------------------------------------


def test_a_hidden_cause_of_price_and_orders_refuses_do_price():
    with pytest.raises(NotIdentified) as told:
        check(small(bidirected=[["orders", "price"]]), "price")
    assert "price(t) <- hidden(orders, price)(t) -> orders(t)" in str(told.value)


def test_it_leaves_do_promo_alone():
    check(small(bidirected=[["orders", "price"]]), "promo")


def test_a_latent_node_does_what_a_bidirected_pair_does():
    edges = [{"from": "mood", "to": to, "lags": [0]} for to in ("orders", "backlog")]
    graph = small(nodes={"mood": {"kind": "latent"}}, edges=edges)
    check(graph, "price")
    parents = [{"node": "mood", "lags": [1]}]
    nodes = {"mood": {"kind": "latent"}, "price": {"policy_parents": parents}}
    with pytest.raises(NotIdentified, match=r"price\(t\) <- mood\(t-1\)"):
        check(small(nodes=nodes, edges=edges), "price")


@pytest.mark.parametrize("treatment", ["price", "promo"])
@pytest.mark.parametrize("outcome", ["orders", "backlog"])
def test_policies_that_look_at_what_is_seen_are_fine(treatment, outcome):
    check(small(), treatment, outcome)


def test_a_confounded_effect_is_refused_on_what_lies_downstream():
    with pytest.raises(NotIdentified, match="backlog"):
        check(small(bidirected=[["orders", "price"]]), "price", "backlog")


@pytest.mark.parametrize("pair", [["orders", "weather"], ["orders", "backlog"]])
def test_hidden_causes_away_from_the_treatment_do_no_harm(pair):
    check(small(bidirected=[pair]), "price", "backlog")
    check(small(bidirected=[pair]), "promo", "backlog")


def test_two_treatments_planned_together_are_fine_while_their_cause_moves_nothing_else():
    check(small(bidirected=[["price", "promo"]]), "price")
    check(small(bidirected=[["price", "promo"]]), "promo")


def test_a_chain_of_hidden_causes_is_followed():
    with pytest.raises(NotIdentified, match="hidden"):
        check(small(bidirected=[["price", "promo"], ["promo", "orders"]]), "price")


def test_no_way_to_the_outcome_is_an_effect_of_zero():
    graph = small(bidirected=[["orders", "backlog"], ["price", "weather"]])
    check(graph, "backlog", "orders")
    check(small(bidirected=[["orders", "price"]]), "orders", "price")


def test_an_effect_that_starts_after_the_horizon_is_zero():
    late = {"from": "backlog", "to": "orders", "lags": [5]}
    graph = small(edges=[late], bidirected=[["orders", "backlog"]])
    check(graph, "backlog", horizon=5)
    with pytest.raises(NotIdentified):
        check(graph, "backlog", horizon=6)


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ({"treatment": "prize", "outcome": "orders", "horizon": 1}, "price"),
        ({"treatment": "price", "outcome": "calendar", "horizon": 1}, "calendar"),
        ({"treatment": "price", "outcome": "price", "horizon": 1}, "other than"),
        ({"treatment": "price", "outcome": "orders", "horizon": 0}, "horizon"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(question, word):
    with pytest.raises(GraphError, match=word):
        check_effect(small(), **question)


@settings(max_examples=100, deadline=None)
@given(st.integers(3, 7), st.data())
def test_the_path_that_is_named_is_open_and_found_whenever_there_is_one(size, data):
    pairs = [((f"n{a}", 0), (f"n{b}", 0)) for a in range(size) for b in range(a + 1, size)]
    graph = nx.DiGraph(data.draw(st.lists(st.sampled_from(pairs), unique=True)))
    cells = data.draw(st.permutations([(f"n{i}", 0) for i in range(size)]))
    graph.add_nodes_from(cells)
    start, goal, *rest = cells
    seen = set(data.draw(st.lists(st.sampled_from(rest), unique=True)))
    path = open_path(graph, start, {goal}, seen)
    assert (path is None) == nx.is_d_separator(graph, {start}, {goal}, seen)
    if path is not None:
        assert (path[0][0], path[-1][0]) == (start, goal)
        for (before, _), (after, arrow) in pairwise(path):
            assert graph.has_edge(before, after) if arrow == "->" else graph.has_edge(after, before)


# --- sensitivity ----------------------------------------------------------------------------------


def linear_world(rng, rho, *, rows, effect=-0.8):
    """Regression's slope, its standard error, and both residual sds, in a confounded world."""
    hidden = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], rows)
    seen = rng.normal(size=rows)
    action = 0.5 * seen + 0.7 * hidden[:, 0]
    outcome = effect * action + 1.2 * seen + 1.5 * hidden[:, 1]
    full = np.column_stack([action, seen, np.ones(rows)])
    slopes, *_ = np.linalg.lstsq(full, outcome, rcond=None)
    left = outcome - full @ slopes
    alone = action - full[:, 1:] @ np.linalg.lstsq(full[:, 1:], action, rcond=None)[0]
    error = left.std() / (alone.std() * np.sqrt(rows))
    return slopes[0], error, left.std(), alone.std()


def test_the_bias_is_the_formula():
    beta, _, s_outcome, s_treatment = linear_world(np.random.default_rng(0), 0.6, rows=400_000)
    low, high = bounds(beta, s_outcome, s_treatment, max_correlation=0.6)
    assert low == pytest.approx(-0.8, abs=0.01)  # the true effect, at the end that rho = 0.6 names
    assert high == pytest.approx(2 * beta + 0.8, abs=0.01)


def test_the_band_covers_the_truth():
    """200 worlds, the correlation anywhere in [-r, r]; 1.64 standard errors of the slope, the
    sampling error of a 90 % interval, are allowed at either end."""
    rng = np.random.default_rng(1)
    limit, covered = 0.5, 0
    for _ in range(200):
        beta, error, *sds = linear_world(rng, rng.uniform(-limit, limit), rows=400)
        low, high = bounds(beta, *sds, max_correlation=limit)
        covered += low - 1.64 * error <= -0.8 <= high + 1.64 * error
    assert covered >= 180


def test_the_band_at_its_edge_covers_as_often_as_its_allowance_says():
    rng = np.random.default_rng(2)
    covered = 0
    for sign in np.tile([-1.0, 1.0], 100):
        beta, error, *sds = linear_world(rng, 0.5 * sign, rows=400)
        low, high = bounds(beta, *sds, max_correlation=0.5)
        covered += low - 1.64 * error <= -0.8 <= high + 1.64 * error
    assert covered >= 180


def test_a_band_for_less_confounding_misses_the_truth():
    beta, _, *sds = linear_world(np.random.default_rng(3), 0.6, rows=20_000)
    low, high = bounds(beta, *sds, max_correlation=0.2)
    assert not low <= -0.8 <= high


def test_no_confounding_is_no_band():
    assert bounds(0.3, 1.0, 2.0, max_correlation=0.0) == (0.3, 0.3)


@pytest.mark.parametrize(
    ("sds", "limit"), [((1.0, 1.0), 1.0), ((1.0, 1.0), -0.1), ((1.0, 0.0), 0.5), ((-1.0, 1.0), 0.5)]
)
def test_impossible_bounds_are_refused(sds, limit):
    with pytest.raises(GraphError):
        bounds(0.0, *sds, max_correlation=limit)
