from dataclasses import replace

import numpy as np
import pytest

from lanecast.errors import ConfigError
from lanecast.twin import World, network_of, simulate
from lanecast.twin.calendar import DAYS_OFF, PEAKS, calendar_of
from lanecast.twin.world import WARM

WORLD = World(lanes=1024, days=300, breaks=False)


@pytest.fixture(scope="module")
def reactive():
    return simulate(WORLD)


@pytest.fixture(scope="module")
def randomized():
    return simulate(replace(WORLD, policy="randomized"))


@pytest.fixture(scope="module")
def committed():
    return simulate(replace(WORLD, policy="committed"))


def correlation(a, b):
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_level_has_the_moments_of_its_autoregression(reactive):
    level = reactive["level"].astype(np.float64)
    assert level.var() == pytest.approx(0.05**2 / (1 - 0.97**2), rel=0.03)
    assert correlation(level[:, 1:], level[:, :-1]) == pytest.approx(0.97, abs=0.003)


def test_level_is_stationary_from_the_first_day_on(reactive):
    assert reactive["level"][:, 0].var() == pytest.approx(0.0423, rel=0.15)


def test_weather_has_the_moments_of_its_autoregression():
    world = World(lanes=5000, days=1500)
    lanes = network_of(world).lanes
    _, first = np.unique(lanes.region_N[:1024], return_index=True)
    weather_ET = simulate(world, nodes=["weather"], last=1024)["weather"][first]
    assert len(first) > 8
    winter_T = calendar_of(world).winter_T
    mean = [float(winter_T[0]) / 0.2]
    for push in winter_T[: WARM + world.days]:
        mean.append(0.8 * mean[-1] + float(push))
    rest = weather_ET - np.array(mean[1 + WARM :])
    assert rest.mean() == pytest.approx(0, abs=0.1)
    assert rest.var() == pytest.approx(0.6**2 / (1 - 0.8**2), rel=0.1)
    assert correlation(rest[:, 1:], rest[:, :-1]) == pytest.approx(0.8, abs=0.02)


def test_a_storm_is_extreme_weather(reactive):
    np.testing.assert_array_equal(reactive["storm"], reactive["weather"] > np.float32(2.2))


def test_without_storms_there_is_none():
    values = simulate(World(lanes=40, days=60, storms=False), nodes=["storm"])
    assert not values["storm"].any()


def test_breaks_are_rare_and_logged():
    jumps = simulate(replace(WORLD, breaks=True), nodes=["break"])["break"]
    broken = jumps[jumps != 0]
    assert len(broken) / jumps.size == pytest.approx(0.001, rel=0.2)
    assert broken.std() == pytest.approx(0.4, rel=0.15)


def test_breaks_move_only_the_level_by_what_the_log_says(reactive):
    broken = simulate(replace(WORLD, breaks=True), nodes=["level", "break"])
    level, jump = broken["level"].astype(np.float64), broken["break"]
    assert (jump != 0).any()
    apart = level - reactive["level"]  # from day 0 on: the warm-up may have broken before
    np.testing.assert_allclose(apart[:, 1:], 0.97 * apart[:, :-1] + jump[:, 1:], atol=1e-5)


def test_promo_share_is_thirty_percent_off_the_peaks(reactive, randomized, committed):
    quiet = calendar_of(WORLD).peak_T[WARM : WARM + WORLD.days] == 0
    assert randomized["promo"][:, quiet].mean() == pytest.approx(0.3, abs=0.005)
    assert reactive["promo"][:, quiet].mean() == pytest.approx(0.3, abs=0.03)
    assert committed["promo"][:, quiet].mean() == pytest.approx(0.3, abs=0.03)


def test_promos_answer_yesterdays_residual_only_where_the_policy_is_reactive(reactive, randomized):
    def after(values):
        return correlation(values["promo"][:, 1:], values["residual"][:, :-1])

    assert after(reactive) < -0.5
    assert after(randomized) == pytest.approx(0, abs=0.01)


def test_promos_are_more_frequent_in_peaks(randomized):
    peak = calendar_of(WORLD).peak_T[WARM : WARM + WORLD.days] == 1
    assert randomized["promo"][:, peak].mean() > 0.4


