"""What is written is all of it: joins, newcomers, centers and noise come back bit by bit."""

import json

import numpy as np
import pytest
import torch

import small_networks
import small_worlds
from lanecast.causal.scm.chaining import Chain, chain
from lanecast.causal.scm.layer import CausalLayer
from lanecast.errors import CheckpointError, LeakageError

WORLDS = [small_worlds, small_networks]
NAMES = ["published", "network"]


def rolled(layer, world, **how):
    return chain(layer, world.panel(), world.at(), horizon=4, how=Chain(**how)).x_SWHJ


@pytest.fixture(params=WORLDS, ids=NAMES)
def world(request):
    return request.param


@pytest.fixture
def folder(world, tmp_path):
    world.layer().save(tmp_path / "causal")
    return tmp_path / "causal"


@pytest.mark.parametrize("how", [{}, {"samples": range(3)}, {"reference": True}], ids=str)
def test_a_loaded_layer_rolls_the_same_bits(world, folder, how):
    again = CausalLayer(graph=world.graph()).load(folder)
    assert torch.equal(rolled(world.layer(), world, **how), rolled(again, world, **how))
    assert again.fitted_until == world.layer().fitted_until
    assert np.array_equal(again.noise_tables, world.layer().noise_tables)


def test_loading_over_another_fit_forgets_it(world, folder):
    other = CausalLayer(graph=world.graph(), budget=world.BUDGET, seed=9)
    other.fit(world.panel(), until=world.UNTIL - 5)
    before = rolled(other, world)
    assert torch.equal(rolled(other.load(folder), world), rolled(world.layer(), world))
    assert not torch.equal(before, rolled(other, world))


def test_a_loaded_layer_refuses_windows_before_its_fit(world, folder):
    again = CausalLayer(graph=world.graph()).load(folder)
    with pytest.raises(LeakageError, match=f"fitted until step {world.UNTIL}"):
        chain(again, world.panel(), world.at(world.UNTIL - 1), horizon=4)


def test_a_loaded_layer_fits_anew_on_the_same_panel_and_step(world, folder):
    again = CausalLayer(graph=world.graph(), budget=world.BUDGET).load(folder)
    held = again.mechanisms
    assert again.fit(world.panel(), until=world.UNTIL).mechanisms is not held


def test_other_weights_leave_the_layer_as_it_is(world):
    layer = world.layer()
    before = rolled(layer, world)
    other = CausalLayer(graph=world.graph(), budget=world.BUDGET, seed=5)
    other.fit(world.panel(), until=world.UNTIL)
    twin = layer.with_mechanisms(other.mechanisms)
    assert not torch.equal(rolled(twin, world), before)
    assert torch.equal(rolled(layer, world), before)


def test_a_checkpoint_of_another_graph_names_both(folder, world):
    facts = json.loads((folder / "causal.json").read_text())
    (folder / "causal.json").write_text(json.dumps({**facts, "dag_hash": "0123abcd"}))
    with pytest.raises(CheckpointError, match=rf"0123abcd.*{world.graph().dag_hash}.*run="):
        CausalLayer(graph=world.graph()).load(folder)
