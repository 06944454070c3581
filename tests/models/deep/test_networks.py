"""Networks: shapes, and parity with neuralforecast's own pipeline on our own windows."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.data.datamodule import whole
from lanecast.data.gather import Gatherer, WindowBatch
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.schema import Role, Schema
from lanecast.data.windows import WindowIndex, windows_at
from lanecast.errors import ConfigError
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.networks.base import NeuralforecastNetwork
from small_models import ITRANSFORMER, LEVELS, NETWORKS, NHITS, SPEC, TFT, shape_of, small

NUM_SERIES, STEPS = 6, 90
OPTIONS: dict[str, dict[str, Any]] = {"NHITS": NHITS, "TFT": TFT, "iTransformer": ITRANSFORMER}
COVARIATES = {
    "hist": {"role": "observed", "scale": "none"},
    "futr": {"role": "known_future", "scale": "none"},
    "futr_too": {"role": "known_future", "scale": "none"},
    "stat": {"role": "static"},
}


def unit_panel(*, covariates: bool) -> Panel:
    """Series at unit scale, whole and of one length, with rows of known future after the last."""
    rng = np.random.default_rng(4)
    columns: dict[str, Any] = {"y": {"role": "target"}, **(COVARIATES if covariates else {})}
    values = rng.normal(size=(NUM_SERIES, STEPS + SPEC.horizon, 4 if covariates else 1))
    values[:, STEPS:, : 2 if covariates else 1] = np.nan
    return Panel(
        schema=Schema.from_config({"freq": "D", "columns": columns}),
        series=np.array([f"s{i}" for i in range(NUM_SERIES)], dtype=object),
        offsets=np.arange(NUM_SERIES + 1, dtype=np.int64) * (STEPS + SPEC.horizon),
        start=np.zeros(NUM_SERIES, dtype=np.int64),
        times=pd.date_range("2024-01-01", periods=200, freq="D").to_numpy("datetime64[ns]"),
        values=torch.from_numpy(values).flatten(0, 1).float(),
        calendar=torch.zeros(200, 0),
        # Mean 0 and sd 1, so that standardizing statics changes no bit.
        statics=torch.tensor([[-1.0], [1.0]]).repeat(NUM_SERIES // 2, 1)
        if covariates
        else torch.zeros(0, 0),
        static_names=("stat",) if covariates else (),
    )


def long_frame(panel: Panel) -> pd.DataFrame:
    columns = panel.values.numpy().astype(np.float32)
    length = STEPS + SPEC.horizon
    frame = pd.DataFrame(dict(zip(panel.schema.stored, columns.T, strict=True)))
    frame.insert(0, "ds", np.tile(panel.times[:length], NUM_SERIES))
    frame.insert(0, "unique_id", np.repeat(panel.series.astype(str), length))
    return frame


@cache
def pipelines(name: str, covariates: bool) -> tuple[Panel, np.ndarray, DeepForecaster]:
    """The panel, what neuralforecast's pipeline forecasts, and our forecaster with its weights."""
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import MQLoss

    torch.set_num_threads(1)
    panel = unit_panel(covariates=covariates)
    frame = long_frame(panel)
    lists: dict[str, Any] = {}
    if covariates:
        lists = {
            "hist_exog_list": ["hist"],
            "futr_exog_list": ["futr", "futr_too"],
            "stat_exog_list": ["stat"],
        }
    model = getattr(models, name)(
        h=SPEC.horizon,
        input_size=SPEC.context,
        loss=MQLoss(quantiles=list(LEVELS)),
        scaler_type="identity",
        max_steps=3,
        windows_batch_size=16,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        accelerator="cpu",
        devices=1,
        **OPTIONS[name],
        **lists,
    )
    static = pd.DataFrame({"unique_id": panel.series.astype(str)})
    future = frame[frame["ds"] >= panel.times[STEPS]]
    theirs = NeuralForecast(models=[model], freq="D")
    if covariates:
        static["stat"] = panel.statics[:, 0].numpy()
        theirs.fit(frame[frame["ds"] < panel.times[STEPS]], static_df=static)
        found = theirs.predict(futr_df=future.drop(columns=["y", "hist"]))
    else:
        theirs.fit(frame[frame["ds"] < panel.times[STEPS]])
        found = theirs.predict()
    values = found.sort_values(["unique_id", "ds"]).drop(columns=["unique_id", "ds"]).to_numpy()

    ours = small(
        _named(name), scaler=lambda: Scaler(method="identity"), max_steps=1, val_steps=0
    ).fit(panel, until=STEPS - 1)
    network = ours._module.network  # type: ignore[union-attr]
    assert isinstance(network, NeuralforecastNetwork)
    network.model.load_state_dict(theirs.models[0].state_dict())
    return panel, values.reshape(NUM_SERIES, SPEC.horizon, len(LEVELS)), ours


