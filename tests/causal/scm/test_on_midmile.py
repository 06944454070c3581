"""The layer against the generator's exact truth: replays, effects that last, coherent levels."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action, Chain, chain
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.replay import replayed
from lanecast.causal.scm.unrolled import Unrolled
from lanecast.config import instantiate
from lanecast.data.ingest.loading import load_panel
from lanecast.data.windows import WindowIndex
from lanecast.interventions import Intervention
from lanecast.pipeline.building import plain_config
from lanecast.twin import counterfactual, expected

CONF = Path(__file__).parents[3] / "conf"


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


def lasting(layer, panel, world, horizon=60, cutoff=430):
    """Effect of a lasting promotion on busy lanes over the true one, by day."""
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
    return mine[busy].mean(axis=0) / truth[busy].mean(axis=0)


@pytest.mark.slow
def test_the_effect_of_a_lasting_promotion_is_right_on_days_1_14_and_60():
    """Measured .96, .92, .93."""
    panel, world, _, layer = small()
    ratio = lasting(layer, panel, world)
    for day in (1, 14, 60):
        assert 0.88 < ratio[day - 1] < 1.12, (day, ratio[day - 1])


@pytest.mark.slow
def test_without_a_declared_memory_a_lasting_effect_is_lost():
    """The trap: orders that answer their own past take the promotion for a change of level."""
    panel, world, graph, _ = small()
    plain = replace(graph, edges=tuple(replace(edge, memory=None) for edge in graph.edges))
    ratio = lasting(CausalLayer(graph=plain).fit(panel, until=428), panel, world)
    assert 0.8 < ratio[0] < 1.1
    assert max(ratio[13], ratio[59]) < 0.5  # measured .11 and -.12


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_a_station_receives_is_the_sum_of_its_lanes_under_any_action(value):
    """C14: to 1e-6 of the total, and so are the differences that an action makes."""
    panel, _, graph = twin("midmile_network", preset="tiny")
    layer = CausalLayer(graph=graph, budget=FitBudget(steps=5, batch=8)).fit(panel, until=150)
    lanes = graph.carriers("shipments", panel.attributes, panel.num_series)
    everyone = np.arange(panel.num_series)
    at = WindowIndex(series_W=everyone, cutoff_W=np.full(panel.num_series, 152))
    window = Unrolled.of(layer, panel, at, 14)
    done = torch.where(torch.from_numpy(lanes)[:, None], value, float("nan")).repeat(1, 14)
    plain, told = window.rolled(), window.with_paths({"promo": done}).rolled()
    dest, space = panel.attributes["dest"].astype(str), window.prepared.space
    node, ahead = layer.node("shipments"), slice(window.back, None)
    sums, totals = [], []
    for x in (plain[:, ahead], told[:, ahead]):
        linked = x[..., node].double() * space.scale_J[node] + space.center_NJ[:, node][:, None]
        parcels = torch.expm1(linked).clamp(min=0).numpy()
        stations = np.flatnonzero(~lanes)
        sums.append(np.stack([parcels[lanes & (dest == dest[k])].sum(axis=0) for k in stations]))
        joined = x[..., len(graph.order)].double() * space.join_scale_V[0]
        totals.append(torch.expm1(joined + space.join_center_VN[0][:, None]).numpy()[stations])
    scale = np.abs(sums[0]).max()
    assert np.abs(totals[0] - sums[0]).max() <= 1e-6 * scale
    change, wanted = totals[1] - totals[0], sums[1] - sums[0]
    assert np.abs(change - wanted).max() <= 1e-6 * scale
    assert np.abs(wanted).max() > 1e-3 * scale


def test_what_no_action_reaches_keeps_its_bits_through_the_network():
    panel, _, graph = twin("midmile_network", preset="tiny")
    layer = CausalLayer(graph=graph, budget=FitBudget(steps=5, batch=8)).fit(panel, until=150)
    lanes = graph.carriers("orders", panel.attributes, panel.num_series)
    at = WindowIndex(series_W=np.arange(panel.num_series), cutoff_W=np.full(panel.num_series, 152))
    on = np.where(lanes[:, None], 1.0, np.nan).repeat(14, axis=1).astype(np.float32)
    how = Chain(samples=range(2))
    before = chain(layer, panel, at, horizon=14, how=how)
    after = chain(layer, panel, at, horizon=14, how=how, action=Action(hard={"promo": on}))
    reached = {"promo"} | graph.descendants("promo")
    assert {"arrivals", "labor_hrs"} <= reached
    for name in graph.order:
        same = np.array_equal(before.link(name), after.link(name))
        assert same == (name not in reached), name
