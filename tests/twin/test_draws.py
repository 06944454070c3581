"""Draws from the truth of the twin."""

import numpy as np
import pytest

from lanecast.errors import ConfigError
from lanecast.twin.oracle import filtered, filtered_draws, filtered_levels
from lanecast.twin.truth import draws, expected
from lanecast.twin.world import World

WORLD = World.preset("tiny")


def test_the_mean_of_draws_is_the_expectation():
    found_KNH = draws(WORLD, cutoff=150, horizon=5, branches=64)
    mean = expected(WORLD, cutoffs=[150], horizon=5, do={"policy": []}, branches=64)["policy"]
    np.testing.assert_allclose(found_KNH.mean(axis=0), mean[:, 0], rtol=1e-5)
    assert np.ptp(found_KNH, axis=0).max() > 0


def test_draws_of_the_same_world_are_the_same_and_more_of_them_extend_them():
    few, more = (draws(WORLD, cutoff=150, horizon=3, branches=n) for n in (4, 9))
    np.testing.assert_array_equal(few, more[:4])


def test_draws_refuse_a_node_that_is_none():
    with pytest.raises(ConfigError, match="parcels"):
        draws(WORLD, cutoff=150, horizon=3, branches=2, node="parcels")


def test_draws_of_what_is_seen_have_the_filters_mean_and_more_spread_than_the_truth():
    seen_KNH = filtered_draws(WORLD, cutoff=150, horizon=4, branches=400)
    mean = filtered(WORLD, cutoffs=[150], horizon=4, do={"policy": []}, branches=400)["policy"]
    assert np.abs(seen_KNH.mean(axis=0) - mean[:, 0]).sum() < 0.02 * mean.sum()
    true_KNH = draws(WORLD, cutoff=150, horizon=4, branches=400)
    large = true_KNH.mean(axis=(0, 2)) > 50
    spread = [np.median(found.std(axis=0)[large]) for found in (seen_KNH, true_KNH)]
    assert spread[0] > spread[1]


def test_draws_of_what_is_seen_do_not_look_at_the_true_level():
    level, drift, variance = filtered_levels(WORLD, [150])[150]
    assert (variance > 0).all()
    again = filtered_draws(WORLD, cutoff=150, horizon=2, branches=8, seed=3)
    assert not np.array_equal(
        again, filtered_draws(WORLD, cutoff=150, horizon=2, branches=8, seed=4)
    )
    np.testing.assert_array_equal(
        again, filtered_draws(WORLD, cutoff=150, horizon=2, branches=8, seed=3)
    )
    assert level.shape == drift.shape
