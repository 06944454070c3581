"""A declared graph: every contradiction is refused by name."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.causal.graph.graph import Graph
from lanecast.errors import GraphError
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
