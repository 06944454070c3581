"""How large a network is planned in how long; prints what it measured."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from lanecast.planning.contracts import Scenarios
from lanecast.planning.defaults import default_parameters
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.decomposition import solve_decomposed
from lanecast.planning.program.options import SolveOptions
from lanecast.planning.program.program import solve

pytestmark = pytest.mark.slow


def network(
    sites: int, lanes: int, days: int, samples: int, seed: int = 0
) -> tuple[Parameters, Scenarios]:
    """Random lanes between sites, volumes that share each day's shock."""
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for a in range(sites) for b in range(sites) if a != b]
    names = sorted(
        f"S{pairs[i][0]:02d}>S{pairs[i][1]:02d}"
        for i in rng.choice(len(pairs), lanes, replace=False)
    )
    mean_L = rng.uniform(2000, 8000, lanes)
    parameters = default_parameters(names, mean_L)
    shared = rng.lognormal(0, 0.15, (samples, 1, days))
    volume_WLT = mean_L[None, :, None] * shared * rng.lognormal(0, 0.2, (samples, lanes, days))
    days_T = np.datetime64("2024-03-04") + np.arange(days)
    return parameters, Scenarios(volume_WLT=volume_WLT, lanes=parameters.lanes.name_L, days=days_T)


def test_forty_lanes_in_seconds_and_by_parts_the_same():
    parameters, volumes = network(10, 40, 7, 50)
    started = time.perf_counter()
    whole = solve(parameters, volumes)
    middle = time.perf_counter()
    told = solve_decomposed(parameters, volumes)
    seconds = time.perf_counter() - middle
    print(
        f"\n40 lanes x 7 days x 50 samples: {middle - started:.1f} s whole, {seconds:.1f} s by"
        " parts"
    )
    assert told.objective == pytest.approx(whole.objective, rel=1e-8)
    assert middle - started + seconds < 30


def test_five_hundred_lanes_by_parts_and_under_a_fleet():
    parameters, volumes = network(50, 500, 14, 20)
    started = time.perf_counter()
    free = solve_decomposed(parameters, volumes)
    middle = time.perf_counter()
    fleet = 0.9 * float(free.plan.trailers_LT.sum(axis=0).max())
    tied = replace(parameters, rules=replace(parameters.rules, fleet_max_trailers_per_day=fleet))
    told = solve_decomposed(tied, volumes)
    seconds = time.perf_counter() - middle
    print(
        f"\n500 lanes x 14 days x 20 samples: {middle - started:.0f} s free (gap {free.gap:.1e}),"
        f" {seconds:.0f} s under a fleet of 90 % of its peak (gap {told.gap:.1e})"
    )
    assert told.plan.trailers_LT.sum(axis=0).max() <= fleet * (1 + 1e-6)
    assert told.gap < 1e-3
    assert seconds < 180


def test_whole_trailers_on_two_hundred_lanes():
    parameters, volumes = network(25, 200, 7, 10)
    told = solve_decomposed(
        parameters, volumes, options=SolveOptions(integer=True, gap=0.01, time_limit_s=120.0)
    )
    fractional = solve_decomposed(parameters, volumes)
    more = told.objective / fractional.objective - 1
    print(
        f"\nwhole trailers and heads, 200 lanes x 7 days x 10 samples: gap {told.gap:.2%} in"
        f" {told.seconds:.0f} s, {more:.1%} dearer than fractions"
    )
    assert told.bound <= told.objective
    np.testing.assert_allclose(told.plan.trailers_LT, told.plan.trailers_LT.round(), atol=1e-5)
