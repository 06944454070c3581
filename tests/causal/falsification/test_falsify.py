"""The data may contradict a declared graph: a missing edge is found, a true graph left alone."""

import numpy as np
import pytest

from causal_worlds import TRUE_EDGES, shop_graph, shop_panel
from lanecast.causal.falsification.absences import AbsenceKind
from lanecast.causal.falsification.standard_errors import benjamini_hochberg, product
from lanecast.causal.falsification.tests import falsify
from lanecast.causal.scm.fitting import FitBudget
from lanecast.errors import ConfigError

BUDGET = FitBudget(steps=120, batch=32, segment=64, hidden=4)


def held(graph, seed=0, **options):
    return falsify(graph, shop_panel(seed=seed, **options), until=298, budget=BUDGET)


def test_the_true_graph_is_not_contradicted_and_says_how_much_was_tested():
    found = held(shop_graph())
    assert found.passed
    assert found.counts["tests"] > 40
    assert "the data contradict none of" in found.verdict
    record = found.to_record()
    assert len(record["rows"]) == found.counts["tests"]
    assert all(one["reason"] for one in record["untested"])


@pytest.mark.parametrize("edge", [("weather", "orders"), ("orders", "backlog")])
def test_a_missing_edge_is_found_and_named_first(edge):
    found = held(shop_graph().without(edge))
    assert not found.passed
    assert (found.contradicted[0].source, found.contradicted[0].target) == edge
    assert abs(found.contradicted[0].r) > 0.2
    assert f"{edge[0]}(t)" in found.verdict


def test_a_hidden_common_cause_shows_as_residuals_that_move_together():
    from causal_worlds import SHOP_ROLES, panel_of, shop

    x = shop(seed=3)
    rng = np.random.default_rng(5)
    hidden = rng.normal(0, 0.8, x["y"].shape).astype(np.float32)
    x["weather"], x["backlog"] = x["weather"] + hidden, x["backlog"] + hidden
    found = falsify(shop_graph(), panel_of(x, SHOP_ROLES), until=298, budget=BUDGET)
    pairs = {
        frozenset((row.source, row.target))
        for row in found.contradicted
        if row.kind is AbsenceKind.HIDDEN_CAUSE
    }
    assert frozenset(("weather", "backlog")) in pairs


def test_unmeaning_levels_are_refused():
    for options in ({"alpha": 0.0}, {"floor": 1.0}, {"share": 1.0}):
        with pytest.raises(ConfigError, match="falsify"):
            falsify(
                shop_graph(), shop_panel(series=4, steps=80), until=70, budget=BUDGET, **options
            )


def test_benjamini_and_hochbergs_own_example():
    """Table 1 of Benjamini and Hochberg (1995): four of fifteen are rejected at .05."""
    small = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    large = [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    p = np.array([*small, *large])
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4


def test_shocks_of_whole_days_do_not_pass_for_evidence():
    """Two columns of shared daily shocks: rows are many, days are few."""
    wrong_naive = wrong = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        day_R = np.repeat(np.arange(60), 30)
        series_R = np.tile(np.arange(30), 60)
        u = rng.normal(size=60)[day_R] + rng.normal(size=1800)
        c = rng.normal(size=60)[day_R] + rng.normal(size=1800)
        wrong += product(u, c, series_R=series_R, day_R=day_R).p < 0.05
        wrong_naive += abs(np.corrcoef(u, c)[0, 1]) * np.sqrt(1800) > 1.96
    assert wrong <= 8  # 3 expected
    assert wrong_naive >= 30


@pytest.mark.slow
def test_power_and_false_alarms():
    """C12: 8 worlds, every true edge deleted in turn: power >= .9, alarms on the truth <= .05."""
    fired = alarms = tests = 0
    edges = [edge for edge in TRUE_EDGES if edge[1] in ("orders", "backlog")]
    for seed in range(8):
        truth = held(shop_graph(), seed=seed)
        alarms += len(truth.contradicted)
        tests += truth.counts["tests"]
        for edge in edges:
            fired += any(
                {row.source, row.target} == set(edge)
                for row in held(shop_graph().without(edge), seed=seed).contradicted
            )
    assert fired / (8 * len(edges)) >= 0.9
    assert alarms / tests <= 0.05
