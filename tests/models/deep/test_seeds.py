"""Seeds trained in one pass take the steps that each would take alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lanecast.data.windows import windows_at
from lanecast.errors import ConfigError
from lanecast.models.deep.networks.base import Linear, NeuralforecastNetwork
from lanecast.models.deep.networks.nhits_fused import fused
from lanecast.models.deep.seeds import SeedStack, StackedSeeds
from small_models import LEVELS, SPEC, small

UNTIL, STEPS, SEEDS = 100, 20, (1, 2, 3)
NHITS = {
    "n_pool_kernel_size": [4, 2, 1],
    "n_freq_downsample": [7, 2, 1],
    "mlp_units": [[16, 16]] * 3,
}


def network(name, options):
    return lambda *, shape: NeuralforecastNetwork(name=name, shape=shape, options=options)


def member(seed, name="NHITS", options=NHITS, **changes):
    model = small(network(name, options))
    model.seed = seed
    model._optim = replace(model._optim, max_steps=STEPS, schedule="cosine", clip=0.05, **changes)
    return model


def begun_alone(seed, panel, **changes):
    torch.manual_seed(seed)
    return member(seed, **changes).begin(panel, until=UNTIL)


def losses_alone(seed, panel, *, fuse=False, **changes):
    """The losses of one seed, step by step, with torch's own clipping."""
    begun, plan = begun_alone(seed, panel, **changes), member(seed).plan
    module = begun.module
    if fuse and fused(module.network) is not module.network:
        module.network.forward = fused(module.network)
    settings = plan.configure(module.network.parameters(), begun.steps)
    found = []
    for step in range(STEPS):
        batch = begun.data.train_batch(step)
        loss = module.loss_of(module(batch[0]), batch)
        settings["optimizer"].zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.network.parameters(), plan.clip)
        settings["optimizer"].step()
        settings["lr_scheduler"]["scheduler"].step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(
    ("name", "options", "fuse"),
    [
        ("NHITS", NHITS, False),
        ("NHITS", NHITS, True),
        ("DLinear", {"moving_avg_window": 3}, True),
        ("MLP", {"hidden_size": 16}, False),
    ],
)
def test_losses_over_20_steps_are_those_of_each_seed_alone(panel, name, options, fuse):
    chosen = {"name": name, "options": options}
    begun = [begun_alone(seed, panel, **chosen) for seed in SEEDS]
    stack = SeedStack(begun, plan=replace(member(1).plan, fused_layers=fuse))
    assert ("forward" in vars(stack._template)) is (fuse and name == "NHITS")
    together = torch.stack([stack.step(k) for k in range(STEPS)]).numpy()
    alone = np.array([losses_alone(seed, panel, fuse=fuse, **chosen) for seed in SEEDS]).T
    np.testing.assert_allclose(together[:10], alone[:10], rtol=1e-5)
    np.testing.assert_allclose(together, alone, rtol=1e-3)  # Adam magnifies rounding
    assert np.ptp(together[0]) > 1e-4  # seeds differ


def test_the_members_are_the_models_of_their_seeds(panel):
    stacked = StackedSeeds(member=member(1), name="seeds", seeds=2, seed=1)
    stacked.fit(panel, until=UNTIL)
    at = windows_at(panel, [UNTIL, 105], SPEC)
    for number, model in enumerate(stacked.members.values(), start=1):
        alone = member(number).fit(panel, until=UNTIL)
        mine = model.predict(panel, at=at, quantiles=LEVELS)
        theirs = alone.predict(panel, at=at, quantiles=LEVELS)
        np.testing.assert_allclose(mine.point_WH, theirs.point_WH, rtol=1e-3, atol=1e-3)
        assert model.report.value == pytest.approx(alone.report.value, rel=1e-4)
    assert stacked.describe().counts["seed1/parameters"] > 0


def test_a_multivariate_network_is_refused(panel):
    options = {"hidden_size": 8, "n_heads": 2, "e_layers": 1, "d_ff": 8}
    begun = [begun_alone(seed, panel, name="iTransformer", options=options) for seed in SEEDS]
    with pytest.raises(ConfigError, match="univariate"):
        SeedStack(begun, plan=member(1).plan)


@pytest.mark.parametrize("rnn_type", ["lstm", "gru"])
def test_a_recurrent_network_is_refused_before_its_first_step(panel, rnn_type):
    options = {"hidden_size": 8, "n_head": 2, "rnn_type": rnn_type}
    begun = [begun_alone(seed, panel, name="TFT", options=options) for seed in SEEDS]
    with pytest.raises(ConfigError, match=r"recurrent layers.*one by one"):
        SeedStack(begun, plan=member(1).plan)


def test_what_only_lightning_does_is_refused_rather_than_left_out(panel):
    model = member(1)
    model._hardware = replace(model._hardware, precision="bf16-mixed")
    with pytest.raises(ConfigError, match=r"trainer.precision=bf16-mixed"):
        StackedSeeds(member=model, name="seeds", seeds=2, seed=1).fit(panel, until=UNTIL)


class Buffered(Linear):
    """Draws a buffer with its weights, and has one layer under two names."""

    def __init__(self, *, shape):
        super().__init__(shape=shape)
        self.register_buffer("offset", torch.rand(1))
        self.again = self.layer

    def forward(self, batch):
        return self.again(self.flat(batch)).unflatten(1, self._outputs) + self.offset


def test_every_seed_keeps_its_own_buffers_and_shared_layers(panel):
    begun = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = member(seed)
        model._network = Buffered
        begun.append(model.begin(panel, until=UNTIL))
    before = [one.module.network.offset.clone() for one in begun]
    stack = SeedStack(begun, plan=member(1).plan)
    stack.step(0)
    for number, one in enumerate(begun):
        state = stack.weights(number)
        assert torch.equal(state["offset"], before[number])
        assert torch.equal(state["again.weight"], state["layer.weight"])
        one.module.network.load_state_dict(state)
    assert not torch.equal(before[0], before[1])
