import numpy as np
import pytest

from lanecast.errors import ConfigError
from lanecast.interventions import Intervention
from lanecast.twin import (
    Midmile,
    World,
    catalogue,
    counterfactual,
    expected,
    network_of,
    simulate,
    truth_table,
)
from lanecast.twin.stepping import NODES
from lanecast.twin.truth import starts

WORLD = World(lanes=60, days=120)
CUTOFF, HORIZON = 80, 14
UPSTREAM_OF_PROMO = ("weather", "storm", "level", "break", "drift", "capacity")
ON = (Intervention(node="promo", value=1),)


@pytest.fixture(scope="module")
def factual():
    ahead = slice(CUTOFF + 1, CUTOFF + 1 + HORIZON)
    return {node: value[:, ahead] for node, value in simulate(WORLD).items()}


def under(do, **options):
    return counterfactual(WORLD, cutoff=CUTOFF, horizon=HORIZON, do=do, **options)


@pytest.mark.parametrize("policy", ["reactive", "randomized", "committed"])
def test_no_intervention_is_the_factual_world(policy):
    world = World(lanes=60, days=120, policy=policy)
    again = counterfactual(world, cutoff=CUTOFF, horizon=HORIZON, do=())
    for node, value in simulate(world).items():
        np.testing.assert_array_equal(again[node], value[:, CUTOFF + 1 : CUTOFF + 1 + HORIZON])


def test_setting_nodes_to_their_factual_values_changes_nothing(factual):
    paths = {node: factual[node] for node in ("weather", "promo", "price", "orders", "capacity")}
    again = under((), paths=paths)
    for node in NODES:
        np.testing.assert_array_equal(again[node], factual[node], err_msg=node)


def test_a_path_with_gaps_leaves_them_free(factual):
    free = np.full_like(factual["promo"], np.nan)
    np.testing.assert_array_equal(under((), paths={"promo": free})["late"], factual["late"])


def test_do_promo_leaves_what_does_not_descend_from_it(factual):
    changed = under(ON)
    for node in UPSTREAM_OF_PROMO:
        np.testing.assert_array_equal(changed[node], factual[node], err_msg=node)
    assert (changed["orders"] >= factual["orders"]).mean() > 0.6
    assert (changed["orders"] != factual["orders"]).any()


def test_do_promo_leaves_an_unconfounded_price(factual):
    np.testing.assert_array_equal(under(ON)["price"], factual["price"])


@pytest.mark.parametrize("node", ["promo", "price", "capacity", "weather", "orders"])
def test_do_at_a_step_leaves_the_steps_before_it(factual, node):
    changed = under((Intervention(node=node, value=3, first=8),))
    for name in NODES:
        np.testing.assert_array_equal(changed[name][:, :7], factual[name][:, :7], err_msg=name)
    assert (changed[node][:, 7:] != factual[node][:, 7:]).any()


def test_do_on_one_lane_leaves_the_others(factual):
    name = network_of(WORLD).names()[3]
    changed = under((Intervention(node="promo", value=1, series=(name,)),))
    others = np.arange(60) != 3
    np.testing.assert_array_equal(changed["orders"][others], factual["orders"][others])
    assert (changed["promo"][3] == 1).all()


def test_do_orders_moves_the_flow_and_the_policy_that_answers_it(factual):
    changed = under((Intervention(node="orders", kind="scale", value=1.5),))
    assert changed["promo"][:, 1:].sum() < 0.5 * factual["promo"][:, 1:].sum()
    np.testing.assert_array_equal(changed["promo"][:, 0], factual["promo"][:, 0])
    assert changed["released"].sum() > factual["released"].sum()


def test_a_closure_stops_releases_and_keeps_the_parcels(factual):
    changed = under((Intervention(node="capacity", value=0, first=2, last=3),))
    assert not changed["released"][:, 1:3].any()
    np.testing.assert_array_equal(changed["orders"], factual["orders"])
    waits = changed["backlog"][:, 2] - changed["backlog"][:, 0]
    np.testing.assert_array_equal(waits, factual["orders"][:, 1:3].sum(axis=1))


