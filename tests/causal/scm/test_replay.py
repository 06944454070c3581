"""Abduction and replay: the past is reproduced, and another past differs where it must."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from causal_worlds import shop_graph, shop_panel
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.replay import abducted, replayed
from lanecast.errors import ConfigError, GraphError

UNTIL = 250


@lru_cache
def panel():
    return shop_panel(series=12, steps=300)


@lru_cache
def layer():
    budget = FitBudget(steps=30, batch=8, segment=32, hidden=4)
    return CausalLayer(graph=shop_graph(), budget=budget).fit(panel(), until=UNTIL)


def replay(do, **options):
    prepared = layer().prepare(panel())
    return replayed(layer().mechanisms, prepared, layer().graph, do=do, **options), prepared


@pytest.mark.parametrize("policies", [False, True])
def test_doing_what_was_done_reproduces_what_happened(policies):
    prepared = layer().prepare(panel())
    promo = layer().node("promo")
    factual = prepared.whole_NTX[..., promo].clone()
    found, _ = replay({"promo": factual}, policies=policies)
    nodes = layer().wiring.num_nodes
    error = (found[..., :nodes] - prepared.whole_NTX[..., :nodes]).abs().max()
    assert float(error) <= 1e-5


def test_abducted_noise_makes_the_values_again():
    prepared = layer().prepare(panel())
    u, valid = abducted(layer().mechanisms, prepared)
    lag = layer().wiring.lag
    mu, spread, _ = layer().mechanisms.teacher(
        prepared.whole_NTX, prepared.context.whole(prepared.whole_NTX.shape[1])
    )
    orders = layer().node("orders")
    again = mu[..., orders] + spread[..., orders] * u[:, lag:, orders]
    truth = prepared.whole_NTX[:, lag:, orders]
    assert float((again - truth).abs().max()) <= 1e-5
    assert valid[:, lag:].all()


def test_only_descendants_change_and_only_from_the_first_step_on():
    found, prepared = replay({"promo": 1.0}, first=200)
    graph = layer().graph
    for name in graph.order:
        number = layer().node(name)
        same = torch.equal(found[..., number], prepared.whole_NTX[..., number])
        reached = {"promo"} | graph.descendants("promo", include_policy=False)
        assert same == (name not in reached), name
        assert torch.equal(found[:, :200, number], prepared.whole_NTX[:, :200, number])


def test_policies_that_may_act_again_react_to_what_changed():
    held, _ = replay({"promo": 1.0}, first=200)
    free, _ = replay({"promo": 1.0}, first=200, policies=True)
    price = layer().node("price")
    assert not torch.equal(held[..., price], free[..., price])


def test_the_effect_of_a_replayed_action_is_that_of_the_world():
    """The shop is linear: a promotion adds .6 to orders at once, and .4 of that a day later."""
    big = shop_panel(series=40, steps=400)
    budget = FitBudget(steps=300, batch=32, segment=64, hidden=4)
    found_layer = CausalLayer(graph=shop_graph(), budget=budget).fit(big, until=350)
    prepared = found_layer.prepare(big)
    orders = found_layer.node("orders")
    scale = float(prepared.space.scale_J[orders])
    on = replayed(found_layer.mechanisms, prepared, found_layer.graph, do={"promo": 1.0}, first=300)
    off = replayed(
        found_layer.mechanisms, prepared, found_layer.graph, do={"promo": 0.0}, first=300
    )
    effect = scale * (on - off)[..., orders].mean(dim=0).numpy()
    assert (effect[:300] == 0).all()
    assert effect[300] == pytest.approx(0.6, abs=0.06)
    # with lag weights .4 and .2 a lasting promotion comes to .6 / (1 - .6)
    assert effect[340] == pytest.approx(1.5, rel=0.15)


def test_the_reference_history_has_no_treatment_left():
    x = layer().reference_history(panel())
    prepared = layer().prepare(panel())
    rows = torch.arange(12)
    promo = prepared.space.to_natural(x[..., layer().node("promo")], rows, layer().node("promo"))
    lag = layer().wiring.lag
    assert (promo[:, lag:] == 0).all()
    weather = layer().node("weather")
    assert torch.equal(x[..., weather], prepared.whole_NTX[..., weather])
    assert np.isfinite(x.numpy()).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ConfigError, match=r"do\(promo\): (nan|inf) is no value"):
        replay({"promo": value})


def test_a_node_that_is_not_there_cannot_be_replayed():
    with pytest.raises(GraphError, match="there is no node 'promos'; did you mean"):
        replay({"promos": 1.0})


def test_after_its_last_step_an_action_ends_and_its_echo_fades():
    found, prepared = replay({"promo": 1.0}, first=150, last=160)
    promo, orders = layer().node("promo"), layer().node("orders")
    assert torch.equal(found[:, 161:, promo], prepared.whole_NTX[:, 161:, promo])
    effect = (found - prepared.whole_NTX)[..., orders].abs().mean(dim=0)
    assert effect[155] > 0.1
    assert 0 < effect[165] < effect[160]
    assert effect[260] < 1e-3 * effect[155]


def test_a_path_is_replayed_where_it_is_given_and_the_rest_keeps_its_value():
    prepared = layer().prepare(panel())
    price = layer().node("price")
    path = torch.full(prepared.whole_NTX.shape[:2], float("nan"))
    path[2, 170:175] = 0.25
    found, _ = replay({"price": path}, first=165)
    assert (found[2, 170:175, price] == 0.25).all()
    kept = torch.isnan(path)
    assert torch.equal(found[..., price][kept], prepared.whole_NTX[..., price][kept])
    others = [row for row in range(12) if row != 2]
    change = (found - prepared.whole_NTX).abs().amax(dim=-1)
    assert float(change[others].max()) <= 1e-5
    assert float(change[2, :170].max()) <= 1e-5
    assert float(change[2, 170:178].min()) > 1e-4
