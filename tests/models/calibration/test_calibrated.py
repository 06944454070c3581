"""Calibrated forecasters: honest quantiles, learned from what is known at each cutoff."""

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.audits.perturbed_panels import poisoned
from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError, ScenarioError
from lanecast.evaluation.metrics import coverage
from lanecast.models.calibration.conformal import Method
from lanecast.models.calibration.forecaster import CalibratedForecaster, moved_paths
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.protocol import Capabilities, Forecaster
from lanecast.models.quantiles.grids import LEVELS
from lanecast.pipeline.opening import causal_part

SPEC = WindowSpec(context=28, horizon=7)
UNTIL = 240
METHODS = {
    "split": Method(name="split"),
    "aci": Method(name="aci", memory=56, rate=0.01),
    "pid": Method(name="pid", memory=56, rate=0.02, integral=0.002),
}


def steady_panel(*, series: int = 30, steps: int = 420, shift_at: int | None = None) -> Panel:
    """Independent noise around a level; from ``shift_at`` on the noise is three times as large."""
    rng = np.random.default_rng(0)
    level = rng.uniform(50, 500, series)[:, None]
    wild = np.ones(steps) if shift_at is None else np.where(np.arange(steps) >= shift_at, 3.0, 1.0)
    y = level * (1 + 0.1 * wild * rng.standard_normal((series, steps)))
    return Panel(
        schema=Schema.from_config({"freq": "D", "columns": {"y": {"role": "target"}}}),
        series=np.array([f"s{number}" for number in range(series)], dtype=object),
        offsets=np.arange(series + 1, dtype=np.int64) * steps,
        start=np.zeros(series, dtype=np.int64),
        times=pd.date_range("2023-01-01", periods=steps + 64).to_numpy("datetime64[ns]"),
        values=torch.from_numpy(y.reshape(-1, 1)).float(),
        calendar=torch.zeros(steps + 64, 0),
    )


class TooSure(Forecaster):
    """Predicts the mean of the context with intervals that are three times too narrow."""

    name = "too_sure"
    fitted_until = None

    def describe(self):
        return Capabilities(windows=SPEC, uses=frozenset(), quantiles="model")

    def fit(self, panel, *, until, reporter=None):
        self.fitted_until = until
        return self

    def predict(self, panel, *, at, quantiles=None, samples=None, seed=0):
        from scipy.special import ndtri

        from lanecast.data.visibility import visible

        back = np.arange(1 - SPEC.context, 1)
        point_W = np.nanmean(visible.visible(panel, at, "y", back), axis=1)
        point = np.repeat(point_W[:, None], SPEC.horizon, axis=1)
        grid = point[..., None] * (1 + 0.033 * ndtri(np.asarray(quantiles)))
        paths = None
        if samples:
            noise = np.random.default_rng(seed).standard_normal((samples, len(at), 1))
            paths = point * (1 + 0.033 * noise)
        return Forecasts(
            index=at, point_WH=point, levels=tuple(quantiles), quantiles_WHQ=grid, samples_SWH=paths
        )

    def save(self, folder):
        folder.mkdir(parents=True)

    def load(self, folder):
        return self


def calibrated(method: str = "pid", inner=None, **options) -> CalibratedForecaster:
    return CalibratedForecaster(
        inner=inner or TooSure(), method=METHODS[method], windows=SPEC, stride=7, **options
    )


def covered(panel: Panel, found: Forecasts, percent: int = 80) -> float:
    y_WH, seen_WH = labels(panel, found.index, SPEC.horizon)
    return coverage(y_WH, seen_WH, found.quantiles_WHQ, found.levels, percent=percent)


@pytest.fixture(scope="module")
def steady() -> Panel:
    return steady_panel()


@pytest.fixture(scope="module")
def later(steady) -> WindowIndex:
    return windows_at(steady, range(UNTIL + 28, 400, 7), SPEC)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("by", ["class", "series"])
def test_coverage_is_what_the_level_promises(steady, later, method, by):
    raw = TooSure().fit(steady, until=UNTIL).predict(steady, at=later, quantiles=LEVELS)
    assert covered(steady, raw) < 0.45
    found = calibrated(method, by=by).fit(steady, until=UNTIL)
    forecasts = found.predict(steady, at=later, quantiles=LEVELS)
    assert covered(steady, forecasts) == pytest.approx(0.80, abs=0.03)
    assert covered(steady, forecasts, 90) == pytest.approx(0.90, abs=0.03)