def test_a_storm_lasts_into_the_days_after_it(factual):
    changed = under((Intervention(node="weather", value=9, first=2, last=2),))
    apart = changed["weather"] - factual["weather"]
    np.testing.assert_allclose(apart[:, 2:], apart[:, 1:-1] * 0.8, atol=1e-5)


def test_a_shift_adds_to_what_the_policy_would_choose(factual):
    changed = under((Intervention(node="price", kind="shift", value=1.0),))
    np.testing.assert_allclose(changed["price"], factual["price"] + 1, rtol=1e-6)


def test_interventions_on_a_node_apply_in_order(factual):
    shift, scale = (
        Intervention(node="price", kind="shift", value=1.0),
        Intervention(node="price", kind="scale", value=2.0),
    )
    np.testing.assert_allclose(
        under((shift, scale))["price"], (factual["price"] + 1) * 2, rtol=1e-6
    )


def test_a_delay_moves_the_logged_path(factual):
    promo = under((Intervention(node="promo", kind="delay", value=3),))["promo"]
    assert not promo[:, :3].any()
    np.testing.assert_array_equal(promo[:, 3:], factual["promo"][:, :-3])


def test_expectation_is_the_mean_of_branches_made_one_by_one():
    do = {"on": ON, "as_is": ()}
    means = expected(WORLD, cutoffs=[CUTOFF], horizon=3, do=do, branches=8, node="shipments")
    total = dict.fromkeys(do, 0.0)
    start = starts(WORLD, [CUTOFF])[CUTOFF]
    for name, scenario in do.items():
        future = start.under([scenario], horizon=3)
        for branch in range(1, 9):
            rows = future.walk([branch], with_sites=False)
            total[name] += np.stack([np.ravel(row["shipments"]) for row in rows], axis=1) / 8
        np.testing.assert_allclose(means[name][:, 0], total[name], rtol=1e-5)


def test_mean_orders_agree_with_the_mean_of_counts():
    """Orders are averaged over their rates, which have no count noise."""
    many = World(lanes=300, days=60)
    fast = expected(many, cutoffs=[40], horizon=5, do=[()], branches=64)["0"]
    counted = expected(many, cutoffs=[40], horizon=5, do=[()], branches=64, node="released")["0"]
    assert counted[:, 0].sum() == pytest.approx(fast.sum(), rel=0.01)


@pytest.mark.parametrize("policy", ["reactive", "committed"])
def test_expectations_are_right_on_average_over_many_lanes(policy):
    world = World(lanes=2000, days=130, policy=policy, tail=0.0)
    cutoffs = [60, 90, 115]
    mean = expected(world, cutoffs=cutoffs, horizon=14, do=[()], branches=8)["0"]
    orders = simulate(world, nodes=["orders"])["orders"]
    for number, cutoff in enumerate(cutoffs):
        actual = orders[:, cutoff + 1 : cutoff + 15]
        ratio = (actual / mean[:, number]).mean()  # lanes are independent but for the weather
        assert ratio == pytest.approx(1, abs=0.06)


def test_expectation_does_not_depend_on_the_other_scenarios_and_cutoffs():
    together = expected(
        WORLD, cutoffs=[50, CUTOFF], horizon=6, do={"on": ON, "off": ()}, branches=9
    )
    alone = expected(WORLD, cutoffs=[CUTOFF], horizon=6, do=[ON], branches=9)["0"]
    np.testing.assert_allclose(together["on"][:, 1:], alone, rtol=1e-5)


def test_expected_paths_are_by_cutoff():
    path = np.zeros((60, 2, 4), dtype=np.float32)
    path[:, 1] = 1
    promo = expected(
        WORLD, cutoffs=[50, 60], horizon=4, do=[()], branches=2, node="promo", paths={"promo": path}
    )["0"]
    np.testing.assert_array_equal(promo, path)


