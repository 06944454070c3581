"""What a wrapper is judged by: its own forecasts of the validation windows, as it stood before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.hierarchy import Structure
from lanecast.data.windows import windows_at
from lanecast.evaluation.score import evaluate
from lanecast.models.calibration.conformal import Method
from lanecast.models.calibration.forecaster import CalibratedForecaster
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.deep.seeds import StackedSeeds
from lanecast.models.ensemble import Ensemble
from lanecast.models.hierarchy.forecaster import PastPlan, PathPlan, ReconciledForecaster
from lanecast.models.protocol import Validation
from lanecast.pipeline.training import held_out_scores
from small_models import LEVELS, SPEC, small

UNTIL, HELD = 160, 14
TRAINED = UNTIL - HELD
BY = Validation(objective="val/wql", steps=HELD, stride=1, levels=LEVELS)


@pytest.fixture(scope="module")
def lanes(make_panel):
    """Four lanes of two origins, far enough from 0 that no forecast is cut off there."""
    panel = make_panel(steps=180)
    values = panel.values.clone()
    values[:, 0] += 100
    origins = np.array(["A", "A", "B", "B"], dtype=object)
    return replace(panel, values=values, attributes={**panel.attributes, "origin": origins})


def network(**changes):
    return small("linear", val_steps=HELD, objective="val/wql", **changes)


def naive():
    return SeasonalNaive(windows=SPEC, season=7, name="naive")


def aci(inner):
    method = Method(name="aci", least=10)
    return CalibratedForecaster(inner=inner, method=method, windows=SPEC, steps=42)


def wls_var(inner):
    return ReconciledForecaster(
        inner=inner, upper=inner.clone(), method="wls_var", windows=SPEC,
        structure=Structure(levels=[[], ["origin"]]), past=PastPlan(steps=42, stride=3),
        paths=PathPlan(draws=50),
    )  # fmt: skip


def scores_of(model, panel):
    return held_out_scores(model.fit(panel, until=UNTIL), panel, until=UNTIL, by=BY, season=7)


def evaluated(standing, panel):
    """The plain way: forecast the windows and score them."""
    at = windows_at(panel, range(TRAINED, UNTIL - SPEC.horizon + 1), SPEC)
    forecasts = standing.predict(panel, at=at, quantiles=LEVELS)
    return evaluate(forecasts, panel, SPEC, season=7, slices=()).values


def test_a_network_scored_so_has_the_report_of_its_own_fit(lanes):
    model = network().fit(lanes, until=UNTIL)
    assert model.report.objective == "val/wql"
    assert scores_of(model, lanes)["val/wql"] == pytest.approx(model.report.value, rel=1e-5)


def test_a_calibration_keeps_the_point_errors_of_the_network_and_has_its_own_quantiles(lanes):
    raw, corrected = scores_of(network(), lanes), scores_of(aci(network()), lanes)
    assert corrected["val/wape"] == raw["val/wape"]
    assert corrected["val/wql"] != raw["val/wql"]
    assert corrected["val/coverage_80"] != raw["val/coverage_80"]


def test_a_reconciliation_has_point_errors_of_its_own(lanes):
    raw, moved = scores_of(network(), lanes), scores_of(wls_var(network()), lanes)
    assert abs(moved["val/wape"] / raw["val/wape"] - 1) > 1e-4


@pytest.mark.parametrize("wrap", [aci, wls_var])
def test_the_scores_are_those_of_the_wrapper_itself(wrap, lanes):
    model = wrap(network())
    scores = scores_of(model, lanes)
    plain = evaluated(model.as_of(lanes, until=TRAINED), lanes)
    assert scores["val/wql"] == plain["wql"]
    assert scores["val/wape"] == plain["wape"]


@pytest.mark.parametrize("wrap", [aci, wls_var])
def test_a_wrapper_of_a_baseline_is_scored_as_fitted_before_the_windows(wrap, lanes):
    plain = evaluated(wrap(naive()).fit(lanes, until=TRAINED), lanes)
    assert scores_of(wrap(naive()), lanes)["val/wql"] == plain["wql"]


def test_scoring_leaves_the_model_as_it_was(lanes):
    model = aci(network()).fit(lanes, until=UNTIL)
    at = windows_at(lanes, [UNTIL], SPEC)
    before = model.predict(lanes, at=at, quantiles=LEVELS)
    held_out_scores(model, lanes, until=UNTIL, by=BY, season=7)
    after = model.predict(lanes, at=at, quantiles=LEVELS)
    assert model.fitted_until == UNTIL
    np.testing.assert_array_equal(before.quantiles_WHQ, after.quantiles_WHQ)


@pytest.mark.parametrize(
    "model",
    [
        Ensemble(members={"one": network(seed=1), "two": network(seed=2)}, name="both"),
        StackedSeeds(member=network(), name="seeds", seeds=2, seed=1),
    ],
    ids=["ensemble", "seeds"],
)
def test_an_ensemble_is_judged_by_the_mean_of_its_members(model, lanes):
    scores = scores_of(model, lanes)
    standing = [member.as_of(lanes, until=TRAINED) for member in model.members.values()]
    at = windows_at(lanes, range(TRAINED, UNTIL - SPEC.horizon + 1), SPEC)
    parts = [each.predict(lanes, at=at, quantiles=LEVELS) for each in standing]
    mean = replace(
        parts[0],
        point_WH=(parts[0].point_WH + parts[1].point_WH) / 2,
        quantiles_WHQ=(parts[0].quantiles_WHQ + parts[1].quantiles_WHQ) / 2,
    )
    plain = evaluate(mean, lanes, SPEC, season=7, slices=()).values
    assert scores["val/wql"] == pytest.approx(plain["wql"], rel=1e-6)
