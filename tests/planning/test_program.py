"""The two-stage program: exact properties, and equality with the readable reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reference_program import reference_cost

from lanecast.errors import PlanError
from lanecast.planning.contracts import Plan, Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.planning.policies import alone
from lanecast.planning.program.highs import Solver
from lanecast.planning.program.options import Change, Risk, SolveOptions
from lanecast.planning.program.program import perfect, solve
from small_plans import small_network, small_state, small_volumes

SEEDS = (0, 1, 2)


def one_lane(**options: object) -> Parameters:
    """A lane without labor cost, with rolling too dear to use."""
    found = small_network(lanes=("A>B",), rich=False, roll_usd_per_pkg_day=1e4, **options)
    return replace(found, rules=replace(found.rules, wage_usd_per_hour=0.0))


@pytest.mark.parametrize("seed", SEEDS)
def test_perfect_information_costs_at_most_the_program_and_that_at_most_the_mean_plan(seed):
    parameters = small_network(seed)
    volumes, state = small_volumes(parameters, seed=seed), small_state(parameters, seed=seed)
    weight_W = volumes.weight_W
    best = solve(parameters, volumes, options=SolveOptions(state=state))
    mean_LT = np.tensordot(weight_W, volumes.volume_WLT, axes=1)
    naive = solve(parameters, alone(volumes, mean_LT), options=SolveOptions(state=state))
    eev = solve(parameters, volumes, fixed=naive.plan, options=SolveOptions(state=state)).expected
    pi = float(weight_W @ perfect(parameters, volumes, state=state))
    assert pi < best.objective < eev


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_costs_in_its_own_scenarios_what_the_program_said(seed):
    parameters = small_network(seed)
    volumes, state = small_volumes(parameters, seed=seed), small_state(parameters, seed=seed)
    best = solve(parameters, volumes, options=SolveOptions(state=state))
    again = solve(parameters, volumes, fixed=best.plan, options=SolveOptions(state=state))
    assert again.expected == pytest.approx(best.objective, rel=1e-9)
    assert best.expected == pytest.approx(best.objective, rel=1e-9)


def test_no_plan_beats_perfect_information_in_any_scenario():
    parameters = small_network()
    volumes = small_volumes(parameters, scenarios=20)
    best = solve(parameters, volumes)
    cost_W = solve(parameters, volumes, fixed=best.plan).costs.total_W
    assert (cost_W >= perfect(parameters, volumes) * (1 - 1e-9)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_packages_are_conserved(seed):
    parameters = small_network(seed)
    volumes, state = small_volumes(parameters, seed=seed), small_state(parameters, seed=seed)
    told = solve(parameters, volumes, options=SolveOptions(state=state, flows=True))
    flows, stages = told.flows, parameters.stages
    assert flows is not None
    num_days = len(volumes.days)
    came_WJT = np.zeros(flows.load_WJT.shape)
    own = stages.first_J & ~stages.rerouted_J
    has_way = np.array([bool(path) for path in parameters.lanes.alternative])
    came_WJT[:, own] = (volumes.volume_WLT - flows.rerouted_WLT * has_way[:, None])[
        :, stages.lane_J[own]
    ]
    other = stages.first_J & stages.rerouted_J
    came_WJT[:, other] = flows.rerouted_WLT[:, stages.lane_J[other]]
    onward = np.flatnonzero(stages.next_J >= 0)
    came_WJT[:, stages.next_J[onward]] += flows.sorted_on_WJT[:, onward]
    before = np.concatenate(
        [
            np.broadcast_to(state.rolled_J, came_WJT.shape[:2])[..., None],
            flows.rolled_WJT[..., :-1],
        ],
        axis=2,
    )
    np.testing.assert_allclose(flows.load_WJT, came_WJT + before - flows.rolled_WJT, atol=1e-6)
    total_WS = flows.arrived_WST.sum(axis=2) + state.backlog_S
    done_WS = flows.sorted_WSTK.sum(axis=(2, 3)) + flows.backlog_WSTK[:, :, -1, -1]
    np.testing.assert_allclose(total_WS, done_WS, atol=1e-6)
    transit_J = parameters.lanes.transit_days_L[stages.carrier_J]
    sent = sum(
        flows.load_WJT[:, j, : num_days - transit_J[j]].sum(axis=1) for j in range(len(stages))
    )
    known = state.arriving_JT.sum()
    np.testing.assert_allclose(flows.arrived_WST.sum(axis=(1, 2)), sent + known, atol=1e-5)


@pytest.mark.parametrize("place", [(0, 0, 0), (1, 2, 1), (3, 4, 2), (5, 6, 4)])
def test_duals_of_volume_equal_finite_differences(place):
    parameters = small_network(1)
    volumes, state = small_volumes(parameters, seed=1), small_state(parameters, seed=1)
    dual = solve(parameters, volumes, options=SolveOptions(state=state, duals=True)).demand_dual_WLT
    assert dual is not None

    def moved(by: float) -> float:
        volume_WLT = volumes.volume_WLT.copy()
        volume_WLT[place] += by
        return solve(
            parameters, replace(volumes, volume_WLT=volume_WLT), options=SolveOptions(state=state)
        ).objective

    assert dual[place] == pytest.approx((moved(0.05) - moved(-0.05)) / 0.1, rel=1e-4, abs=1e-7)


def test_one_lane_is_the_newsvendor():
    parameters = one_lane()
    rng = np.random.default_rng(3)
    volume_WLT = rng.gamma(4, 120, (400, 1, 3))
    volumes = Scenarios(
        volume_WLT=volume_WLT,
        lanes=parameters.lanes.name_L,
        days=np.datetime64("2024-03-04") + np.arange(3),
    )
    open_ended = replace(
        parameters,
        lanes=replace(
            parameters.lanes,
            contract_max_trailers_per_day_L=np.array([1e4]),
            adhoc_max_trailers_per_day_L=np.array([1e4]),
        ),
        sites=replace(
            parameters.sites,
            doors_trailers_per_day_S=np.full(2, np.inf),
            heads_max_S=np.full(2, 1e4),
            sort_max_pkg_per_shift_S=np.full(2, 1e9),
        ),
    )
    plan = solve(open_ended, volumes).plan
    a, cube = open_ended.lanes.adhoc_multiplier_L[0], open_ended.lanes.cube_pkg_per_trailer_L[0]
    # sum p max(v - Q y, 0) falls by Q P(v > Q y): contract until a P(v > Q y) = 1.
    below = np.quantile(volume_WLT[:, 0], (a - 1) / a - 1 / 400, axis=0, method="lower")
    above = np.quantile(volume_WLT[:, 0], (a - 1) / a + 1 / 400, axis=0, method="higher")
    planned = plan.trailers_LT[0] * cube
    assert ((planned >= below - 1e-6) & (planned <= above + 1e-6)).all()


def recourse(outcome):
    """What the plan leaves to the day itself, [W]."""
    return outcome.costs.total_W - outcome.costs.first_stage


def test_cvar_equals_its_definition():
    parameters = small_network(2)
    volumes = replace(small_volumes(parameters, scenarios=10), probability_W=None)
    weight, level = 0.8, 0.7
    told = solve(parameters, volumes, options=SolveOptions(risk=Risk(weight=weight, level=level)))
    worst = np.sort(recourse(told))[-3:]  # the worst 30 % of ten equally likely scenarios
    assert told.objective == pytest.approx(told.expected + weight * worst.mean(), rel=1e-9)
    plain = solve(parameters, volumes)
    assert solve(parameters, volumes, options=SolveOptions(risk=Risk())).objective == pytest.approx(
        plain.objective
    )
    fearless = np.sort(recourse(solve(parameters, volumes, fixed=plain.plan)))[-3:].mean()
    assert worst.mean() < fearless


@pytest.mark.parametrize(
    "rules", [{}, {"days_on": 3}, {"fleet_max_trailers_per_day": 14.0}], ids=str
)
def test_the_program_equals_its_readable_reference(rules):
    parameters = small_network(0)
    parameters = replace(parameters, rules=replace(parameters.rules, **rules))
    volumes = small_volumes(parameters, days=3, scenarios=2)
    state = small_state(parameters, days=3)
    risk = Risk(weight=0.6, level=0.5)
    told = solve(parameters, volumes, options=SolveOptions(risk=risk, state=state))
    expected = reference_cost(parameters, volumes, risk=risk, state=state)
    assert told.objective == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_the_program_equals_its_reference_on_random_networks(seed):
    parameters = small_network(seed)
    volumes = small_volumes(parameters, days=5, scenarios=4, seed=seed)
    state = small_state(parameters, seed=seed)
    expected = reference_cost(parameters, volumes, state=state)
    assert solve(parameters, volumes, options=SolveOptions(state=state)).objective == pytest.approx(
        expected, rel=1e-6
    )


def test_whole_numbers_are_whole_and_within_their_gap():
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters)
    told = solve(parameters, volumes, options=SolveOptions(integer=True, gap=0.005))
    for value in (told.plan.trailers_LT, told.plan.heads_STK):
        np.testing.assert_allclose(value, value.round(), atol=1e-6)
    assert told.gap <= 0.005 + 1e-9
    assert told.bound <= told.objective
    assert solve(parameters, volumes).objective <= told.objective


def test_a_whole_plan_may_start_from_another(monkeypatch):
    given, begin = [], Solver.begin

    def seen(self, columns, values):
        given.append((columns, values))
        begin(self, columns, values)

    monkeypatch.setattr(Solver, "begin", seen)
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters)
    first = solve(parameters, volumes, options=SolveOptions(integer=True, gap=0.05))
    again = solve(
        parameters, volumes, options=SolveOptions(integer=True, gap=0.005, incumbent=first.plan)
    )
    assert again.objective <= first.objective * (1 + 1e-9)
    columns, values = given[-1]
    found = np.r_[first.plan.trailers_LT.ravel(), first.plan.heads_STK.ravel()]
    np.testing.assert_array_equal(values, found)
    assert columns.tolist() == list(range(len(found)))


def test_heads_of_start_patterns_stay_for_their_days():
    parameters = small_network(rich=False)
    four = replace(parameters, rules=replace(parameters.rules, days_on=4))
    volumes = small_volumes(parameters, days=8)
    told, free = solve(four, volumes), solve(parameters, volumes)
    assert told.objective >= free.objective - 1e-6
    # A head count is a sum of starts of the last four days, so all starts can be read back.
    for heads_T in told.plan.heads_STK[:, :, 0]:
        starts = np.linalg.lstsq(_covering(8, 4), heads_T, rcond=None)[0]
        np.testing.assert_allclose(_covering(8, 4) @ starts, heads_T, atol=1e-6)


def _covering(days: int, on: int) -> np.ndarray:
    starts = np.arange(1 - on, days)
    day = np.arange(days)[:, None]
    return ((starts <= day) & (day < starts + on)).astype(float)


def test_bound_days_of_an_older_plan_stay_and_changes_cost_what_they_cost():
    parameters = small_network(rich=False)
    old = solve(parameters, small_volumes(parameters, seed=5)).plan
    volumes = small_volumes(parameters, seed=6)
    bound = Change(previous=old, frozen_trailer_days=2, frozen_head_days=3)
    new = solve(parameters, volumes, options=SolveOptions(change=bound)).plan
    np.testing.assert_allclose(new.trailers_LT[:, :2], old.trailers_LT[:, :2], atol=1e-7)
    np.testing.assert_allclose(new.heads_STK[:, :3], old.heads_STK[:, :3], atol=1e-7)
    assert np.abs(new.trailers_LT[:, 2:] - old.trailers_LT[:, 2:]).max() > 0.1
    dear = Change(previous=old, trailer_usd=1e6, head_usd=1e6)
    kept = solve(parameters, volumes, options=SolveOptions(change=dear)).plan
    np.testing.assert_allclose(kept.trailers_LT, old.trailers_LT, atol=1e-6)
    free, some = (
        solve(parameters, volumes),
        solve(
            parameters, volumes, options=SolveOptions(change=Change(previous=old, trailer_usd=30.0))
        ),
    )
    moved = np.abs(some.plan.trailers_LT - old.trailers_LT).sum()
    assert some.objective == pytest.approx(some.expected + 30.0 * moved, rel=1e-9)
    assert moved < np.abs(free.plan.trailers_LT - old.trailers_LT).sum()


def test_a_plan_that_cannot_be_kept_is_refused_by_place():
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    tight = replace(parameters, rules=replace(parameters.rules, fleet_max_trailers_per_day=3.0))
    with pytest.raises(PlanError, match=r"the fleet on 2024-03-04: .* 0 to 3 are possible"):
        solve(tight, volumes, fixed=plan)
    with pytest.raises(PlanError, match="the fleet on 2024-03-04"):
        solve(
            tight,
            volumes,
            options=SolveOptions(change=Change(previous=plan, frozen_trailer_days=1)),
        )
    with pytest.raises(PlanError, match="covers 5 days and the volumes 4"):
        solve(parameters, small_volumes(parameters, days=4), fixed=plan)
    other = replace(plan, lanes=plan.lanes[::-1])
    with pytest.raises(PlanError, match="other lanes"):
        solve(parameters, volumes, fixed=other)


def test_more_trailers_than_doors_are_refused():
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    few = np.full(parameters.num_sites, 2.0)
    shut = replace(parameters, sites=replace(parameters.sites, doors_trailers_per_day_S=few))
    with pytest.raises(PlanError, match="inbound trailers planned, 0 to 2 are possible"):
        solve(shut, volumes, fixed=plan)
    narrow = solve(shut, volumes)
    inbound = np.zeros((parameters.num_sites, 5))
    np.add.at(inbound, parameters.lanes.destination_L, narrow.plan.trailers_LT)
    assert inbound.max() <= 2 + 1e-6


def test_a_time_limit_without_a_plan_is_explained():
    parameters = small_network(rich=False)
    volumes = small_volumes(parameters, scenarios=40)
    with pytest.raises(PlanError, match=r"no plan was found within the time limit.*integer=false"):
        solve(parameters, volumes, options=SolveOptions(integer=True, gap=1e-9, time_limit_s=1e-4))


def test_any_plan_is_feasible_even_none_at_all():
    parameters = small_network()
    volumes = small_volumes(parameters)
    nothing = Plan(
        trailers_LT=np.zeros((parameters.num_lanes, 5)),
        heads_STK=np.zeros((parameters.num_sites, 5, 2)),
        lanes=parameters.lanes.name_L,
        sites=parameters.sites.name_S,
        days=volumes.days,
        kind="none",
    )
    told = solve(parameters, volumes, fixed=nothing)
    assert np.isfinite(told.expected)
    assert told.expected > solve(parameters, volumes).expected