@pytest.mark.parametrize("method", ["aci", "pid"])
def test_coverage_recovers_within_14_steps_of_a_shift(method):
    shift_at = 320
    panel = steady_panel(series=60, shift_at=shift_at)
    options = {"memory": 14, "rate": 0.05, "integral": 0.0} if method == "pid" else {"memory": 14}
    model = CalibratedForecaster(
        inner=TooSure(), method=Method(name=method, **options), windows=SPEC, stride=1
    ).fit(panel, until=UNTIL)
    at = windows_at(panel, [shift_at - 1, shift_at + 13], SPEC)
    found = model.predict(panel, at=at, quantiles=LEVELS)
    first, after = (
        covered(panel, Forecasts(index=at[rows], point_WH=found.point_WH[rows], levels=found.levels,
                                 quantiles_WHQ=found.quantiles_WHQ[rows]))
        for rows in (at.cutoff_W == shift_at - 1, at.cutoff_W == shift_at + 13)
    )  # fmt: skip
    assert first < 0.5
    assert after > 0.70


def test_the_point_forecast_is_left_as_it_is(steady, later):
    raw = TooSure().fit(steady, until=UNTIL).predict(steady, at=later, quantiles=LEVELS)
    found = calibrated().fit(steady, until=UNTIL).predict(steady, at=later, quantiles=[0.1, 0.5])
    np.testing.assert_array_equal(found.point_WH, raw.point_WH)
    np.testing.assert_array_equal(found.quantiles_WHQ[..., 1], raw.point_WH)


def test_quantiles_never_cross(steady, later):
    found = calibrated("aci").fit(steady, until=UNTIL).predict(steady, at=later, quantiles=LEVELS)
    assert (np.diff(found.quantiles_WHQ, axis=-1) >= 0).all()


def test_a_forecast_does_not_depend_on_what_else_is_asked(steady, later):
    model = calibrated().fit(steady, until=UNTIL)
    last = later.cutoff_W == later.cutoff_W.max()
    alone = model.predict(steady, at=later[last], quantiles=LEVELS)
    among = model.predict(steady, at=later, quantiles=LEVELS)
    np.testing.assert_array_equal(alone.quantiles_WHQ, among.quantiles_WHQ[last])


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrated_forecast_ignores_everything_after_the_cutoff(panel, method):
    inner = SeasonalNaive(name="naive", season=7, windows=SPEC)
    cutoff = 100
    at = windows_at(panel, [cutoff], SPEC)

    def forecast(data):
        model = calibrated(method, inner=inner, steps=28).fit(data, until=80)
        return model.predict(data, at=at, quantiles=[0.1, 0.9], samples=5).quantiles_WHQ

    base = forecast(panel)
    np.testing.assert_array_equal(base, forecast(poisoned(panel, cutoff, visible=False)))
    assert not np.array_equal(base, forecast(poisoned(panel, cutoff, visible=True)))


def test_sample_paths_spread_with_the_quantiles_and_stay_joint(steady, later):
    model = calibrated().fit(steady, until=UNTIL)
    found = model.predict(steady, at=later, quantiles=[0.1, 0.9], samples=200, seed=3)
    raw = TooSure().predict(steady, at=later, quantiles=LEVELS, samples=200, seed=3)
    inside = (found.samples_SWH >= found.quantiles_WHQ[..., 0]) & (
        found.samples_SWH <= found.quantiles_WHQ[..., 1]
    )
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    order = np.argsort(raw.samples_SWH[:, 0], axis=0)
    moved = np.take_along_axis(found.samples_SWH[:, 0], order, axis=0)
    assert (np.diff(moved, axis=0) >= -1e-6).all()


def test_paths_between_quantiles_move_by_the_shift_between_them():
    old = np.array([[[0.0, 10.0]]])
    new = np.array([[[-2.0, 14.0]]])
    paths = np.array([[[-5.0]], [[0.0]], [[5.0]], [[20.0]]])
    np.testing.assert_allclose(moved_paths(paths, old, new).ravel(), [-7.0, -2.0, 6.0, 24.0])


def test_save_and_load_give_the_same_forecast(steady, later, tmp_path):
    model = calibrated().fit(steady, until=UNTIL)
    model.save(tmp_path / "model")
    again = calibrated().load(tmp_path / "model")
    one, two = (each.predict(steady, at=later, quantiles=LEVELS) for each in (model, again))
    np.testing.assert_array_equal(one.quantiles_WHQ, two.quantiles_WHQ)


def test_a_model_saved_without_calibration_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="holds no calibrated model"):
        calibrated().load(tmp_path)


def test_a_model_calibrated_in_another_way_is_refused(steady, tmp_path):
    calibrated().fit(steady, until=UNTIL).save(tmp_path / "model")
    with pytest.raises(CheckpointError, match="was calibrated with"):
        calibrated(classes=2).load(tmp_path / "model")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "lane"}, "by='lane' is not one of class, series"),
        ({"steps": 7}, "holds no whole horizon of 7"),
        ({"parts": 8}, "parts=8 between 1 and the horizon"),
    ],
)
def test_options_without_meaning_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        calibrated(**options)


def test_a_calibrated_model_is_not_asked_what_if():
    model = calibrated()
    assert causal_part(model.inner) is model.inner
    with pytest.raises(ScenarioError, match=r"is calibrated \(pid\).*calibration=none"):
        causal_part(model)
