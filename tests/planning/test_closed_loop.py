"""Plans made again as time goes on: bound days stay, packages stay, triggers fire when they"
" should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lanecast.errors import PlanError
from lanecast.planning.contracts import COSTS, Scenarios, State
from lanecast.planning.policies import OnePath, Stochastic
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import perfect, solve
from lanecast.planning.replanning.closed_loop import Loop, travel
from lanecast.planning.replanning.execution import carried_out
from lanecast.planning.replanning.triggers import Costly, Drift, Every, Situation
from small_plans import small_network, small_state, small_volumes

DAYS, AHEAD = 12, 5


@pytest.fixture(scope="module")
def span():
    """A network, volumes of a span, and forecasts that are right in the mean."""
    parameters = small_network(rich=False)
    rng = np.random.default_rng(7)
    mean = rng.uniform(300, 900, (parameters.num_lanes, 1))
    volume_LD = mean * rng.lognormal(0, 0.2, (parameters.num_lanes, DAYS))

    def forecast(day: int) -> Scenarios:
        paths = mean * np.random.default_rng(day).lognormal(
            0, 0.2, (8, parameters.num_lanes, AHEAD)
        )
        days = np.datetime64("2024-03-04") + day + np.arange(AHEAD)
        return Scenarios(volume_WLT=paths, lanes=parameters.lanes.name_L, days=days)

    return parameters, volume_LD, forecast


def go(span, trigger, policy=None, **options):
    parameters, volume_LD, forecast = span
    return travel(
        parameters, volume_LD, forecast=forecast, policy=policy or OnePath(), trigger=trigger,
        **options,
    )  # fmt: skip


def test_daily_and_weekly_planning_plan_when_they_should(span):
    assert go(span, Every(days=1)).planned_on == tuple(range(DAYS))
    assert go(span, Every(days=4)).planned_on == (0, 4, 8)
    assert go(span, Every(days=99)).planned_on == (0, 5, 10)  # where the plan runs out


def test_a_span_costs_at_least_what_perfect_information_does(span):
    parameters, volume_LD, _ = span
    days = np.datetime64("2024-03-04") + np.arange(DAYS)
    whole = Scenarios(volume_WLT=volume_LD[None], lanes=parameters.lanes.name_L, days=days)
    least = float(perfect(parameters, whole)[0])
    for policy in (OnePath(), Stochastic()):
        assert go(span, Every(days=1), policy).total > least


def test_what_is_bound_is_not_moved(span):
    told = go(span, Every(days=1), Stochastic(), loop=Loop(trailer_days=2, roster_days=4))
    for before, after in zip(told.plans, told.plans[1:], strict=False):
        np.testing.assert_allclose(after.trailers_LT[:, :2], before.trailers_LT[:, 1:3], atol=1e-6)
        np.testing.assert_allclose(after.heads_STK[:, :4], before.heads_STK[:, 1:5], atol=1e-6)


def test_a_price_on_changes_calms_the_plans(span):
    free = go(span, Every(days=1), Stochastic(), loop=Loop(trailer_days=1, roster_days=2))
    dear = go(
        span, Every(days=1), Stochastic(),
        loop=Loop(trailer_days=1, roster_days=2, change_usd_per_trailer=50.0,
        change_usd_per_head=50.0),
    )  # fmt: skip
    assert dear.changed_trailers < free.changed_trailers
    moved = 50.0 * (dear.changed_trailers + dear.changed_heads)
    assert dear.by_kind["change"].sum() == pytest.approx(moved)
    assert free.by_kind["change"].sum() == 0


def test_packages_are_all_carried_sorted_or_left_at_the_end(span):
    parameters, volume_LD, _ = span
    paths, state = small_volumes(parameters, days=3), small_state(parameters, days=3)
    plan = solve(parameters, paths, options=SolveOptions(state=state)).plan
    before = state.rolled_J.sum() + state.backlog_S.sum() + state.arriving_JT.sum()
    done = carried_out(parameters, plan, paths, volume_LD[:, 0], state, at=0)
    after = done.state.rolled_J.sum() + done.state.backlog_S.sum() + done.state.arriving_JT.sum()
    sorted_today = before + volume_LD[:, 0].sum() - after
    assert sorted_today > 0
    rate = parameters.sites.rate_pkg_per_hour_S[:, None]
    most = (plan.heads_STK[:, 0] * rate * 8 * 1.25).sum()
    assert sorted_today <= most + 1e-6
    assert done.rolled == pytest.approx(done.state.rolled_J.sum())


def test_days_carried_out_one_by_one_cost_what_the_program_says_when_all_is_known():
    parameters = small_network(rich=False)
    days = 4
    volumes = replace(small_volumes(parameters, days=days, scenarios=1), probability_W=None)
    told = solve(parameters, volumes)
    found = travel(
        parameters, volumes.volume_WLT[0],
        forecast=lambda day: _rest(volumes, day), policy=OnePath(), trigger=Every(days=99),
    )  # fmt: skip
    assert found.total == pytest.approx(told.objective, rel=1e-6)
    for kind in COSTS:
        expected = float(told.costs.by_kind[kind][0])
        assert found.by_kind[kind].sum() == pytest.approx(expected, abs=1e-3 * told.objective)


def _rest(volumes: Scenarios, day: int) -> Scenarios:
    return replace(volumes, volume_WLT=volumes.volume_WLT[:, :, day:], days=volumes.days[day:])


def test_drift_fires_when_volumes_run_away_and_not_while_they_stay(span):
    parameters, volume_LD, forecast = span
    paths = forecast(0)

    def morning(day: int, yesterday: np.ndarray) -> Situation:
        return Situation(
            day=day, age=day, left=4, paths=paths, plan=None, parameters=parameters,
            state=State.empty(parameters, 5), volume_LD=yesterday[:, None],
        )  # fmt: skip

    trigger = Drift(threshold=2.0)
    trigger.planned(morning(0, volume_LD[:, 0]))
    calm = paths.volume_WLT.mean(axis=0)[:, 0]
    assert not trigger.fires(morning(1, calm))
    assert trigger.fires(morning(2, calm * 3.0))
    trigger.planned(morning(2, calm))
    assert not trigger.fires(morning(1, calm))
    assert trigger.fires(replace(morning(1, calm), left=1))


def test_a_plan_is_costly_once_the_newest_paths_no_longer_fit_it(span):
    parameters, volume_LD, forecast = span
    paths = forecast(0)
    plan = OnePath().plan(parameters, paths, options=SolveOptions()).plan
    told = Situation(
        day=1, age=1, left=5, paths=paths, plan=plan, parameters=parameters,
        state=State.empty(parameters, 5), volume_LD=volume_LD[:, :1],
    )  # fmt: skip
    trigger = Costly(share=0.05)
    assert trigger.fires(told)  # nothing was planned yet
    trigger.planned(replace(told, day=0, age=0))
    later = replace(told, plan=_from_day(plan, 1), left=4, paths=forecast(1))
    assert not trigger.fires(later)
    doubled = replace(forecast(1), volume_WLT=forecast(1).volume_WLT * 2)
    assert trigger.fires(replace(later, paths=doubled))
    assert trigger.fires(replace(later, left=1))


def _from_day(plan, day):
    return replace(
        plan,
        trailers_LT=plan.trailers_LT[:, day:],
        heads_STK=plan.heads_STK[:, day:],
        days=plan.days[day:],
    )


def test_a_plan_that_runs_out_and_lead_times_below_zero_are_refused(span):
    class Never:
        def fires(self, told):
            return False

        def planned(self, told):
            pass

    with pytest.raises(PlanError, match="covers 5 days and day 5 is past them"):
        go(span, Never(), strategy="never")
    with pytest.raises(PlanError, match="0 days or more"):
        Loop(trailer_days=-1)
    with pytest.raises(PlanError, match="but not less"):
        Loop(change_usd_per_head=-1.0)


def test_progress_is_told_every_ten_days(span):
    lines: list[str] = []
    go(span, Every(days=4), strategy="weekly", progress=lines.append)
    assert lines == [lines[0]]
    assert lines[0].startswith("weekly: day 10 of 12")
