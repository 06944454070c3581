"""The layer against the generator's exact truth: replays, effects that last, coherent levels."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from lanecast.causal.chaining import Action, Chain, chain
from lanecast.causal.graph import Graph
from lanecast.causal.layer import CausalLayer
from lanecast.causal.replay import replayed
from lanecast.config import instantiate
from lanecast.data.loading import load_panel
from lanecast.data.windows import WindowIndex
from lanecast.interventions import Intervention
from lanecast.sources.midmile import counterfactual, expected
from lanecast.verbs import plain_config

CONF = Path(__file__).parents[2] / "conf"


def twin(data="midmile", **source):
    """Panel, world and graph of a midmile."""
    overrides = [f"data={data}", f"dag={data}", "paths.output=."]
    overrides += [f"data.source.{name}={value}" for name, value in source.items()]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("backtest", overrides=overrides)
    world = instantiate(cfg.data.source).world
    return load_panel(cfg.data), world, Graph.from_config(plain_config(cfg.dag))


@lru_cache
def small():
    panel, world, graph = twin()
    return panel, world, graph, CausalLayer(graph=graph).fit(panel, until=428)


def natural(prepared, x, number):
    return prepared.space.to_natural(x[..., number], torch.arange(len(x)), number).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_replay_is_at_most_a_quarter_as_wrong_as_no_change(value):
    """C7: the 28 days after the fit, had nobody, or everybody, promoted; same noise."""
    panel, world, graph, layer = small()
    first, days = 429, 28
    prepared = layer.prepare(panel)
    do = {"promo": torch.full(prepared.whole_NTX.shape[:2], value)}
    found = replayed(layer.mechanisms, prepared, graph, do=do, first=first, last=first + days - 1)
    inside = slice(first, first + days)
    number = layer.node("orders")
    mine = natural(prepared, found, number)[:, inside]
    factual = natural(prepared, prepared.whole_NTX, number)[:, inside]
    truth = counterfactual(
        world, cutoff=first - 1, horizon=days, do=[Intervention(node="promo", value=value)]
    )["orders"]
    wrong = np.abs(mine - truth).sum() / truth.sum()
    no_change = np.abs(factual - truth).sum() / truth.sum()
    assert wrong <= 0.25 * no_change, (wrong, no_change)


@pytest.mark.slow
def test_the_effect_of_a_lasting_promotion_is_right_on_days_1_14_and_60():
    """Plain lags would decay to .69 of the truth by day 60; a finite memory does not."""
    panel, world, _, layer = small()
    horizon, cutoff = 60, 430
    ones = np.ones((panel.num_series, horizon), np.float32)
    at = WindowIndex(series_W=np.arange(200), cutoff_W=np.full(200, cutoff))
    on, off = (
        chain(layer, panel, at, horizon=horizon, action=Action(hard={"promo": value * ones}))
        for value in (1.0, 0.0)
    )
    mine = (on.link("orders") - off.link("orders"))[0]
    found = expected(
        world,
        cutoffs=[cutoff],
        horizon=horizon,
        do={
            "on": [Intervention(node="promo", value=1)],
            "off": [Intervention(node="promo", value=0)],
        },
        branches=64,
    )
    truth = np.log(found["on"][:, 0] / found["off"][:, 0])
    busy = found["off"][:, 0].mean(axis=1) > 20  # log1p and log differ on tiny lanes
    for day in (1, 14, 60):
        ratio = mine[busy, day - 1].mean() / truth[busy, day - 1].mean()
        assert 0.85 < ratio < 1.15, (day, ratio)


def test_effects_add_up_over_levels_and_what_no_action_reaches_keeps_its_bits():
    """C14: arrivals of a station are sums over its lanes, under an action as without one."""
    panel, _, graph = twin("midmile_network", preset="tiny")
    from lanecast.causal.fitting import Plan

    layer = CausalLayer(graph=graph, plan=Plan(steps=5, batch=8)).fit(panel, until=150)
    lanes = graph.carriers("orders", panel.attributes, panel.num_series)
    at = WindowIndex(series_W=np.arange(panel.num_series), cutoff_W=np.full(panel.num_series, 152))
    on = np.where(lanes[:, None], 1.0, np.nan).repeat(14, axis=1).astype(np.float32)
    how = Chain(samples=range(2))
    before = chain(layer, panel, at, horizon=14, how=how)
    after = chain(layer, panel, at, horizon=14, how=how, action=Action(hard={"promo": on}))
    reached = {"promo"} | graph.descendants("promo")
    for name in graph.order:
        same = np.array_equal(before.link(name), after.link(name))
        assert same == (name not in reached), name
    delta = after.natural("orders") - before.natural("orders")
    dest = panel.attributes["dest"].astype(str)
    names = np.unique(dest[lanes])
    bottom_up = np.stack([delta[:, lanes & (dest == name)].sum(axis=1) for name in names], axis=1)
    total = delta[:, lanes].sum(axis=1)
    assert np.abs(bottom_up.sum(axis=1) - total).max() <= 1e-6 * np.abs(total).max() + 1e-3
    arrivals = (after.natural("arrivals") - before.natural("arrivals"))[:, ~lanes]
    assert np.abs(arrivals).max() > 0
