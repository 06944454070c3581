"""Both arms of a question come from the same noise: what an action cannot reach does not move."""

from __future__ import annotations

import numpy as np
import pytest

from lanecast.errors import ScenarioError
from lanecast.interventions import Intervention
from lanecast.report import scenario_table as tables
from lanecast.whatif.actions import action_of, check_do, interventions_of, reachable
from lanecast.whatif.answers import what_if
from small_what_if import SPEC, at, coupled, world

WEEK2 = (Intervention(node="promo", value=1, first=8, last=14),)
CUT = (Intervention(node="capacity", kind="scale", value=0.5),)


def ask(mode, do, samples=8):
    return what_if(coupled(mode), world(), at(), do=do, samples=samples, seed=1)


@pytest.mark.parametrize("mode", ["delta", "delta_policy", "mechanism"])
def test_a_promotion_on_days_8_to_14_moves_days_1_to_7_by_exactly_nothing(mode):
    found = ask(mode, WEEK2)
    for name, arms in found.nodes.items():
        assert (arms.difference_SWH[..., :7] == 0.0).all(), name
    assert found.early == 0.0
    assert found.strays == 0.0
    assert (found.nodes["orders"].difference_SWH[..., 7:] != 0.0).any()


def test_without_the_layer_the_same_promotion_reaches_back():
    assert ask("none", WEEK2).early > 0.0


def test_what_the_action_cannot_reach_keeps_its_bits():
    found = ask("delta", CUT)
    assert set(found.moved) == {"capacity", "shipments"}
    assert (found.nodes["orders"].difference_SWH == 0.0).all()
    assert (found.nodes["shipments"].difference_SWH != 0.0).any()
    assert found.strays == 0.0


def test_effects_of_groups_are_sums_of_the_effects_of_their_series():
    found = ask("delta", WEEK2)
    sums = tables.level_sums(found.nodes, world(), coupled("delta").graph, levels=["dest", "total"])
    bottom = found.nodes["orders"].difference_SWH.astype(np.float64)
    total = sums[("total", "total")]["orders"].difference_SWH[:, 0]
    assert np.abs(bottom.sum(axis=1) - total).max() <= 1e-6 * np.abs(total).max()
    groups = [nodes["orders"].difference_SWH[:, 0] for (k, _), nodes in sums.items() if k == "dest"]
    assert len(groups) == 3
    assert np.abs(np.sum(groups, axis=0) - total).max() <= 1e-6 * np.abs(total).max()
    still = ask("delta", CUT)
    untouched = tables.level_sums(still.nodes, world(), coupled("delta").graph, levels=["total"])[
        ("total", "total")
    ]["orders"]
    assert np.array_equal(untouched.baseline_SWH, untouched.scenario_SWH)


def test_a_delay_does_later_what_each_sample_would_have_done():
    found = ask("delta", (Intervention(node="promo", kind="delay", value=3),))
    arms = found.nodes["promo"]
    assert (arms.scenario_SWH[..., :3] == 0).all()
    assert np.array_equal(arms.scenario_SWH[..., 3:], arms.baseline_SWH[..., :-3])
    with pytest.raises(ScenarioError, match="cannot be asked sample by sample"):
        ask("none", (Intervention(node="promo", kind="delay", value=3),))


def test_an_action_never_seen_is_answered_with_a_warning():
    far = (Intervention(node="price", kind="scale", value=3.0),)
    (told,) = ask("delta", far).warnings
    assert told.startswith("do(price): 6 of 6 series")
    assert ask("delta", WEEK2).warnings == ()


def test_tables_hold_means_intervals_and_their_difference():
    found = ask("delta", WEEK2, samples=16)
    frame = tables.node_table(found.nodes, world(), intervals=[80])
    assert np.allclose(frame["difference"], frame["scenario"] - frame["baseline"], atol=1e-3)
    for name in ("baseline", "scenario", "difference"):
        assert (frame[f"{name}-lo-80"] <= frame[f"{name}-hi-80"]).all()
    assert len(frame) == sum(len(arms.at) for arms in found.nodes.values()) * SPEC.horizon
    effect = tables.effects(found.nodes)
    assert effect["orders"]["relative"] > 0
    assert tables.main_node(found.nodes, coupled("delta").graph) == "orders"
    still = ask("delta", CUT)
    assert tables.main_node(still.nodes, coupled("delta").graph) == "shipments"


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ({"node": "promos"}, "no such node"),
        ({"node": "calendar"}, "the calendar"),
        ({"node": "orders", "value": 3}, "is the target"),
        ({"node": "promo", "value": 1, "first": 15}, "beyond the horizon"),
        ({"node": "promo", "kind": "scale", "value": 0.5}, "0 or 1"),
        ({"node": "promo", "value": 0.5}, "neither"),
        ({"node": "price", "kind": "random", "value": 0.5}, "is a quantity"),
        ({"node": "price", "value": 0}, "positive"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_way_out(do, told):
    with pytest.raises(ScenarioError, match=told):
        check_do([Intervention.from_config(do)], coupled("delta").graph, SPEC.horizon)


def test_where_names_series_by_attribute():
    (one,) = interventions_of(
        [{"node": "capacity", "kind": "scale", "value": 0.5, "where": {"dest": "D1"}}], world()
    )
    assert one.series == ("F0>D1", "F1>D1")
    for where, told in (
        ({"city": "x"}, "no static attribute 'city'"),
        ({"dest": "D9"}, "no series"),
    ):
        with pytest.raises(ScenarioError, match=told):
            interventions_of([{"node": "capacity", "where": where}], world())


def test_a_known_path_is_scaled_hard_and_an_open_one_softly():
    graph = coupled("delta").graph
    action = action_of(
        [Intervention(node="price", kind="scale", value=1.1)],
        graph=graph,
        panel=world(),
        at=at(),
        horizon=SPEC.horizon,
    )
    assert np.isfinite(action.hard["price"][:, :7]).all()
    assert np.isnan(action.hard["price"][:, 7:]).all()
    assert (action.soft["price"].scale_WH[:, 7:] == np.float32(1.1)).all()
    assert (action.soft["price"].scale_WH[:, :7] == 1.0).all()


def test_reach_follows_policies():
    graph = coupled("delta").graph
    assert reachable(graph, WEEK2) == tuple(
        name for name in graph.order if name in ("promo", "orders", "shipments")
    )
    assert "promo" in reachable(graph, (Intervention(node="price", value=2),))
