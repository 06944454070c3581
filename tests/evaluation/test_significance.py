import math

import numpy as np
import pytest
from scipy import stats

from lanecast.evaluation.significance import paired_interval


def test_paired_interval_equals_the_one_sample_t_interval():
    difference = np.random.default_rng(0).normal(0.1, 1.0, 12)
    mean, low, high = paired_interval(difference, np.ones(12))
    expected = stats.ttest_1samp(difference, 0.0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((difference.mean(), expected.low, expected.high))


def test_paired_interval_centers_on_the_difference_of_pooled_ratios():
    rng = np.random.default_rng(1)
    actual, mine, base = rng.uniform(1, 9, 8), rng.uniform(0, 1, 8), rng.uniform(0, 1, 8)
    mean, low, high = paired_interval(mine / actual - base / actual, actual)
    assert mean == pytest.approx((mine.sum() - base.sum()) / actual.sum())
    assert low < mean < high


def test_paired_interval_of_one_cutoff_is_unknown():
    mean, low, high = paired_interval(np.array([0.5]), np.array([3.0]))
    assert mean == 0.5
    assert math.isnan(low)
    assert math.isnan(high)
