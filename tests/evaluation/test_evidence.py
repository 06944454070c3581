"""What overlapping windows tell: counts, closed forms, and exact distributions by hand."""

import numpy as np
import pytest
from scipy import stats

from lanecast.evaluation.evidence import evidence


@pytest.mark.parametrize(
    ("cutoffs", "step", "horizon", "windows", "degrees", "lags"),
    [
        (6, 14, 14, 6.0, 5, 0),
        (6, 20, 14, 6.0, 5, 0),
        (12, 7, 14, 6.0, 5, 1),
        (26, 7, 14, 13.0, 12, 1),
        (60, 1, 14, 60 / 14, 3, 13),
        (20, 1, 14, 20 / 14, 0, 13),
        (52, 14, 14, 52.0, 12, 0),
        (1, 14, 14, 1.0, 0, 0),
    ],
)
def test_windows_are_counted_by_their_days(cutoffs, step, horizon, windows, degrees, lags):
    known = evidence(range(0, cutoffs * step, step), horizon)
    assert known.windows == pytest.approx(windows)
    assert (known.degrees, known.lags) == (degrees, lags)
    assert known.enough == (windows >= 4)


@pytest.mark.parametrize("count", [5, 13])
def test_variance_without_overlap_is_that_of_a_mean(count):
    seen = np.random.default_rng(0).normal(size=(3, count))
    ordinary = seen.var(axis=-1, ddof=1) / count
    assert evidence(range(count)).variance(seen) == pytest.approx(ordinary)


@pytest.mark.parametrize("steps", [range(0, 84, 7), range(60), [0, 5, 14, 30, 31, 60, 74, 90]])
def test_variance_is_unbiased_and_independent_of_the_mean_by_construction(steps):
    known, steps = evidence(steps, 14), np.array(list(steps))
    # Day by day: a window sums its 14 days, so covariances follow from a matrix of ones.
    sums = ((np.arange(steps[-1] + 14) - steps[:, None]) >= 0) & (
        (np.arange(steps[-1] + 14) - steps[:, None]) < 14
    )
    covariance = (sums.astype(float) @ sums.T.astype(float)) / 14
    projected = known.projection_BC @ covariance @ known.projection_BC.T
    assert projected == pytest.approx(np.eye(known.degrees), abs=1e-9)
    assert known.projection_BC @ covariance.sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert known.projection_BC.sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert known.scale == pytest.approx(covariance.mean())


def test_the_statistic_of_overlapping_windows_has_the_distribution_of_student():
    known, rng = evidence(range(0, 56, 7), 14), np.random.default_rng(1)
    days = rng.normal(size=(4000, 70))
    seen = np.stack([days[:, step : step + 14].sum(axis=1) for step in range(0, 56, 7)], axis=1)
    statistic = seen.mean(axis=1) / np.sqrt(known.variance(seen))
    assert stats.kstest(statistic, stats.t(known.degrees).cdf).pvalue > 0.01


def test_an_ordinary_t_of_the_same_windows_would_not():
    rng = np.random.default_rng(1)
    days = rng.normal(size=(4000, 70))
    seen = np.stack([days[:, step : step + 14].sum(axis=1) for step in range(0, 56, 7)], axis=1)
    statistic = seen.mean(axis=1) / np.sqrt(evidence(range(8)).variance(seen))
    assert (abs(statistic) > stats.t(7).isf(0.025)).mean() > 0.1
