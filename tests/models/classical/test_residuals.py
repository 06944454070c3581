import numpy as np
import pytest

from lanecast.data.windows import WindowIndex
from lanecast.models.classical.residuals import ResidualPool
from lanecast.models.quantiles.finishing import finish, window_uniforms

HORIZON = 4


def windows(panel, count: int) -> WindowIndex:
    """``count`` windows of each series, at cutoffs 0, 1, ..."""
    return WindowIndex(
        series_W=np.repeat(np.arange(panel.num_series), count),
        cutoff_W=np.tile(np.arange(count), panel.num_series),
    )


def estimate(
    panel, *, error_N, count: int = 50, level: float = 10.0
) -> tuple[ResidualPool, WindowIndex]:
    at = windows(panel, count)
    rng = np.random.default_rng(0)
    step_WH = rng.normal(0, 1, (len(at), HORIZON)).cumsum(axis=1)
    miss_WH = step_WH * level * np.asarray(error_N)[at.series_W, None]
    point_WH = np.full_like(miss_WH, 100.0)
    pool = ResidualPool.estimate(
        panel=panel,
        at=at,
        point_WH=point_WH,
        label_WH=point_WH + miss_WH,
        level_W=np.full(len(at), level),
    )
    return pool, at


def test_scale_follows_the_error_of_each_series(panel):
    pool, at = estimate(panel, error_N=[1.0, 2.0, 4.0, 8.0])
    scale_W = pool.scale(panel, at, np.full(len(at), 10.0))
    assert np.all(np.diff(scale_W[::50]) > 0)
    assert scale_W[150] / scale_W[0] == pytest.approx(8, rel=0.5)


def test_scale_of_an_unseen_series_is_the_shared_error(panel, make_panel):
    pool, _ = estimate(panel, error_N=[1.0, 1.0, 2.0, 2.0])
    other = make_panel(lengths=(120,) * 5)
    unseen = WindowIndex(series_W=np.array([4]), cutoff_W=np.array([60]))
    assert pool.scale(other, unseen, np.array([3.0]))[0] == pytest.approx(3.0 * pool.shared_error)


def test_quantiles_widen_with_the_horizon_and_keep_the_point_as_median(panel):
    pool, _ = estimate(panel, error_N=[1.0] * 4)
    point_WH = np.full((2, HORIZON), 50.0)
    q_WHQ = pool.quantiles(point_WH, np.ones(2), (0.1, 0.5, 0.9))
    assert np.array_equal(q_WHQ[..., 1], point_WH)
    assert np.all(np.diff(q_WHQ[0, :, 2] - q_WHQ[0, :, 0]) > 0)


def test_quantiles_cover_what_they_say(panel):
    pool, at = estimate(panel, error_N=[1.0, 2.0, 3.0, 4.0], count=200)
    fresh = np.random.default_rng(1).normal(0, 1, (len(at), HORIZON)).cumsum(axis=1)
    fresh *= 10.0 * np.array([1.0, 2.0, 3.0, 4.0])[at.series_W, None]
    q_WHQ = pool.quantiles(
        np.zeros_like(fresh), pool.scale(panel, at, np.full(len(at), 10.0)), (0.1, 0.9)
    )
    inside = (q_WHQ[..., 0] <= fresh) & (fresh <= q_WHQ[..., 1])
    assert inside.mean() == pytest.approx(0.8, abs=0.03)


def test_samples_are_whole_residual_paths(panel):
    pool, at = estimate(panel, error_N=[1.0] * 4)
    paths_SWH = pool.samples(panel, np.zeros((len(at), HORIZON)), np.ones(len(at)), at, 3, 0)
    distance = np.abs(paths_SWH.reshape(-1, 1, HORIZON) - pool.paths_RH).sum(axis=-1)
    assert np.all(distance.min(axis=1) == 0)


def test_samples_of_a_window_do_not_depend_on_the_others(panel):
    pool, at = estimate(panel, error_N=[1.0] * 4)
    some = at[np.array([7, 120])]
    every_SWH = pool.samples(panel, np.zeros((len(at), HORIZON)), np.ones(len(at)), at, 5, 3)
    some_SWH = pool.samples(panel, np.zeros((2, HORIZON)), np.ones(2), some, 5, 3)
    assert np.array_equal(every_SWH[:, [7, 120]], some_SWH)


def test_pool_without_a_complete_window_has_no_width(panel):
    at = windows(panel, 2)
    nothing = np.full((len(at), HORIZON), np.nan)
    pool = ResidualPool.estimate(
        panel=panel, at=at, point_WH=nothing, label_WH=nothing, level_W=np.ones(len(at))
    )
    assert pool.error == {}
    assert np.ptp(pool.quantiles(np.ones((1, HORIZON)), np.ones(1), (0.1, 0.9))) == 0


def test_pool_survives_save_and_load(panel, tmp_path):
    pool, _ = estimate(panel, error_N=[1.0, 2.0, 3.0, 4.0])
    pool.save(tmp_path / "residuals.npz")
    again = ResidualPool.load(tmp_path / "residuals.npz")
    assert np.array_equal(pool.paths_RH, again.paths_RH)
    assert (pool.error, pool.shared_error, pool.least_level) == (
        again.error,
        again.shared_error,
        again.least_level,
    )


def test_finish_sorts_quantiles_in_the_order_of_their_levels(panel):
    found = finish(
        panel=panel,
        at=windows(panel, 1)[:1],
        point_WH=np.array([[2.0]]),
        levels=(0.9, 0.1, 0.5),
        quantiles_WHQ=np.array([[[1.0, 3.0, -2.0]]]),
        samples_SWH=np.array([[[-1.0]]]),
    )
    assert found.quantiles_WHQ.tolist() == [[[3.0, 0.0, 1.0]]]
    assert found.samples_SWH.tolist() == [[[0.0]]]


def test_window_uniforms_are_uniform_and_move_with_the_seed(panel):
    at = windows(panel, 50)
    one, two = (window_uniforms(panel, at, num=40, size=3, seed=seed) for seed in (0, 1))
    assert one.mean() == pytest.approx(0.5, abs=0.01)
    assert one.var() == pytest.approx(1 / 12, abs=0.003)
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(one[:, :-1].ravel(), one[:, 1:].ravel())[0, 1]) < 0.03
