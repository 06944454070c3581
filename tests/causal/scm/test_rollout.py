"""A roll is the equations applied step by step; what is clamped, done or later stays out of it."""

import pytest
import torch

from lanecast.causal.scm.rollout import Hooks, roll
from small_graphs import small
from small_mechanisms import chained, equation, inputs, random_mechanisms

MECHANISMS = random_mechanisms(small())
WIRING = MECHANISMS.wiring
LAG, STEPS = WIRING.lag, 24


def number(name):
    return WIRING.names.index(name)


def noise(seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(5, STEPS, WIRING.num_nodes, generator=generator)


def uniform(seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(5, STEPS, WIRING.num_nodes, generator=generator)


def nothing_clamped():
    return torch.zeros(5, STEPS, WIRING.num_nodes, dtype=torch.bool)


def rolled(x=None, c=None, *, clamp=None, start=LAG, **options):
    told = inputs(MECHANISMS)
    return roll(
        MECHANISMS,
        told[0] if x is None else x,
        clamp_RTJ=nothing_clamped() if clamp is None else clamp,
        context_RTF=told[1] if c is None else c,
        start=start,
        **options,
    )


@pytest.mark.parametrize("shocks", [None, noise()], ids=["plain", "noise"])
@pytest.mark.parametrize("chances", [None, uniform()], ids=["chance", "drawn"])
@pytest.mark.parametrize("start", [LAG, LAG + 5])
def test_a_roll_is_the_equations_step_by_step(shocks, chances, start):
    x, c = inputs(MECHANISMS)
    clamp = uniform(4) < 0.3
    fast = rolled(x, c, clamp=clamp, start=start, noise_RTJ=shocks, uniform_RTJ=chances)
    slow = chained(MECHANISMS, x, c, clamp=clamp, start=start, noise=shocks, uniform=chances)
    assert torch.allclose(fast, slow, atol=2e-5)
    assert torch.equal(fast[:, :start], x[:, :start])
    assert torch.equal(fast[..., : WIRING.num_nodes][clamp], x[..., : WIRING.num_nodes][clamp])


def test_the_noise_behind_what_happened_makes_it_again():
    """C6, on the equations alone."""
    x, c = inputs(MECHANISMS)
    mu, spread, _ = MECHANISMS.teacher(x, c)
    u = torch.zeros(x.shape[0], STEPS, WIRING.num_nodes)
    u[:, LAG:] = (x[:, LAG:] - mu) / spread
    clamp = nothing_clamped()
    clamp[..., WIRING.bernoulli_J] = True
    assert float((rolled(x, c, clamp=clamp, noise_RTJ=u) - x).abs().max()) <= 1e-5


def test_the_buffer_that_is_handed_in_is_left_alone():
    x, c = inputs(MECHANISMS)
    before = x.clone()
    out = rolled(x, c, noise_RTJ=noise())
    assert torch.equal(x, before)
    assert not torch.equal(out, before)


def test_later_cells_are_never_read():
    x, c = inputs(MECHANISMS)
    spoiled = x.clone()
    spoiled[:, LAG:] = 1e6
    assert torch.equal(rolled(x, c, noise_RTJ=noise()), rolled(spoiled, c, noise_RTJ=noise()))


@pytest.mark.parametrize("name", WIRING.names)
def test_a_clamped_path_moves_descendants_alone_from_its_first_step_on(name):
    """C2 and C3, with all random weights in place."""
    node, first = number(name), LAG + 6
    x, c = inputs(MECHANISMS)
    clamp = nothing_clamped()
    clamp[:, first:, node] = True
    options = {"noise_RTJ": noise(), "uniform_RTJ": uniform()}
    told = x.clone()
    told[:, first:, node] = 3.0
    before, after = rolled(x, c, **options), rolled(told, c, clamp=clamp, **options)
    reached = {name} | small().descendants(name)
    for other in WIRING.names:
        one, two = before[..., number(other)], after[..., number(other)]
        assert torch.equal(one[:, :first], two[:, :first]), other
        if other not in reached:
            assert torch.equal(one, two), other
        elif not WIRING.bernoulli_J[number(other)]:  # a coin may fall on the same side
            assert not torch.equal(one, two), other


def test_an_override_stands_in_for_a_mechanism_and_reads_the_path_so_far():
    node, orders = number("backlog"), number("orders")

    def doubled(x_RTX, step):
        return 2 * x_RTX[:, step, orders], torch.zeros(len(x_RTX))

    out = rolled(hooks=Hooks(override={node: doubled}), noise_RTJ=noise())
    assert torch.allclose(out[:, LAG:, node], 2 * out[:, LAG:, orders])
    plain = rolled(noise_RTJ=noise())
    assert torch.equal(out[..., orders], plain[..., orders])  # backlog feeds nothing


def test_an_adjustment_comes_after_the_noise_and_before_the_children():
    node = number("orders")
    out = rolled(hooks=Hooks(adjust={node: lambda value, step: value + 1.0}), noise_RTJ=noise())
    plain = rolled(noise_RTJ=noise())
    assert torch.allclose(out[:, LAG, node], plain[:, LAG, node] + 1.0)
    mu, spread = equation(MECHANISMS, out, inputs(MECHANISMS)[1], number("backlog"), LAG)
    wanted = mu + spread * noise()[:, LAG, number("backlog")]
    assert torch.allclose(out[:, LAG, number("backlog")], wanted, atol=1e-5)


def test_a_clamp_is_stronger_than_an_adjustment():
    node, clamp = number("orders"), nothing_clamped()
    clamp[..., node] = True
    out = rolled(clamp=clamp, hooks=Hooks(adjust={node: lambda value, step: value + 1.0}))
    assert torch.equal(out[..., node], inputs(MECHANISMS)[0][..., node])


def test_a_start_without_enough_history_is_refused():
    with pytest.raises(ValueError, match=f"reads {LAG} steps of history, but starts at {LAG - 1}"):
        rolled(start=LAG - 1)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    x, c = inputs(MECHANISMS)
    whole = rolled(x, c, noise_RTJ=noise(), uniform_RTJ=uniform())
    alone = roll(
        MECHANISMS,
        x[2:3],
        clamp_RTJ=nothing_clamped()[2:3],
        context_RTF=c[2:3],
        start=LAG,
        noise_RTJ=noise()[2:3],
        uniform_RTJ=uniform()[2:3],
    )
    assert torch.allclose(whole[2:3], alone, atol=1e-5)
