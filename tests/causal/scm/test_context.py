"""What mechanisms read beside their parents: dates, each series' season, and how restless it is."""

import numpy as np
import pytest
import torch

from lanecast.causal.scm.context import SHRINK, phases, profiles, restlessness
from small_worlds import NEW, layer, panel

STEPS = 140


def weekly(series=4, seed=0):
    """Series k moves k times a weekly wave."""
    wave = np.array([3.0, -1.0, 0.0, 0.0, -2.0, 1.0, -1.0])
    phase = np.arange(STEPS) % 7
    noise = 0.1 * np.random.default_rng(seed).normal(size=(series, STEPS, 1))
    found = np.arange(series)[:, None, None] * wave[phase][None, :, None] + noise
    return found.astype(np.float32), phase, wave


def test_a_profile_is_the_shrunk_mean_by_phase():
    x, phase, wave = weekly()
    found = profiles(x, phase, 7)
    days = STEPS // 7
    wanted = np.arange(4)[:, None] * wave * days / (days + SHRINK)
    assert found.shape == (4, 7, 1)
    assert np.abs(found[..., 0] - wanted).max() < 0.1
    assert np.abs(found.sum(axis=1)).max() < 1e-5


def test_holes_do_not_pull_a_profile_and_an_empty_series_has_none():
    x, phase, _ = weekly()
    holes = x.copy()
    holes[2, ::5] = np.nan
    holes[3] = np.nan
    found = profiles(holes, phase, 7)
    assert np.abs(found[2] - profiles(x, phase, 7)[2]).max() < 0.5
    assert (found[3] == 0).all()


def test_without_a_season_there_is_no_profile():
    x, _, _ = weekly()
    assert (profiles(x, np.zeros(STEPS, np.int64), 1) == 0).all()


def test_a_series_that_moves_twice_as_much_is_as_restless_as_its_log():
    rng = np.random.default_rng(1)
    x = (
        np.cumsum(rng.normal(size=(5, 2000, 1)), axis=1)
        * np.array([1, 1, 1, 2, 0.5])[:, None, None]
    )
    found = restlessness(x.astype(np.float32))[:, 0]
    assert found[3] == pytest.approx(np.log(2), abs=0.1)
    assert found[4] == pytest.approx(-np.log(2), abs=0.1)


def test_restlessness_is_bounded_and_calm_without_data():
    x = np.full((3, 50, 1), np.nan, np.float32)
    x[0, :, 0] = np.arange(50)
    x[1, :, 0] = 1e9 * (np.arange(50) % 2)
    found = restlessness(x)
    assert np.abs(found).max() <= 3
    assert found[2, 0] == 0


def test_phases_count_from_a_fixed_date():
    season, phase = phases(panel())
    assert season == 7
    later = phases(panel().since(10))[1]
    assert np.array_equal(phase, later)  # the grid is the same
    day = np.datetime64(panel().times[0], "D").astype("datetime64[D]").astype(int)
    monday = (day - np.datetime64("2001-01-01", "D").astype(int)) % 7
    assert phase[0] == monday


def test_a_row_of_context_is_dates_profile_and_restlessness_and_nothing_before_the_grid():
    context = layer().prepare(panel()).context
    rows, step = torch.tensor([3, NEW]), torch.tensor([[-1, 0, 60], [-2, 61, 62]])
    found = context(rows, step)
    assert found.shape == (2, 3, context.width)
    assert (found[:, 0] == 0).all()
    dates = context.dates_TF.shape[1]
    assert torch.equal(found[0, 2, :dates], context.dates_TF[60])
    own = context.profile_NPK[3, context.phase_T[60]]
    assert torch.equal(found[0, 2, dates : dates + len(own)], own)
    assert own.abs().max() > 0
    assert (found[1, 1:, dates:] == 0).all()  # a series that the fit did not see
    whole = context.whole(70, first=60, rows=rows)
    assert torch.equal(whole[0, 0], found[0, 2])
