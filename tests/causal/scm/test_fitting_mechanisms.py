"""Fitting: which rows count, what is minimized, and what is refused."""

import numpy as np
import pytest
import torch

from lanecast.causal.scm.context import Context
from lanecast.causal.scm.fitting import (
    FitBudget,
    complete_rows,
    fit_mechanisms,
    negative_log_likelihood,
)
from lanecast.causal.scm.mechanisms import Mechanisms
from lanecast.causal.scm.noise import STUDENT_DF
from lanecast.errors import ConfigError
from small_graphs import small
from small_mechanisms import inputs, random_mechanisms

MECHANISMS = random_mechanisms(small())
WIRING = MECHANISMS.wiring
GAUSSIAN = ("gaussian",) * WIRING.num_nodes
BUDGET = FitBudget(steps=40, batch=4, segment=8, hidden=4, lr=1e-2)


def test_a_row_counts_if_its_value_and_all_it_reads_are_seen():
    """Parents of parents too where an own lag reads the deviation from a finite part."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.rand(6, 30, WIRING.num_nodes, generator=generator) > 0.02
    found = complete_rows(MECHANISMS, seen)
    assert not found[:, : WIRING.lag].any()
    for node in range(WIRING.num_nodes):
        reads = {(node, 0)}
        for slot in torch.nonzero(WIRING.mask_JE[node]).flatten().tolist():
            back = int(WIRING.lag_JE[node, slot])
            reads.add((int(WIRING.source_JE[node, slot]), back))
            if WIRING.error_JE[node, slot]:
                for action in torch.nonzero(WIRING.action_JE[node]).flatten().tolist():
                    source = int(WIRING.source_JE[node, action])
                    reads.add((source, back + int(WIRING.lag_JE[node, action])))
        for step in range(WIRING.lag, 30):
            wanted = torch.stack([seen[:, step - lag, source] for source, lag in reads]).all(0)
            assert torch.equal(found[:, step, node], wanted)
    assert found.any()


def test_a_history_of_no_more_than_the_lag_has_no_row():
    seen = torch.ones(2, WIRING.lag, WIRING.num_nodes, dtype=torch.bool)
    assert not complete_rows(MECHANISMS, seen).any()


def test_the_likelihood_is_that_of_the_declared_noise_up_to_a_constant():
    x, c = inputs(MECHANISMS)
    mu, spread, _ = MECHANISMS.teacher(x, c)
    target = x[:, WIRING.lag :]
    noises = list(GAUSSIAN)
    heavy = WIRING.names.index("orders")
    noises[heavy] = "student_t"
    found = negative_log_likelihood(MECHANISMS, mu, spread, target, tuple(noises))
    for node in range(WIRING.num_nodes):
        if WIRING.bernoulli_J[node]:
            law = torch.distributions.Bernoulli(logits=mu[..., node])
        elif node == heavy:
            law = torch.distributions.StudentT(STUDENT_DF, mu[..., node], spread[..., node])
        else:
            law = torch.distributions.Normal(mu[..., node], spread[..., node])
        gap = found[..., node] + law.log_prob(target[..., node])
        assert float(gap.std()) < 1e-4, WIRING.names[node]
        if WIRING.bernoulli_J[node]:
            assert float(gap.abs().max()) < 1e-4


def context(series, steps):
    return Context(
        dates_TF=torch.randn(steps, 3, generator=torch.Generator().manual_seed(4)),
        phase_T=torch.zeros(steps, dtype=torch.long),
        profile_NPK=torch.zeros(series, 1, 0),
        restless_NK=torch.zeros(series, 0),
    )


def fit(x, seen=None, *, budget=BUDGET, seed=0):
    torch.manual_seed(seed)
    mechanisms = Mechanisms(WIRING, num_context=3, hidden=4)
    losses = fit_mechanisms(
        mechanisms,
        x,
        torch.ones_like(x, dtype=torch.bool) if seen is None else seen,
        context(len(x), x.shape[1]),
        noises=GAUSSIAN,
        budget=budget,
        generator=torch.Generator().manual_seed(seed),
    )
    return mechanisms, losses


def test_training_lowers_the_likelihood_below_its_linear_start():
    """Orders are a square of the weather, which no linear start can follow."""
    x, _ = inputs(MECHANISMS, rows=8, steps=80)
    orders = WIRING.names.index("orders")
    x[..., orders] = 2 * x[..., WIRING.names.index("weather")].square() - 1
    budget = FitBudget(steps=1, batch=32, segment=60, hidden=4)
    longer = FitBudget(steps=300, batch=32, segment=60, hidden=4, lr=2e-2)
    assert fit(x, budget=longer)[1]["orders"] < fit(x, budget=budget)[1]["orders"] - 0.2


def test_what_is_not_seen_changes_no_weight():
    x, _ = inputs(MECHANISMS, rows=6, steps=60)
    seen = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) > 0.05
    spoiled = torch.where(seen, x, 1e4)
    spoiled[~seen] = float("nan")
    one, two = fit(x, seen)[0], fit(spoiled, seen)[0]
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name


def test_a_likelihood_that_is_not_finite_names_its_node():
    x, _ = inputs(MECHANISMS, rows=6, steps=60)
    wild = FitBudget(steps=5, batch=4, segment=8, hidden=4, lr=1e30)
    with pytest.raises(FloatingPointError, match=r"mechanism of '\w+' has no finite.*lower"):
        fit(x, budget=wild)


@pytest.mark.parametrize("name", ["steps", "batch", "segment", "hidden"])
def test_a_budget_of_nothing_is_refused(name):
    with pytest.raises(ConfigError, match=rf"mechanisms\.{name}=0 must be at least 1"):
        FitBudget(**{name: 0})


def test_losses_are_told_by_node():
    x, _ = inputs(MECHANISMS, rows=6, steps=60)
    losses = fit(x)[1]
    assert list(losses) == list(WIRING.names)
    assert np.isfinite(list(losses.values())).all()
