"""Docks and sorters against queueing theory, and intervals of shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
import simpy

from lanecast.errors import PlanError
from lanecast.planning.simulation.replications import verdict, wilson
from lanecast.planning.simulation.stations import Docks, Queue, work


def erlang_wait(arrivals: float, service: float, servers: int) -> float:
    """Mean wait of M/M/c by Erlang's C formula."""
    load = arrivals / service
    terms = sum(load**k / math.factorial(k) for k in range(servers))
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (terms + last) / (servers * service - arrivals)


def batch_means(values: np.ndarray, batches: int = 40) -> tuple[float, float]:
    """Mean and standard error of a correlated series, by means of batches after a warm-up."""
    kept = values[len(values) // 20 :]
    means = np.array([part.mean() for part in np.array_split(kept, batches)])
    return float(means.mean()), float(means.std(ddof=1) / math.sqrt(batches))


@pytest.mark.parametrize(("servers", "use"), [(1, 0.7), (3, 0.8)])
def test_docks_wait_as_an_mmc_queue(servers, use):
    rng, env = np.random.default_rng(servers), simpy.Environment()
    docks, arrivals = Docks(env, servers), use * servers

    def arriving():
        for _ in range(40_000):
            yield env.timeout(rng.exponential(1 / arrivals))
            env.process(docks.unload(rng.exponential(1.0)))

    env.process(arriving())
    env.run()
    mean, error = batch_means(np.array(docks.waits))
    assert abs(mean - erlang_wait(arrivals, 1.0, servers)) < 3 * error


def test_sorters_wait_as_an_md1_queue():
    rng, env, use = np.random.default_rng(0), simpy.Environment(), 0.75
    queue, waits, count = Queue(env), [], 30_000

    def arriving():
        for _ in range(count):
            yield env.timeout(rng.exponential(1 / use))
            queue.put(0, 1.0)

    def out(parts):
        waits.extend(env.now - 1.0 - hour for _, _, hour in parts)

    env.process(arriving())
    env.process(
        work(
            env, queue, rate_pkg_per_hour=1.0, until=2.0 * count, batch_pkg=1.0, most_pkg=1e12,
            sorted_out=out,
        )
    )  # fmt: skip
    env.run()
    mean, error = batch_means(np.array(waits))
    assert abs(mean - use / (2 * (1 - use))) < 3 * error  # Pollaczek and Khinchine


def test_sorters_stop_at_their_hour_and_at_their_capacity():
    env = simpy.Environment()
    queue, out = Queue(env), []
    queue.put(0, 1000.0)
    process = env.process(
        work(
            env, queue, rate_pkg_per_hour=50.0, until=8.0, batch_pkg=30.0, most_pkg=1e9,
            sorted_out=out.extend,
        )
    )  # fmt: skip
    env.run()
    assert process.value == pytest.approx(400.0)
    again = env.process(
        work(
            env, queue, rate_pkg_per_hour=50.0, until=20.0, batch_pkg=30.0, most_pkg=70.0,
            sorted_out=out.extend,
        )
    )  # fmt: skip
    env.run()
    assert again.value == pytest.approx(70.0)
    assert queue.total == pytest.approx(530.0)


def test_wilson_interval_equals_its_closed_form():
    from statsmodels.stats.proportion import proportion_confint

    for hits, trials in ((0, 10), (3, 10), (48, 50), (50, 50)):
        expected = proportion_confint(hits, trials, alpha=0.05, method="wilson")
        assert wilson(hits, trials) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(PlanError, match="is no share"):
        wilson(3, 2)


def test_a_verdict_needs_runs_and_says_when_it_cannot_tell():
    class Told:
        def __init__(self, share: float) -> None:
            self.on_time_share = share

    good, bad = [Told(0.99)] * 100, [Told(0.5)] * 100
    assert verdict(good).said == "yes"
    assert verdict(bad).said == "no"
    assert verdict(good[:9] + bad[:1]).said == "undecided"
    assert "100% of 100 runs" in str(verdict(good))
    with pytest.raises(PlanError, match="no runs"):
        verdict([])
