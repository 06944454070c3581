"""The exposure gap is the WAPE of a chained horizon over that of single steps, node by node."""

import numpy as np
import pytest
import torch

from causal_worlds import shop_graph, shop_panel
from lanecast.causal.falsification.exposure_gap import gaps
from lanecast.causal.scm.chaining import Chain, chain
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.windows import WindowIndex
from small_worlds import UNTIL, layer, panel, refilled


def test_the_gap_is_the_quotient_of_two_wapes():
    held = shop_panel(series=12, steps=300)
    budget = FitBudget(steps=30, batch=8, segment=32, hidden=4)
    fitted = CausalLayer(graph=shop_graph(), budget=budget).fit(held, until=250)
    horizon, cutoff = 7, 243
    found = gaps(fitted, held, until=250, horizon=horizon)
    at = WindowIndex(series_W=np.arange(12), cutoff_W=np.full(12, cutoff))
    rolled = chain(fitted, held, at, horizon=horizon, how=Chain(training=True))
    prepared = fitted.prepare(held)
    mu, _, _ = fitted.mechanisms.teacher(prepared.whole_NTX, prepared.context.whole(300))
    ahead = slice(cutoff + 1, cutoff + 1 + horizon)
    for name in ("orders", "backlog", "weather", "price"):
        node, column = fitted.node(name), {"orders": "y"}.get(name, name)
        truth = held.column(column).numpy().reshape(12, 300)[:, ahead]
        single = prepared.space.to_natural(mu[..., node], torch.arange(12), node).numpy()
        single = single[:, cutoff + 1 - fitted.wiring.lag :][:, :horizon]
        many = np.abs(rolled.natural(name)[0] - truth).sum()
        assert found[name] == pytest.approx(many / np.abs(single - truth).sum(), rel=1e-4)
    assert found["weather"] > 1.05  # it remembers itself: a chain goes blind


def test_a_gap_is_of_labels_that_are_published_at_the_end_of_the_fit():
    """Nothing later moves it; the weather of three days ago is the last that counts."""
    one = gaps(layer(), panel(), until=UNTIL, horizon=7)
    assert one == gaps(layer(), refilled(panel(), UNTIL, seed=9), until=UNTIL, horizon=7)
    other = gaps(layer(), refilled(panel(), UNTIL, seed=9, later=-1), until=UNTIL, horizon=7)
    assert one != other


def test_what_is_known_ahead_has_no_gap():
    assert "price" not in gaps(layer(), panel(), until=UNTIL, horizon=7)


@pytest.mark.parametrize("horizon", [UNTIL, UNTIL - 4])
def test_a_history_too_short_for_one_horizon_has_no_gaps(horizon):
    assert gaps(layer(), panel(), until=UNTIL, horizon=horizon) == {}
