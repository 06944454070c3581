from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError
from lanecast.models.classical import statistical
from lanecast.models.classical.statistical import Statistical, path_roots

SPEC = WindowSpec(context=28, horizon=10)


def make(kind: str = "AutoETS", **options) -> Statistical:
    return Statistical(windows=SPEC, kind=kind, season=7, name=kind, n_jobs=1, **options)


def window(series: int, cutoff: int) -> WindowIndex:
    return WindowIndex(series_W=np.array([series]), cutoff_W=np.array([cutoff]))


def target(panel, series: int) -> np.ndarray:
    cells = slice(panel.offsets[series], panel.offsets[series + 1])
    return panel.column("y").numpy()[cells].astype(np.float64)


@pytest.mark.parametrize("kind", ["AutoETS", "AutoTheta"])
def test_forecast_is_that_of_statsforecast_on_the_visible_history(panel, kind):
    from statsforecast import models

    model = make(kind, max_history=60).fit(panel, until=90)
    found = model.predict(panel, at=window(0, 100), quantiles=(0.1, 0.5, 0.9))
    direct = getattr(models, kind)(season_length=7).forecast(
        y=target(panel, 0)[41:101], h=10, level=[80]
    )
    assert np.array_equal(found.point_WH[0], direct["mean"])
    assert np.array_equal(found.quantiles_WHQ[0, :, 0], np.maximum(direct["lo-80"], 0))
    assert np.array_equal(found.quantiles_WHQ[0, :, 2], direct["hi-80"])


def test_short_series_falls_back_to_seasonal_naive_and_is_counted(panel, caplog):
    model = make().fit(panel, until=90)
    at = windows_at(panel, [95], SPEC)  # series 2 has 6 steps by then
    found = model.predict(panel, at=at, quantiles=(0.1, 0.9), samples=3)
    assert model.counts["too_short"] == 1
    assert "1 of 4 windows are forecast by seasonal naive" in caplog.text
    assert np.isfinite(found.samples_SWH).all()
    assert found.point_WH[2, 1:7].tolist() == target(panel, 2)[:6].tolist()


def test_gaps_are_filled_from_a_season_earlier_and_counted(panel):
    model = make().fit(panel, until=90)
    found = model.predict(panel, at=window(3, 100))
    assert model.counts == {"filled_gaps": 5}
    assert np.isfinite(found.point_WH).all()


def test_one_failing_series_does_not_end_the_run(panel, monkeypatch):
    honest = statistical.fit_locally

    def fails_once(kind, options, y_T, steps, grid):
        answer = honest(kind, options, y_T, steps, grid)
        return answer * np.nan if y_T[0] == target(panel, 1)[0] else answer

    monkeypatch.setattr(statistical, "fit_locally", fails_once)
    model = make("AutoTheta").fit(panel, until=90)
    found = model.predict(panel, at=windows_at(panel, [100], SPEC))
    assert model.counts["failed"] == 1
    assert np.isfinite(found.point_WH).all()


def test_an_exception_inside_a_model_becomes_nan():
    assert np.isnan(statistical.fit_locally("AutoTheta", {}, np.ones(1), 3, (0.1,))).all()


def test_zeros_give_zeros(panel):
    values = panel.values.clone()
    values[:, 0] = 0
    model = make().fit(replace(panel, values=values), until=90)
    found = model.predict(replace(panel, values=values), at=window(0, 100), quantiles=(0.1, 0.9))
    assert np.all(found.point_WH == 0)
    assert np.isfinite(found.quantiles_WHQ).all()


def test_roots_give_back_the_correlation_of_simple_smoothing():
    alpha, steps = 0.4, 6
    weight_T = np.r_[1.0, np.full(steps - 1, alpha)]
    lag_TT = np.arange(steps)[:, None] - np.arange(steps)
    root_TT = np.where(lag_TT >= 0, weight_T[np.abs(lag_TT)], 0.0)
    covariance_TT = root_TT @ root_TT.T
    spread_T = np.sqrt(np.diag(covariance_TT))
    grid_WTQ = np.stack([-spread_T, spread_T], axis=-1)[None]
    found = path_roots(grid_WTQ, (0.1, 0.9))[0]
    assert found @ found.T == pytest.approx(covariance_TT / np.outer(spread_T, spread_T))


def test_sample_paths_have_the_marginals_of_the_quantiles(panel):
    model = make().fit(panel, until=90)
    found = model.predict(panel, at=window(1, 100), quantiles=(0.1, 0.9), samples=2000)
    marginal = np.quantile(found.samples_SWH[:, 0], (0.1, 0.9), axis=0).T
    width = np.ptp(found.quantiles_WHQ[0], axis=-1)
    assert np.abs(marginal - found.quantiles_WHQ[0]).max() < 0.1 * width.max()


@pytest.mark.slow
def test_workers_change_nothing(panel, monkeypatch):
    at = windows_at(panel, [100, 101], SPEC)
    one = make("AutoTheta").fit(panel, until=90).predict(panel, at=at)
    monkeypatch.setattr(statistical, "MIN_PARALLEL", 1)
    two = Statistical(windows=SPEC, kind="AutoTheta", season=7, name="theta", n_jobs=2)
    assert np.array_equal(one.point_WH, two.fit(panel, until=90).predict(panel, at=at).point_WH)


def test_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match=r"model\.kind='Prophet' is not one of AutoETS"):
        make("Prophet")


def test_checkpoint_of_another_configuration_is_refused(panel, tmp_path):
    make().fit(panel, until=90).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"other options \(max_history\)"):
        make(max_history=50).load(tmp_path)
