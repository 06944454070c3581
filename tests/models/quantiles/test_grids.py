"""Paths: marginals come from the grid, dependence from the correlation, and both come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from lanecast.models.quantiles import grids as module
from lanecast.models.quantiles.grids import (
    at_levels,
    at_scores,
    horizon_correlation,
    scores_of,
)

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def grids(seed: int = 0, windows: int = 6, horizon: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sort(rng.gamma(2.0, 5.0, (windows, horizon, len(LEVELS))), axis=-1)


def sample_paths(grid: np.ndarray, *arguments: Any, **options: Any) -> np.ndarray:
    """Paths of windows that are one series at one cutoff after another."""
    keys = (np.full(len(grid), 7, dtype=np.uint64), np.arange(len(grid)))
    return module.sample_paths(grid, *arguments, **options, keys=keys)


def normal_grid(windows: int, horizon: int) -> np.ndarray:
    return np.broadcast_to(3.0 + 2.0 * ndtri(LEVELS), (windows, horizon, len(LEVELS)))


# --- quantiles and scores -------------------------------------------------------------------------


def test_grid_is_found_again_at_its_own_levels() -> None:
    grid = grids()
    assert np.array_equal(at_levels(grid, LEVELS, LEVELS), grid)
    by_scores = [at_scores(grid, LEVELS, np.full((1, 1), z)) for z in ndtri(LEVELS)]
    np.testing.assert_allclose(np.stack(by_scores, axis=-1), grid, rtol=1e-12)


def test_quantiles_of_a_normal_are_exact_everywhere() -> None:
    """Linear in the normal score, so a normal is met between and beyond the levels too."""
    wanted = (0.001, 0.02, 0.33, 0.5, 0.6, 0.99)
    found = at_levels(normal_grid(2, 3), LEVELS, wanted)
    np.testing.assert_allclose(found[1, 2], 3.0 + 2.0 * ndtri(wanted), rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    wanted=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=9, unique=True).map(sorted),
    seed=st.integers(0, 1000),
)
def test_quantiles_never_cross(wanted: list[float], seed: int) -> None:
    assert (np.diff(at_levels(grids(seed), LEVELS, wanted), axis=-1) >= -1e-9).all()


@settings(max_examples=40, deadline=None)
@given(z=st.floats(-4, 4), seed=st.integers(0, 1000))
def test_scores_undo_quantiles(z: float, seed: int) -> None:
    grid = grids(seed)
    y_WH = at_scores(grid, LEVELS, np.full((6, 4), z))
    np.testing.assert_allclose(scores_of(grid, LEVELS, y_WH), z, atol=1e-6)


def test_scores_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grids(1)
    y_WH = at_scores(grid, LEVELS, np.random.default_rng(2).normal(size=(6, 4)))
    whole = scores_of(grid, LEVELS, y_WH)
    monkeypatch.setattr(module, "_BLOCK", 4)
    assert np.array_equal(scores_of(grid, LEVELS, y_WH), whole)


def test_scores_are_clipped() -> None:
    far = np.array([[-1e9, 1e9, 3.0, 3.0]])
    assert scores_of(normal_grid(1, 4), LEVELS, far)[0].tolist() == pytest.approx([-5, 5, 0, 0])


def test_grid_without_spread_gives_finite_scores_and_its_value() -> None:
    flat = np.full((1, 2, len(LEVELS)), 4.0)
    assert np.isfinite(scores_of(flat, LEVELS, np.array([[4.0, 5.0]]))).all()
    assert (at_levels(flat, LEVELS, (0.01, 0.6)) == 4.0).all()


def test_one_level_is_a_point() -> None:
    grid = grids()[..., 3:4]
    assert np.array_equal(at_levels(grid, (0.5,), (0.1,)), grid)
    assert sample_paths(grid, (0.5,), correlation_HH=np.eye(4), samples=3, seed=0) == pytest.approx(
        np.broadcast_to(grid[..., 0], (3, 6, 4)), rel=1e-6
    )


def test_no_level_wanted_is_no_quantile() -> None:
    assert at_levels(grids(), LEVELS, ()).shape == (6, 4, 0)


# --- correlation ----------------------------------------------------------------------------------


def correlated(rho: float, windows: int, horizon: int = 4) -> tuple[np.ndarray, np.ndarray]:
    lag = np.abs(np.subtract.outer(np.arange(horizon), np.arange(horizon)))
    correlation = rho**lag
    rng = np.random.default_rng(7)
    return correlation, rng.standard_normal((windows, horizon)) @ np.linalg.cholesky(correlation).T


def test_correlation_is_recovered_but_for_the_shrinking() -> None:
    truth, z_WH = correlated(0.8, 20_000)
    found = horizon_correlation(z_WH, np.ones(z_WH.shape, dtype=bool))
    np.testing.assert_allclose(found, 0.95 * truth + 0.05 * np.eye(4), atol=0.02)
    assert np.linalg.eigvalsh(found).min() > 0


def test_windows_with_a_missing_label_do_not_count() -> None:
    _, z_WH = correlated(0.8, 500)
    seen = np.ones(z_WH.shape, dtype=bool)
    seen[::2, 1] = False
    spoiled = np.where(seen, z_WH, 1e3)
    expected = horizon_correlation(z_WH[1::2], seen[1::2])
    assert np.array_equal(horizon_correlation(spoiled, seen), expected)


@pytest.mark.parametrize("windows", [0, 1, 7])
def test_too_few_windows_are_taken_as_independent(windows: int) -> None:
    z_WH = np.random.default_rng(0).standard_normal((windows, 4))
    seen = np.ones(z_WH.shape, dtype=bool)
    assert np.array_equal(horizon_correlation(z_WH, seen), np.eye(4))


def test_step_without_spread_is_taken_as_independent() -> None:
    _, z_WH = correlated(0.8, 100)
    z_WH[:, 2] = 5.0
    seen = np.ones(z_WH.shape, dtype=bool)
    assert np.array_equal(horizon_correlation(z_WH, seen), np.eye(4))


def test_perfectly_correlated_steps_still_give_paths() -> None:
    z_WH = np.repeat(np.random.default_rng(0).standard_normal((100, 1)), 4, axis=1)
    found = horizon_correlation(z_WH, np.ones(z_WH.shape, dtype=bool))
    paths = sample_paths(grids(), LEVELS, correlation_HH=found, samples=2, seed=0)
    assert np.isfinite(paths).all()


# --- paths ----------------------------------------------------------------------------------------


def test_marginals_of_paths_match_the_grid() -> None:
    grid, (correlation, _) = grids(windows=2), correlated(0.8, 1)
    paths = sample_paths(grid, LEVELS, correlation_HH=correlation, samples=20_000, seed=1)
    below = (paths[..., None] <= grid[None]).mean(axis=0)
    np.testing.assert_allclose(below, np.broadcast_to(LEVELS, below.shape), atol=0.015)


def test_paths_are_joint_over_the_horizon() -> None:
    correlation, _ = correlated(0.8, 1)
    paths = sample_paths(
        normal_grid(1, 4), LEVELS, correlation_HH=correlation, samples=20_000, seed=1
    )[:, 0]
    np.testing.assert_allclose(np.corrcoef(paths, rowvar=False), correlation, atol=0.02)
    spread = paths.sum(axis=1).std()
    assert spread == pytest.approx(2.0 * np.sqrt(correlation.sum()), rel=0.03)
    assert spread > 1.3 * 2.0 * np.sqrt(4)  # what independent steps would give


def test_paths_follow_the_seed() -> None:
    one, same, other = (
        sample_paths(grids(), LEVELS, correlation_HH=np.eye(4), samples=3, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.shape == (3, 6, 4)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_more_paths_begin_with_the_same_ones() -> None:
    few, many = (
        sample_paths(grids(), LEVELS, correlation_HH=np.eye(4), samples=samples, seed=1)
        for samples in (2, 5)
    )
    assert np.array_equal(many[:2], few)


def test_scores_are_normal_scores() -> None:
    z = scores_of(normal_grid(1, 1), LEVELS, np.array([[3.0 + 2.0 * 1.3]]))
    assert ndtr(z) == pytest.approx(ndtr(1.3))


def test_a_window_has_its_paths_whatever_stands_beside_it() -> None:
    keys = (np.array([3, 9, 4], dtype=np.uint64), np.array([5, 5, 6]))
    correlation, _ = correlated(0.8, 1)
    options = {"correlation_HH": correlation, "samples": 4, "seed": 1}
    whole = module.sample_paths(grids(windows=3), LEVELS, **options, keys=keys)
    for row in range(3):
        alone = tuple(key[row : row + 1] for key in keys)
        part = module.sample_paths(grids(windows=3)[row : row + 1], LEVELS, **options, keys=alone)
        assert np.array_equal(part, whole[:, row : row + 1])
