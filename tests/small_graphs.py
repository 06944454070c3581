"""Small graphs to spoil: each test changes one thing of a declaration that is right."""

from copy import deepcopy

from lanecast.causal.graph.graph import Graph
from lanecast.data.schema import Schema

SMALL = {
    "nodes": {
        "calendar": {"kind": "exogenous", "calendar": True},
        "weather": {"kind": "exogenous"},
        "promo": {
            "kind": "treatment",
            "family": "bernoulli",
            "policy_parents": [{"node": "orders", "lags": [1, 2]}],
        },
        "price": {"kind": "treatment", "link": "log", "policy_parents": []},
        "orders": {"kind": "endogenous", "column": "y", "link": "log1p"},
        "backlog": {"kind": "endogenous", "link": "log1p"},
    },
    "edges": [
        {"from": "weather", "to": "weather", "lags": [1]},
        {"from": "promo", "to": "orders", "lags": [0, 1], "memory": 2},
        {"from": "price", "to": "orders", "lags": [0], "sign": "negative"},
        {"from": "weather", "to": "orders", "lags": [0], "optional": True},
        {"from": "orders", "to": "orders", "lags": [1, 7]},
        {"from": "orders", "to": "backlog", "lags": [0]},
    ],
}

LEVELS = {
    "levels": {"lane": {}, "site": {}},
    "joins": {"sum_by_dest": {"from": "lane", "to": "site", "by": "dest", "how": "sum"}},
    "nodes": {
        "orders": {"kind": "endogenous", "column": "y", "level": "lane"},
        "arrivals": {"kind": "endogenous", "level": "site"},
    },
    "edges": [
        {"from": "orders", "to": "arrivals", "lags": [1, 2], "aggregate": "sum_by_dest"},
    ],
}


def declared(base=SMALL, *, nodes=None, edges=(), **parts):
    """A deep copy of a declaration with nodes changed, edges added and other parts replaced."""
    config = deepcopy(base)
    for name, options in (nodes or {}).items():
        config["nodes"][name] = {**config["nodes"].get(name, {}), **options}
    config["edges"] += edges
    return {**config, **parts}


def small(**changes):
    return Graph.from_config(declared(**changes))


def schema(**changes):
    """The data config beside `SMALL`; a column's options are changed, or it is left out by None."""
    columns = {
        "y": {"role": "target", "delay": "P1D", "non_negative": True},
        "weather": {"role": "observed", "delay": "P1D"},
        "promo": {"role": "observed", "manipulable": True},
        "price": {
            "role": "known_future",
            "lead": "P7D",
            "manipulable": True,
            "non_negative": True,
        },
        "backlog": {"role": "observed", "delay": "P2D", "non_negative": True},
    }
    for name, options in changes.items():
        if options is None:
            del columns[name]
        else:
            columns[name] = {**columns.get(name, {}), **options}
    return Schema.from_config({"freq": "D", "columns": columns})
