"""Why a forecast moved, through which ways, and what made it miss: sums are exact."""

from functools import lru_cache

import numpy as np
import pytest

from causal_worlds import SHOP_ROLES, panel_of, shop, shop_graph, shop_panel
from lanecast.causal.attribution.path_effects import path_contributions
from lanecast.causal.attribution.revisions import Side, revisions
from lanecast.causal.attribution.root_causes import root_cause
from lanecast.causal.scm.chaining import Action
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError, SchemaError
from small_what_if import CUTOFF, at, build_refit, coupled, world

HORIZON, UNTIL = 8, 250
BUDGET = FitBudget(steps=120, batch=16, segment=64, hidden=4)


@lru_cache
def panel():
    return shop_panel(series=12, steps=300, bend=0.3)


@lru_cache
def layer():
    return CausalLayer(graph=shop_graph(), budget=BUDGET).fit(panel(), until=UNTIL)


def windows(cutoff=UNTIL + 5, series=12):
    return WindowIndex(series_W=np.arange(series), cutoff_W=np.full(series, cutoff))


def test_revisions_sum_exactly_and_name_their_terms_in_a_fixed_order():
    model = coupled("delta")
    before = Side(forecaster=model, panel=world(), cutoff=CUTOFF)
    after = Side(forecaster=model, panel=world(), cutoff=CUTOFF + 3)
    found = revisions(before, after, graph=model.graph)
    assert found.gap <= 1e-6
    assert found.names[0] == "origin moved"
    actuals = [name for name in found.names if name.startswith("new actuals")]
    assert actuals[0] != actuals[1]
    assert len(found.times) == 11
    total = sum(found.totals.values())
    change = float((found.after_WD - found.before_WD).sum())
    assert total == pytest.approx(change, abs=1e-6)
    table = found.table()
    told = table[list(found.names)].sum(axis=1)
    assert np.allclose(table["before"] + told, table["after"], atol=1e-6)


def test_a_revision_is_told_apart_from_news():
    from lanecast.data.views import with_values

    model = coupled("delta")
    y = world().column("y").numpy().copy()
    step = np.tile(np.arange(160), 6)
    old = y.copy()
    old[(step > CUTOFF - 6) & (step <= CUTOFF)] *= 0.5
    before = Side(forecaster=model, panel=with_values(world(), {"y": old}), cutoff=CUTOFF)
    after = Side(forecaster=model, panel=world(), cutoff=CUTOFF)
    found = revisions(before, after, graph=model.graph)
    assert found.gap <= 1e-6
    assert found.totals["revisions"] != 0
    others = {k: v for k, v in found.totals.items() if k != "revisions"}
    assert all(v == 0 for v in others.values()), others


def test_a_refit_moves_parameters_and_another_model_moves_config():
    model, other = coupled("delta"), coupled("no_future")
    before = Side(forecaster=model, panel=world(), cutoff=CUTOFF)
    after = Side(forecaster=other, panel=world(), cutoff=CUTOFF)
    plain = revisions(before, after, graph=model.graph)
    assert plain.totals["parameters"] != 0
    refitted = build_refit()
    found = revisions(before, after, graph=model.graph, refitted=refitted)
    assert found.gap <= 1e-6
    assert found.names[-2:] == ("parameters", "config")
    assert found.totals["config"] != 0


def test_forecasts_that_share_no_date_have_no_revisions():
    side = Side(forecaster=coupled("delta"), panel=world(), cutoff=CUTOFF)
    with pytest.raises(ConfigError, match="share no date"):
        revisions(side, Side(forecaster=side.forecaster, panel=world(), cutoff=CUTOFF + 14))
    with pytest.raises(ConfigError, match="runs forward"):
        revisions(side, Side(forecaster=side.forecaster, panel=world(), cutoff=CUTOFF - 1))


def test_path_contributions_sum_to_the_change_and_follow_the_graph():
    """C15: within 1e-3 of the largest change."""
    on = Action(hard={"promo": np.ones((12, HORIZON), np.float32)})
    off = Action(hard={"promo": np.zeros((12, HORIZON), np.float32)})
    found = path_contributions(
        layer(), panel(), windows(), horizon=HORIZON, action=on, baseline=off, outcome="backlog"
    )
    assert found.gap <= 1e-3
    assert np.abs(found.total_WH).max() > 0
    for way in found.by_way:
        assert way[0] == "promo"
        assert way[-1] == "backlog"
        assert "weather" not in way
    assert next(iter(found.totals)) == "promo -> orders -> backlog"
    through_price = [way for way in found.by_way if "price" in way]
    assert through_price  # the price answers yesterday's orders


def test_path_contributions_in_link_spaces_that_bend():
    ones = np.ones((6, 14), np.float32)
    found = path_contributions(
        coupled("delta").layer,
        world(),
        at(),
        horizon=14,
        action=Action(hard={"promo": ones}),
        baseline=Action(hard={"promo": 0 * ones}),
    )
    assert found.gap <= 1e-3


def test_shares_of_a_miss_sum_exactly_to_it():
    found = root_cause(layer(), panel(), windows(), horizon=HORIZON)
    assert found.gap <= 1e-6 * max(1.0, np.abs(found.rebuilt_WH).max())
    assert np.abs(found.rebuilt_WH - found.actual_WH).max() <= 1e-4
    told = sum(found.shares.values())
    assert np.allclose(found.forecast_WH + told, found.actual_WH, atol=1e-3)


@pytest.mark.parametrize("node", ["weather", "price"])
def test_a_planted_shock_is_the_root_cause(node):
    x = shop(seed=0, series=12, steps=300, bend=0.3)
    cutoff = UNTIL + 5
    before, jump = x[node][:, cutoff + 1].copy(), 3.0
    x[node][:, cutoff + 1] += jump
    effect = -0.5 * jump
    if node == "weather":
        effect = 0.3 * jump + 0.3 * (np.tanh(2 * (before + jump)) - np.tanh(2 * before))
    x["y"][:, cutoff + 1] += effect
    hit = panel_of(x, SHOP_ROLES)
    found = root_cause(layer(), hit, windows(cutoff), horizon=1)
    assert next(iter(found.totals)) == node
    # beside the shock, the node's own noise of that day has its share
    assert found.shares[node].mean() == pytest.approx(np.mean(effect), abs=0.5)


def test_a_window_that_has_not_happened_has_no_miss():
    with pytest.raises(SchemaError, match="is not known for every step"):
        root_cause(layer(), panel(), windows(295), horizon=HORIZON)


def test_sampled_shapley_values_agree_with_exact_ones():
    from lanecast.causal.attribution.root_causes import _exact, _sampled

    weight = np.array([1.0, -2.0, 0.5, 3.0])

    def value(coalitions):
        return np.stack(
            [
                np.full((1, 1), sum(weight[k] for k in s) + (2.0 if {0, 3} <= set(s) else 0.0))
                for s in coalitions
            ]
        )

    exact, ends = _exact(value, 4)
    assert exact[:, 0, 0] == pytest.approx([2.0, -2.0, 0.5, 4.0])
    assert float(ends[1][0, 0] - ends[0][0, 0]) == pytest.approx(exact.sum())
    sampled, _ = _sampled(value, 4, permutations=64, seed=0)
    assert np.abs(sampled - exact).max() <= 0.15
    assert sampled.sum() == pytest.approx(exact.sum())
