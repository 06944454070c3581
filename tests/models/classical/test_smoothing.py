"""Exponential smoothing of all series in one pass."""

from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import ConfigError
from lanecast.models.classical.smoothing import Smoothing

SPEC = WindowSpec(context=28, horizon=7, min_context=7)


def smoothing(**options):
    return Smoothing(windows=SPEC, season=7, **options)


def by_hand(y, *, season, weights, horizon):
    """The same filter, a step at a time."""
    level_weight, trend_weight, season_weight, damping = weights
    first = y[: 2 * season]
    level = first.mean()
    phase = np.array([first[k::season].mean() - level for k in range(season)])
    slope = 0.0
    for t, value in enumerate(y):
        error = value - (level + damping * slope + phase[t % season])
        level += damping * slope + level_weight * error
        slope = damping * slope + level_weight * trend_weight * error
        phase[t % season] += season_weight * error
    ahead = np.arange(1, horizon + 1)
    growth = np.array([sum(damping**j for j in range(1, h + 1)) * slope for h in ahead])
    return level + growth + phase[(len(y) + ahead - 1) % season]


def test_a_forecast_is_that_of_the_recursion(plain_panel):
    model = smoothing(transform="none", trend=True).fit(plain_panel, until=84)
    weights = model._sets["A>B"]
    y = plain_panel.column("y").numpy()[:91].astype(float)
    scale = model._scale["A>B"]
    expected = by_hand(y / scale, season=7, weights=weights, horizon=7) * scale
    found = model.point(plain_panel, windows_at(plain_panel, [90], SPEC))
    np.testing.assert_allclose(found[0], np.maximum(expected, 0), rtol=1e-6)


def test_one_pass_over_many_cutoffs_equals_one_each(plain_panel):
    model = smoothing().fit(plain_panel, until=60)
    at = windows_at(plain_panel, [60, 77, 90, 101], SPEC)
    order = np.random.default_rng(0).permutation(len(at))
    together = model.point(plain_panel, at[order])
    for place, row in enumerate(order):
        alone = model.point(plain_panel, at[np.array([row])])[0]
        np.testing.assert_array_equal(together[place], alone)


def test_the_season_of_noiseless_series_is_forecast(plain_panel):
    week = np.array([10.0, 30, 40, 42, 41, 35, 5])
    values = plain_panel.values.clone()
    steps = np.arange(plain_panel.num_cells) % 120
    values[:, 0] = values.new_tensor(week[steps % 7])
    steady = replace(plain_panel, values=values).select([0, 1])
    found = smoothing(transform="none").fit(steady, until=84)
    point = found.point(steady, windows_at(steady, [90], SPEC))
    np.testing.assert_allclose(point[0], week[np.arange(91, 98) % 7], rtol=0.02)


def test_weights_of_a_series_lean_to_what_suits_all(plain_panel):
    own, common = (smoothing(pool=pool).fit(plain_panel, until=84) for pool in (0.0, 1.0))
    assert len(set(common._sets.values())) == 1
    assert len(set(own._sets.values())) > 1


def test_a_gap_leaves_the_forecast_as_it_was(plain_panel):
    values = plain_panel.values.clone()
    values[86:91] = np.nan
    gappy = replace(plain_panel, values=values)
    model = smoothing().fit(plain_panel, until=84)
    at = windows_at(gappy, [90], SPEC)
    row = np.array([list(at.series_W).index(0)])
    after = model.point(gappy, at[row])[0]
    before = model.point(plain_panel, windows_at(plain_panel, [85], SPEC)[:1])[0]
    np.testing.assert_allclose(after[:2], before[5:], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"transform": "cube"}, "transform"), ({"pool": 2.0}, "pool")],
)
def test_options_without_meaning_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        smoothing(**options)
