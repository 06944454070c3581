"""De-actioning: the panel had nobody acted, with no trace of a treatment and no early value."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from causal_worlds import panel_of, shop, shop_graph, shop_panel
from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.reference_history import (
    descendants_of_treatments,
    effective_delays,
    idle,
    outside,
    reference_panel,
)
from lanecast.causal.scm.replay import replayed
from lanecast.data.schema import Column, Role
from lanecast.data.views import with_values
from small_worlds import GRAPH, graph, layer, panel, refilled, steps


def cells(held, name):
    return held.column(name).numpy()


def test_no_treatment_and_no_column_outside_the_graph_is_left():
    held = panel()
    extra = Column(role=Role.OBSERVED)
    columns = {**held.schema.columns, "clicks": extra}
    schema = replace(held.schema, columns=columns)
    order = [name for name in schema.stored if name != "clicks"]
    values = torch.stack(
        [held.column(n) if n in order else torch.ones(held.num_cells) for n in schema.stored], 1
    )
    wide = replace(held, schema=schema, values=values)
    assert outside(layer(), wide) == ["clicks"]
    assert set(reference_panel(layer(), wide).schema.stored) == {"y", "weather"}


def test_holes_stay_holes_and_the_rest_is_finite():
    view = reference_panel(layer(), panel())
    for name in view.schema.stored:
        missing = np.isnan(cells(panel(), name))
        assert missing.any()
        assert np.array_equal(np.isnan(cells(view, name)), missing), name


def test_what_no_treatment_moves_is_as_it_was():
    assert descendants_of_treatments(layer()) == {"orders", "backlog"}
    view = reference_panel(layer(), panel())
    assert np.array_equal(cells(view, "weather"), cells(panel(), "weather"), equal_nan=True)
    assert not np.array_equal(cells(view, "y"), cells(panel(), "y"), equal_nan=True)


def test_the_first_steps_of_a_series_stay_as_they_were():
    view, lag = reference_panel(layer(), panel()), layer().wiring.lag
    early = steps(panel()) < np.repeat(panel().start, np.diff(panel().offsets)) + lag
    one, two = cells(view, "y"), cells(panel(), "y")
    assert np.allclose(one[early], two[early], atol=1e-4, equal_nan=True)
    assert not np.allclose(one[~early], two[~early], atol=1e-2, equal_nan=True)


def test_a_de_actioned_value_is_made_of_what_is_published_when_it_is():
    """Its own declared delay is honest: a refill of what is not known then changes no bit."""
    cutoff = 170
    changed = refilled(panel(), cutoff, seed=6)
    one, two = reference_panel(layer(), panel()), reference_panel(layer(), changed)
    visible = steps(panel()) <= cutoff - one.schema.delay_steps("y")
    assert np.array_equal(cells(one, "y")[visible], cells(two, "y")[visible], equal_nan=True)
    next_day = steps(panel()) == cutoff - one.schema.delay_steps("y") + 1
    assert not np.array_equal(cells(one, "y")[next_day], cells(two, "y")[next_day])


def test_effective_delays_grow_with_what_a_value_is_made_from_and_for_nothing_else():
    found = effective_delays(layer(), panel())
    assert found == {"weather": 3, "promo": 0, "price": -5, "orders": 3, "backlog": 3}


def test_a_history_without_any_action_is_its_own_reference():
    x = shop(series=12, steps=200)
    x["promo"][:] = 0.0
    roles = {
        "y": {"role": "target"},
        "weather": {"role": "observed"},
        "promo": {"role": "observed", "manipulable": True},
        "backlog": {"role": "observed"},
    }
    del x["price"]
    config = {
        **GRAPH,
        "nodes": {name: node for name, node in GRAPH["nodes"].items() if name != "price"},
        "edges": [edge for edge in GRAPH["edges"] if edge["from"] != "price"],
    }
    held = panel_of(x, roles)
    budget = FitBudget(steps=5, batch=8, segment=32, hidden=4)
    still = CausalLayer(graph=Graph.from_config(config), budget=budget).fit(held, until=150)
    view = reference_panel(still, held)
    assert np.allclose(cells(view, "y"), cells(held, "y"), atol=1e-4)


def test_the_reference_of_a_history_does_not_depend_on_what_was_done_in_it():
    """Two worlds of the same shocks, one promoted all along: both have nearly one reference."""
    held, series = shop_panel(series=40, steps=400), torch.arange(40)
    budget = FitBudget(steps=300, batch=32, segment=64, hidden=4)
    fitted = CausalLayer(graph=shop_graph(), budget=budget).fit(held, until=350)
    prepared = fitted.prepare(held)
    done = replayed(fitted.mechanisms, prepared, fitted.graph, do={"promo": 1.0})
    columns = {}
    for name, column in (("promo", "promo"), ("orders", "y"), ("backlog", "backlog")):
        node = fitted.node(name)
        columns[column] = prepared.space.to_natural(done[..., node], series, node).numpy().ravel()
    promoted = with_values(held, columns)
    node, late = fitted.node("orders"), slice(200, None)
    apart = (done - prepared.whole_NTX)[:, late, node].abs().mean()
    left = fitted.reference_history(held) - fitted.reference_history(promoted)
    assert float(prepared.space.scale_J[node] * apart) > 0.5
    assert float(left[:, late, node].abs().mean()) < 0.01 * float(apart)


@pytest.mark.parametrize(
    ("late", "expected"), [(3, {"backlog"}), (2, frozenset())], ids=["after", "before"]
)
def test_a_column_published_before_the_target_is_never_idle(late, expected):
    delays = {**effective_delays(layer(), panel()), "backlog": late}
    assert idle(graph(), delays) == expected
