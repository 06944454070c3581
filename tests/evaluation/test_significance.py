import math

import numpy as np
import pytest
from scipy import stats

from lanecast.evaluation.significance import (
    block_rows,
    contrast,
    holm,
    mean_variance,
    model_confidence_set,
    overlapping,
    paired_interval,
)


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


def _autocorrelated(rng, num, weight=0.6):
    shocks = rng.normal(size=num + 50)
    for at in range(1, len(shocks)):
        shocks[at] += weight * shocks[at - 1]
    return shocks[50:]


def _seeds(rng, level, num_seeds=3, num_cutoffs=20):
    """WAPE by seed and cutoff: cutoffs vary alike for all, seeds and their fits a little."""
    common = level * (1 + 0.2 * np.linspace(-1, 1, num_cutoffs))
    seed = rng.normal(0, 0.01, (num_seeds, 1))
    return common * (1 + seed + rng.normal(0, 0.01, (num_seeds, num_cutoffs)))


def test_hac_variance_without_lags_is_that_of_a_mean():
    x = np.random.default_rng(0).normal(size=30)
    assert mean_variance(x) == pytest.approx(x.var(ddof=1) / 30)


def test_hac_variance_widens_for_overlapping_windows():
    rng = np.random.default_rng(1)
    x = _autocorrelated(rng, 200)
    assert mean_variance(x, 6) > 1.5 * mean_variance(x)


def test_groups_of_one_configuration_are_called_different_at_most_5_times_in_100():
    rng = np.random.default_rng(4)
    found = [contrast(_seeds(rng, 0.2), _seeds(rng, 0.2), np.ones(20)) for _ in range(100)]
    assert sum(one.verdict(one.p) != "no difference" for one in found) <= 5


def test_a_gain_of_5_percent_over_20_cutoffs_is_called():
    rng = np.random.default_rng(5)
    found = [contrast(_seeds(rng, 0.19), _seeds(rng, 0.2), np.ones(20)) for _ in range(100)]
    assert sum(one.verdict(one.p) == "better" for one in found) >= 80


def test_a_single_pair_makes_no_claim_about_models():
    rng = np.random.default_rng(6)
    one = contrast(_seeds(rng, 0.1, 1), _seeds(rng, 0.2, 1), np.ones(20))
    assert one.verdict(one.p) == "two fits, no claim about models"
    assert one.low < one.mean < one.high < 0


def test_holm_equals_the_textbook_and_leaves_what_was_not_tested():
    found = holm([0.01, math.nan, 0.04, 0.03])
    assert found[0::2] + found[3:] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(found[1])


def test_block_rows_keep_neighbours_together():
    rows = block_rows(12, block=4, draws=5, seed=0)
    steps = np.diff(rows.reshape(5, 3, 4), axis=-1) % 12
    assert (steps == 1).all()


def test_model_confidence_set_keeps_the_best_and_drops_the_clearly_worse():
    rng = np.random.default_rng(8)
    common = rng.normal(1.0, 0.3, 60)
    loss = np.stack([common + rng.normal(shift, 0.1, 60) for shift in (0.0, 0.005, 0.2)])
    p = model_confidence_set(loss)
    assert (p > 0.1).tolist() == [True, True, False]


def test_model_confidence_set_covers_the_best_of_equals():
    rng = np.random.default_rng(9)
    kept = [
        (model_confidence_set(rng.normal(size=(3, 40)), draws=300, seed=k) > 0.1)[0]
        for k in range(60)
    ]
    assert np.mean(kept) >= 0.85


@pytest.mark.parametrize(("horizon", "step", "lags"), [(14, 14, 0), (14, 7, 1), (14, 1, 13)])
def test_overlapping_counts_cutoffs_that_share_days(horizon, step, lags):
    assert overlapping(horizon, step) == lags
