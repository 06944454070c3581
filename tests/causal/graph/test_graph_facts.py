"""A declared graph beside its data and windows, and what it says of itself."""

import pickle

import pytest

from lanecast.causal.graph.graph import Edge, Graph, NodeKind, Parent
from lanecast.errors import GraphError, SchemaError
from small_graphs import declared, schema, small


def edge(source, target, lags=(0,), **options):
    return {"from": source, "to": target, "lags": list(lags), **options}


# --- beside the data config and the windows -------------------------------------------------------


def test_the_small_graph_fits_its_data_config():
    small().check(schema(), context=14)


BESIDE = {
    "unknown column": ({"backlog": None}, ["backlog"]),
    "static column": ({"backlog": {"role": "static", "delay": None}}, ["backlog", "static"]),
    "endogenous known in advance": (
        {"backlog": {"role": "known_future", "delay": None}},
        ["backlog", "known_future"],
    ),
    "treatment that nobody can set": (
        {"promo": {"manipulable": False}},
        ["promo", "manipulable: true"],
    ),
    "endogenous that a planner sets": ({"backlog": {"manipulable": True}}, ["backlog"]),
    "log of what may be negative": (
        {"price": {"non_negative": False}},
        ["price", "non_negative"],
    ),
}


@pytest.mark.parametrize("case", BESIDE)
def test_a_node_that_disagrees_with_its_column_is_refused_by_name(case):
    changes, words = BESIDE[case]
    with pytest.raises(GraphError) as told:
        small().check(schema(**changes), context=14)
    assert all(word in str(told.value) for word in words)


def test_a_target_known_in_advance_is_no_schema():
    with pytest.raises(SchemaError, match="'y'"):
        schema(y={"role": "known_future", "delay": None})


@pytest.mark.parametrize(("lag", "fine"), [(6, False), (7, True)])
def test_a_policy_cannot_react_to_what_it_precedes(lag, fine):
    graph = small(nodes={"price": {"policy_parents": [{"node": "backlog", "lags": [lag, 9]}]}})
    if fine:
        graph.check(schema(), context=14)
    else:
        with pytest.raises(GraphError, match=r"backlog -> price.*7 steps.*lags of at least 7"):
            graph.check(schema(), context=14)


@pytest.mark.parametrize(("lead", "fine"), [("P5D", False), ("P6D", True), (None, True)])
def test_a_policy_may_react_to_a_plan_made_before_it(lead, fine):
    plan = {"role": "known_future", "lead": lead}
    parents = [{"node": "plan", "lags": [1]}]
    graph = small(nodes={"plan": {"kind": "exogenous"}, "price": {"policy_parents": parents}})
    if fine:
        graph.check(schema(plan=plan), context=14)
    else:
        with pytest.raises(GraphError, match="plan -> price"):
            graph.check(schema(plan=plan), context=14)


def test_what_is_always_known_reacts_to_nothing():
    graph = small(nodes={"price": {"policy_parents": [{"node": "backlog", "lags": [9]}]}})
    with pytest.raises(GraphError, match=r"backlog -> price.*for ever"):
        graph.check(schema(price={"lead": None}), context=14)


@pytest.mark.parametrize(
    ("edges", "context", "words"),
    [
        ([edge("weather", "backlog", [12])], 13, ["weather -> backlog", "lag 12", "13"]),
        ([edge("weather", "backlog", [0], memory=12)], 13, ["weather -> backlog", "memory 12"]),
        ([], 10, ["promo -> orders", "memory 2 plus its target's own lag 7", "10"]),
    ],
)
def test_a_lag_longer_than_the_context_is_refused_by_name(edges, context, words):
    graph = small(edges=edges)
    with pytest.raises(GraphError) as told:
        graph.check(schema(), context=context)
    assert all(word in str(told.value) for word in words)
    graph.check(schema(), context=context + 1)


# --- what a graph says ----------------------------------------------------------------------------


def turned(value):
    """The same declaration with every mapping and every list the other way round."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(one) for one in reversed(value)] if isinstance(value, list) else value


def test_the_hash_ignores_order():
    config = declared(bidirected=[["orders", "price"], ["promo", "price"]])
    one, other = Graph.from_config(config), Graph.from_config(turned(config))
    assert one.dag_hash == other.dag_hash
    assert one.order == other.order


def test_the_hash_ignores_defaults_spelled_out_and_how_lags_are_grouped():
    spelled = declared(nodes={"backlog": {"family": "location_scale", "column": "backlog"}})
    spelled["edges"][4:5] = [edge("orders", "orders", [7]), edge("orders", "orders", [1])]
    assert Graph.from_config(spelled).dag_hash == small().dag_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes": {"backlog": {"link": "identity"}}},
        {"nodes": {"promo": {"policy_parents": []}}},
        {"nodes": {"price": {"reference": 1}}},
        {"edges": [edge("weather", "backlog")]},
        {"edges": [edge("weather", "backlog", forbidden=True)]},
        {"bidirected": [["orders", "price"]]},
    ],
)
def test_the_hash_changes_with_what_is_declared(changes):
    found = small(**changes).dag_hash
    assert found != small().dag_hash
    assert len(found) == 8
    assert set(found) <= set("0123456789abcdef")


def test_a_graph_knows_its_parts():
    graph = small()
    assert graph.target == "orders"
    assert graph.treatments == ("price", "promo")
    assert graph.generations == (("price", "promo", "weather"), ("orders",), ("backlog",))
    assert graph.order == ("price", "promo", "weather", "orders", "backlog")
    assert graph.max_lag == 7
    assert graph.nodes["promo"].policy_parents == (Parent(node="orders", lags=(1, 2)),)
    assert graph.nodes["calendar"].column is None
    assert graph.nodes["orders"].kind is NodeKind.ENDOGENOUS


def test_parents_are_edges_policy_included_and_hidden_or_forbidden_left_out():
    nodes = {"mood": {"kind": "latent"}}
    edges = [edge("mood", "orders"), edge("backlog", "orders", [1], forbidden=True)]
    graph = small(nodes=nodes, edges=edges)
    assert [e.source for e in graph.parents("orders")] == ["orders", "price", "promo", "weather"]
    (looks,) = graph.parents("promo")
    assert looks == Edge(source="orders", target="promo", lags=(1, 2), policy=True)
    assert "mood" in graph.ancestors("backlog")


def test_influence_passes_through_a_policy_only_if_asked():
    graph = small()
    assert graph.descendants("weather") == {"orders", "backlog", "promo"}
    assert graph.descendants("weather", include_policy=False) == {"orders", "backlog"}
    assert graph.ancestors("promo") == {"orders", "price", "weather"}
    assert graph.ancestors("promo", include_policy=False) == frozenset()


def test_without_leaves_edges_and_policy_parents_out():
    graph = small().without(("weather", "orders"), ("orders", "promo"))
    assert graph.descendants("weather") == frozenset()
    assert graph.nodes["promo"].policy_parents == ()
    with pytest.raises(GraphError, match=r"wether -> orders.*weather -> orders"):
        small().without(("wether", "orders"))


def test_an_unknown_node_is_refused_with_the_nearest():
    for ask in (small().parents, small().ancestors, small().descendants):
        with pytest.raises(GraphError, match=r"'order'.*orders"):
            ask("order")


def test_a_graph_survives_a_pickle():
    graph = small()
    assert graph.order
    assert pickle.loads(pickle.dumps(graph)) == graph
