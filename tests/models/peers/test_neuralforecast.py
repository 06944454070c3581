import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError, LeakageError, SchemaError
from lanecast.models.peers.neuralforecast import LEVELS, Reference

SPEC = WindowSpec(context=28, horizon=10, min_context=7)
TINY = {"mlp_units": [[8, 8]] * 3, "windows_batch_size": 32, "scaler_type": "robust"}


def make(**options) -> Reference:
    given = {"network": "NHITS", "max_steps": 2, "season": 7, "options": TINY, **options}
    return Reference(windows=SPEC, name="nf_nhits", **given)


class Told:
    def __init__(self, folder):
        self.folder, self.said = folder, []

    def log(self, step, **values): ...

    def warn(self, message):
        self.said.append(message)


def test_forecast_is_that_of_neuralforecast_called_by_hand(make_panel):
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import NHITS

    from lanecast.models.peers.window_table import quiet

    panel = make_panel(covariates=False, lengths=(120, 120))
    model = make(covariates=False).fit(panel, until=90)
    found = model.predict(panel, at=windows_at(panel, [90], SPEC), quantiles=LEVELS)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([0, 1], 91),
            "ds": np.tile(panel.times[:91], 2),
            "y": panel.column("y").numpy().reshape(2, 120)[:, :91].ravel().astype(float),
        }
    )
    with quiet(1):
        network = NHITS(
            h=10,
            input_size=28,
            loss=MQLoss(quantiles=list(LEVELS)),
            max_steps=2,
            start_padding_enabled=True,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
            **TINY,
        )
        pipeline = NeuralForecast(models=[network], freq="D")
        pipeline.fit(frame, val_size=0)
        by_hand = pipeline.predict().iloc[:, 2:].to_numpy().reshape(2, 10, len(LEVELS))
    expected = np.maximum(np.sort(by_hand, axis=-1), 0)
    assert found.quantiles_WHQ == pytest.approx(expected, rel=1e-5)


def test_covariates_reach_the_network_unless_their_lead_is_short(panel, tmp_path):
    told = Told(tmp_path)
    model = make().fit(panel, until=90, reporter=told)
    columns = model._table.columns
    assert columns.hist == ("late", "temperature")
    assert columns.futr == ("scheduled", *panel.calendar_names)
    assert columns.stat == ("size",)
    assert "promo left out" in told.said[0]


def test_nothing_is_left_in_the_working_directory(plain_panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(covariates=False).fit(plain_panel, until=90)
    assert os.listdir(tmp_path) == []


def test_window_without_history_gets_zero_and_is_counted(plain_panel):
    model = make(covariates=False).fit(plain_panel, until=60)
    at = WindowIndex(series_W=np.array([2, 0]), cutoff_W=np.array([70, 70]))
    found = model.predict(plain_panel, at=at)
    assert np.all(found.point_WH[0] == 0)
    assert np.any(found.point_WH[1] > 0)
    assert model.describe().counts["no_history"] == SPEC.horizon


def test_delayed_target_is_forecast_over_the_gap(plain_panel):
    columns = {"y": replace(plain_panel.schema.columns["y"], delay="P3D")}
    late = replace(plain_panel, schema=Schema(freq="D", columns=columns))
    model = make(covariates=False).fit(late, until=90)
    assert model._pipeline.h == SPEC.horizon + 3
    assert model.predict(late, at=windows_at(late, [99], SPEC)).point_WH.shape == (4, SPEC.horizon)


def test_a_scaler_fitted_on_all_rows_is_refused():
    with pytest.raises(ConfigError, match=r"local_scaler_type would be fitted on rows of the"):
        make(options={"local_scaler_type": "standard"})


def test_unknown_network_is_refused(panel):
    with pytest.raises(ConfigError, match=r"model\.network='NHIST' is not a model"):
        make(network="NHIST").fit(panel, until=90)


def test_fit_before_any_series_has_begun_is_refused(panel):
    with pytest.raises(SchemaError, match="no series has a visible target"):
        make().fit(panel.select([2]), until=80)


def test_prediction_without_a_fit_is_refused(panel):
    with pytest.raises(LeakageError, match="has not been fitted"):
        make().predict(panel, at=windows_at(panel, [90], SPEC))


def test_checkpoint_of_another_configuration_is_refused(plain_panel, tmp_path):
    make(covariates=False).fit(plain_panel, until=90).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"other options \(max_steps\)"):
        make(covariates=False, max_steps=3).load(tmp_path)
