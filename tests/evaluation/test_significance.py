import math

import numpy as np
import pytest
from scipy import stats

from lanecast.evaluation.evidence import evidence
from lanecast.evaluation.significance import block_rows, contrast, model_confidence_set

FIXED = (False, False)  # neither side changes with a seed


def test_the_interval_equals_the_one_sample_t_interval_without_overlap():
    difference = np.random.default_rng(0).normal(0.1, 1.0, 12)
    result = contrast(difference, np.zeros(12), np.ones(12), seeded=FIXED)
    expected = stats.ttest_1samp(difference, 0.0)
    ends = expected.confidence_interval(0.95)
    assert result.mean == pytest.approx(difference.mean())
    assert result.interval(0.95) == pytest.approx((ends.low, ends.high))
    assert result.p() == pytest.approx(expected.pvalue)


def test_the_mean_is_the_difference_of_pooled_ratios():
    rng = np.random.default_rng(1)
    actual, mine, base = rng.uniform(1, 9, 8), rng.uniform(0, 1, 8), rng.uniform(0, 1, 8)
    result = contrast(mine / actual, base / actual, actual, seeded=FIXED)
    assert result.mean == pytest.approx((mine.sum() - base.sum()) / actual.sum())


@pytest.mark.parametrize(
    ("cutoffs", "step", "horizon", "words"),
    [(20, 1, 14, "1.4"), (1, 14, 14, "1.0"), (6, 7, 14, "3.0"), (10, 2, 14, "1.4")],
)
def test_too_few_independent_windows_make_no_claim(cutoffs, step, horizon, words):
    known = evidence(range(0, cutoffs * step, step), horizon)
    rng = np.random.default_rng(2)
    result = contrast(rng.normal(9, 1, cutoffs), np.zeros(cutoffs), np.ones(cutoffs), known=known,
                      seeded=FIXED)  # fmt: skip
    assert result.verdict() == f"no claim: {words} independent windows"
    assert math.isnan(result.p())
    assert all(map(math.isnan, result.interval()))


@pytest.mark.parametrize("seed_noise", [0.0, 0.3])
def test_interval_p_and_verdict_are_one_rule(seed_noise):
    rng = np.random.default_rng(3)
    for _ in range(60):
        shift, rows = rng.uniform(0, 2), int(rng.integers(1, 8))
        fits = rng.normal(shift, 1, 9) + seed_noise * rng.normal(size=(3, 1))
        result = contrast(fits, np.zeros(9), np.ones(9), seeded=(True, False))
        low, high = result.interval(0.9, rows=rows)
        called = result.verdict(0.9, rows=rows) != "no difference"
        assert called == (not low <= 0 <= high) == (result.p(rows=rows) <= 0.1)
        ends_at = result.interval(1 - result.p())
        assert min(map(abs, ends_at)) == pytest.approx(0, abs=1e-6)


def test_no_variance_is_no_difference_or_a_certain_one():
    same, less = np.full(5, 0.25), np.full(5, 0.125)
    assert contrast(same, same, np.ones(5), seeded=FIXED).verdict() == "no difference"
    sure = contrast(less, same, np.ones(5), seeded=FIXED)
    assert (sure.verdict(), sure.p()) == ("better", 0.0)


def test_a_metric_that_is_undefined_at_a_cutoff_makes_no_claim():
    broken = np.array([0.1, math.nan, 0.2, 0.1, 0.1])
    result = contrast(broken, np.zeros(5), np.ones(5), seeded=FIXED)
    assert result.verdict() == "no claim: undefined at a cutoff"


def _seeds(rng, level, num_seeds=3, num_cutoffs=20):
    """WAPE by seed and cutoff: cutoffs vary alike for all, seeds and their fits a little."""
    common = level * (1 + 0.2 * np.linspace(-1, 1, num_cutoffs))
    seed = rng.normal(0, 0.01, (num_seeds, 1))
    return common * (1 + seed + rng.normal(0, 0.01, (num_seeds, num_cutoffs)))


def test_groups_of_one_configuration_are_called_different_at_most_8_times_in_100():
    rng = np.random.default_rng(4)
    results = [contrast(_seeds(rng, 0.2), _seeds(rng, 0.2), np.ones(20)) for _ in range(100)]
    assert sum(result.verdict() != "no difference" for result in results) <= 8


def test_a_gain_of_5_percent_over_20_cutoffs_is_called():
    rng = np.random.default_rng(5)
    results = [contrast(_seeds(rng, 0.19), _seeds(rng, 0.2), np.ones(20)) for _ in range(100)]
    assert sum(result.verdict() == "better" for result in results) >= 80


def test_a_single_pair_makes_no_claim_about_models():
    rng = np.random.default_rng(6)
    result = contrast(_seeds(rng, 0.1, 1), _seeds(rng, 0.2, 1), np.ones(20))
    low, high = result.interval()
    assert result.verdict() == "two fits, no claim about models"
    assert low < result.mean < high < 0


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
