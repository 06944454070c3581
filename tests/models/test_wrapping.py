"""Wrappers say what they are, stay what they are, and stand where they stood before."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from lanecast.audits.perturbed_panels import poisoned
from lanecast.data.hierarchy import Structure
from lanecast.data.schema import Schema
from lanecast.data.windows import windows_at
from lanecast.errors import ConfigError
from lanecast.models.calibration.conformal import Method
from lanecast.models.calibration.forecaster import CalibratedForecaster
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.losses import Point
from lanecast.models.deep.seeds import StackedSeeds
from lanecast.models.ensemble import Ensemble
from lanecast.models.hierarchy.forecaster import PastPlan, PathPlan, ReconciledForecaster
from lanecast.models.hierarchy.temporal import TemporalForecaster
from lanecast.models.protocol import Forecaster, Validation
from lanecast.models.wrapping import agreed, earlier
from small_models import LEVELS, SPEC, small

UNTIL, HELD = 160, 14
TRAINED = UNTIL - HELD  # where the training of `network` ends


def network(seed=1, **changes):
    """One validation, at the end: the best checkpoint does not depend on what it shows."""
    return small("linear", seed=seed, max_steps=2, val_every=2, val_steps=HELD, **changes)


def naive(season=7):
    return SeasonalNaive(windows=SPEC, season=season, name=f"naive{season}")


class Rewinding(SeasonalNaive):
    """A baseline that can stand at an earlier step, where it is what a fit there makes it."""

    def as_of(self, panel, *, until):
        return self.clone().fit(panel, until=until)


def rewinding(season=7):
    return Rewinding(windows=SPEC, season=season, name="rewinding")


def calibrated(inner, *, steps=42, **options):
    method = Method(name="aci", least=10)
    return CalibratedForecaster(inner=inner, method=method, windows=SPEC, steps=steps, **options)


def reconciled(inner, *, method="wls_var", steps=42, **options):
    return ReconciledForecaster(
        inner=inner,
        upper=inner.clone(),
        method=method,
        windows=SPEC,
        structure=Structure(levels=[[], ["origin"]]),
        past=PastPlan(steps=steps, stride=3),
        paths=PathPlan(draws=50),
        **options,
    )


def temporal(inner):
    return TemporalForecaster(inner=inner, blocks=(7,), windows=SPEC)


def ensemble(inner):
    return Ensemble(members={"one": inner, "two": inner.clone()}, name="both", weights={"one": 2})


def stacked(inner):
    return StackedSeeds(member=inner, name="seeds", seeds=2, seed=3)


WRAPPERS = {
    "calibrated": calibrated,
    "wls_var": reconciled,
    "bottom_up": partial(reconciled, method="bottom_up"),
    "temporal": temporal,
    "reconciled temporal": partial(reconciled, blocks=(7,)),
    "ensemble": ensemble,
    "stacked": stacked,
    "reconciled calibrated ensemble": lambda inner: reconciled(calibrated(ensemble(inner))),
}
wrappers = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)


@pytest.fixture(scope="module")
def lanes(make_panel):
    """Four lanes with an origin for each two of them."""
    panel = make_panel(steps=180)
    origins = {"origin": np.array(["A", "A", "B", "B"], dtype=object)}
    return replace(panel, attributes={**panel.attributes, **origins})


def forecast(model, panel, *cutoffs):
    return model.predict(panel, at=windows_at(panel, cutoffs, SPEC), quantiles=LEVELS)


def equal(one, two):
    return np.array_equal(one.point_WH, two.point_WH) and np.array_equal(
        one.quantiles_WHQ, two.quantiles_WHQ
    )


# --- what a wrapper says --------------------------------------------------------------------------


@wrappers
def test_a_wrapper_describes_the_network_inside_and_has_no_report_of_it(wrap, lanes):
    model = wrap(network()).fit(lanes, until=UNTIL)
    assert isinstance(model, Forecaster)
    facts = model.describe()
    assert facts.validation == Validation(objective="val/wape", steps=HELD, stride=1, levels=LEVELS)
    assert facts.static_names == ("size",)
    assert facts.horizons
    assert model.report is None


@pytest.mark.parametrize(
    ("wrap", "source"),
    [
        (calibrated, "conformal"),
        (reconciled, "paths"),
        (WRAPPERS["bottom_up"], "model"),
        (temporal, "model"),
        (ensemble, "members"),
        (lambda inner: calibrated(reconciled(inner)), "conformal"),
    ],
)
def test_a_wrapper_says_where_its_own_quantiles_come_from(wrap, source):
    assert wrap(network()).describe().quantiles == source


@wrappers
def test_a_wrapper_hands_on_nothing_that_is_not_in_the_protocol(wrap):
    inner = network()
    inner.secret = 1
    with pytest.raises(AttributeError):
        _ = wrap(inner).secret


@wrappers
def test_description_and_forecast_survive_save_and_load(wrap, lanes, tmp_path):
    model = wrap(network()).fit(lanes, until=UNTIL)
    model.save(tmp_path)
    loaded = wrap(network()).load(tmp_path)
    assert replace(loaded.describe(), counts={}) == replace(model.describe(), counts={})
    assert loaded.fitted_until == UNTIL
    assert equal(forecast(loaded, lanes, UNTIL), forecast(model, lanes, UNTIL))


def test_members_are_described_together():
    both = Ensemble(members={"net": network(), "naive": naive()}, name="both").describe()
    assert both.uses == network().describe().uses
    assert not both.horizons
    assert not both.reads_issued
    assert both.validation == network().describe().validation


def test_members_that_are_judged_otherwise_have_no_validation_together():
    members = {"one": network(), "two": small("linear", val_steps=21)}
    assert Ensemble(members=members, name="both").describe().validation is None


def test_values_agree_where_all_are_one():
    assert agreed([3, 3]) == 3
    assert agreed([3, 4]) is None
    assert agreed([]) is None


# --- another horizon ------------------------------------------------------------------------------


@wrappers
def test_a_wrapper_of_another_horizon_stays_the_wrapper(wrap, lanes):
    model = wrap(network()).fit(lanes, until=UNTIL)
    longer = model.with_horizon(14)
    assert type(longer) is type(model)
    assert longer.fitted_until is None
    assert longer.describe().windows == replace(SPEC, horizon=14)
    assert longer.describe().quantiles == model.describe().quantiles
    fitted = longer.fit(lanes, until=UNTIL - 14)
    assert fitted.predict(lanes, at=windows_at(lanes, [UNTIL], SPEC)).point_WH.shape[1] == 14
    assert model.describe().windows == SPEC


@pytest.mark.parametrize(
    ("model", "horizon", "message"),
    [
        (calibrated(naive()), 1, "naive7 is built for 7 steps.*windows.horizon=1"),
        (calibrated(network()), 1, "parts=2 between 1 and the horizon, 1; set"),
        (calibrated(network()), 60, "holds no whole horizon of 60.*raise it"),
        (reconciled(network()), 60, "holds no whole horizon of 60.*raise it"),
        (temporal(network()), 1, r"does not divide the horizon of 1 steps; .* set it to \[\]"),
        (ensemble(naive()), 1, "windows.horizon=1"),
    ],
)
def test_a_horizon_that_a_wrapper_cannot_have_is_refused_with_the_way_out(model, horizon, message):
    with pytest.raises(ConfigError, match=message):
        model.with_horizon(horizon)


# --- an earlier step ------------------------------------------------------------------------------


@wrappers
def test_a_wrapper_as_of_an_earlier_step_knows_nothing_after_it(wrap, lanes):
    def standing(panel):
        return wrap(network()).fit(panel, until=UNTIL).as_of(panel, until=TRAINED)

    later = poisoned(lanes, TRAINED, visible=False)
    model = standing(lanes)
    assert model.fitted_until == TRAINED
    assert equal(forecast(model, lanes, TRAINED), forecast(standing(later), later, TRAINED))
    earlier_panel = poisoned(lanes, TRAINED, visible=True)
    assert not equal(
        forecast(model, lanes, TRAINED), forecast(standing(earlier_panel), earlier_panel, TRAINED)
    )


@pytest.mark.parametrize("wrap", [calibrated, reconciled, temporal])
def test_so_it_is_with_a_late_target_and_intervals_from_residuals(wrap, lanes):
    columns = dict(lanes.schema.columns)
    columns["y"] = replace(columns["y"], delay="P2D")
    late = replace(lanes, schema=Schema(freq="D", columns=columns))
    trained = UNTIL - 2 - HELD

    def standing(panel):
        return wrap(network(loss=Point())).fit(panel, until=UNTIL).as_of(panel, until=trained)

    later = poisoned(late, trained, visible=False)
    one, two = forecast(standing(late), late, trained), forecast(standing(later), later, trained)
    assert equal(one, two)
    assert (one.quantiles_WHQ[..., -1] > one.quantiles_WHQ[..., 0]).all()


@pytest.mark.parametrize(
    "wrap", [calibrated, partial(calibrated, by="series"), reconciled, WRAPPERS["bottom_up"]]
)
def test_a_wrapper_as_of_an_earlier_step_is_what_a_fit_there_makes_it(wrap, lanes):
    """With what it remembers of the past beginning at the same step."""
    standing = wrap(rewinding()).fit(lanes, until=UNTIL).as_of(lanes, until=TRAINED)
    fitted = wrap(rewinding(), steps=42 - HELD).fit(lanes, until=TRAINED)
    cutoffs = range(TRAINED, UNTIL - SPEC.horizon)
    assert equal(forecast(standing, lanes, *cutoffs), forecast(fitted, lanes, *cutoffs))


@pytest.mark.parametrize("wrap", [temporal, ensemble])
def test_steps_and_members_stand_where_a_fit_there_makes_them_stand(wrap, lanes):
    standing = wrap(rewinding()).fit(lanes, until=UNTIL).as_of(lanes, until=TRAINED)
    fitted = wrap(rewinding()).fit(lanes, until=TRAINED)
    assert equal(forecast(standing, lanes, TRAINED, UNTIL), forecast(fitted, lanes, TRAINED, UNTIL))


@wrappers
def test_nothing_stands_at_an_earlier_step_without_a_validation_or_after_loading(
    wrap, lanes, tmp_path
):
    model = wrap(network()).fit(lanes, until=UNTIL)
    assert model.as_of(lanes, until=TRAINED - 1) is None
    model.save(tmp_path)
    assert wrap(network()).load(tmp_path).as_of(lanes, until=TRAINED) is None
    plain = small("linear", max_steps=2, val_steps=0)
    assert wrap(plain).fit(lanes, until=UNTIL).as_of(lanes, until=TRAINED) is None


def test_too_short_a_past_is_fitted_anew(lanes):
    model = reconciled(rewinding(), steps=HELD + 8).fit(lanes, until=UNTIL)
    assert model.as_of(lanes, until=TRAINED) is None


def test_of_a_mixed_ensemble_only_the_baseline_is_fitted_twice(lanes, monkeypatch):
    fitted = []
    for kind in (DeepForecaster, SeasonalNaive):
        fit = kind.fit

        def counted(self, panel, *, until, reporter=None, fit=fit):
            fitted.append((self.name, until))
            return fit(self, panel, until=until, reporter=reporter)

        monkeypatch.setattr(kind, "fit", counted)
    model = Ensemble(members={"net": network(), "naive": naive()}, name="both")
    standing = earlier(model.fit(lanes, until=UNTIL), lanes, until=TRAINED)
    assert standing.fitted_until == TRAINED
    assert fitted == [("linear", UNTIL), ("naive7", UNTIL), ("naive7", TRAINED)]


def test_a_clone_learns_on_its_own(lanes):
    model = calibrated(network()).fit(lanes, until=UNTIL)
    before = forecast(model, lanes, UNTIL)
    other = model.clone().fit(poisoned(lanes, 80, visible=True), until=80)
    assert other.fitted_until == 80
    assert equal(forecast(model, lanes, UNTIL), before)