def _named(name: str) -> Callable[..., NeuralforecastNetwork]:
    def build(**arguments: Any) -> NeuralforecastNetwork:
        return NeuralforecastNetwork(name=name, options=OPTIONS[name], **arguments)

    return build


with_and_without = pytest.mark.parametrize("covariates", [False, True], ids=["plain", "covariates"])
with_parity = pytest.mark.parametrize("name", ["NHITS", "TFT"])


def last_windows(panel: Panel) -> WindowIndex:
    return windows_at(panel, [STEPS - 1], SPEC)


@with_parity
@with_and_without
def test_a_forward_equals_neuralforecasts_own_pipeline_exactly(name: str, covariates: bool) -> None:
    """In a batch of their shape; `predict` fills its batches up to whole blocks."""
    panel, theirs, ours = pipelines(name, covariates)
    batch, _ = Gatherer(panel, SPEC)(last_windows(panel))
    with torch.inference_mode():
        raw = ours.module(batch).raw_BHm.numpy()
    # Their frame holds the raw outputs; ours are sorted along the levels.
    assert np.abs(np.sort(raw, axis=-1) - np.sort(theirs, axis=-1)).max() == 0.0


@with_parity
@with_and_without
def test_predictions_in_other_batch_shapes_stay_within_2e_6(name: str, covariates: bool) -> None:
    panel, theirs, ours = pipelines(name, covariates)
    at = last_windows(panel)
    for rows in (slice(None), slice(0, 1), slice(1, 4), slice(3, 6)):
        found = ours.predict(panel, at=at[rows], quantiles=LEVELS)
        assert found.quantiles_WHQ is not None
        assert np.abs(found.quantiles_WHQ - np.sort(theirs[rows], axis=-1)).max() <= 2e-6


# --- shapes and inputs ----------------------------------------------------------------------------


