"""The fast equations are the ones written out, and each declared property holds for any weights."""

import numpy as np
import pytest
import torch

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.mechanisms import FLOOR
from lanecast.causal.scm.rollout import roll
from lanecast.causal.scm.wiring import OWN_LAGS, pack, wire
from small_graphs import LEVELS, declared, small
from small_mechanisms import equation, finite_part, inputs, random_mechanisms

MECHANISMS = random_mechanisms(small())
WIRING = MECHANISMS.wiring


def number(name):
    return WIRING.names.index(name)


@pytest.mark.parametrize("node", range(WIRING.num_nodes), ids=WIRING.names)
def test_teacher_is_the_equations_written_out(node):
    x, c = inputs(MECHANISMS)
    mu, spread, g = MECHANISMS.teacher(x, c)
    assert mu.shape == spread.shape == g.shape == (5, 24 - WIRING.lag, WIRING.num_nodes)
    for step in range(WIRING.lag, x.shape[1]):
        one_mu, one_spread = equation(MECHANISMS, x, c, node, step)
        assert torch.allclose(mu[:, step - WIRING.lag, node], one_mu, atol=1e-5)
        assert torch.allclose(spread[:, step - WIRING.lag, node], one_spread, atol=1e-5)
        finite = node in WIRING.finite
        one_g = finite_part(MECHANISMS, x, c, node, step) if finite else torch.zeros(5)
        assert torch.allclose(g[:, step - WIRING.lag, node], one_g, atol=1e-5)


def test_both_parts_of_some_nodes_are_those_of_all():
    x, c = inputs(MECHANISMS)
    mu, spread, g = MECHANISMS.teacher(x, c)
    gate = MECHANISMS.gate_slots(MECHANISMS.gates())
    at = torch.tensor([number("promo"), number("backlog")])
    z = MECHANISMS.parents(x, WIRING.lag)[:, 0][:, at]
    rest, scale = MECHANISMS.rest_part(z, c[:, WIRING.lag], gate, at)
    assert torch.allclose(rest, mu[:, 0, at], atol=1e-5)
    assert torch.allclose(scale, spread[:, 0, at], atol=1e-5)
    at = torch.tensor([number("orders"), number("price")])
    z = MECHANISMS.parents(x, WIRING.lag)[:, 0][:, at]
    part = MECHANISMS.action_part(z, c[:, WIRING.lag], gate, at)
    assert torch.allclose(part, g[:, 0, at], atol=1e-5)
    assert (part[:, 1] == 0).all()  # price has no finite memory


def effect_of_promo(mechanisms, *, first, last, steps=30):
    """Change of orders when promo is 1 in some steps, all else held; no noise."""
    wiring = mechanisms.wiring
    x, c = inputs(mechanisms, steps=steps)
    promo, orders = wiring.names.index("promo"), wiring.names.index("orders")
    clamp = torch.ones(*x.shape[:2], wiring.num_nodes, dtype=torch.bool)
    clamp[..., orders] = False
    paths = []
    for value in (0.0, 1.0):
        told = x.clone()
        told[..., promo] = 0.0
        told[:, first : last + 1, promo] = value
        found = roll(
            mechanisms, told, clamp_RTJ=clamp, context_RTF=c, start=wiring.lag, noise_RTJ=None
        )
        paths.append(found[..., orders])
    return paths[1] - paths[0]


def test_an_action_of_declared_memory_ends_with_its_memory_though_orders_remember_themselves():
    effect = effect_of_promo(MECHANISMS, first=12, last=14)
    assert (effect[:, :12] == 0).all()
    assert (effect[:, 12:17].abs() > 1e-4).all()  # memory 2: days 12 .. 14 + 2
    assert float(effect[:, 17:].abs().max()) <= 1e-5


def test_an_action_without_memory_echoes_through_the_lags_of_orders():
    config = declared()
    for edge in config["edges"]:
        edge.pop("memory", None)
    effect = effect_of_promo(random_mechanisms(Graph.from_config(config)), first=12, last=14)
    assert float(effect[:, 17:].abs().max()) > 1e-2


def test_a_closed_gate_lets_nothing_through_and_an_open_one_does():
    mechanisms = random_mechanisms(small())
    x, c = inputs(mechanisms)
    other = x.clone()
    other[..., number("weather")] += 1.0
    orders = number("orders")
    for logit, through in ((-9.0, False), (9.0, True)):
        mechanisms.gate_logit.data[:] = logit
        assert mechanisms.gates().tolist() == [float(through)]
        one, two = (mechanisms.teacher(values, c)[0][..., orders] for values in (x, other))
        assert torch.equal(one, two) != through


