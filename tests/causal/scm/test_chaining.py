"""Rolling windows: an action moves its descendants, from its first step on, and nothing else."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from causal_worlds import shop_graph, shop_panel
from lanecast.causal.scm import chaining
from lanecast.causal.scm.chaining import Action, Chain, Soft, chain
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.schema import Role
from lanecast.data.views import with_values
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError, GraphError, LeakageError

HORIZON, UNTIL = 10, 250
BUDGET = FitBudget(steps=30, batch=8, segment=32, hidden=4)
NODES = ("weather", "promo", "price", "orders", "backlog")


@lru_cache
def panel():
    return shop_panel(series=12, steps=300)


@lru_cache
def layer():
    return CausalLayer(graph=shop_graph(), budget=BUDGET).fit(panel(), until=UNTIL)


def at(cutoff=UNTIL + 3):
    return WindowIndex(series_W=np.arange(12), cutoff_W=np.full(12, cutoff, dtype=np.int64))


def path(value, first=1, last=HORIZON):
    found = np.full((12, HORIZON), np.nan, dtype=np.float32)
    found[:, first - 1 : last] = value
    return found


def rolled(action=None, *, samples=range(5), on=None, **how):
    found = chain(
        layer(),
        on or panel(),
        at(),
        horizon=HORIZON,
        action=action,
        how=Chain(samples=samples, **how),
    )
    return {name: found.link(name) for name in NODES}


@pytest.mark.parametrize("samples", [None, range(5)])
@pytest.mark.parametrize("node", NODES)
def test_an_action_leaves_every_node_that_does_not_descend_from_it_bit_equal(node, samples):
    graph = layer().graph
    before = rolled(samples=samples)
    after = rolled(Action(hard={node: path(1.0)}), samples=samples)
    reached = {node} | graph.descendants(node)
    for name in NODES:
        same = np.array_equal(before[name], after[name])
        assert same == (name not in reached), name


@pytest.mark.parametrize("node", NODES)
def test_an_action_leaves_every_step_before_its_first_bit_equal(node):
    before, after = rolled(), rolled(Action(hard={node: path(1.0, first=6)}))
    for name in NODES:
        assert np.array_equal(before[name][..., :5], after[name][..., :5]), name
    assert not np.array_equal(before[node][..., 5:], after[node][..., 5:])


def test_a_hard_path_is_taken_as_it_is_and_open_steps_follow_the_mechanism():
    found = chain(
        layer(),
        panel(),
        at(),
        horizon=HORIZON,
        action=Action(hard={"price": path(2.5, 4, 6)}),
        how=Chain(samples=range(3)),
    )
    price = found.natural("price")
    assert np.allclose(price[..., 3:6], 2.5, atol=1e-5)
    assert not np.isclose(price[..., :3], 2.5).any()
    assert price[..., 6:].std() > 0


def test_a_soft_change_shifts_and_scales_what_the_policy_would_do():
    zero, one = np.zeros((12, HORIZON), np.float32), np.ones((12, HORIZON), np.float32)
    shift = zero.copy()
    shift[:, 0] = 0.75
    soft = Action(soft={"price": Soft(shift_WH=shift, scale_WH=one)})
    before, after = rolled(), rolled(soft)
    scale = float(layer().prepare(panel()).space.scale_J[layer().node("price")])
    moved = (after["price"] - before["price"])[..., 0]
    assert np.allclose(moved, 0.75, atol=1e-4 * max(1.0, scale))
    # the policy goes on reacting to the orders that the shift has moved
    assert np.abs(after["price"] - before["price"])[..., 1].max() > 1e-4


@pytest.mark.parametrize("samples", [None, range(5)])
@pytest.mark.parametrize("node", ["price", "orders"])
def test_a_soft_change_moves_descendants_alone_from_its_first_step_on(node, samples):
    shift = np.zeros((12, HORIZON))
    shift[:, 4:] = 0.5
    change = Action(soft={node: Soft(shift_WH=shift, scale_WH=np.ones_like(shift))})
    before, after = rolled(samples=samples), rolled(change, samples=samples)
    reached = {node} | layer().graph.descendants(node)
    for name in NODES:
        assert np.array_equal(before[name][..., :4], after[name][..., :4]), name
        same = np.array_equal(before[name], after[name])
        if name != "promo" or samples is None:  # a coin may fall on the same side
            assert same == (name not in reached), name


def test_a_soft_change_of_nothing_changes_no_bit():
    nothing = Action(soft={"orders": soft()})
    for name, path_SWH in rolled(nothing).items():
        assert np.array_equal(path_SWH, rolled()[name]), name


def test_no_window_is_no_path():
    empty = chain(layer(), panel(), at()[:0], horizon=HORIZON, how=Chain(samples=range(2)))
    assert empty.natural("orders").shape == (2, 0, HORIZON)


def test_nothing_that_is_not_known_at_the_cutoff_is_read():
    held, cutoff = panel(), UNTIL + 3
    step = np.tile(np.arange(300), 12)
    rng = np.random.default_rng(3)
    columns = {}
    for name in held.schema.stored:
        assert held.schema.columns[name].role is not Role.KNOWN_FUTURE
        values = held.column(name).numpy().copy()
        late = step > cutoff
        values[late] = rng.normal(50, 10, late.sum())
        columns[name] = values
    changed = with_values(held, columns)
    for how in ({}, {"filler": 1e6}):
        one, two = rolled(**how), rolled(on=changed, **how)
        for name in NODES:
            assert np.array_equal(one[name], two[name])
    assert np.array_equal(rolled()["orders"], rolled(filler=1e6)["orders"])


def test_noise_belongs_to_sample_series_and_step_not_to_the_order_of_drawing():
    whole = chain(layer(), panel(), at(), horizon=HORIZON, how=Chain(samples=range(6)))
    part = chain(layer(), panel(), at()[3:7], horizon=HORIZON, how=Chain(samples=range(2, 5)))
    assert np.allclose(whole.natural("orders")[2:5, 3:7], part.natural("orders"), atol=1e-5)
    other = rolled(seed=1)
    assert not np.array_equal(rolled()["orders"], other["orders"])


def test_a_zero_one_node_is_zero_or_one_in_samples_and_a_chance_without_noise():
    drawn = chain(layer(), panel(), at(), horizon=HORIZON, how=Chain(samples=range(20)))
    assert set(np.unique(drawn.natural("promo"))) == {0.0, 1.0}
    chance = chain(layer(), panel(), at(), horizon=HORIZON).natural("promo")
    assert ((chance > 0) & (chance < 1)).all()


def test_the_reference_roll_starts_where_nobody_acted():
    reference = chain(layer(), panel(), at(), horizon=HORIZON, how=Chain(reference=True))
    assert (reference.natural("promo") == 0).all()


def test_a_cutoff_before_the_end_of_the_fit_is_refused_except_in_training():
    early = replace(at(), cutoff_W=np.full(12, UNTIL - 1))
    with pytest.raises(LeakageError, match=r"fitted until step 250; refit with until <= 249"):
        chain(layer(), panel(), early, horizon=HORIZON)
    chain(layer(), panel(), early, horizon=HORIZON, how=Chain(training=True))


def soft(shift=0.0, scale=1.0, shape=(12, HORIZON)):
    full = {"shift_WH": np.full(shape, shift), "scale_WH": np.full(shape, scale)}
    return Soft(**full)


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (Action(hard={"promos": path(1.0)}), GraphError, r"do\(promos\).*no such node.*promo,"),
        (Action(soft={"promos": soft()}), GraphError, r"do\(promos\).*no such node"),
        (Action(hard={"calendar": path(1.0)}), GraphError, r"do\(calendar\).*no such node"),
        (Action(hard={"price": path(np.inf)}), ConfigError, r"do\(price\).*must be finite; NaN"),
        (Action(soft={"price": soft(np.nan)}), ConfigError, r"do\(price\): a path must be finite$"),
        (Action(soft={"price": soft(0, np.inf)}), ConfigError, r"do\(price\).*must be finite"),
        (Action(hard={"price": path(1.0)[:11]}), ConfigError, r"shape \(11, 10\).*\(12, 10\)"),
        (Action(soft={"price": soft(shape=(12, 9))}), ConfigError, r"shape \(12, 9\)"),
    ],
    ids=lambda value: "" if isinstance(value, Action) else None,
)
def test_what_cannot_be_done_is_refused_by_name(action, error, words):
    with pytest.raises(error, match=words):
        rolled(action)


def test_several_cutoffs_and_one_chunk_or_many_are_the_same_roll(monkeypatch):
    both = WindowIndex(
        series_W=np.tile(np.arange(12), 2), cutoff_W=np.repeat([UNTIL + 1, UNTIL + 3], 12)
    )
    whole = chain(layer(), panel(), both, horizon=HORIZON, how=Chain(samples=range(3)))
    monkeypatch.setattr(chaining, "_ROWS", 15)
    parts = chain(layer(), panel(), both, horizon=HORIZON, how=Chain(samples=range(3)))
    assert torch.allclose(whole.x_SWHJ, parts.x_SWHJ, atol=1e-5)
    alone = chain(layer(), panel(), at(), horizon=HORIZON, how=Chain(samples=range(3)))
    assert torch.allclose(whole.x_SWHJ[:, 12:], alone.x_SWHJ, atol=1e-5)
