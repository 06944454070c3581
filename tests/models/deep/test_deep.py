"""`DeepForecaster`: what it refuses, what it keeps, and that no scaler lets the future in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import CheckpointError, LeakageError, SchemaError
from lanecast.models.deep.anchors import NoAnchor, SeasonalAnchor
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.inference import Calibration
from lanecast.models.deep.losses import Loss, MultiQuantile, Parametric, Point
from small_models import LEVELS, NETWORKS, SPEC, Notes, small

UNTIL = 100
SCALERS = {
    path.stem: {k: v for k, v in yaml.safe_load(path.read_text()).items() if not k.startswith("_")}
    for path in sorted((Path(__file__).parents[3] / "conf" / "scaler").glob("*.yaml"))
}
LOSSES: dict[str, Callable[[], Loss]] = {
    "quantiles": partial(MultiQuantile, levels=LEVELS),
    "mae": partial(Point, kind="mae"),
    **{
        family: partial(Parametric, family=family, levels=LEVELS)
        for family in ("normal", "laplace", "student_t")
    },
}


def forecast(model: DeepForecaster, panel: Panel, *cutoffs: int, **options: Any) -> Forecasts:
    at = windows_at(panel, cutoffs or (UNTIL, 107), SPEC)
    return model.predict(panel, at=at, **{"quantiles": LEVELS, "samples": 3, **options})


def equal(one: Forecasts, two: Forecasts) -> bool:
    pairs = (
        (getattr(one, key), getattr(two, key))
        for key in ("point_WH", "quantiles_WHQ", "samples_SWH")
    )
    return all(np.array_equal(left, right) for left, right in pairs)


# --- leaks ----------------------------------------------------------------------------------------


def changed(panel: Panel, *, visible: bool) -> Panel:
    """Every cell that is (not) visible at `UNTIL`, moved; known_future without lead always is."""
    steps = np.concatenate(
        [start + np.arange(n) for start, n in zip(panel.start, np.diff(panel.offsets), strict=True)]
    )
    values = panel.values.clone()
    for at, name in enumerate(panel.schema.stored):
        if name in panel.schema.past:
            known = steps + panel.schema.delay_steps(name) <= UNTIL
        else:
            lead = panel.schema.lead_steps(name)
            known = steps <= (len(panel.times) if lead is None else UNTIL + lead)
        cells = torch.from_numpy(known if visible else ~known)
        values[cells, at] = values[cells, at] * 1.5 + 3.0
    return replace(panel, values=values)


def leak_proof(panel: Panel, network: str, scaler: str) -> None:
    def fitted(data: Panel) -> Forecasts:
        model = small(network, scaler=lambda: Scaler(**SCALERS[scaler]), max_steps=2)
        return forecast(model.fit(data, until=UNTIL), data, UNTIL)

    base = fitted(panel)
    assert equal(base, fitted(changed(panel, visible=False)))
    assert not np.array_equal(base.point_WH, fitted(changed(panel, visible=True)).point_WH)


@pytest.mark.parametrize("scaler", SCALERS)
def test_forecast_knows_nothing_after_the_cutoff(panel: Panel, scaler: str) -> None:
    leak_proof(panel, "linear", scaler)


@pytest.mark.slow
@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "linear"])
def test_no_network_knows_anything_after_the_cutoff(
    panel: Panel, network: str, scaler: str
) -> None:
    leak_proof(panel, network, scaler)


# --- forecasts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_gives_sorted_finite_quantiles_and_paths(panel: Panel, loss: str) -> None:
    model = small(loss=LOSSES[loss]()).fit(panel, until=UNTIL)
    wanted = (0.01, 0.1, 0.3, 0.5, 0.9, 0.99)
    found = forecast(model, panel, quantiles=wanted)
    assert found.quantiles_WHQ is not None
    assert found.samples_SWH is not None
    assert found.quantiles_WHQ.shape == (8, SPEC.horizon, 6)
    assert found.samples_SWH.shape == (3, 8, SPEC.horizon)
    assert (np.diff(found.quantiles_WHQ, axis=-1) >= 0).all()
    for values in (found.point_WH, found.quantiles_WHQ, found.samples_SWH):
        assert np.isfinite(values).all()
        assert (values >= 0).all()  # the target is declared non-negative


def test_predictions_do_not_depend_on_the_batch(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lanecast.models.deep import inference

    model = small("nhits").fit(panel, until=UNTIL)
    whole = forecast(model, panel)
    monkeypatch.setattr(inference, "BATCH", 3)
    parts = forecast(model, panel)
    assert len(parts.point_WH) == len(whole.point_WH) == 8
    np.testing.assert_allclose(parts.point_WH, whole.point_WH, rtol=1e-5)


@pytest.mark.parametrize("network", ["linear", "itransformer"])
def test_windows_are_answered_in_the_order_asked(panel: Panel, network: str) -> None:
    model = small(network).fit(panel, until=UNTIL)
    at = windows_at(panel, (UNTIL, 107), SPEC)
    order = np.array([5, 0, 3])
    some = model.predict(panel, at=at[order]).point_WH
    np.testing.assert_allclose(some, model.predict(panel, at=at).point_WH[order], rtol=1e-5)


def test_no_window_is_no_forecast(panel: Panel) -> None:
    model = small().fit(panel, until=UNTIL)
    found = model.predict(panel, at=windows_at(panel, (), SPEC), quantiles=LEVELS)
    assert found.point_WH.shape == (0, SPEC.horizon)


def test_same_seed_gives_the_same_forecast_and_another_does_not(panel: Panel) -> None:
    one, same, other = (
        forecast(small("nhits", seed=seed).fit(panel, until=UNTIL), panel) for seed in (1, 1, 2)
    )
    assert equal(one, same)
    assert not np.array_equal(one.point_WH, other.point_WH)


def test_refit_starts_afresh(panel: Panel) -> None:
    model = small().fit(panel, until=90)
    again = forecast(model.fit(panel, until=UNTIL), panel)
    assert equal(again, forecast(small().fit(panel, until=UNTIL), panel))


def test_fit_leaves_torchs_generator_alone(panel: Panel) -> None:
    torch.manual_seed(3)
    small().fit(panel, until=UNTIL)
    found = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(found, torch.rand(1))


@pytest.mark.parametrize(("val_steps", "where"), [(14, "validation"), (0, "training")])
def test_intervals_say_what_they_were_calibrated_on(
    panel: Panel, val_steps: int, where: str
) -> None:
    model = small(loss=Point(), val_steps=val_steps).fit(panel, until=UNTIL)
    assert model.describe().calibrated_on == f"{where} windows"
    found = forecast(model, panel)
    assert found.quantiles_WHQ is not None
    assert (found.quantiles_WHQ[..., 2] > found.quantiles_WHQ[..., 0]).all()


# --- what it refuses ------------------------------------------------------------------------------


def test_early_cutoff_is_refused(panel: Panel) -> None:
    model = small().fit(panel, until=UNTIL)
    with pytest.raises(LeakageError, match=r"until 2024-04-10 .*earlier cutoff 2024-04-09.*train"):
        forecast(model, panel, 99, UNTIL)


def test_model_that_was_never_fitted_is_refused(panel: Panel, tmp_path: Path) -> None:
    with pytest.raises(LeakageError, match="linear was never fitted"):
        forecast(small(), panel)
    with pytest.raises(LeakageError, match="never fitted"):
        small().save(tmp_path)


def test_other_columns_are_refused_by_name(panel: Panel, plain_panel: Panel) -> None:
    model = small().fit(panel, until=UNTIL)
    with pytest.raises(SchemaError, match=r"other columns: missing .*'past:late'.* new \[\]"):
        forecast(model, plain_panel)


@pytest.mark.parametrize("scaler", ["robust", "series_standard"])
def test_unseen_series_is_forecast_by_a_univariate_network(panel: Panel, scaler: str) -> None:
    model = small(scaler=lambda: Scaler(**SCALERS[scaler])).fit(panel.select([0, 1]), until=UNTIL)
    found = forecast(model, panel)
    assert np.isfinite(found.point_WH).all()
    assert len(found.point_WH) == 8


def test_unseen_series_is_refused_by_a_multivariate_network(panel: Panel) -> None:
    model = small("itransformer").fit(panel.select([0, 1]), until=UNTIL)
    with pytest.raises(SchemaError, match="multivariate and forecasts exactly the 2 series"):
        forecast(model, panel)
    with pytest.raises(SchemaError, match="refit, or choose a univariate network"):
        forecast(model, panel.select([1, 0]))


# --- save and load --------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_loaded_model_forecasts_the_same_bits(panel: Panel, tmp_path: Path, network: str) -> None:
    model = small(network).fit(panel, until=UNTIL)
    model.save(tmp_path)
    loaded = small(network, seed=9).load(tmp_path)
    assert equal(forecast(model, panel), forecast(loaded, panel))
    assert loaded.fitted_until == UNTIL
    assert loaded.describe().uses == model.describe().uses


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("loss", ["mae", "student_t"])
def test_loaded_model_keeps_scaler_and_calibration(
    panel: Panel, tmp_path: Path, scaler: str, loss: str
) -> None:
    make = partial(small, loss=LOSSES[loss](), scaler=lambda: Scaler(**SCALERS[scaler]))
    model = make().fit(panel, until=UNTIL)
    model.save(tmp_path)
    loaded = make().load(tmp_path)
    assert equal(forecast(model, panel), forecast(loaded, panel))
    assert loaded.describe().calibrated_on == model.describe().calibrated_on
    with pytest.raises(LeakageError):
        forecast(loaded, panel, 99)


def test_saved_model_holds_no_pickled_object(panel: Panel, tmp_path: Path) -> None:
    small().fit(panel, until=UNTIL).save(tmp_path)
    files = ["model.json", "model.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"name": "other"}, "model linear, this config has other"),
    "context": ({"windows": WindowSpec(context=21, horizon=7)}, "context 28, this config has 21"),
    "horizon": ({"windows": WindowSpec(context=28, horizon=5)}, "horizon 7, this config has 5"),
    "loss": ({"loss": Parametric(family="normal", levels=LEVELS)}, "loss MultiQuantile"),
    "levels": ({"loss": MultiQuantile(levels=(0.2, 0.5, 0.8))}, r"levels \[0.1"),
    "anchor": ({"anchor": SeasonalAnchor(season=7)}, r"anchor NoAnchor\(\)"),
    "scaler": ({"scaler": partial(Scaler, method="standard")}, "scaler is"),
    "network": ({"network": NETWORKS["nhits"], "name": "linear"}, "does not fit the network"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_checkpoint_of_another_config_is_refused(panel: Panel, tmp_path: Path, what: str) -> None:
    changes, message = OTHERS[what]
    small().fit(panel, until=UNTIL).save(tmp_path)
    with pytest.raises(CheckpointError, match=message) as caught:
        small(**changes).load(tmp_path)
    assert "run=<run folder>" in str(caught.value)


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no model\.json"):
        small().load(tmp_path)


def test_no_anchor_is_the_default(panel: Panel, tmp_path: Path) -> None:
    one = small().fit(panel, until=UNTIL, reporter=Notes(tmp_path))
    two = small(anchor=NoAnchor()).fit(panel, until=UNTIL)
    assert equal(forecast(one, panel), forecast(two, panel))


@pytest.mark.parametrize("network", ["linear", "nhits"])
def test_anchored_network_starts_from_its_anchor(panel: Panel, network: str) -> None:
    """After steps of no size the forecast of an anchored model is near last week's."""
    changes: dict[str, Any] = {"optimizer": partial(torch.optim.SGD, lr=0.0), "max_steps": 1}
    anchored = small(network, anchor=SeasonalAnchor(season=7), **changes).fit(panel, until=UNTIL)
    free = small(network, **changes).fit(panel, until=UNTIL)
    assert anchored.report is not None
    assert free.report is not None
    assert anchored.report.value < free.report.value


def test_calibration_says_when_paths_ignore_the_dependence_between_steps():
    def calibration(correlation_HH: np.ndarray) -> Calibration:
        return Calibration(
            levels=(0.1, 0.5, 0.9), residual_HQ=None, correlation_HH=correlation_HH, source="tests"
        )

    assert calibration(np.eye(3)).independent
    assert not calibration(np.full((3, 3), 0.2) + 0.8 * np.eye(3)).independent