def batch_of(panel: Panel, cutoffs: tuple[int, ...] = (100, 105)) -> WindowBatch:
    return Gatherer(panel, SPEC)(whole(panel, np.asarray(cutoffs)))[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_output_has_one_value_per_window_step_and_level(panel: Panel, name: str) -> None:
    network = NETWORKS[name](shape=shape_of(panel))
    batch = batch_of(panel)
    assert network(batch).shape == (8, SPEC.horizon, 3)
    assert NETWORKS[name](shape=shape_of(panel, outputs=1))(batch).shape == (8, SPEC.horizon, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_network_without_covariates_reads_the_target_alone(plain_panel: Panel, name: str) -> None:
    network = NETWORKS[name](shape=shape_of(plain_panel))
    assert network(batch_of(plain_panel)).shape == (8, SPEC.horizon, 3)


def test_uses_says_what_a_class_can_take(panel: Panel) -> None:
    shape = shape_of(panel)
    assert NETWORKS["nhits"](shape=shape).uses == frozenset(Role)
    assert NETWORKS["itransformer"](shape=shape).uses == {Role.TARGET, Role.KNOWN_FUTURE}
    dlinear = NeuralforecastNetwork(name="DLinear", options={"moving_avg_window": 5}, shape=shape)
    assert dlinear.uses == {Role.TARGET}


def test_multivariate_network_sees_every_series_of_its_cutoff_only(panel: Panel) -> None:
    torch.manual_seed(0)
    network = NETWORKS["itransformer"](shape=shape_of(panel)).eval()
    assert network.multivariate
    batch = batch_of(panel)
    batch.past_BLP[..., 0] = torch.randn(8, SPEC.context)
    before = network(batch)
    batch.past_BLP[0, :, 0] = torch.randn(SPEC.context)  # series 0 at the first cutoff
    moved = (network(batch) - before).abs().amax(dim=(1, 2))
    assert (moved[:4] > 0).all()
    assert (moved[4:] == 0).all()


def test_multivariate_outputs_belong_to_their_series(panel: Panel) -> None:
    """With normalization, the level of a series comes back in all of its outputs and no other's."""
    options = {**ITRANSFORMER, "use_norm": True, "dropout": 0.0}
    network = NeuralforecastNetwork(name="iTransformer", options=options, shape=shape_of(panel))
    batch, network = batch_of(panel), network.eval()
    before = network(batch)
    batch.past_BLP[1, :, 0] += 5.0  # series 1 at the first cutoff
    moved = network(batch) - before
    assert torch.allclose(moved[1], torch.full_like(moved[1], 5.0), atol=1e-3)
    assert moved[[0, 2, 3]].abs().max() < 1e-3


def test_multivariate_outputs_equal_the_model_called_by_hand(plain_panel: Panel) -> None:
    network = NeuralforecastNetwork(
        name="TimeMixer", options={"d_model": 4, "d_ff": 4}, shape=shape_of(plain_panel)
    ).eval()
    batch = batch_of(plain_panel)
    y_bLN = batch.past_BLP[..., 0].view(2, 4, -1).transpose(1, 2)
    mask_bLN = batch.seen_BLP[..., 0].float().view(2, 4, -1).transpose(1, 2)
    none = dict.fromkeys(("hist_exog", "futr_exog", "stat_exog"))
    raw = network.model({"insample_y": y_bLN, "insample_mask": mask_bLN, **none})
    found = network(batch).view(2, 4, SPEC.horizon, 3)
    for series in range(4):
        assert torch.equal(found[:, series], raw[..., series::4])


def test_multivariate_batch_must_hold_whole_cutoffs(panel: Panel) -> None:
    network = NETWORKS["itransformer"](shape=shape_of(panel))
    half = Gatherer(panel, SPEC)(whole(panel, np.array([100]))[:3])[0]
    with pytest.raises(ConfigError, match="whole cutoffs of 4 series, got 3 windows"):
        network(half)


@pytest.mark.parametrize("name", ["nhits", "tft", "linear"])
def test_network_reads_every_column_it_claims(panel: Panel, name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](shape=shape_of(panel)).eval()
    before = network(batch_of(panel))
    for field in ("past_BLP", "known_past_BLK", "future_BHK", "static_BC"):
        batch = batch_of(panel)
        getattr(batch, field)[..., -1] += 1.0
        assert not torch.equal(network(batch), before), field


# --- construction ---------------------------------------------------------------------------------


def build(panel: Panel, **changes: Any) -> NeuralforecastNetwork:
    arguments: dict[str, Any] = {"name": "NHITS", "options": NHITS, **changes}
    return NeuralforecastNetwork(shape=shape_of(panel), **arguments)


def _weights(network: NeuralforecastNetwork) -> torch.Tensor:
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    return torch.cat([weight.detach().flatten() for weight in learned])


def test_weights_follow_torchs_seed_and_other_generators_are_left_alone(panel: Panel) -> None:
    weights = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002
        weights.append(_weights(build(panel)))
        assert random.random() == random.Random(5).random()
        assert np.random.random() == np.random.RandomState(5).random()  # noqa: NPY002
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])


def test_unknown_network_is_refused_with_the_nearest_name(panel: Panel) -> None:
    with pytest.raises(ConfigError, match=r"model\.network\.name='NHiTS' is no .*NHITS"):
        build(panel, name="NHiTS")


@pytest.mark.parametrize("reserved", ["h", "input_size", "loss", "scaler_type", "random_seed"])
def test_options_may_not_set_what_others_own(panel: Panel, reserved: str) -> None:
    with pytest.raises(ConfigError, match=rf"may not set \['{reserved}'\]"):
        build(panel, options={reserved: 1})


def test_unknown_option_is_refused_by_name(panel: Panel) -> None:
    with pytest.raises(
        ConfigError, match=r"options of NHITS: there is no 'n_block'; nearest: n_blocks"
    ):
        build(panel, options={"n_block": 3})
