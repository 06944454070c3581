"""The linear start is the regression it claims to be, whatever the size of a level."""

import numpy as np
import pytest
import torch

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm import warmstart
from lanecast.causal.scm.context import Context
from lanecast.causal.scm.mechanisms import Mechanisms
from lanecast.causal.scm.warmstart import start_linear
from lanecast.causal.scm.wiring import wire

SERIES, STEPS = 30, 400
CONFIG = {
    "nodes": {
        "price": {"kind": "treatment", "policy_parents": []},
        "promo": {"kind": "treatment", "family": "bernoulli", "policy_parents": []},
        "orders": {"kind": "endogenous", "column": "y"},
    },
    "edges": [
        {"from": "price", "to": "orders", "lags": [0], "memory": 2},
        {"from": "promo", "to": "orders", "lags": [1]},
        {"from": "orders", "to": "orders", "lags": [1]},
    ],
}


def world(seed=0, noise=0.2):
    """Orders: .8, .4, .2 of the price of days 0, 1, 2, an AR(1) error, and .3 of promo."""
    rng = np.random.default_rng(seed)
    price = rng.normal(size=(SERIES, STEPS))
    promo = (rng.random((SERIES, STEPS)) < 0.3).astype(float)
    orders, error = np.zeros((SERIES, STEPS)), np.zeros(SERIES)
    for t in range(2, STEPS):
        steady = 0.8 * price[:, t] + 0.4 * price[:, t - 1] + 0.2 * price[:, t - 2] + 1.5
        error = 0.6 * error + 0.3 * promo[:, t - 1] + noise * rng.normal(size=SERIES)
        orders[:, t] = steady + error
    return {"price": price, "promo": promo, "orders": orders}


def started(valid=None, config=CONFIG):
    wiring = wire(Graph.from_config(config))
    found = world()
    x = torch.from_numpy(np.stack([found[name] for name in wiring.names], -1)).float()
    mechanisms = Mechanisms(wiring, num_context=0, hidden=2)
    context = Context(
        dates_TF=torch.zeros(STEPS, 0),
        phase_T=torch.zeros(STEPS, dtype=torch.long),
        profile_NPK=torch.zeros(SERIES, 1, 0),
        restless_NK=torch.zeros(SERIES, 0),
    )
    if valid is None:
        valid = torch.ones(SERIES, STEPS, len(wiring.names), dtype=torch.bool)
        valid[:, : wiring.lag] = False
    start_linear(mechanisms, x, valid, context)
    return mechanisms


def weights(mechanisms, name, source):
    wiring = mechanisms.wiring
    node, parent = wiring.names.index(name), wiring.names.index(source)
    chosen = wiring.mask_JE[node] & (wiring.source_JE[node] == parent)
    return mechanisms._linear()[node][chosen].detach().tolist()


def test_a_finite_memory_is_told_apart_from_the_errors_that_follow_it():
    found = started()
    assert weights(found, "orders", "price") == pytest.approx([0.8, 0.4, 0.2], abs=0.02)
    assert weights(found, "orders", "orders") == pytest.approx([0.6], abs=0.03)
    assert weights(found, "orders", "promo") == pytest.approx([0.3], abs=0.03)
    orders = found.wiring.names.index("orders")
    spread = torch.nn.functional.softplus(found.spread[orders].detach())
    assert float(spread) == pytest.approx(0.2, abs=0.02)


def test_a_zero_one_node_starts_at_its_share():
    found = started()
    promo = found.wiring.names.index("promo")
    assert float(torch.sigmoid(found.bias[promo].detach())) == pytest.approx(0.3, abs=0.02)


def test_a_signed_edge_against_the_data_starts_near_nothing_on_the_declared_side():
    edges = [{"from": "price", "to": "orders", "lags": [0], "sign": "negative"}]
    edges += CONFIG["edges"][1:]
    found = weights(started(config={**CONFIG, "edges": edges}), "orders", "price")
    assert -2e-3 < found[0] < 0


def test_a_node_of_few_series_is_not_skipped_over(monkeypatch):
    """Of thousands of lanes some are read; a lone site between two of them must still be."""
    monkeypatch.setattr(warmstart, "_SERIES", 10)
    valid = torch.ones(SERIES, STEPS, 3, dtype=torch.bool)
    valid[:, :3] = False
    orders = wire(Graph.from_config(CONFIG)).names.index("orders")
    valid[:, :, orders] = False
    valid[7, 5:, orders] = True
    found = started(valid)
    for value in found.parameters():
        assert torch.isfinite(value).all()
    assert weights(found, "orders", "price") == pytest.approx([0.8, 0.4, 0.2], abs=0.1)
