"""The contract of `Forecaster`, kept by every file in conf/model/, also by those to come.

Wrappers keep it too, by what the config puts around a model: ``linear+aci``.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import Role, Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import ConfigError, LeakageError, SchemaError
from lanecast.models.protocol import Forecaster
from lanecast.pipeline.building import build_forecaster

CONF = Path(__file__).parents[2] / "conf"
AROUND = {
    "linear+aci": ["calibration=aci", "calibration.steps=28", "calibration.method.least=5"],
    "linear+wls_var": ["hierarchy=wls_var", "hierarchy.past={steps: 28, stride: 2}"],
    "linear+blocks": ["hierarchy=bottom_up", "hierarchy.past.steps=28", "hierarchy.blocks=[7]"],
}
SUMS, SHORT = "hierarchy.structure.levels=[[]]", "protocol.val_steps=14"
WHOLE = {"mint_bootstrap"}  # refuses the gaps of the shared panel; see test_mint_bootstrap
OWN = sorted(
    path.stem
    for path in (CONF / "model").glob("*.yaml")
    if not path.stem.startswith("_") and path.stem not in WHOLE
)
MODELS = [*OWN, *AROUND]
SPEC = WindowSpec(context=28, horizon=14, min_context=7)
UNTIL, CUTOFFS = 84, (98, 104)
LATE = 98
QUANTILES = (0.1, 0.5, 0.9)
QUANTILE_SOURCES = {"model", "residuals", "conformal", "paths", "members"}
SAMPLES = 5
MULTIVARIATE = {"itransformer", "timemixer", "tsmixerx"}  # one network over a fixed set of series

# The same models with next to no budget, by constructor.
TINY = {
    "StackedSeeds": [
        "trainer=smoke",
        "trainer.progress=false",
        "optim.batch_size=16",
        "model.seeds=2",
    ],
    "DeepForecaster": ["trainer=smoke", "trainer.progress=false", "optim.batch_size=16"],
    "Reference": ["model.max_steps=2", "model.threads=1", "+model.options.windows_batch_size=32"],
    "LightGBM": ["model.params.n_estimators=20", "model.params.min_child_samples=5"],
    "Statistical": ["model.n_jobs=1"],
    "auto_arima": ["+model.options={seasonal: false, max_p: 1, max_q: 1}"],
    "nf_tft": ["+model.options.hidden_size=8"],
    "nf_nhits": ["+model.options.mlp_units=[[8,8],[8,8],[8,8]]"],
}

pytestmark = pytest.mark.parametrize("model", MODELS)


def make(model: str) -> Forecaster:
    """A fresh forecaster from conf/model/<model>.yaml, and what the config puts around it."""
    return build_forecaster(composed(model))


@lru_cache
def composed(model: str) -> Any:
    windows = [
        f"windows.{key}={getattr(SPEC, key)}" for key in ("context", "horizon", "min_context")
    ]
    name, around = model.partition("+")[0], AROUND.get(model, [])
    options = [SHORT, SUMS] if "hierarchy=" in " ".join(around) else [SHORT] if around else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        base = ["data=flights", "windows=daily_14", f"model={name}", *windows, *around, *options]
        kind = compose("train", base).model._target_.rsplit(".", 1)[-1]
        return compose("train", [*base, *TINY.get(kind, []), *TINY.get(name, [])])


@pytest.fixture(scope="module")
def base(panel) -> Callable[[str], tuple[Forecaster, Forecasts]]:
    """The model fitted at `UNTIL` on the shared panel, and its forecasts at `CUTOFFS`."""

    @lru_cache
    def fitted(model: str) -> tuple[Forecaster, Forecasts]:
        forecaster = make(model).fit(panel, until=UNTIL)
        return forecaster, forecast(forecaster, panel, windows_at(panel, CUTOFFS, SPEC))

    return fitted


@pytest.fixture(scope="module")
def late_base(panel) -> Callable[[str], tuple[Forecaster, Forecasts]]:
    """As `base` with every role, delay and lead there is, fitted and forecast at `LATE`."""

    @lru_cache
    def fitted(model: str) -> tuple[Forecaster, Forecasts]:
        late = with_late_target(panel)
        forecaster = make(model).fit(late, until=LATE)
        return forecaster, forecast(forecaster, late, windows_at(late, [LATE], SPEC))

    return fitted


def forecast(forecaster: Forecaster, panel: Panel, at: WindowIndex, seed: int = 0) -> Forecasts:
    return forecaster.predict(panel, at=at, quantiles=QUANTILES, samples=SAMPLES, seed=seed)


def same(one: Forecasts, two: Forecasts) -> bool:
    """Bit-identical in everything that was asked for."""
    names = ("point_WH", "quantiles_WHQ", "samples_SWH")
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


def with_late_target(panel: Panel) -> Panel:
    """The panel with every role, delay and lead there is: the target is two steps late as well."""
    columns = dict(panel.schema.columns)
    columns["y"] = replace(columns["y"], delay="P2D")
    return replace(panel, schema=Schema(freq="D", columns=columns))


def cells_after(panel: Panel, step: int) -> np.ndarray:
    """Which cells of the store belong to a later step, [cells]."""
    lengths = np.diff(panel.offsets)
    ahead = np.arange(panel.num_cells) - np.repeat(panel.offsets[:-1], lengths)
    return ahead + np.repeat(panel.start, lengths) > step


def change_unknown(panel: Panel, cutoff: int) -> Panel:
    """Everything that is not known at the cutoff becomes something else."""
    schema, values = panel.schema, panel.values.clone()
    for number, name in enumerate(schema.stored):
        lead = schema.lead_steps(name) if name in schema.known else -schema.delay_steps(name)
        if lead is not None:
            late = torch.from_numpy(cells_after(panel, cutoff + lead))
            values[late, number] = 1000.0 + torch.arange(int(late.sum())) % 97
    return replace(panel, values=values)


def change_known(panel: Panel, cutoff: int, role: Role) -> Panel:
    """Values of one role that are known at the cutoff become others, around the cutoff."""
    schema, values, statics = panel.schema, panel.values.clone(), panel.statics.clone()
    recent = torch.from_numpy(cells_after(panel, cutoff - 21))
    for number, name in enumerate(schema.stored):
        if schema.columns[name].role is role:
            lead = schema.lead_steps(name) if name in schema.known else -schema.delay_steps(name)
            until = cutoff + (SPEC.horizon if lead is None else lead)
            here = recent & ~torch.from_numpy(cells_after(panel, until))
            values[here, number] = 1.5 * values[here, number] + 3.0
    if role is Role.STATIC:
        statics = statics.flip(0) * 3.0
    return replace(panel, values=values, statics=statics)


def test_model_keeps_the_protocol(model, base):
    forecaster, _ = base(model)
    assert isinstance(forecaster, Forecaster)
    assert forecaster.name == model.partition("+")[0]
    assert forecaster.fitted_until == UNTIL


def test_description_says_what_it_is_before_and_after_a_fit(model, base):
    for forecaster in (make(model), base(model)[0]):
        facts = forecaster.describe()
        assert facts.windows == SPEC
        assert Role.TARGET in facts.uses
        assert facts.quantiles in QUANTILE_SOURCES
        assert facts.do_validity == "associational"
        assert facts.graph is None
    assert make(model).describe().static_names is None
    assert facts.static_names in ((("size",),) if Role.STATIC in facts.uses else (None, ("size",)))


def test_another_horizon_is_an_unfitted_copy_or_refused_with_the_way_out(model, base):
    forecaster, _ = base(model)
    if not forecaster.describe().horizons:
        with pytest.raises(ConfigError, match=r"windows\.horizon=7"):
            forecaster.with_horizon(7)
        return
    shorter = forecaster.with_horizon(7)
    assert type(shorter) is type(forecaster)
    assert shorter.describe().windows == replace(SPEC, horizon=7)
    assert shorter.fitted_until is None
    assert forecaster.fitted_until == UNTIL


def test_a_clone_is_fitted_on_its_own(model, base, panel):
    forecaster, found = base(model)
    other = forecaster.clone().fit(panel, until=UNTIL - 7)
    at = windows_at(panel, CUTOFFS, SPEC)
    assert other.fitted_until == UNTIL - 7
    assert forecaster.fitted_until == UNTIL
    assert same(found, forecast(forecaster, panel, at))
    assert same(found, forecast(other.fit(panel, until=UNTIL), panel, at))


def test_forecasts_are_whole_finite_and_sorted(model, base, panel):
    _, found = base(model)
    shape = (len(windows_at(panel, CUTOFFS, SPEC)), SPEC.horizon)
    assert found.point_WH.shape == shape
    assert found.quantiles_WHQ.shape == (*shape, len(QUANTILES))
    assert found.samples_SWH.shape == (SAMPLES, *shape)
    for values in (found.point_WH, found.quantiles_WHQ, found.samples_SWH):
        assert np.isfinite(values).all()
        assert values.min() >= 0  # the target is declared non_negative
    assert np.all(np.diff(found.quantiles_WHQ, axis=-1) >= 0)
    assert found.levels == QUANTILES
    assert np.allclose(found.point_WH, found.quantiles_WHQ[..., 1], atol=1e-5)


def test_windows_are_answered_in_the_order_asked(model, base, panel):
    forecaster, found = base(model)
    at = windows_at(panel, CUTOFFS, SPEC)
    order = np.random.default_rng(0).permutation(len(at))
    again = forecaster.predict(panel, at=at[order], quantiles=QUANTILES)
    assert np.array_equal(again.index.series_W, at.series_W[order])
    assert np.allclose(again.point_WH, found.point_WH[order], rtol=1e-4, atol=1e-4)


def test_no_windows_give_no_forecasts(model, base, panel):
    found = forecast(base(model)[0], panel, windows_at(panel, CUTOFFS, SPEC)[:0])
    assert found.point_WH.shape == (0, SPEC.horizon)


def test_same_seed_gives_the_same_forecast(model, base, panel):
    forecaster, found = base(model)
    at = windows_at(panel, CUTOFFS, SPEC)
    assert same(found, forecast(forecaster, panel, at))
    other = forecast(forecaster, panel, at, seed=1)
    assert np.array_equal(found.point_WH, other.point_WH)
    assert not np.array_equal(found.samples_SWH, other.samples_SWH)


def test_refit_starts_afresh(model, base, panel):
    again = make(model).fit(panel, until=UNTIL - 14).fit(panel, until=UNTIL)
    assert again.fitted_until == UNTIL
    assert same(base(model)[1], forecast(again, panel, windows_at(panel, CUTOFFS, SPEC)))


def test_forecast_ignores_everything_unknown_at_the_cutoff(model, late_base, panel):
    forecaster, found = late_base(model)
    poisoned = change_unknown(with_late_target(panel), LATE)
    at = windows_at(poisoned, [LATE], SPEC)
    assert same(found, forecast(forecaster, poisoned, at))
    assert same(found, forecast(make(model).fit(poisoned, until=LATE), poisoned, at))


@pytest.mark.parametrize("role", list(Role))
def test_forecast_moves_with_every_role_it_uses_and_no_other(model, role, late_base, panel):
    forecaster, found = late_base(model)
    changed = change_known(with_late_target(panel), LATE, role)
    at = windows_at(changed, [LATE], SPEC)
    again = forecast(make(model).fit(changed, until=LATE), changed, at)
    assert (not same(found, again)) == (role in forecaster.describe().uses)


def test_cutoff_before_the_end_of_the_fit_is_refused(model, base, panel):
    with pytest.raises(LeakageError):
        forecast(base(model)[0], panel, windows_at(panel, [UNTIL - 1], SPEC))


def test_series_unseen_in_training_are_forecast_or_refused_by_a_multivariate_network(model, panel):
    forecaster = make(model).fit(panel.select([0, 1]), until=UNTIL)
    at = windows_at(panel, CUTOFFS, SPEC)
    if model in MULTIVARIATE:
        with pytest.raises(SchemaError, match="multivariate"):
            forecast(forecaster, panel, at)
        return
    found = forecast(forecaster, panel, at)
    assert found.point_WH.shape == (len(at), SPEC.horizon)
    assert np.isfinite(found.quantiles_WHQ).all()


def test_saved_model_forecasts_as_before(model, base, panel, tmp_path):
    forecaster, found = base(model)
    forecaster.save(tmp_path)
    loaded = make(model).load(tmp_path)
    assert loaded.fitted_until == UNTIL
    assert same(found, forecast(loaded, panel, windows_at(panel, CUTOFFS, SPEC)))
    assert replace(loaded.describe(), counts={}) == replace(forecaster.describe(), counts={})
    assert loaded.report is None
    pickles = [path.name for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".pickle")]
    assert pickles == []