def test_committed_promos_are_known_fourteen_days_ahead_and_no_longer():
    world = World(lanes=60, days=120, policy="committed")
    promo = expected(world, cutoffs=[CUTOFF], horizon=16, do=[()], branches=16, node="promo")["0"]
    logged = simulate(world, nodes=["promo"])["promo"][:, CUTOFF + 1 :]
    np.testing.assert_array_equal(promo[:, 0, :14], logged[:, :14])
    assert ((promo[:, 0, 14:] > 0) & (promo[:, 0, 14:] < 1)).any()


@pytest.mark.parametrize(("node", "lead"), [("price", 7), ("capacity", 14)])
def test_what_is_set_ahead_is_the_same_in_all_futures_for_its_lead(node, lead):
    mean = expected(WORLD, cutoffs=[CUTOFF], horizon=20, do=[()], branches=4, node=node)["0"]
    logged = simulate(WORLD, nodes=[node])[node][:, CUTOFF + 1 : CUTOFF + 21]
    np.testing.assert_allclose(mean[:, 0, :lead], logged[:, :lead], rtol=1e-6)
    assert (np.abs(mean[:, 0, lead] / logged[:, lead] - 1) > 1e-3).mean() > 0.8


def test_a_promotion_is_worth_its_coefficient():
    world = World(lanes=200, days=60)
    on, off = (Intervention(node="promo", value=float(value), last=1) for value in (1, 0))
    means = expected(world, cutoffs=[40], horizon=1, do={"on": [on], "off": [off]}, branches=4)
    lift = np.log(means["on"] / means["off"])[:, 0, 0]
    np.testing.assert_allclose(lift, network_of(world).lanes.promo_N, atol=1e-4)


def test_station_nodes_of_the_counterfactual_are_those_of_the_table():
    source = Midmile(preset="tiny", level="network")
    frame = source.load().frame
    again = counterfactual(source.world, cutoff=150, horizon=5, do=())
    for node in ("arrivals", "labor_hrs"):
        wide = frame.dropna(subset=[node]).pivot(index="unique_id", columns="ds", values=node)
        np.testing.assert_allclose(again[node], wide.to_numpy()[:, 151:156], rtol=1e-6)


def test_expected_arrivals_have_one_row_per_station():
    world = World.preset("tiny")
    mean = expected(world, cutoffs=[100], horizon=3, do=[()], branches=4, node="labor_hrs")["0"]
    assert mean.shape == (len(np.unique(network_of(world).lanes.dest_N)), 1, 3)
    assert (mean >= 0).all()


def test_the_catalogue_has_thirty_scenarios_that_all_run():
    world = World.preset("tiny")
    names = catalogue(world)
    assert len(names) >= 30
    table = truth_table(world, cutoffs=[100, 150], horizon=14, branches=2, node="shipments")
    assert table["scenario"].nunique() == len(names)
    assert len(table) == len(names) * 40 * 2 * 14
    assert np.isfinite(table["mean"]).all()
    as_is, changed = (
        table[table["scenario"] == name]["mean"].to_numpy() for name in ("as_is", "promo_on")
    )
    assert (as_is != changed).any()


@pytest.mark.parametrize("name", sorted(catalogue(World.preset("tiny"))))
def test_each_scenario_of_the_catalogue_changes_the_network(name):
    world = World.preset("tiny")
    do = {"as_is": (), "this": catalogue(world)[name]}
    changed = [
        (means["as_is"] != means["this"]).any()
        for means in (
            expected(world, cutoffs=[100], horizon=14, do=do, branches=2, node=node)
            for node in ("shipments", "backlog", "promo")
        )
    ]
    assert any(changed) == (name != "as_is")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: under((Intervention(node="late", value=1),)), r"do\(late\) has no meaning here"),
        (lambda: expected(WORLD, cutoffs=[500], horizon=2, do=[()]), "cutoff 500 lies outside"),
        (lambda: expected(WORLD, cutoffs=[5], horizon=2, do=[()], node="x"), "'x' is no node"),
        (lambda: under((), paths={"promo": np.zeros((2, 2))}), r"paths\['promo'\] has shape"),
        (
            lambda: truth_table(WORLD, cutoffs=[5], horizon=2, names=["promo_up"]),
            "no scenario 'promo_up'; there are as_is",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
