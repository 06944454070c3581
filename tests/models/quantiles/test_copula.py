"""Joint normal scores: each standard normal, together as the past was."""

import numpy as np
import pytest

from lanecast.models.quantiles.copula import Copula, shrinkage


@pytest.fixture(scope="module")
def past():
    """Six series over 60 origins: two move together, two against each other, two alone."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((6, 60, 7))
    z[1] = 0.95 * z[0] + np.sqrt(1 - 0.95**2) * z[1]
    z[3] = -0.95 * z[2] + np.sqrt(1 - 0.95**2) * z[3]
    return z


def drawn(copula, samples=4000):
    keys = np.arange(len(copula.vectors_MK), dtype=np.uint64) + 2**40
    return np.stack(list(copula.draw(samples, keys_M=keys, time=0, seed=1)))


def test_every_series_and_step_is_standard_normal(past):
    found = drawn(Copula.of(past))
    assert abs(found.mean(axis=0)).max() < 0.08
    assert abs(found.std(axis=0) - 1).max() < 0.06


def test_series_move_together_as_they_did(past):
    together = np.corrcoef(drawn(Copula.of(past))[:, :, 3].T)
    assert together[0, 1] > 0.85
    assert together[2, 3] < -0.85
    assert abs(together[0, 4]) < 0.12


def test_steps_are_joint_where_errors_last():
    rng = np.random.default_rng(0)
    lasting = rng.standard_normal((5, 80, 1)) + 0.3 * rng.standard_normal((5, 80, 7))
    steps = np.corrcoef(drawn(Copula.of(lasting))[:, 0].T)
    assert steps[0, 6] > 0.7


def test_a_series_without_a_past_is_independent(past):
    young = past.copy()
    young[1] = np.nan
    together = np.corrcoef(drawn(Copula.of(young))[:, :, 0].T)
    assert abs(together[0, 1]) < 0.06


def test_a_bias_of_the_past_is_no_dependence():
    biased = 2.0 + np.random.default_rng(0).standard_normal((4, 60, 7))
    together = np.corrcoef(drawn(Copula.of(biased))[:, :, 0].T)
    assert abs(together[0, 1]) < 0.15


def test_without_any_past_all_series_are_independent():
    found = drawn(Copula.of(np.full((3, 1, 4), np.nan)))
    assert abs(found.std(axis=0) - 1).max() < 0.06


def test_the_intensity_is_that_of_ledoit_and_wolf(past):
    vectors = past.reshape(6, -1)
    vectors = vectors / np.sqrt((vectors**2).mean(axis=1, keepdims=True))
    series, num = vectors.shape
    sample = vectors @ vectors.T / num
    error = sum(((np.outer(x, x) - sample) ** 2).sum() for x in vectors.T) / num**2
    expected = error / ((sample - np.eye(series)) ** 2).sum()
    assert shrinkage(vectors) == pytest.approx(expected, rel=1e-6)


def test_less_past_is_shrunk_more(past):
    assert Copula.of(past[:, :3]).shrink > Copula.of(past).shrink
