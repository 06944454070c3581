"""A plan event by event: packages are conserved, the fluid limit is the program, delays only"
" cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lanecast.errors import PlanError
from lanecast.planning.contracts import Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import solve
from lanecast.planning.simulation import SimulationOptions, replicate, simulate
from lanecast.planning.simulation import ledger as ledgers
from small_plans import small_network, small_state, small_volumes

# What the program assumes: all at once, nothing uncertain, no queue at doors.
FLUID = SimulationOptions(
    batches_per_day=1, release_hours=0.0, transit_cv=0.0, unload_hours=0.0,
    unload_random=False, dock_use=0.0, sort_batch_pkg=25.0,
)  # fmt: skip


def network(seed: int = 0, *, hub: bool = False) -> Parameters:
    """One shift a day, since the program spreads arrivals over shifts by fixed shares."""
    given = {"via": {"A>C": "H"}} if hub else {}
    found = small_network(seed, rich=False, **given)
    transit_L = np.random.default_rng(seed).integers(1, 3, found.num_lanes)
    return replace(found, lanes=replace(found.lanes, transit_days_L=transit_L))


def alone(volumes: Scenarios, number: int) -> Scenarios:
    return replace(volumes, volume_WLT=volumes.volume_WLT[number : number + 1], probability_W=None)


@pytest.mark.parametrize("seed", range(4))
def test_the_fluid_limit_costs_what_the_program_says(seed):
    parameters = network(seed)
    volumes, state = small_volumes(parameters, seed=seed), small_state(parameters, seed=seed)
    plan = solve(parameters, volumes, options=SolveOptions(state=state)).plan
    one = alone(volumes, 1)
    told = solve(parameters, one, fixed=plan, options=SolveOptions(state=state, flows=True))
    run = simulate(
        parameters, plan, one.volume_WLT[0], options=FLUID, state=state, recourse=told.flows
    )
    assert run.cost == pytest.approx(told.expected, rel=0.01)
    for kind, cost_W in told.costs.by_kind.items():
        assert run.by_kind[kind] == pytest.approx(cost_W[0], rel=0.01, abs=0.01 * told.expected)


@pytest.mark.parametrize("hub", [False, True])
@pytest.mark.parametrize("follow", [False, True])
def test_no_run_costs_less_than_the_program_with_foresight(hub, follow):
    below, runs = 0, 0
    for seed in range(5):
        parameters = network(seed, hub=hub)
        volumes, state = small_volumes(parameters, seed=seed), small_state(parameters, seed=seed)
        plan = solve(parameters, volumes, options=SolveOptions(state=state)).plan
        for number in range(4):
            one = alone(volumes, number)
            told = solve(parameters, one, fixed=plan, options=SolveOptions(state=state, flows=True))
            run = simulate(
                parameters, plan, one.volume_WLT[0], seed=number, state=state,
                recourse=told.flows if follow else None,
            )  # fmt: skip
            runs += 1
            below += run.cost < told.expected * (1 - 1e-6)
    assert below <= 0.01 * runs


def test_packages_are_counted_at_every_event(monkeypatch):
    parameters = network(hub=True)
    volumes, state = small_volumes(parameters), small_state(parameters)
    plan = solve(parameters, volumes, options=SolveOptions(state=state)).plan
    seen = []
    note = ledgers.Ledger.note

    def counted(self, time, kind, where, **facts):
        note(self, time, kind, where, **facts)
        seen.append((kind, sum(self.at.values()) - self.released))

    monkeypatch.setattr(ledgers.Ledger, "note", counted)
    run = simulate(parameters, plan, volumes.volume_WLT[0], state=state)
    assert {kind for kind, _ in seen} == {"leave", "arrive", "unload", "sort"}
    assert len(seen) == run.events > 100
    assert max(abs(off) for _, off in seen) < 1e-6 * volumes.volume_WLT[0].sum()


def test_a_ledger_that_loses_packages_stops_the_run():
    book = ledgers.Ledger()
    book.enter("yard", 100.0)
    book.note(1.0, "release", "A>B")
    book.at["yard"] -= 30.0
    with pytest.raises(PlanError, match=r"lost packages at hour 2\.00 \(leave at A>B\)"):
        book.note(2.0, "leave", "A>B")


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    parameters = network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    first, again, other = (
        simulate(parameters, plan, volumes.volume_WLT[0], seed=seed, trace=True)
        for seed in (1, 1, 2)
    )
    assert first.trace == again.trace
    assert first.trace != other.trace


def test_two_plans_meet_the_same_delays_under_the_same_seed():
    parameters = network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    more = replace(plan, heads_STK=plan.heads_STK * 1.5)
    arrivals = []
    for one in (plan, more):
        run = simulate(parameters, one, volumes.volume_WLT[0], seed=5, trace=True)
        frame = pd.DataFrame(run.trace)
        arrived = frame.loc[frame["event"] == "arrive", ["hour", "where", "packages"]]
        arrivals.append(arrived.reset_index(drop=True))
    assert arrivals[0].equals(arrivals[1])  # heads do not move trailers


def test_more_heads_never_make_service_worse_and_fewer_trailers_do():
    parameters = network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    base = replicate(parameters, plan, volumes, seeds=(0, 1))
    more = replicate(parameters, replace(plan, heads_STK=plan.heads_STK * 2), volumes, seeds=(0, 1))
    less = replicate(
        parameters, replace(plan, trailers_LT=plan.trailers_LT / 2), volumes, seeds=(0, 1)
    )
    for a, b, c in zip(base, more, less, strict=True):
        assert b.on_time_share >= a.on_time_share - 1e-9
        assert c.missed_cutoffs > a.missed_cutoffs


def test_delays_cost_service():
    parameters = network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    calm, rough = (
        replicate(parameters, plan, volumes, options=SimulationOptions(transit_cv=cv), seeds=(0,))
        for cv in (0.0, 1.0)
    )
    assert np.mean([r.on_time_share for r in rough]) < np.mean([r.on_time_share for r in calm])


def test_whole_trailers_are_rounded_up_and_paid():
    parameters = network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    whole = simulate(parameters, plan, volumes.volume_WLT[0], options=SimulationOptions(whole=True))
    part = simulate(parameters, plan, volumes.volume_WLT[0])
    assert whole.by_kind["contract"] > part.by_kind["contract"]
    np.testing.assert_allclose(whole.adhoc_LT, whole.adhoc_LT.round())


def test_a_trailer_leaves_when_full_and_the_rest_at_the_cut_off():
    parameters = network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    run = simulate(parameters, plan, volumes.volume_WLT[0], trace=True)
    frame = pd.DataFrame(run.trace)
    leaving = frame[frame["event"] == "leave"]
    hour = leaving["hour"] % 24
    cube = parameters.lanes.cube_pkg_per_trailer_L[0]
    early = leaving[hour < 23 - 1e-9]
    assert len(early) > 10
    assert np.allclose(early["packages"], cube)
    assert (leaving.loc[hour >= 23 - 1e-9, "packages"] <= cube + 1e-9).all()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"transit_cv": -1.0}, "transit_cv=-1.0 must be a number"),
        ({"cutoff_hour": 25.0}, "lies before 24"),
        ({"release_hours": 23.5}, "must not end after cutoff_hour=23"),
        ({"batches_per_day": 0}, "must be above 0"),
        ({"unload_hours": float("nan")}, "unload_hours=nan"),
    ],
)
def test_impossible_days_are_refused(changed, words):
    with pytest.raises(PlanError, match=words):
        SimulationOptions(**changed)


def test_volumes_of_another_shape_and_lanes_of_no_days_are_refused():
    parameters = network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    with pytest.raises(PlanError, match="the plan covers 7 lanes and 5 days"):
        simulate(parameters, plan, volumes.volume_WLT[0, :, :3])
    still = replace(
        parameters, lanes=replace(parameters.lanes, transit_days_L=np.zeros(7, dtype=np.int64))
    )
    with pytest.raises(PlanError, match="takes 1 day or more"):
        simulate(still, plan, volumes.volume_WLT[0])
