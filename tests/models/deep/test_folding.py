"""A folded network is the same function in fewer products."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lanecast.data.gather import Gatherer
from lanecast.data.windows import windows_at
from lanecast.models.deep import inference
from lanecast.models.deep.networks.base import NeuralforecastNetwork
from lanecast.models.deep.networks.folding import folded
from small_models import LEVELS, SPEC, small


def widths(network: nn.Module) -> list[tuple[int, int]]:
    return [
        (layer.in_features, layer.out_features)
        for layer in network.modules()
        if isinstance(layer, nn.Linear)
    ]


def close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= 1e-6 * expected.abs().max())


def test_every_block_of_nhits_loses_a_layer_and_keeps_its_outputs(panel):
    forecaster = small("nhits").fit(panel, until=60)
    network = forecaster.module.network
    batch, _ = Gatherer(panel, SPEC)(windows_at(panel, [60], SPEC))
    inputs, _, _ = forecaster.module.inputs(batch)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = folded(network)
    blocks = len(network.model.blocks)
    assert len(widths(found)) == len(widths(network)) - blocks
    with torch.inference_mode():
        assert close(found(inputs), network(inputs))
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("biases", [(True, True), (False, True), (True, False), (False, False)])
def test_a_layer_used_twice_and_layers_without_bias(biases):
    activation = nn.ReLU()
    network = nn.Sequential(
        nn.Linear(5, 8, bias=biases[0]),
        nn.Linear(8, 8, bias=biases[1]),
        activation,
        nn.Linear(8, 8),
        activation,
        nn.Linear(8, 2),
    )
    found, x = folded(network), torch.randn(7, 5)
    assert widths(found) == [(5, 8), (8, 8), (8, 2)]
    with torch.inference_mode():
        assert close(found(x), network(x))


def test_three_in_a_row_become_one():
    network = nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    found, x = folded(network), torch.randn(7, 5)
    assert widths(found) == [(5, 2)]
    with torch.inference_mode():
        assert close(found(x), network(x))


def test_what_would_not_pay_or_do_the_same_is_left_alone():
    narrow = nn.Sequential(nn.Linear(64, 2), nn.Linear(2, 64))  # 256 products, 4096 folded
    listed = nn.ModuleList([nn.Linear(5, 8), nn.Linear(8, 8)])  # called by others, who knows how
    heard = nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 8))
    heard[0].register_forward_hook(lambda *_: None)

    class Twice(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    for network in (narrow, listed, heard, Twice(nn.Linear(5, 8), nn.Linear(8, 8))):
        assert folded(network) is network


NBEATS = {"stack_types": ["identity"], "n_blocks": [1], "mlp_units": [[8, 8]]}


@pytest.mark.parametrize("faster", ["fused", "folded"])
def test_forecasts_do_not_depend_on_how_many_are_asked(panel, monkeypatch, faster):
    """To the last bit, whatever stands beside a window; within 2e-6 of the network as it is."""
    nbeats = partial(NeuralforecastNetwork, name="NBEATS", options=NBEATS)
    forecaster = small("nhits" if faster == "fused" else nbeats).fit(panel, until=60)
    at = windows_at(panel, range(60, 80), SPEC)
    forwards, of = [], getattr(inference, faster)

    def noted(network, **options):
        found = of(network, **options)
        if found is network:
            return network
        return lambda batch: forwards.append(len(batch.series_B)) or found(batch)

    monkeypatch.setattr(inference, faster, noted)
    whole = forecaster.predict(panel, at=at, quantiles=LEVELS).quantiles_WHQ
    for rows in ([0], [7, 3], range(1, 36), range(len(at) - 1, 0, -1)):
        chosen = np.array(rows)
        part = forecaster.predict(panel, at=at[chosen], quantiles=LEVELS).quantiles_WHQ
        assert part.tobytes() == whole[chosen].tobytes()
    assert all(size % inference.BLOCK == 0 for size in forwards)
    for form in ("fused", "folded"):
        monkeypatch.setattr(inference, form, lambda network, **_: network)
    plain = forecaster.predict(panel, at=at, quantiles=LEVELS).quantiles_WHQ
    assert len(forwards) == 5
    assert np.abs(plain - whole).max() <= 2e-6 * np.abs(plain).max()
