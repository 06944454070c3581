"""Days and weeks that agree."""

import numpy as np
import pytest

from lanecast.audits.perturbed_panels import poisoned
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import ConfigError
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.hierarchy.temporal import TemporalForecaster, block_panel, step_hierarchy

SPEC = WindowSpec(context=28, horizon=14, min_context=7)


def weekly(blocks=(7,)):
    inner = SeasonalNaive(windows=SPEC, season=1, name="last_value")
    return TemporalForecaster(inner=inner, blocks=blocks, windows=SPEC)


def test_a_block_panel_sums_the_last_steps(panel):
    found, y = block_panel(panel, 7).column("y").numpy(), panel.column("y").numpy()
    assert np.isnan(found[:6]).all()
    np.testing.assert_allclose(found[20], y[14:21].sum())
    first = panel.offsets[1]
    assert np.isnan(found[first : first + 6]).all()


def test_a_block_with_a_missing_step_is_missing(panel):
    low = panel.offsets[3] + 40  # the gap of five steps begins here
    found = block_panel(panel, 7).column("y").numpy()
    assert np.isnan(found[low : low + 11]).all()
    assert not np.isnan(found[low + 11])


def test_columns_in_units_of_the_target_are_summed_and_flags_averaged(panel):
    found = block_panel(panel, 7)
    for name, times in (("scheduled", 7.0), ("promo", 1.0)):
        expected = panel.column(name)[14:21].mean() * times
        np.testing.assert_allclose(found.column(name)[20], expected, rtol=1e-5)


def test_steps_meet_their_block_half_way(panel):
    model = weekly().fit(panel, until=84)
    at = windows_at(panel, [90], SPEC)
    found = model.predict(panel, at=at, quantiles=(0.1, 0.5, 0.9), samples=5)
    steps = model.inner.predict(panel, at=at).point_WH
    blocks = model.of_blocks[7].predict(block_panel(panel, 7), at=at).point_WH[:, [6, 13]]
    gap = blocks - steps.reshape(len(at), 2, 7).sum(axis=2)
    assert abs(gap).max() > 1
    expected = np.maximum(steps + np.repeat(gap / 14, 7, axis=1), 0)
    np.testing.assert_allclose(found.point_WH, expected, rtol=1e-5, atol=1e-4)
    assert (np.diff(found.quantiles_WHQ, axis=-1) >= 0).all()


def test_a_forecast_ignores_everything_after_the_cutoff(panel):
    base, after, twin = (
        weekly().fit(each, until=90).predict(each, at=windows_at(each, [90], SPEC)).point_WH
        for each in (panel, *(poisoned(panel, 90, visible=seen) for seen in (False, True)))
    )
    np.testing.assert_array_equal(base, after)
    assert not np.array_equal(base, twin)


def test_save_and_load_give_the_same_forecast(panel, tmp_path):
    model, at = weekly().fit(panel, until=84), windows_at(panel, [90], SPEC)
    model.save(tmp_path)
    np.testing.assert_array_equal(
        weekly().load(tmp_path).predict(panel, at=at).point_WH,
        model.predict(panel, at=at).point_WH,
    )


def test_blocks_of_several_lengths_stand_above_the_steps():
    found = step_hierarchy(14, (14, 7))
    assert list(found.levels) == ["blocks of 14", "blocks of 7", "steps"]
    np.testing.assert_allclose(found.aggregate(np.ones(14))[:3], [14, 7, 7])


def test_a_block_that_does_not_divide_the_horizon_is_refused():
    with pytest.raises(ConfigError, match="a block of 5 steps does not divide"):
        weekly((5,))
