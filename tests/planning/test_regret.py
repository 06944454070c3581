"""Policies, scenario reduction, and what a plan costs beyond perfect information."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lanecast.errors import PlanError
from lanecast.planning.backtest import realized_volume
from lanecast.planning.contracts import Scenarios
from lanecast.planning.policies import (
    Marginal,
    Newsvendor,
    OnePath,
    Stochastic,
    marginal_quantiles,
)
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import perfect, solve
from lanecast.planning.program.reduction import reduced
from lanecast.planning.regret import (
    Yardstick,
    over_origins,
    ratio_error,
    realized,
)
from small_plans import small_network, small_volumes
from small_tables import load, long_table

PLAIN = SolveOptions()
POLICIES = (
    Stochastic(),
    Stochastic(name="few", scenarios=4),
    Stochastic(name="cvar", risk_weight=1.0),
    OnePath(),
    OnePath(quantile=0.9),
    OnePath(scale=0.8),
    Newsvendor(),
    Marginal(name="comonotone"),
)


@pytest.fixture(scope="module")
def case():
    parameters = small_network(rich=False)
    seen = replace(small_volumes(parameters, scenarios=12), probability_W=None)
    held = replace(small_volumes(parameters, scenarios=15, seed=1), probability_W=None)
    return parameters, seen, held, Yardstick.of(parameters, held)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda one: one.name)
def test_regret_is_never_negative_and_splits_into_evpi_and_excess(case, policy):
    parameters, seen, held, yardstick = case
    plan = policy.plan(parameters, seen, options=PLAIN).plan
    cost_W = realized(parameters, plan, held)
    assert (cost_W >= yardstick.perfect_W * (1 - 1e-9)).all()  # in every scenario
    found = yardstick.measure(parameters, plan)
    assert found.regret == pytest.approx(found.evpi + found.excess)
    assert found.evpi >= 0
    assert found.excess >= -1e-9
    assert found.se > 0


def test_the_optimum_of_the_yardstick_has_no_excess(case):
    parameters, _, held, yardstick = case
    best = Stochastic().plan(parameters, held, options=PLAIN).plan
    assert yardstick.measure(parameters, best).excess == pytest.approx(0.0, abs=1e-9)


def test_the_ladder_of_information_holds(case):
    """Birge 1982: on the paths a plan was made on, the order is a theorem and no estimate."""
    parameters, seen, _, _ = case
    yardstick = Yardstick.of(parameters, seen)
    stochastic, mean = (
        yardstick.measure(parameters, policy.plan(parameters, seen, options=PLAIN).plan)
        for policy in (Stochastic(), OnePath())
    )
    assert 0 <= stochastic.regret <= mean.regret
    assert stochastic.excess == pytest.approx(0.0, abs=1e-9)


def test_policies_are_named_for_what_they_do():
    assert OnePath().name == "mean"
    assert OnePath(quantile=0.9).name == "q90"
    assert OnePath(scale=0.9).name == "mean x0.9"
    with pytest.raises(PlanError, match="between 0 and 1"):
        OnePath(quantile=1.5)


def test_marginal_quantiles_cover_their_level(case):
    _, seen, _, _ = case
    level_L = np.full(len(seen.lanes), 0.75)
    path_LT = marginal_quantiles(seen, level_L)
    below = (seen.volume_WLT <= path_LT).mean(axis=0)
    assert (below >= 0.75 - 1e-9).all()
    assert (below < 0.75 + 1 / 12 + 1e-9).all()


def test_rearranged_paths_keep_every_margin_and_lose_what_holds_them_together(case):
    _, seen, _, _ = case
    for dependence in ("comonotone", "independent"):
        found = Marginal(name="x", dependence=dependence).rearranged(seen)
        np.testing.assert_allclose(
            np.sort(found.volume_WLT, axis=0), np.sort(seen.volume_WLT, axis=0)
        )
    total = Marginal(name="x").rearranged(seen).volume_WLT.sum(axis=1).std(axis=0)
    assert (total > seen.volume_WLT.sum(axis=1).std(axis=0)).all()
    with pytest.raises(PlanError, match="not comonotone or independent"):
        Marginal(name="x", dependence="odd").rearranged(seen)
    with pytest.raises(PlanError, match="equally likely"):
        Marginal(name="x").rearranged(reduced(seen, 5))


def test_reduced_scenarios_keep_probability_and_the_whole_where_all_are_kept(case):
    _, seen, _, _ = case
    few = reduced(seen, 5)
    assert len(few.volume_WLT) == 5
    assert few.weight_W.sum() == pytest.approx(1.0)
    assert reduced(seen, 12) is seen
    with pytest.raises(PlanError, match="at least one"):
        reduced(seen, 0)


def test_forward_selection_takes_the_best_single_scenario_and_finds_clusters():
    parameters = small_network(rich=False)
    seen = replace(small_volumes(parameters, scenarios=12), probability_W=None)
    flat = seen.volume_WLT.reshape(12, -1)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    one = reduced(seen, 1)
    np.testing.assert_allclose(one.volume_WLT[0], seen.volume_WLT[distance.mean(axis=0).argmin()])
    twice = replace(seen, volume_WLT=np.concatenate([seen.volume_WLT[:3]] * 4))
    few = reduced(twice, 3)
    np.testing.assert_allclose(few.weight_W, 1 / 3)
    assert len(np.unique(few.volume_WLT.sum(axis=(1, 2)).round(6))) == 3


def test_reduction_costs_little_of_the_plan(case):
    parameters, seen, _, yardstick = case
    all_of_them = Stochastic().plan(parameters, seen, options=PLAIN).plan
    half = Stochastic(scenarios=6).plan(parameters, seen, options=PLAIN).plan
    one = Stochastic(scenarios=1).plan(parameters, seen, options=PLAIN).plan
    excess = [yardstick.measure(parameters, plan).excess for plan in (all_of_them, half, one)]
    assert excess[1] < excess[2]


def test_regret_over_origins_pools_costs_and_pairs_them():
    found = over_origins([110.0, 230.0, 300.0], [100.0, 200.0, 300.0])
    assert found["plan_regret"] == pytest.approx(40 / 600)
    expected = ratio_error(
        np.array([110.0, 230, 300]), np.array([100.0, 200, 300]), np.array([100.0, 200, 300]),
        np.full(3, 1 / 3),
    )  # fmt: skip
    assert found["plan_regret_se"] == pytest.approx(expected)
    assert np.isnan(over_origins([1.0], [1.0])["plan_regret_se"])
    with pytest.raises(PlanError, match="no scale"):
        over_origins([0.0], [0.0])


def test_the_error_of_a_ratio_is_that_of_many_samples():
    rng = np.random.default_rng(0)
    found, told = [], []
    for _ in range(400):
        base = rng.gamma(20, 5, 60)
        cost = base * 1.1 + rng.normal(0, 4, 60)
        weight = np.full(60, 1 / 60)
        found.append((cost - base).sum() / base.sum())
        told.append(ratio_error(cost, base, base, weight))
    assert np.mean(told) == pytest.approx(np.std(found), rel=0.1)


def test_perfect_information_equals_solving_each_scenario_by_itself(case):
    parameters, seen, _, _ = case
    cost_W = perfect(parameters, seen)
    for number in (0, 5):
        one = replace(seen, volume_WLT=seen.volume_WLT[number : number + 1])
        assert cost_W[number] == pytest.approx(solve(parameters, one).objective, rel=1e-9)


def test_a_gap_in_what_happened_is_filled_alike_for_every_model():
    y = np.arange(240, dtype=float)
    y[239] = np.nan  # the last day of the second lane
    panel = load(long_table(days=120, ids=("A>B", "B>A"), y=y))
    cutoff, days = 117, np.datetime64("2024-04-28") + np.arange(2)
    found = []
    for volume in (1.0, 500.0):
        paths = Scenarios(
            volume_WLT=np.full((3, 2, 2), volume), lanes=panel.series.astype(str), days=days
        )
        found.append(realized_volume(panel, cutoff, paths).volume_WLT[0])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0][0], y[118:120])
    assert found[0][1, 1] == pytest.approx(y[120 + 62 : 120 + 118].mean())
