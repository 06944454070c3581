"""N-HiTS in fewer products is the same function, with the same gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lanecast.data.gather import WindowBatch
from lanecast.models.deep.networks.base import Linear, Network, NetworkShape, NeuralforecastNetwork
from lanecast.models.deep.networks.nhits_fused import fused
from small_models import NHITS, plan, small

CONTEXT, HORIZON, OUTPUTS = 14, 6, 3  # 6 knots of the last block need no interpolation
OPTIONS: dict[str, Any] = {
    "n_pool_kernel_size": [4, 2, 1],
    "n_freq_downsample": [6, 3, 1],
    "mlp_units": [[24, 24]] * 3,
}
ALL = {"num_observed": 2, "num_known": 3, "num_static": 2}
NONE = {"num_observed": 0, "num_known": 0, "num_static": 0}


def network(columns: dict[str, int], **options: Any) -> NeuralforecastNetwork:
    torch.manual_seed(0)
    shape = NetworkShape(
        context=CONTEXT, horizon=HORIZON, num_outputs=OUTPUTS, num_series=5, **columns
    )
    return NeuralforecastNetwork(name="NHITS", shape=shape, options={**OPTIONS, **options})


def batch_of(columns: dict[str, int], rows: int, dtype: torch.dtype = torch.float64) -> WindowBatch:
    torch.manual_seed(1)

    def values(*shape: int) -> torch.Tensor:
        return torch.randn(rows, *shape, dtype=dtype)

    seen_BLP = torch.rand(rows, CONTEXT, 1 + columns["num_observed"]) > 0.2
    known = columns["num_known"]
    return WindowBatch(
        past_BLP=values(CONTEXT, 1 + columns["num_observed"]) * seen_BLP,
        seen_BLP=seen_BLP,
        known_past_BLK=values(CONTEXT, known),
        known_past_seen_BLK=torch.ones(rows, CONTEXT, known, dtype=torch.bool),
        future_BHK=values(HORIZON, known),
        future_seen_BHK=torch.ones(rows, HORIZON, known, dtype=torch.bool),
        static_BC=values(columns["num_static"]),
        series_B=torch.zeros(rows, dtype=torch.long),
        cutoff_B=torch.zeros(rows, dtype=torch.long),
    )


def raw_and_gradients(
    owner: Network, forward: Any, batch: WindowBatch
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    owner.zero_grad()
    raw = forward(batch)
    (raw * torch.linspace(-1, 2, raw.numel(), dtype=raw.dtype).view_as(raw)).sum().backward()
    return raw.detach(), {n: p.grad for n, p in owner.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("rows", [1, 20, 400], ids=lambda rows: f"{rows} rows")
@pytest.mark.parametrize(
    ("columns", "options"),
    [
        pytest.param(NONE, {}, id="no covariates"),
        pytest.param(ALL, {}, id="all covariates"),
        pytest.param(NONE | {"num_observed": 2}, {}, id="observed"),
        pytest.param(NONE | {"num_known": 1}, {}, id="known"),
        pytest.param(NONE | {"num_static": 1}, {}, id="static"),
        pytest.param(ALL, {"n_blocks": [2, 1, 2]}, id="several blocks of a stack"),
        pytest.param(ALL, {"pooling_mode": "AvgPool1d"}, id="mean pooling"),
        pytest.param(ALL, {"interpolation_mode": "nearest"}, id="nearest"),
        pytest.param(ALL, {"activation": "Softplus"}, id="softplus"),
        pytest.param(ALL, {"n_freq_downsample": [6, 6, 6]}, id="one knot everywhere"),
        pytest.param(ALL, {"mlp_units": [[24, 8], [8, 24], [24, 4]]}, id="uneven widths"),
    ],
)
def test_outputs_and_gradients_are_those_of_the_class(columns, options, rows):
    bare = network(columns, **options).double()
    batch = batch_of(columns, rows)
    form = fused(bare)
    assert form is not bare
    raw, gradients = raw_and_gradients(bare, form, batch)
    expected, wanted = raw_and_gradients(bare, bare, batch)
    assert raw.shape == expected.shape == (rows, HORIZON, OUTPUTS)
    torch.testing.assert_close(raw, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))
    assert gradients.keys() == wanted.keys()
    for name, gradient in wanted.items():
        size = float(gradient.abs().max())
        torch.testing.assert_close(gradients[name], gradient, rtol=0, atol=1e-11 * size, msg=name)


def test_weights_may_change_between_calls_and_dropout_drops():
    bare = network(ALL, dropout_prob_theta=0.5).double()
    batch = batch_of(ALL, 50)
    form = fused(bare)
    with torch.no_grad():
        bare.train()
        assert not torch.equal(form(batch), form(batch))
        bare.eval()
        for parameter in bare.parameters():
            parameter.mul_(1.5)
        torch.testing.assert_close(form(batch), bare(batch), rtol=1e-10, atol=1e-10)


def test_at_bf16_only_products_of_layers_lose_digits():
    """Interpolation stays at full precision, as the class's does under autocast."""
    bare = network(ALL)
    batch = batch_of(ALL, 50, torch.float32)
    with torch.no_grad():
        exact = bare(batch)
        with torch.autocast("cpu", torch.bfloat16):
            expected, found = bare(batch), fused(bare)(batch)
    assert found.dtype == expected.dtype == torch.float32
    lost, most = (found - exact).abs().max(), (expected - exact).abs().max()
    assert 0 < lost <= 1.5 * most


