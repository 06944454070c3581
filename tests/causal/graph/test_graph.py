"""A declared graph: every contradiction is refused by name, and the rest is read right."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.causal.graph.graph import Edge, Graph, NodeKind, Parent
from lanecast.errors import GraphError, SchemaError
from small_graphs import LEVELS, declared, schema, small


def edge(source, target, lags=(0,), **options):
    return {"from": source, "to": target, "lags": list(lags), **options}


def refused(*words, base=None, **changes):
    """The graph is refused with all of the words in its message."""
    with pytest.raises(GraphError) as told:
        Graph.from_config(declared(base, **changes) if base else declared(**changes))
    for word in words:
        assert word in str(told.value)


# --- C1: cycles -----------------------------------------------------------------------------------


@st.composite
def acyclic(draw):
    """Nodes in a hidden order with edges forward at lag 0 and any way round at lags above."""
    names = draw(st.permutations([f"n{i}" for i in range(draw(st.integers(3, 9)))]))
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    forward = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20))
    lagged = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=10))
    nodes = {name: {"kind": "endogenous"} for name in draw(st.permutations(names))}
    nodes["n0"]["column"] = "y"
    edges = [edge(a, b) for a, b in forward]
    edges += [edge(b, a, [draw(st.integers(1, 7))]) for a, b in lagged]
    return list(names), nodes, edges


@settings(max_examples=200, deadline=None)
@given(acyclic(), st.data())
def test_a_planted_lag_0_cycle_is_always_found(world, data):
    names, nodes, edges = world
    length = data.draw(st.integers(2, len(names)))
    ring = data.draw(st.permutations(names))[:length]
    there = {(e["from"], e["to"]) for e in edges if 0 in e["lags"]}
    planted = [pair for pair in pairwise([*ring, ring[0]]) if pair not in there]
    with pytest.raises(GraphError, match="cycle") as told:
        Graph.from_config({"nodes": nodes, "edges": edges + [edge(a, b) for a, b in planted]})
    shown = str(told.value).partition("cycle: ")[2].partition(";")[0].split(" -> ")
    assert shown[0] == shown[-1]
    assert set(pairwise(shown)) <= there | set(planted)


@settings(max_examples=200, deadline=None)
@given(acyclic())
def test_a_graph_without_a_lag_0_cycle_is_never_refused(world):
    names, nodes, edges = world
    graph = Graph.from_config({"nodes": nodes, "edges": edges})
    place = {name: number for number, name in enumerate(graph.order)}
    assert sorted(place) == sorted(names)
    assert all(place[e["from"]] < place[e["to"]] for e in edges if 0 in e["lags"])


def test_a_policy_that_reacts_within_the_step_closes_a_cycle():
    parents = [{"node": "orders", "lags": [0]}]
    refused("orders -> promo -> orders", nodes={"promo": {"policy_parents": parents}})


def test_a_forbidden_edge_closes_no_cycle():
    small(edges=[edge("backlog", "orders", forbidden=True)])


# --- contradictions within the graph --------------------------------------------------------------

ONE_EDGE = {
    "unknown node": ([edge("wether", "orders")], ["wether -> orders", "weather"]),
    "lag twice": ([edge("weather", "backlog", [1, 1])], ["weather -> backlog", "twice"]),
    "negative lag": ([edge("weather", "backlog", [-1])], ["weather -> backlog", "-1"]),
    "fractional lag": ([edge("weather", "backlog", [1.5])], ["weather -> backlog", "1.5"]),
    "truth as lag": ([edge("weather", "backlog", [True])], ["weather -> backlog", "True"]),
    "no lags": ([edge("weather", "backlog", [])], ["weather -> backlog", "lags"]),
    "memory without lags": (
        [{"from": "weather", "to": "backlog", "memory": 2}],
        ["weather -> backlog", "memory=2 needs lags"],
    ),
    "lag beyond memory": (
        [edge("weather", "backlog", [3], memory=2)],
        ["weather -> backlog", "lag 3", "memory=2"],
    ),
    "self at lag 0": ([edge("backlog", "backlog", [0, 1])], ["backlog -> backlog", "lag 0"]),
    "memory of itself": ([edge("backlog", "backlog", [1], memory=1)], ["backlog", "memory"]),
    "optional and forbidden": (
        [edge("weather", "backlog", optional=True, forbidden=True)],
        ["weather -> backlog", "both optional and forbidden"],
    ),
    "optional here, forbidden there": (
        [edge("weather", "orders", [0, 3], forbidden=True)],
        ["weather -> orders", "both forbidden and optional at lag 0"],
    ),
    "allowed here, forbidden there": (
        [edge("orders", "backlog", forbidden=True)],
        ["orders -> backlog", "both forbidden and allowed at lag 0"],
    ),
    "forbidden yet a policy parent": (
        [edge("orders", "promo", [2], forbidden=True)],
        ["orders -> promo", "both forbidden and a policy parent at lag 2"],
    ),
    "twice": ([edge("orders", "backlog", [0, 1])], ["orders -> backlog", "twice at lag 0"]),
    "into a treatment": ([edge("weather", "price")], ["weather -> price", "policy_parents"]),
    "into an exogenous node": ([edge("orders", "weather", [1])], ["orders -> weather"]),
    "from the calendar": ([edge("calendar", "orders")], ["calendar -> orders", "context"]),
    "bad sign": ([edge("weather", "backlog", sign="up")], ["weather -> backlog", "sign='up'"]),
    "unknown key": ([edge("weather", "backlog", lag=1)], ["weather -> backlog", "lags"]),
    "not a flag": ([edge("weather", "backlog", optional="yes")], ["weather -> backlog", "yes"]),
    "unknown join": ([edge("weather", "backlog", aggregate="sum")], ["weather -> backlog", "sum"]),
}


@pytest.mark.parametrize("case", ONE_EDGE)
def test_a_bad_edge_is_refused_by_name(case):
    edges, words = ONE_EDGE[case]
    refused(*words, edges=edges)


ONE_NODE = {
    "treatment without policy": ({"promo": {"policy_parents": None}}, ["promo", "policy_parents"]),
    "unknown policy parent": (
        {"promo": {"policy_parents": [{"node": "order", "lags": [1]}]}},
        ["promo", "'order'", "orders"],
    ),
    "policy of an endogenous node": ({"backlog": {"policy_parents": []}}, ["backlog"]),
    "reference of an endogenous node": ({"backlog": {"reference": 0}}, ["backlog", "reference"]),
    "reference that is no number": ({"price": {"reference": "low"}}, ["price", "low"]),
    "unknown kind": ({"backlog": {"kind": "endogen"}}, ["backlog", "endogenous"]),
    "unknown link": ({"backlog": {"link": "log2"}}, ["backlog", "log1p"]),
    "unknown family": ({"backlog": {"family": "poisson"}}, ["backlog", "poisson"]),
    "unknown noise": ({"backlog": {"noise": "student"}}, ["backlog", "student_t"]),
    "bernoulli with a link": ({"promo": {"link": "log"}}, ["promo", "bernoulli"]),
    "unknown key": ({"backlog": {"colum": "b"}}, ["backlog", "column"]),
    "unknown level": ({"backlog": {"level": "site"}}, ["backlog", "site", "levels"]),
    "two targets": ({"backlog": {"column": "y"}}, ["backlog", "orders", "'y'"]),
    "no target": ({"orders": {"column": "volume"}}, ["no node is the target", "column: y"]),
    "target known in advance": ({"orders": {"kind": "exogenous"}}, ["orders"]),
    "latent with a column": ({"mood": {"kind": "latent", "column": "mood"}}, ["mood", "column"]),
    "latent with a policy": ({"mood": {"kind": "latent", "policy_parents": []}}, ["mood"]),
    "two calendars": ({"days": {"kind": "exogenous", "calendar": True}}, ["calendar", "days"]),
    "calendar with a column": ({"calendar": {"column": "day"}}, ["calendar", "day"]),
}


@pytest.mark.parametrize("case", ONE_NODE)
def test_a_bad_node_is_refused_by_name(case):
    nodes, words = ONE_NODE[case]
    refused(*words, nodes=nodes)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([["orders", "pric"]], ["pric", "price"]),
        ([["orders", "orders"]], ["orders"]),
        ([["orders", "price"], ["price", "orders"]], ["orders, price", "twice"]),
        ([["orders"]], ["orders", "pair"]),
    ],
)
def test_a_bad_bidirected_pair_is_refused_by_name(pairs, words):
    refused(*words, bidirected=pairs)


@pytest.mark.parametrize("part", ["edge", "node", "treatments"])
def test_an_unknown_part_of_the_graph_is_refused_by_name(part):
    refused(repr(part), **{part: []})


def test_nothing_at_all_is_refused():
    with pytest.raises(GraphError, match="no nodes"):
        Graph.from_config({})


# --- levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("join", "words"),
    [
        ({"from": "lane", "to": "hub", "by": "dest", "how": "sum"}, ["sum_by_dest", "hub"]),
        ({"from": "lane", "to": "lane", "by": "dest", "how": "sum"}, ["sum_by_dest", "itself"]),
        ({"from": "site", "to": "lane", "by": "dest", "how": "sum"}, ["orders -> arrivals"]),
        ({"from": "lane", "to": "site", "by": "dest", "how": "mean"}, ["sum_by_dest", "mean"]),
        ({"from": "lane", "to": "site", "how": "sum"}, ["sum_by_dest", "by is missing"]),
    ],
)
def test_an_impossible_join_is_refused_by_name(join, words):
    refused(*words, base=LEVELS, joins={"sum_by_dest": join})


def test_an_edge_between_levels_needs_an_aggregate():
    refused("arrivals -> orders", "aggregate", base=LEVELS, edges=[edge("arrivals", "orders", [1])])


def test_a_policy_sees_its_own_level_alone():
    staff = {
        "kind": "treatment",
        "level": "site",
        "policy_parents": [{"node": "orders", "lags": [1]}],
    }
    refused("orders -> staff", "its own series", base=LEVELS, nodes={"staff": staff})


def test_a_join_needs_its_attribute_among_the_statics():
    columns = schema(arrivals={"role": "observed"})
    graph = Graph.from_config(declared(LEVELS))
    with pytest.raises(GraphError, match=r"orders -> arrivals.*'dest'"):
        graph.check(columns, context=14, attributes=["kind", "origin"])
    with pytest.raises(GraphError, match=r"level 'lane'.*'kind'"):
        graph.check(columns, context=14, attributes=["dest"])
    graph.check(columns, context=14, attributes=["kind", "dest"])


SERIES = np.array(["A>X", "B>X", "A>Y", "X", "Y"])
STATICS = {
    "kind": np.array(["lane", "lane", "lane", "site", "site"]),
    "dest": np.array(["X", "X", "Y", "", ""]),
    "origin": np.array(["A", "B", "A", "", ""]),
}


def test_a_site_sums_the_lanes_that_lead_to_it():
    graph = Graph.from_config(declared(LEVELS))
    source_P, target_P, weight_P = graph.pairs_of(graph.joins["sum_by_dest"], SERIES, STATICS)
    assert list(zip(source_P, target_P, strict=True)) == [(0, 3), (1, 3), (2, 4)]
    assert weight_P.tolist() == [1, 1, 1]


def test_a_join_may_name_sites_by_an_attribute_of_theirs():
    join = {"from": "lane", "to": "site", "by": "dest", "key": "dest", "how": "sum"}
    graph = Graph.from_config(declared(LEVELS, joins={"sum_by_dest": join}))
    statics = {**STATICS, "dest": np.array(["X", "X", "Y", "Y", "X"])}
    source_P, target_P, _ = graph.pairs_of(graph.joins["sum_by_dest"], SERIES, statics)
    assert list(zip(source_P, target_P, strict=True)) == [(0, 4), (1, 4), (2, 3)]
    twins = {**STATICS, "dest": np.array(["X", "X", "Y", "Y", "Y"])}
    with pytest.raises(GraphError, match="'X' and 'Y' have one dest"):
        graph.pairs_of(graph.joins["sum_by_dest"], SERIES, twins)


def split(by):
    join = {"from": "site", "to": "lane", "by": by, "how": "split"}
    nodes = {"plans": {"kind": "exogenous", "level": "site"}}
    edges = [edge("plans", "orders", aggregate="od_split")]
    base = {"levels": LEVELS["levels"], "nodes": LEVELS["nodes"], "edges": []}
    return Graph.from_config(declared(base, nodes=nodes, edges=edges, joins={"od_split": join}))


def test_a_lane_reads_the_site_that_its_attribute_names():
    graph = split("dest")
    source_P, target_P, _ = graph.pairs_of(graph.joins["od_split"], SERIES, STATICS)
    assert list(zip(source_P, target_P, strict=True)) == [(3, 0), (3, 1), (4, 2)]


def test_a_lane_of_no_site_is_refused_by_name():
    graph = split("origin")
    with pytest.raises(GraphError, match="'A>X' has origin='A'"):
        graph.pairs_of(graph.joins["od_split"], SERIES, STATICS)


def test_carriers_are_the_series_of_the_level():
    graph = Graph.from_config(declared(LEVELS))
    assert graph.carriers("arrivals", STATICS, 5).tolist() == [False] * 3 + [True] * 2
    assert small().carriers("orders", {}, 2).tolist() == [True, True]


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
