"""A network forecasts in the unit of its target, whatever that unit is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from lanecast.data.windows import WindowSpec, windows_at
from lanecast.models.classical.lightgbm import LightGBM
from lanecast.models.classical.plain import EventMedian, PhaseMedian, TrailingMean
from lanecast.models.classical.smoothing import Smoothing
from lanecast.pipeline.building import build_forecaster
from lanecast.testing import example_panel

CONF = Path(__file__).parents[3] / "conf"
SPEC = WindowSpec(context=28, horizon=7, min_context=7)
LEVELS = (0.1, 0.5, 0.9)
SCALERS = ("robust", "standard", "mean_abs", "series_robust", "series_standard")


def panel_in(factor):
    panel = example_panel(steps=120)
    values = panel.values.clone()
    values[panel.offsets[0] : panel.offsets[0] + 60, 0] = 0.0
    for column in ("y", "late", "scheduled"):
        values[:, panel.schema.stored.index(column)] *= factor
    return replace(panel, values=values)


def network(*overrides):
    sizes = [f"windows.{key}={getattr(SPEC, key)}" for key in ("context", "horizon", "min_context")]
    small = ["data=flights", "model=linear", "trainer=smoke", "trainer.progress=false"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(
            "train", [*small, *sizes, "optim.batch_size=16", "optim.max_steps=12", *overrides]
        )
    return build_forecaster(cfg)


def answers(make, factor):
    panel = panel_in(factor)
    fitted = make().fit(panel, until=100)
    forecasts = fitted.predict(panel, at=windows_at(panel, [105], SPEC), quantiles=LEVELS)
    return forecasts.point_WH.astype(np.float64), forecasts.quantiles_WHQ.astype(np.float64)


@pytest.fixture(scope="module", params=SCALERS)
def scaler(request):
    make = lambda: network(f"scaler={request.param}", "inputs=all")  # noqa: E731
    return make, answers(make, 1.0)


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**40])
def test_linear_network_is_equal_to_the_bit_up_to_a_power_of_two(scaler, factor):
    make, (point, grid) = scaler
    other_point, other_grid = answers(make, factor)
    assert np.array_equal(other_point, point * factor)
    assert np.array_equal(other_grid, grid * factor)
    assert np.ptp(point) > 1


@pytest.mark.parametrize("factor", [1e-9, 1e12])
def test_linear_network_is_the_same_in_any_unit(scaler, factor):
    make, (point, _) = scaler
    other, _ = answers(make, factor)
    np.testing.assert_allclose(other / factor, point, rtol=1e-5, atol=1e-5 * np.abs(point).mean())


def test_calibrated_and_reconciled_networks_are_too():
    for around in (
        ["calibration=aci", "calibration.steps=28", "calibration.method.least=5"],
        [
            "hierarchy=wls_var",
            "hierarchy.past={steps: 28, stride: 2}",
            "hierarchy.structure.levels=[[]]",
        ],
    ):
        make = lambda around=around: network(*around, "protocol.val_steps=14")  # noqa: E731
        point, grid = answers(make, 1.0)
        for factor in (2.0**-30, 2.0**40):
            other_point, other_grid = answers(make, factor)
            np.testing.assert_allclose(other_point / factor, point, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(other_grid / factor, grid, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", [TrailingMean, PhaseMedian, EventMedian, Smoothing, LightGBM])
def test_other_models_are_too(kind):
    small = (
        {"params": {"n_estimators": 5, "min_child_samples": 5}, "origins": 3}
        if kind is LightGBM
        else {}
    )
    make = lambda: kind(windows=SPEC, **small)  # noqa: E731
    point, grid = answers(make, 1.0)
    for factor in (2.0**-30, 2.0**40):
        other_point, other_grid = answers(make, factor)
        np.testing.assert_allclose(other_point / factor, point, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(other_grid / factor, grid, rtol=1e-5, atol=1e-4)
