"""Noise is a function of seed, sample, series, cutoff, step and node, and of nothing else."""

import numpy as np
import pytest
from scipy import stats

from lanecast.causal.scm.noise import GRID, STUDENT_DF, standardized, uniforms
from lanecast.data.windows import WindowIndex

AT = WindowIndex(series_W=np.array([0, 1, 5]), cutoff_W=np.array([40, 40, 41]))


def drawn(at=AT, *, samples=range(4), seed=0, steps=6, nodes=3):
    keys = (at.series_W, at.cutoff_W)
    return uniforms(keys, samples=samples, steps=steps, nodes=nodes, seed=seed)


def test_a_cell_has_the_same_noise_whoever_is_drawn_beside_it():
    whole = drawn()
    assert whole.shape == (4, 3, 6, 3)
    assert np.array_equal(drawn(samples=range(2, 4)), whole[2:])
    assert np.array_equal(drawn(AT[2:0:-1]), whole[:, 2:0:-1])


def test_no_two_cells_share_their_noise():
    flat = np.concatenate([drawn(seed=seed).ravel() for seed in (0, 1, 2, -1)])
    assert len(np.unique(flat)) == len(flat)  # seed 1 of a series is not seed 0 of the next
    later = WindowIndex(series_W=AT.series_W, cutoff_W=AT.cutoff_W + 1)
    assert not np.isin(drawn(later), drawn()).any()


def test_uniforms_are_uniform_and_samples_independent():
    found = drawn(samples=range(4000), steps=2, nodes=2)
    assert ((found > 0) & (found < 1)).all()
    assert stats.kstest(found.ravel(), "uniform").pvalue > 0.01
    flat = found.reshape(4000, -1)
    correlation = np.corrcoef(flat.T) - np.eye(flat.shape[1])
    assert np.abs(correlation).max() < 0.06


def test_each_kind_is_its_distribution():
    p = (np.arange(2000) + 0.5)[:, None, None, None] / 2000
    table = np.stack([np.zeros(len(GRID)), np.zeros(len(GRID)), GRID**2]).astype(np.float32)
    u = standardized(np.repeat(p, 3, axis=-1), ("gaussian", "student_t", "empirical"), table)
    level = p.ravel()
    assert np.allclose(u[..., 0].ravel(), stats.norm.ppf(level), atol=1e-5)
    assert np.allclose(u[..., 1].ravel(), stats.t.ppf(level, STUDENT_DF), rtol=1e-4)
    inside = (level > GRID[0]) & (level < GRID[-1])
    assert np.allclose(u[..., 2].ravel()[inside], level[inside] ** 2, atol=1e-4)


@pytest.mark.parametrize("level", [1e-9, 1 - 1e-9])
def test_an_empirical_table_never_leaves_what_was_seen(level):
    table = np.linspace(-2, 3, len(GRID))[None].astype(np.float32)
    u = standardized(np.full((1, 1, 1, 1), level), ("empirical",), table)
    assert u.item() in (-2.0, 3.0)