def test_sampled_gates_are_0_or_1_as_often_as_the_penalty_counts():
    mechanisms = random_mechanisms(small())
    mechanisms.gate_logit.data[:] = 0.3
    torch.manual_seed(0)
    drawn = torch.stack([mechanisms.gates(sampled=True) for _ in range(4000)])
    assert ((drawn >= 0) & (drawn <= 1)).all()
    assert (drawn == 0).any()
    assert (drawn == 1).any()
    share = float((drawn > 0).float().mean())
    assert share == pytest.approx(float(mechanisms.open_probability()), abs=0.03)


def test_a_signed_edge_is_linear_and_keeps_its_sign_whatever_the_weights():
    x, c = inputs(MECHANISMS)
    orders, price = number("orders"), number("price")
    means = []
    for shift in (0.0, 1.0, 2.0):
        told = x.clone()
        told[..., price] += shift
        means.append(MECHANISMS.teacher(told, c)[0][..., orders])
    first, second = means[1] - means[0], means[2] - means[1]
    assert (first < 0).all()
    assert torch.allclose(first, second, atol=1e-5)


def test_the_scale_never_reaches_zero():
    mechanisms = random_mechanisms(small())
    mechanisms.spread.data[:] = -200.0
    x, c = inputs(mechanisms)
    assert float(mechanisms.teacher(x, c)[1].min()) >= FLOOR


def test_what_is_padding_is_never_read():
    """Slots beyond a node's own parents, and cells later than the step, change no bit."""
    mechanisms = random_mechanisms(small())
    x, c = inputs(mechanisms)
    before = mechanisms.teacher(x, c)[0]
    slots = WIRING.mask_JE.shape[1]
    mechanisms.linear.data[~WIRING.mask_JE] = 1e3
    mechanisms.first_rest.data[:, :slots][~WIRING.mask_JE] = 1e3
    x[:, -1] = 1e3
    after = mechanisms.teacher(x, c)[0]
    assert torch.equal(before[:, :-1], after[:, :-1])


def test_memory_widens_an_edge_to_all_lags_up_to_it():
    orders, promo = number("orders"), number("promo")
    chosen = WIRING.action_JE[orders]
    assert WIRING.lag_JE[orders][chosen].tolist() == [0, 1, 2]
    assert WIRING.source_JE[orders][chosen].tolist() == [promo] * 3
    assert WIRING.finite == (orders,)
    own = WIRING.error_JE[orders]
    assert WIRING.lag_JE[orders][own].tolist() == [1, 7]
    assert (WIRING.error_lag, WIRING.lag) == (7, 9)  # a deviation 7 days back reads promo 2 days on


def test_calendar_hidden_and_forbidden_parents_have_no_slot():
    edges = [
        {"from": "weather", "to": "backlog", "lags": [0], "forbidden": True},
        {"from": "taste", "to": "backlog", "lags": [0]},
    ]
    wiring = wire(small(nodes={"taste": {"kind": "latent"}}, edges=edges))
    assert not {"taste", "calendar"} & set(wiring.names)
    assert wiring.slots[wiring.names.index("backlog")] == ("orders",)


def test_a_node_without_parents_reads_its_own_last_week():
    node = number("price")
    lags = WIRING.lag_JE[node][WIRING.mask_JE[node]]
    assert tuple(lags.tolist()) == OWN_LAGS
    assert set(WIRING.source_JE[node][WIRING.mask_JE[node]].tolist()) == {node}


def test_the_gate_belongs_to_every_lag_of_its_edge():
    edges = [{"from": "weather", "to": "backlog", "lags": [0, 3], "optional": True}]
    wiring = wire(small(edges=edges))
    assert wiring.optional == ("weather->orders", "weather->backlog")
    backlog = wiring.names.index("backlog")
    gated = wiring.gate_JE[backlog] >= 0
    assert wiring.lag_JE[backlog][gated].tolist() == [0, 3]
    assert set(wiring.gate_JE[backlog][gated].tolist()) == {1}


def test_a_joined_column_stands_behind_the_nodes_and_is_ready_before_its_reader():
    wiring = wire(Graph.from_config(LEVELS))
    arrivals = wiring.names.index("arrivals")
    assert wiring.joins == ("orders:sum_by_dest",)
    assert wiring.source_JE[arrivals][wiring.mask_JE[arrivals]].tolist() == [2, 2]
    giver = wiring.names.index("orders")
    place = next(k for k, group in enumerate(wiring.generations) if giver in group)
    assert wiring.joins_after[place] == (0,)


def test_packed_slots_name_each_parent_once():
    for action in (False, True):
        part = pack(WIRING, range(WIRING.num_nodes), action=action)
        wanted = WIRING.mask_JE & (WIRING.action_JE == action)
        assert np.array_equal(part.open_GE.sum(dim=1), wanted.sum(dim=1))
        for node in range(WIRING.num_nodes):
            slots = part.slot_GE[node][part.open_GE[node] > 0]
            assert slots.tolist() == torch.nonzero(wanted[node]).flatten().tolist()
