"""A refused effect may still be bounded: the band holds the truth if the correlation does."""

import numpy as np
import pytest

from causal_worlds import panel_of
from lanecast.causal.attribution.sensitivity import band, sensitivity
from lanecast.causal.graph.graph import Graph
from lanecast.causal.graph.identify import check_effect
from lanecast.causal.scm.chaining import Action
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.windows import WindowIndex
from lanecast.errors import GraphError, NotIdentified

SERIES, STEPS, UNTIL = 60, 260, 240
BUDGET = FitBudget(steps=60, batch=32, segment=64, hidden=4)
TRUE = -0.5
GRAPH = {
    "nodes": {
        "price": {"kind": "treatment", "policy_parents": [{"node": "orders", "lags": [1]}]},
        "orders": {"kind": "endogenous", "column": "y"},
    },
    "edges": [
        {"from": "price", "to": "orders", "lags": [0]},
        {"from": "orders", "to": "orders", "lags": [1]},
    ],
    "bidirected": [["orders", "price"]],
}
ROLES = {"y": {"role": "target"}, "price": {"role": "observed", "manipulable": True}}


def hidden_world(*, seed, rho):
    """Shocks of price and orders correlate by rho; a price lowers orders by half of it."""
    rng = np.random.default_rng(seed)
    y, price = np.zeros((SERIES, STEPS), np.float32), np.zeros((SERIES, STEPS), np.float32)
    last = np.zeros(SERIES)
    for t in range(STEPS):
        shared = rng.normal(size=SERIES)
        u_p = rho * shared + np.sqrt(1 - rho**2) * rng.normal(size=SERIES)
        price[:, t] = -0.2 * last + u_p
        last = 0.5 * last + TRUE * price[:, t] + 0.8 * shared
        y[:, t] = last
    return panel_of({"y": y, "price": price}, ROLES)


def fitted(panel):
    return CausalLayer(graph=Graph.from_config(GRAPH), budget=BUDGET).fit(panel, until=UNTIL)


def in_units(layer, panel, told):
    """A slope of link space, in orders per unit of price."""
    scale = layer.prepare(panel).space.scale_J
    factor = float(scale[layer.node("orders")] / scale[layer.node("price")])
    return told.low * factor, told.beta * factor, told.high * factor


def test_the_effect_is_refused_and_the_slope_of_the_fit_is_wrong():
    panel = hidden_world(seed=0, rho=0.4)
    layer = fitted(panel)
    with pytest.raises(NotIdentified):
        check_effect(layer.graph, treatment="price", outcome="orders", horizon=7)
    told = sensitivity(layer, panel, treatment="price", max_correlation=0.5)
    low, beta, high = in_units(layer, panel, told)
    assert beta > TRUE + 0.2
    assert low < TRUE < high


def test_a_wider_suspicion_gives_a_wider_band_and_none_gives_the_sampling_error():
    panel = hidden_world(seed=1, rho=0.4)
    layer = fitted(panel)
    widths = [
        sensitivity(layer, panel, treatment="price", max_correlation=r).width
        for r in (0.0, 0.2, 0.5)
    ]
    assert 0 < widths[0] < widths[1] < widths[2]
    exact = sensitivity(layer, panel, treatment="price", max_correlation=0.0, z=0.0)
    assert exact.width == pytest.approx(0.0, abs=1e-9)


def test_the_band_of_a_path_has_the_fit_in_its_middle():
    panel = hidden_world(seed=2, rho=0.3)
    layer = fitted(panel)
    at = WindowIndex(series_W=np.arange(SERIES), cutoff_W=np.full(SERIES, UNTIL + 2))
    action = Action(hard={"price": np.ones((SERIES, 5), np.float32)})
    found = band(layer, panel, at, horizon=5, action=action, treatment="price", max_correlation=0.4)
    assert (found.low_WH <= found.middle_WH).all()
    assert (found.middle_WH <= found.high_WH).all()
    assert found.covers(found.middle_WH).all()
    assert (found.high_WH - found.low_WH)[:, 0].min() > 0
    none = band(layer, panel, at, horizon=5, action=action, treatment="price", max_correlation=0.0)
    assert ((found.high_WH - found.low_WH) > (none.high_WH - none.low_WH)).all()


def test_bounds_are_for_pairs_that_are_declared_hidden():
    plain = Graph.from_config({**GRAPH, "bidirected": []})
    panel = hidden_world(seed=0, rho=0.0)
    layer = CausalLayer(graph=plain, budget=BUDGET).fit(panel, until=UNTIL)
    with pytest.raises(GraphError, match="no bidirected edge joins"):
        sensitivity(layer, panel, treatment="price", max_correlation=0.3)
    with pytest.raises(GraphError, match="no seen node 'prices'"):
        sensitivity(fitted(panel), panel, treatment="prices", max_correlation=0.3)


@pytest.mark.slow
def test_the_band_covers_the_truth_in_at_least_nine_of_ten_worlds():
    """C13: 20 worlds whose shocks correlate by .4, bounded at .4 with its sampling error."""
    covered = 0
    for seed in range(20):
        panel = hidden_world(seed=seed, rho=0.4)
        layer = fitted(panel)
        told = sensitivity(layer, panel, treatment="price", max_correlation=0.4)
        low, _, high = in_units(layer, panel, told)
        covered += low <= TRUE <= high
    assert covered >= 18, covered