def test_committed_promos_answer_the_residual_of_fourteen_days_before(committed):
    """Given that residual, whatever the shape of the answer, the newer ones say nothing more."""
    promo, residual = committed["promo"][:, 14:].ravel(), committed["residual"]
    old, new = residual[:, :-14].ravel(), residual[:, 13:-1].ravel()
    assert correlation(promo, old) < -0.5
    bins = np.digitize(old, np.quantile(old, np.linspace(0, 1, 201)[1:-1]))
    count = np.maximum(np.bincount(bins), 1)
    promo_left = promo - (np.bincount(bins, weights=promo) / count)[bins]
    new_left = new - (np.bincount(bins, weights=new) / count)[bins]
    assert abs(correlation(promo_left, new_left)) < 0.02


def test_price_is_free_of_level_and_promo_unless_confounded(reactive):
    lanes = network_of(WORLD).lanes
    confounded = simulate(replace(WORLD, confounded_price=True))

    def log_ratio(values):
        return np.log(values["price"] / lanes.price_N[:, None])

    assert correlation(log_ratio(reactive), reactive["level"]) == pytest.approx(0, abs=0.01)
    assert correlation(log_ratio(reactive), reactive["promo"]) == pytest.approx(0, abs=0.01)
    assert log_ratio(reactive).std() == pytest.approx(0.05, rel=0.01)
    assert correlation(log_ratio(confounded), confounded["level"]) > 0.5


def test_confounded_price_follows_equation_4():
    values = simulate(replace(WORLD, confounded_price=True))
    log_ratio = np.log(values["price"] / network_of(WORLD).lanes.price_N[:, None]).ravel()
    X = np.stack([values["promo"].ravel(), values["level"].ravel()], axis=1)
    found = np.linalg.lstsq(X.astype(np.float64), log_ratio, rcond=None)[0]
    np.testing.assert_allclose(found, [-0.1, 0.3], atol=0.005)


def test_orders_rate_follows_equation_6(randomized):
    lanes, v = network_of(WORLD).lanes, {k: x.astype(np.float64) for k, x in randomized.items()}
    rest = np.log(v["rate"]) - v["drift"] - v["level"]
    log_ratio = np.log(v["price"] / lanes.price_N[:, None])
    nodes = [v["promo"][:, 1:], v["promo"][:, :-1], log_ratio[:, 1:], v["weather"][:, 1:]]
    y = rest[:, 1:] - rest[:, 1:].mean(axis=1, keepdims=True)
    days = y.mean(axis=0)  # common to all lanes; weekdays of kinds and seasons remain as noise
    X = np.stack([n - n.mean(axis=1, keepdims=True) for n in nodes])
    X = X - X.mean(axis=1, keepdims=True)
    found = np.linalg.lstsq(X.reshape(4, -1).T, (y - days).ravel(), rcond=None)[0]
    np.testing.assert_allclose(found, [0.35, -0.15, -1.2, -0.05], atol=0.015)


def test_counts_are_whole_and_average_to_the_rate(reactive):
    orders, rate = reactive["orders"], reactive["rate"]
    assert (orders == np.rint(orders)).all()
    zeros = network_of(WORLD).lanes.zeros_N[:, None]
    whole = (rate * (1 - zeros)).astype(np.float64).sum()
    assert orders.astype(np.float64).sum() == pytest.approx(whole, rel=0.002)


def test_without_counts_orders_are_their_mean():
    world = replace(WORLD, counts=False)
    values = simulate(world, nodes=["orders", "rate"])
    zeros = network_of(world).lanes.zeros_N[:, None]
    np.testing.assert_allclose(values["orders"], values["rate"] * (1 - zeros), rtol=1e-6)


def test_tail_lanes_are_small_and_often_zero(reactive):
    lanes = network_of(WORLD).lanes
    tail = lanes.zeros_N > 0
    assert tail.mean() == pytest.approx(0.1, abs=0.03)
    assert np.median(np.exp(lanes.log_base_N[tail])) < 15
    assert 50 < np.median(np.exp(lanes.log_base_N[~tail])) < 2000
    assert (reactive["orders"][tail] == 0).mean() > 0.25


def test_the_days_of_the_models_are_those_of_the_generator():
    from pathlib import Path

    import yaml

    conf = Path(__file__).parents[2] / "conf" / "data" / "midmile.yaml"
    days = yaml.safe_load(conf.read_text())["calendar"]["days"]
    assert days == {"off": list(DAYS_OFF), "peak": list(PEAKS)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": "greedy"}, "policy='greedy' is not one of reactive, randomized, committed"),
        ({"lanes": 0}, "lanes=0"),
        ({"tail": 2.0}, "tail=2.0 is a share"),
        ({"sites": 3}, "preset tiny: .*sites"),
    ],
)
def test_a_world_that_cannot_be_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        World.preset("tiny", **change)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="preset='huge' is not one of tiny, small"):
        World.preset("huge")
