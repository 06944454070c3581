import math

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from lanecast.evaluation import metrics

POINT = ("wape", "bias", "mae", "mse", "rmse")
THEIRS = {"wape": losses.nd, "mae": losses.mae, "mse": losses.mse, "rmse": losses.rmse}


@pytest.fixture
def frame(cells):
    """The seen cells in long form, as one series, since ours pool over windows."""
    seen = cells.seen_WH
    table = {"unique_id": "all", "y": cells.y_WH[seen], "point": cells.point_WH[seen]}
    names = {
        f"q{level}": cells.quantiles_WHQ[..., at][seen] for at, level in enumerate(cells.levels)
    }
    return pd.DataFrame(table | names)


@pytest.mark.parametrize("name", THEIRS)
def test_point_metric_equals_utilsforecast(cells, frame, name):
    ours = getattr(metrics, name)(cells.y_WH, cells.seen_WH, cells.point_WH)
    theirs = THEIRS[name](frame, models=["point"])["point"].item()
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_bias_has_the_sign_of_forecast_minus_actual(cells):
    high = metrics.bias(cells.y_WH, cells.seen_WH, cells.y_WH * 1.1)
    low = metrics.bias(cells.y_WH, cells.seen_WH, cells.y_WH * 0.8)
    assert (high, low) == (pytest.approx(0.1), pytest.approx(-0.2))


def test_bias_keeps_its_sign_when_actuals_are_negative(cells):
    assert metrics.bias(-cells.y_WH, cells.seen_WH, -cells.y_WH + 1) > 0


def test_wql_is_twice_the_mean_quantile_loss_over_the_mean_actual(cells, frame):
    columns = {"model": [f"q{level}" for level in cells.levels]}
    loss = losses.mqloss(frame, models=columns, quantiles=np.array(cells.levels))["model"].item()
    ours = metrics.wql(cells.y_WH, cells.seen_WH, cells.quantiles_WHQ, cells.levels)
    assert ours == pytest.approx(2 * loss / frame["y"].abs().mean(), rel=1e-12)


def test_wql_of_the_median_alone_is_wape(cells):
    median = cells.quantiles_WHQ[..., 3:4]
    ours = metrics.wql(cells.y_WH, cells.seen_WH, median, [0.5])
    assert ours == pytest.approx(metrics.wape(cells.y_WH, cells.seen_WH, median[..., 0]))


@pytest.mark.parametrize("percent", [80, 90])
def test_coverage_equals_utilsforecast(cells, frame, percent):
    low, high = metrics.INTERVALS[percent]
    named = frame.rename(columns={f"q{low}": f"m-lo-{percent}", f"q{high}": f"m-hi-{percent}"})
    theirs = losses.coverage(named, models=["m"], level=percent)["m"].item()
    ours = metrics.coverage(
        cells.y_WH, cells.seen_WH, cells.quantiles_WHQ, cells.levels, percent=percent
    )
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_width_is_the_mean_distance_of_the_bounds(cells, frame):
    ours = metrics.width(cells.y_WH, cells.seen_WH, cells.quantiles_WHQ, cells.levels, percent=90)
    assert ours == pytest.approx((frame["q0.95"] - frame["q0.05"]).mean(), rel=1e-12)


def test_an_interval_without_its_levels_is_left_out(cells):
    terms = metrics.quantile_terms(
        cells.y_WH, cells.seen_WH, cells.quantiles_WHQ[..., 1:6], cells.levels[1:6]
    )
    assert {"inside_80", "double_pinball"} <= set(terms)
    assert "inside_90" not in terms


def test_masked_cells_do_not_count(cells):
    poisoned = np.where(cells.seen_WH, cells.y_WH, np.nan)
    wild = np.where(cells.seen_WH, cells.point_WH, 1e9)
    quantiles = np.where(cells.seen_WH[..., None], cells.quantiles_WHQ, np.nan)
    for name in POINT:
        metric = getattr(metrics, name)
        clean = metric(cells.y_WH, cells.seen_WH, cells.point_WH)
        assert metric(poisoned, cells.seen_WH, wild) == clean
    assert metrics.wql(poisoned, cells.seen_WH, quantiles, cells.levels) == metrics.wql(
        cells.y_WH, cells.seen_WH, cells.quantiles_WHQ, cells.levels
    )


@pytest.mark.parametrize("name", POINT)
def test_a_metric_of_nothing_is_nan(cells, name):
    nothing = np.zeros_like(cells.seen_WH)
    assert math.isnan(getattr(metrics, name)(cells.y_WH, nothing, cells.point_WH))


def test_wape_of_zero_actuals_is_nan_not_infinite(cells):
    zero = np.zeros_like(cells.y_WH)
    assert math.isnan(metrics.wape(zero, cells.seen_WH, cells.point_WH))


def test_mase_averages_windows_and_leaves_out_those_without_scale():
    y = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [5.0, 5.0]])
    seen = np.array([[True, True], [True, True], [True, True], [False, False]])
    scale = np.array([1.0, 4.0, 0.0, 1.0])
    assert metrics.mase(y, seen, y + 2, scale) == pytest.approx((2 / 1 + 2 / 4) / 2)
