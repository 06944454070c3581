import numpy as np
import pytest

from lanecast.twin.geography import network_of
from lanecast.twin.noise import BLOCK, Noise, Shock
from lanecast.twin.simulation import chunks, factual, simulate
from lanecast.twin.stepping import NODES
from lanecast.twin.world import World

WIDE = World(lanes=2 * BLOCK + 100, days=12)
GOLDEN = [[318, 706, 738], [0, 64, 55], [163, 751, 582], [29, 225, 178]]  # lanes, days


def run(world, lanes):
    return {
        node: np.stack([values[node] for day, _, values in factual(world, lanes) if day >= 0])
        for node in NODES
    }


@pytest.fixture(scope="module")
def together():
    return run(WIDE, network_of(WIDE).lanes)


@pytest.mark.parametrize("size", [BLOCK, 2 * BLOCK])
def test_the_bits_do_not_depend_on_how_many_lanes_are_simulated_together(together, size):
    parts = [run(WIDE, chunk) for chunk in chunks(network_of(WIDE).lanes, size)]
    for node in NODES:
        joined = np.concatenate([part[node] for part in parts], axis=1)
        np.testing.assert_array_equal(joined, together[node])


def test_a_block_can_be_made_alone(together):
    alone = simulate(WIDE, nodes=["orders", "late"], first=BLOCK, last=2 * BLOCK)
    np.testing.assert_array_equal(alone["orders"].T, together["orders"][:, BLOCK : 2 * BLOCK])
    np.testing.assert_array_equal(alone["late"].T, together["late"][:, BLOCK : 2 * BLOCK])


def test_lanes_start_at_a_block():
    with pytest.raises(ValueError, match="lane 7 is not the start of a block"):
        Noise(seed=1, count=10, first=7)


def test_a_branch_is_the_same_alone_and_beside_others():
    beside = Noise(seed=1, count=5, branches=[1, 2, 3]).normal(Shock.LEVEL, 4)
    alone = Noise(seed=1, count=5, branches=[2]).normal(Shock.LEVEL, 4)
    np.testing.assert_array_equal(beside[1], alone[0])


def test_branch_zero_is_the_factual_world():
    factual_N = Noise(seed=1, count=5).uniform(Shock.PROMO, 4)
    branch_1N = Noise(seed=1, count=5, branches=[0]).uniform(Shock.PROMO, 4)
    np.testing.assert_array_equal(branch_1N[0], factual_N)


def test_no_two_keys_share_a_stream():
    draws = [
        Noise(seed=seed, count=4, first=first, branches=[branch]).normal(shock, day)
        for seed in (1, 2)
        for first in (0, BLOCK)
        for branch in (0, 1)
        for shock in (Shock.LEVEL, Shock.ORDERS)
        for day in (-1, 0, 1)
    ]
    assert len({draw.tobytes() for draw in draws}) == len(draws)


def test_another_seed_is_another_world():
    one = simulate(World.preset("tiny", days=5), nodes=["orders"])["orders"]
    two = simulate(World.preset("tiny", days=5, seed=2), nodes=["orders"])["orders"]
    assert (one != two).any()


def test_the_first_orders_of_tiny_stay_as_they_are():
    """A change here is another world: raise VERSION in `world` with it."""
    orders = simulate(World.preset("tiny", days=3), nodes=["orders"])["orders"]
    assert orders[:4].astype(int).tolist() == GOLDEN
