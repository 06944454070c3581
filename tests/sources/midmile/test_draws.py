"""Draws from the truth of the twin."""

import numpy as np
import pytest

from lanecast.errors import ConfigError
from lanecast.sources.midmile.truth import draws, expected
from lanecast.sources.midmile.world import World

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
