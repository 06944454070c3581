"""The contract of `Forecaster`, kept by every file in conf/model/, also by those to come.

Wrappers keep it too, by what the config puts around a model: ``linear+aci``.
"""

import pickle
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from lanecast.data.windows import WindowSpec
from lanecast.errors import SchemaError
from lanecast.models.protocol import Forecaster
from lanecast.models.testing.claims import CLAIMS, Case
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

of_every_model = pytest.mark.parametrize("model", MODELS)


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


@lru_cache
def case(model: str) -> Case:
    """The model under the contract; what it is fitted on once serves all claims."""
    return Case(make=lambda: make(model), refuses_unseen=model in MULTIVARIATE)


@of_every_model
@pytest.mark.parametrize("claim", CLAIMS)
def test_model_keeps_the_contract(model, claim):
    CLAIMS[claim](case(model))


@of_every_model
def test_prototype_is_the_same_in_another_process(model):
    sent = pickle.loads(pickle.dumps(make(model)))
    assert sent.fitted_until is None
    assert sent.describe() == make(model).describe()


@of_every_model
def test_model_is_called_as_its_file_and_reads_the_windows_of_the_config(model):
    assert make(model).name == model.partition("+")[0]
    assert case(model).spec == SPEC


@of_every_model
def test_model_claims_nothing_of_actions_without_a_graph(model):
    assert make(model).describe().do_validity == "associational"


@pytest.mark.parametrize("model", sorted(MULTIVARIATE))
def test_a_multivariate_network_says_why_it_refuses_other_series(model, panel):
    forecaster = make(model).fit(panel.select([0, 1]), until=case(model).until)
    with pytest.raises(SchemaError, match="multivariate"):
        forecaster.predict(panel, at=case(model).at(panel))
