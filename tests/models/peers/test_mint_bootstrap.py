"""The reference for hierarchies: what it sees, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from lanecast.audits.perturbed_panels import poisoned
from lanecast.data.hierarchy import Structure
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import LanecastError
from lanecast.models.peers.mint_bootstrap import MinTBootstrap

SPEC = WindowSpec(context=28, horizon=7, min_context=7)
QUICK = {"seasonal": False, "max_p": 1, "max_q": 1}


@pytest.fixture(scope="module")
def lanes(panel):
    """The two series of the shared panel without a gap, and their total."""
    return panel.select([0, 1])


def reference():
    structure = Structure(levels=[[]])
    return MinTBootstrap(windows=SPEC, season=7, structure=structure, options=QUICK, n_jobs=1)


def forecast(panel):
    at = windows_at(panel, [90], SPEC)
    return reference().fit(panel, until=84).predict(panel, at=at, quantiles=(0.1, 0.9), samples=50)


def test_quantiles_are_those_of_the_paths(lanes):
    found = forecast(lanes)
    assert found.samples_SWH.shape == (50, 2, 7)
    drawn = np.quantile(found.samples_SWH, (0.1, 0.9), axis=0)
    np.testing.assert_allclose(np.moveaxis(drawn, 0, -1), found.quantiles_WHQ, rtol=1e-6)


def test_a_forecast_ignores_everything_after_the_cutoff(lanes):
    base, after, twin = (
        forecast(each).point_WH
        for each in (lanes, *(poisoned(lanes, 90, visible=seen) for seen in (False, True)))
    )
    np.testing.assert_array_equal(base, after)
    assert not np.array_equal(base, twin)


def test_a_gap_is_refused_by_name(lanes):
    values = lanes.values.clone()
    values[50] = np.nan
    with pytest.raises(LanecastError, match="'A>B' has gaps"):
        forecast(replace(lanes, values=values))


def test_save_and_load_keep_the_end_of_the_fit(lanes, tmp_path):
    reference().fit(lanes, until=84).save(tmp_path)
    assert reference().load(tmp_path).fitted_until == 84
