import numpy as np
import pytest
from scipy.stats import poisson

from lanecast.twin.counts import SMALL, gamma_factor, poisson_quantile

NORMALS = np.random.default_rng(1).standard_normal(200_000).astype(np.float32)


def quantiles(rate):
    return poisson_quantile(np.full_like(NORMALS, rate), NORMALS).astype(np.float64)


@pytest.mark.parametrize("rate", [0.2, 3.0, 11.9, 12.1, 40.0, 1000.0])
def test_poisson_has_its_mean_and_variance(rate):
    counts = quantiles(rate)
    error = (rate / len(counts)) ** 0.5
    assert counts.mean() == pytest.approx(rate, abs=4 * error)
    assert counts.var() == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("rate", [12.5, 60.0])
def test_the_expansion_is_close_to_the_exact_quantile(rate):
    levels = np.linspace(-3.5, 3.5, 141).astype(np.float32)
    exact = poisson.ppf(poisson_level(levels), rate)
    ours = poisson_quantile(np.full_like(levels, rate), levels)
    assert np.abs(ours - exact).max() <= 1
    assert (ours == exact).mean() > 0.85


def test_small_rates_are_exact():
    levels = np.linspace(-3, 3, 61).astype(np.float32)
    for rate in (0.1, 1.0, 5.0):
        ours = poisson_quantile(np.full_like(levels, rate), levels)
        np.testing.assert_array_equal(ours, poisson.ppf(poisson_level(levels), np.float32(rate)))


def poisson_level(levels):
    from scipy.special import ndtr

    return ndtr(levels.astype(np.float64))


@pytest.mark.parametrize(("low", "high"), [(0.01, SMALL - 0.01), (SMALL, 3000.0)])
def test_counts_never_fall_when_the_rate_rises(low, high):
    rates = np.geomspace(low, high, 400).astype(np.float32)[:, None]
    normals = np.broadcast_to(np.linspace(-4, 4, 33).astype(np.float32), (400, 33))
    counts = poisson_quantile(np.broadcast_to(rates, (400, 33)).copy(), normals)
    assert (np.diff(counts, axis=0) >= 0).all()


@pytest.mark.parametrize("shape", [5.0, 200.0])
def test_the_gamma_factor_has_mean_one_and_variance_one_over_shape(shape):
    factor = gamma_factor(np.float32(shape), NORMALS).astype(np.float64)
    assert factor.mean() == pytest.approx(1, abs=4 / (shape * len(factor)) ** 0.5)
    assert factor.var() == pytest.approx(1 / shape, rel=0.02)


def test_thinning_is_negative_binomial():
    other = np.random.default_rng(2).standard_normal(len(NORMALS)).astype(np.float32)
    rate, shape = np.float32(50.0), np.float32(5.0)
    counts = poisson_quantile(rate * gamma_factor(shape, other), NORMALS).astype(np.float64)
    assert counts.mean() == pytest.approx(50, rel=0.01)
    assert counts.var() == pytest.approx(50 + 50**2 / 5, rel=0.03)