@pytest.mark.parametrize("units", [[[24, 24]], [[24, 24], [24, 24]]], ids=["shallow", "deep"])
def test_of_many_batches_the_weights_are_multiplied_once(units):
    bare = network(ALL, mlp_units=units).double()
    batch = batch_of(ALL, 400)
    with torch.inference_mode():
        form = fused(bare, rows=400)
        expected = bare(batch)
        torch.testing.assert_close(form(batch), expected, rtol=1e-10, atol=1e-10)
        once, again = FlopCounterMode(display=False), FlopCounterMode(display=False)
        with once:
            form(batch)
        with again:
            fused(bare)(batch)
    products = sum(2 * 24 * 24 * block.layers[0].in_features for block in bare.model.blocks)
    assert again.get_total_flops() - once.get_total_flops() == products


def flops(forward: Any, batch: WindowBatch) -> int:
    counter = FlopCounterMode(display=False)
    with counter:
        forward(batch).sum().backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("columns", "most"), [(NONE, 0.77), (ALL, 0.83)])
def test_a_step_takes_fewer_products(columns, most):
    bare = network(columns, mlp_units=[[64, 64]] * 3)
    batch = batch_of(columns, 512, torch.float32)
    assert flops(fused(bare), batch) <= most * flops(bare, batch)


def test_what_does_not_pay_takes_no_more_products():
    """With fewer rows than inputs the two layers stay apart."""
    bare = network(ALL)
    batch = batch_of(ALL, 4, torch.float32)
    assert flops(fused(bare), batch) < flops(bare, batch)


def test_a_network_whose_work_is_not_known_comes_back_as_it_is():
    shape = NetworkShape(context=CONTEXT, horizon=HORIZON, num_outputs=1, num_series=5, **NONE)
    heard = network(NONE)
    heard.model.blocks[0].register_forward_hook(lambda *_: None)
    swapped = network(NONE)
    swapped.model.blocks[1].layers[0] = torch.nn.Identity()
    told = network(NONE)
    told.model.decompose_forecast = True
    cubic = NeuralforecastNetwork(
        name="NHITS", shape=shape, options=OPTIONS | {"interpolation_mode": "cubic"}
    )
    mlp = NeuralforecastNetwork(name="MLP", shape=shape, options={"hidden_size": 8})
    for other in (heard, swapped, told, cubic, mlp, Linear(shape=shape)):
        assert fused(other) is other


class Stopped(Exception):
    """Ends a fit from within."""


def test_a_fit_takes_the_same_steps_and_gives_the_forward_back(panel, monkeypatch):
    calls = []

    def noted(network):
        form = fused(network)
        return lambda batch: calls.append(1) or form(batch)

    monkeypatch.setattr("lanecast.models.deep.training.fused", noted)
    models = []
    for fuse in (False, True):
        model = small("nhits")
        # Not Adam: where a gradient is nearly 0, its first steps go by the sign of the rounding.
        sgd = partial(torch.optim.SGD, lr=0.1)
        model._optim = plan(fused_layers=fuse, max_steps=20, val_every=20, optimizer=sgd)
        models.append(model.fit(panel, until=60))
        assert len(calls) >= 20 if fuse else not calls
    bare, faster = (model.module.network for model in models)
    assert "forward" not in vars(faster)
    assert faster.state_dict().keys() == bare.state_dict().keys()
    for name, weight in bare.state_dict().items():
        torch.testing.assert_close(faster.state_dict()[name], weight, rtol=1e-3, atol=1e-5)
    assert models[1].report.value == pytest.approx(models[0].report.value, rel=1e-5)


def test_a_fit_that_fails_gives_the_forward_back(panel, monkeypatch):
    networks = []

    def failing(network):
        networks.append(network)

        def forward(batch):
            raise Stopped

        return forward

    monkeypatch.setattr("lanecast.models.deep.training.fused", failing)
    model = small(partial(NeuralforecastNetwork, name="NHITS", options=NHITS))
    model._optim = plan(fused_layers=True)
    with pytest.raises(Stopped):
        model.fit(panel, until=60)
    assert "forward" not in vars(networks[0])
