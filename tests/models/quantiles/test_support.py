import numpy as np
import pytest

from lanecast.data.schema import Column
from lanecast.models.quantiles.support import on_support

VALUES = np.array([-0.7, 0.4, 1.6, 2.5])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [-0.7, 0.4, 1.6, 2.5]),
        ({"non_negative": True}, [0.0, 0.4, 1.6, 2.5]),
        ({"integer": True}, [-1.0, 0.0, 2.0, 2.0]),
        ({"non_negative": True, "integer": True}, [0.0, 0.0, 2.0, 2.0]),
    ],
)
def test_forecasts_stay_on_the_support_that_the_target_declares(options, expected):
    assert on_support(VALUES, Column(role="target", **options)).tolist() == expected


def test_quantiles_stay_sorted_on_the_support():
    grid = np.sort(np.random.default_rng(0).normal(0, 3, (50, 7)), axis=-1)
    kept = on_support(grid, Column(role="target", non_negative=True, integer=True))
    assert (np.diff(kept, axis=-1) >= 0).all()
