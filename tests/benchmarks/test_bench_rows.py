"""Seeds, roofline and the incumbent: every clock of the benchmark runs what it says it runs."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from benchmarks.speed import roofline, seeds
from benchmarks.speed.cases import synthetic_panel
from benchmarks.speed.incumbent import Incumbent
from benchmarks.speed.rows import at_precision
from benchmarks.speed.steps import Setting, ready_batches, unfitted
from lanecast.data.scaling import Scaler
from lanecast.data.windows import WindowSpec
from lanecast.models.deep.losses import MultiQuantile
from lanecast.models.deep.networks.base import Linear, NeuralforecastNetwork
from lanecast.models.deep.optimization import Hardware, Optimization

MLP = {"hidden_size": 8, "num_layers": 2}


@pytest.fixture
def panel():
    return synthetic_panel(num_series=4, num_steps=80, covariates=True)


@pytest.fixture
def setting():
    return Setting(
        network=partial(NeuralforecastNetwork, name="MLP", options=MLP),
        loss=MultiQuantile(levels=[0.05, 0.1, 0.5, 0.9, 0.95]),
        scaler=Scaler,
        windows=WindowSpec(context=14, horizon=7),
        optim=Optimization(
            optimizer=partial(torch.optim.AdamW, lr=1e-3), max_steps=3, batch_size=8, val_steps=0
        ),
        hardware=Hardware(progress=False, threads=1),
        steps=2,
        warmup=1,
        name="MLP",
        options=MLP,
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16-mixed"])
def test_the_incumbent_runs_its_own_step(panel, setting, precision):
    fused = partial(torch.optim.AdamW, lr=1e-3, fused=True)
    quick = replace(setting, optim=replace(setting.optim, optimizer=fused))
    assert Incumbent(panel, at_precision(quick, precision)).step()() > 0


def test_the_incumbent_runs_its_own_backtest(panel, setting):
    theirs = Incumbent(panel, setting)
    assert theirs.backtest(windows=2, stride=1)() > 0


def test_the_incumbent_has_the_same_network(panel, setting):
    from benchmarks.speed.incumbent import _quiet

    with _quiet():
        model = Incumbent(panel, setting)._model(max_steps=1)
    ours = unfitted(panel, setting).network
    count = [sum(p.numel() for p in net.parameters()) for net in (model, ours)]
    assert count[0] == count[1]


def test_stacked_seeds_are_timed_on_their_own_next_steps(panel, setting, monkeypatch):
    taken, step = [], seeds.SeedStack.step

    def noted(stack, number):
        losses = step(stack, number)
        taken.append((number, len(losses)))
        return losses

    monkeypatch.setattr(seeds.SeedStack, "step", noted)
    clock = seeds.stacked_of(panel, setting, seeds=2)
    assert clock() > 0
    assert clock() > 0
    assert taken == [(number, 2) for number in range(2 * (setting.warmup + setting.steps))]


def test_the_least_work_of_a_linear_network_is_what_paper_says(panel, setting):
    """Two products of B x (L + ...) x (H m): one forward, one backward for the weights."""
    plain = replace(setting, network=Linear, name="Linear", options={})
    module = unfitted(panel, plain)
    weights = module.network.layer.weight
    (_, y_BH, weight_BH), *_ = ready_batches(module, panel, plain, count=1)
    work = roofline.work_of(panel, plain)
    assert work.flops == 2 * 2 * plain.optim.batch_size * weights.numel()
    held = sum(p.numel() for p in module.network.parameters())
    assert work.bytes > 4 * (roofline.PASSES * held + y_BH.numel() + weight_BH.numel())


def test_the_best_of_the_device_is_measured(panel, setting, monkeypatch):
    monkeypatch.setattr(roofline, "SIDE", {"cpu": 64})
    monkeypatch.setattr(roofline, "COPIED", {"cpu": 1 << 20})
    once = roofline.attainable(roofline.Work(flops=10**6, bytes=0), setting)()
    assert 0 < once < math.inf
    assert roofline.attainable(roofline.Work(flops=10**9, bytes=0), setting)() > 10 * once


def test_a_precision_says_how_the_network_is_compiled(setting):
    found = at_precision(setting, "bf16-mixed+reduce-overhead").hardware
    assert (found.precision, found.compile) == ("bf16-mixed", "reduce-overhead")
    found = at_precision(setting, "fp32").hardware
    assert (found.precision, found.compile) == ("32-true", None)


def test_the_roofline_counts_the_products_that_the_fit_takes(panel, setting):
    options = {"n_freq_downsample": [7, 2, 1], "mlp_units": [[32, 32]] * 3}
    network = partial(NeuralforecastNetwork, name="NHITS", options=options)
    bare = replace(setting, network=network, name="NHITS", options=options)
    fewer = replace(bare, optim=replace(bare.optim, fused_layers=True))
    counted = [roofline.work_of(panel, each) for each in (bare, fewer)]
    assert counted[1].flops < counted[0].flops
    assert counted[1].bytes == counted[0].bytes
