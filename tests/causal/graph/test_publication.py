"""Columns come late, or early: a roll starts where a node ends, and reads what is known by then."""

import numpy as np
import pytest
import torch

from lanecast.causal.graph.graph import Graph
from lanecast.causal.graph.publication import newest, remade_delays
from lanecast.causal.scm.chaining import Action, Chain, chain
from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.prepared import cut
from lanecast.causal.scm.reference_history import reference_panel
from lanecast.causal.scm.rollout import roll
from lanecast.data.views import with_values
from small_worlds import (
    BUDGET,
    CUTOFF,
    GRAPH,
    HORIZON,
    LATE,
    NEW,
    SERIES,
    UNTIL,
    at,
    graph,
    layer,
    panel,
    refilled,
    steps,
)

MANNERS = (
    {},
    {"samples": range(3)},
    {"reference": True},
    {"reference": True, "samples": range(3)},
)


def rolled(on=None, *, action=None, cutoff=CUTOFF, fitted=None, **how):
    return chain(
        fitted or layer(),
        on or panel(),
        at(cutoff),
        horizon=HORIZON,
        action=action,
        how=Chain(**how),
    )


@pytest.mark.parametrize("how", MANNERS, ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_not_known_at_the_cutoff_changes_no_bit(how, seed):
    """C4: delays, leads, holes, a late series and one that the fit never saw."""
    one, two = rolled(**how), rolled(refilled(panel(), CUTOFF, seed=seed), **how)
    assert torch.equal(one.x_SWHJ, two.x_SWHJ)


@pytest.mark.parametrize("how", MANNERS, ids=str)
def test_what_is_known_at_the_cutoff_does_change_the_roll(how):
    """The twin of the test above: one step further back, and every series notices."""
    one, two = rolled(**how), rolled(refilled(panel(), CUTOFF, seed=1, later=-2), **how)
    seen = (one.x_SWHJ != two.x_SWHJ).flatten(2).any(dim=2).any(dim=0)
    assert seen[:LATE].all()


def test_a_preparation_reads_nothing_that_its_step_does_not_know():
    """What the fit saw and what it did not: both are centered on what is known, and no more."""
    changed = refilled(panel(), CUTOFF, seed=3)
    one, two = layer().prepare(panel(), at=CUTOFF), layer().prepare(changed, at=CUTOFF)
    assert torch.equal(one.space.center_NJ, two.space.center_NJ)
    assert torch.equal(one.seen_at(CUTOFF), two.seen_at(CUTOFF))
    settled = CUTOFF - 3  # the weather, last to be published
    assert torch.equal(one.whole_NTX[:, : settled + 1], two.whole_NTX[:, : settled + 1])


def test_a_newcomer_is_centered_on_its_own_values_once_they_are_asked_for():
    early, late = layer().prepare(panel()), layer().prepare(panel(), at=UNTIL + 30)
    assert list(np.flatnonzero(layer().newcomers(panel()))) == [NEW]
    known = [row for row in range(SERIES) if row != NEW]
    assert torch.equal(early.space.center_NJ[known], late.space.center_NJ[known])
    weather = layer().node("weather")
    own = panel().column("weather").numpy()[panel().offsets[NEW] : panel().offsets[NEW + 1]]
    upto = UNTIL + 30 - 3 - panel().start[NEW] + 1
    assert late.space.center_NJ[NEW, weather] == pytest.approx(np.nanmedian(own[:upto]))
    typical = np.nanmedian(early.space.center_NJ[known, weather])
    assert early.space.center_NJ[NEW, weather] == pytest.approx(typical, abs=1e-6)


def test_the_fit_reads_nothing_that_its_end_does_not_know():
    other = CausalLayer(graph=graph(), budget=BUDGET).fit(
        refilled(panel(), UNTIL, seed=4), until=UNTIL
    )
    for name, value in layer().mechanisms.state_dict().items():
        assert torch.equal(value, other.mechanisms.state_dict()[name]), name
    assert np.array_equal(layer().noise_tables, other.noise_tables)


def window(filler):
    return cut(
        layer().prepare(panel()), at(), horizon=HORIZON, lag=layer().wiring.lag, filler=filler
    )


def test_each_node_is_rolled_from_its_own_last_published_step():
    """Rolled cells begin 1 step after the newest one: weather at -2, orders at 0, promo at +1."""
    found = window(0.0)
    first = {"weather": -2, "backlog": -1, "orders": 0, "promo": 1, "price": 6}
    for name, begin in first.items():
        clamp_WT = found.clamp_WTJ[:LATE, :, layer().node(name)]
        ahead_T = torch.arange(clamp_WT.shape[1]) - (found.back - 1)
        assert not clamp_WT[:, ahead_T >= begin].any(), name
        prepared = layer().prepare(panel())
        there = prepared.seen_NTX[:LATE, CUTOFF + begin - 1, layer().node(name)]
        assert torch.equal(clamp_WT[:, ahead_T == begin - 1][:, 0], there), name


def test_a_planned_price_is_used_as_far_as_it_is_known_and_policy_takes_over_behind():
    found = rolled(samples=range(4)).natural("price")
    cells = np.flatnonzero((steps(panel()) > CUTOFF) & (steps(panel()) <= CUTOFF + HORIZON))
    planned = panel().column("price").numpy()[cells].reshape(SERIES, HORIZON)
    assert np.allclose(found[..., :5], planned[:, :5], atol=1e-5)
    assert not np.isclose(found[..., 5:], planned[:, 5:], atol=1e-5).any()
    assert (found[..., 5:].std(axis=0) > 0).all()


def test_a_plan_that_changes_within_its_lead_changes_orders_and_what_follows():
    price = panel().column("price").numpy().copy()
    price[steps(panel()) == CUTOFF + 3] += 2.0
    one, two = rolled(), rolled(with_values(panel(), {"price": price}))
    for name in ("orders", "backlog"):
        moved = one.link(name) != two.link(name)
        assert not moved[..., :2].any()
        assert moved[..., 2].all()
    assert (one.link("orders")[..., 2] > two.link("orders")[..., 2]).all()  # sign: negative
    assert np.array_equal(one.link("weather"), two.link("weather"))


def test_yesterdays_weather_is_nowcast_not_read():
    """Published three days late: a roll from the cutoff equals one whose last days are holes."""
    weather = panel().column("weather").numpy().copy()
    late = (steps(panel()) > CUTOFF - 3) & (steps(panel()) <= CUTOFF)
    weather[late] = np.nan
    holes = with_values(panel(), {"weather": weather})
    assert torch.equal(rolled().x_SWHJ, rolled(holes).x_SWHJ)


def test_gradients_with_respect_to_unknown_cells_are_exactly_zero():
    """C4: what stands in an invisible cell has no way into the roll."""
    found = window(7.0)
    x = found.x_WTX.clone().requires_grad_()
    out = roll(
        layer().mechanisms,
        x,
        clamp_RTJ=found.clamp_WTJ,
        context_RTF=found.context_WTF,
        start=found.start,
    )
    out[:, found.back :].square().sum().backward()
    hidden = ~found.clamp_WTJ
    hidden[:, : found.start] = False  # settled: every node is published
    assert hidden[:, : found.back].any()
    assert float(x.grad[hidden].abs().max()) == 0.0
    assert float(x.grad[~hidden].abs().max()) > 0.0


def test_a_recomputed_value_is_as_late_as_the_latest_it_is_made_from():
    late = remade_delays(graph(), panel().schema)
    assert late == {"weather": 3, "promo": 0, "price": -5, "orders": 3, "backlog": 3}
    assert newest(late, graph()).tolist() == [-late[name] for name in graph().order]
    assert reference_panel(layer(), panel()).schema.delay_steps("y") == 3


def test_a_hole_in_a_parent_makes_what_that_parent_reads_count_too():
    """Orders read yesterday's backlog; a hole there is filled from weather, 3 days late."""
    config = {**GRAPH, "edges": [e for e in GRAPH["edges"] if e["from"] != "weather"]}
    assert remade_delays(Graph.from_config(config), panel().schema)["orders"] == 1
    reading = {"from": "weather", "to": "backlog", "lags": [0]}
    onward = {"from": "backlog", "to": "orders", "lags": [1]}
    edges = [e for e in config["edges"] if (e["from"], e["to"]) != ("orders", "backlog")]
    config = {**config, "edges": [*edges, reading, onward]}
    late = remade_delays(Graph.from_config(config), panel().schema)
    assert (late["orders"], late["backlog"]) == (2, 2)  # backlog of the day before, weather's 3


def test_the_reference_roll_draws_the_noise_of_the_factual_one():
    """A value can be as late as the latest it is made from, never later: one ragged edge."""
    prepared = layer().prepare(panel())
    assert prepared.remade_J.min() == prepared.newest_J.min()
    one, two = rolled(samples=range(3)), rolled(samples=range(3), reference=True)
    weather = layer().node("weather")
    assert torch.equal(one.x_SWHJ[..., weather], two.x_SWHJ[..., weather])


def test_an_action_within_the_lead_replaces_the_plan():
    path = np.full((SERIES, HORIZON), np.nan, np.float32)
    path[:, 1:3] = 1.25
    found = rolled(action=Action(hard={"price": path})).natural("price")
    plain = rolled().natural("price")
    assert np.allclose(found[..., 1:3], 1.25, atol=1e-5)
    assert np.array_equal(
        np.delete(found, [1, 2], 2)[..., :3], np.delete(plain, [1, 2], 2)[..., :3]
    )


def test_a_panel_that_nobody_holds_is_forgotten():
    import gc
    import weakref

    view = with_values(panel(), {})
    rolled(view, reference=True)
    alive = weakref.ref(view)
    del view
    gc.collect()
    assert alive() is None
