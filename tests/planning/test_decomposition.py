"""The program part by part: the same optimum, and a bound where the fleet ties the parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lanecast.errors import PlanError
from lanecast.planning.program.decomposition import solve_decomposed
from lanecast.planning.program.options import Change, Risk, SolveOptions
from lanecast.planning.program.parts import parts_of
from lanecast.planning.program.program import solve
from small_plans import small_network, small_state, small_volumes


def test_parts_hold_every_lane_once_and_split_where_nothing_is_shared():
    plain = parts_of(small_network(rich=False))
    assert sorted(np.concatenate([part.lane_L for part in plain]).tolist()) == list(range(7))
    assert len(plain) == 3  # B, C and H sort on their own
    assert len(parts_of(small_network(rich=True))) == 1  # lanes through the hub tie all


@pytest.mark.parametrize("seed", range(3))
def test_parts_give_the_same_optimum_plan_cost_flows_and_duals(seed):
    parameters = small_network(seed, rich=False)
    volumes, state = small_volumes(parameters, seed=seed), small_state(parameters, seed=seed)
    whole = solve(parameters, volumes, options=SolveOptions(state=state, duals=True, flows=True))
    told = solve_decomposed(
        parameters, volumes, options=SolveOptions(state=state, duals=True, flows=True)
    )
    assert told.objective == pytest.approx(whole.objective, rel=1e-9)
    assert told.expected == pytest.approx(told.objective, rel=1e-9)
    priced = solve(parameters, volumes, fixed=told.plan, options=SolveOptions(state=state))
    assert priced.expected == pytest.approx(whole.objective, rel=1e-9)
    assert told.demand_dual_WLT is not None
    assert told.demand_dual_WLT.shape == volumes.volume_WLT.shape
    assert told.flows is not None
    assert whole.flows is not None
    for name in ("load_WJT", "arrived_WST", "sorted_WSTK"):
        assert getattr(told.flows, name).shape == getattr(whole.flows, name).shape
    np.testing.assert_allclose(
        told.flows.sorted_WSTK.sum(), whole.flows.sorted_WSTK.sum(), rtol=1e-3
    )


def test_a_given_plan_is_priced_part_by_part():
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters, scenarios=12)
    plan = solve(parameters, small_volumes(parameters, seed=9)).plan
    told = solve_decomposed(parameters, volumes, fixed=plan)
    whole = solve(parameters, volumes, fixed=plan)
    np.testing.assert_allclose(told.costs.total_W, whole.costs.total_W, rtol=1e-9)
    assert told.plan is plan


def test_least_heads_of_a_site_where_no_lane_ends_are_paid():
    parameters = small_network(rich=False)
    least = replace(parameters.sites, heads_min_S=np.ones(parameters.num_sites))
    staffed = replace(parameters, sites=least)
    volumes = small_volumes(parameters)
    whole, told = solve(staffed, volumes), solve_decomposed(staffed, volumes)
    assert told.objective == pytest.approx(whole.objective, rel=1e-9)
    assert (told.plan.heads_STK >= 1 - 1e-9).all()


@pytest.mark.parametrize("share", [0.7, 0.95, 2.0])
def test_a_fleet_is_priced_to_a_stated_gap(share):
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters)
    used_T = solve(parameters, volumes).plan.trailers_LT.sum(axis=0)
    bound = replace(parameters.rules, fleet_max_trailers_per_day=share * float(used_T.max()))
    tied = replace(parameters, rules=bound)
    whole, told = (
        solve(tied, volumes),
        solve_decomposed(tied, volumes, options=SolveOptions(flows=True)),
    )
    assert told.bound <= whole.objective * (1 + 1e-9)
    assert whole.objective <= told.objective * (1 + 1e-9)
    assert told.gap < 1e-3
    fleet = tied.rules.fleet_max_trailers_per_day
    assert told.plan.trailers_LT.sum(axis=0).max() <= fleet * (1 + 1e-6)
    assert solve(tied, volumes, fixed=told.plan).expected == pytest.approx(told.expected, rel=1e-9)


def test_an_older_plan_and_a_state_reach_every_part():
    parameters = small_network(rich=False)
    old = solve(parameters, small_volumes(parameters, seed=5)).plan
    volumes, state = small_volumes(parameters, seed=6), small_state(parameters)
    change = Change(previous=old, frozen_trailer_days=1, frozen_head_days=3, trailer_usd=20.0)
    whole = solve(parameters, volumes, options=SolveOptions(change=change, state=state))
    told = solve_decomposed(parameters, volumes, options=SolveOptions(change=change, state=state))
    assert told.objective == pytest.approx(whole.objective, rel=1e-9)


def test_cvar_is_solved_in_one_piece_and_whole_numbers_part_by_part():
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters)
    risk = Risk(weight=1.0, level=0.5)
    whole = solve(parameters, volumes, options=SolveOptions(risk=risk))
    assert solve_decomposed(
        parameters, volumes, options=SolveOptions(risk=risk)
    ).objective == pytest.approx(whole.objective)
    told = solve_decomposed(parameters, volumes, options=SolveOptions(integer=True, gap=0.005))
    assert told.gap <= 0.005 + 1e-9
    np.testing.assert_allclose(told.plan.trailers_LT, told.plan.trailers_LT.round(), atol=1e-6)


def test_duals_under_a_binding_fleet_are_refused_with_the_way_out():
    parameters = small_network(rich=False)
    tied = replace(parameters, rules=replace(parameters.rules, fleet_max_trailers_per_day=5.0))
    with pytest.raises(PlanError, match="use solve"):
        solve_decomposed(tied, small_volumes(parameters), options=SolveOptions(duals=True))


def test_progress_is_told():
    parameters, lines = small_network(rich=False), []
    solve_decomposed(
        parameters, small_volumes(parameters), options=SolveOptions(progress=lines.append)
    )
    assert lines[-1].startswith("stochastic: 3 of 3 parts")
