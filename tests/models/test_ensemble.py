"""Ensembles: what is averaged, and with which weights."""

import numpy as np
import pytest

from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import ConfigError
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.ensemble import Ensemble

SPEC = WindowSpec(context=28, horizon=7, min_context=7)
LEVELS = (0.1, 0.5, 0.9)


def naive(season):
    return SeasonalNaive(windows=SPEC, season=season, name=f"naive{season}")


def ensemble(**options):
    members = {"week": naive(7), "day": naive(1)}
    return Ensemble(members=members, name="both", **options)


@pytest.fixture
def fitted(panel):
    return ensemble(weights={"week": 3}).fit(panel, until=84)


def test_points_and_quantiles_are_weighted_means(fitted, panel):
    at = windows_at(panel, [90], SPEC)
    found = fitted.predict(panel, at=at, quantiles=LEVELS)
    week, day = (
        naive(season).fit(panel, until=84).predict(panel, at=at, quantiles=LEVELS)
        for season in (7, 1)
    )
    np.testing.assert_allclose(found.point_WH, 0.75 * week.point_WH + 0.25 * day.point_WH)
    np.testing.assert_allclose(
        found.quantiles_WHQ, 0.75 * week.quantiles_WHQ + 0.25 * day.quantiles_WHQ
    )


def test_paths_keep_the_shapes_of_their_members(fitted, panel):
    at = windows_at(panel, [90], SPEC)
    found = fitted.predict(panel, at=at, samples=6)
    own = fitted.members["day"].predict(panel, at=at, samples=6)
    free = found.samples_SWH[1] > 0  # the target is non-negative
    expected = own.samples_SWH[1] - own.point_WH + found.point_WH
    np.testing.assert_allclose(found.samples_SWH[1][free], expected[free])


def test_a_member_set_to_null_is_left_out(panel):
    members = {"week": naive(7), "day": naive(1), "none": None}
    assert list(Ensemble(members=members, name="two").members) == ["week", "day"]


def test_save_and_load_give_the_same_forecast(fitted, panel, tmp_path):
    at = windows_at(panel, [90], SPEC)
    fitted.save(tmp_path)
    again = ensemble(weights={"week": 3}).load(tmp_path)
    assert again.fitted_until == 84
    np.testing.assert_array_equal(
        again.predict(panel, at=at).point_WH, fitted.predict(panel, at=at).point_WH
    )


def test_one_member_is_no_ensemble():
    with pytest.raises(ConfigError, match="at least two members"):
        Ensemble(members={"week": naive(7)}, name="one")


@pytest.mark.parametrize("weights", [{"month": 1.0}, {"week": 0.0}])
def test_weights_of_nobody_are_refused(weights):
    with pytest.raises(ConfigError, match=r"model\.weights"):
        ensemble(weights=weights)
