"""Small worlds with a known causal model, for tests of the causal layer; numpy alone, seeded."""

import numpy as np
import pandas as pd

from lanecast.causal.graph.graph import Graph
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.schema import Schema
from lanecast.sources import SourceTable

SHOP = {
    "nodes": {
        "calendar": {"kind": "exogenous", "calendar": True},
        "weather": {"kind": "exogenous"},
        "promo": {
            "kind": "treatment",
            "family": "bernoulli",
            "reference": 0.0,
            "policy_parents": [{"node": "orders", "lags": [1]}],
        },
        "price": {"kind": "treatment", "policy_parents": [{"node": "orders", "lags": [1]}]},
        "orders": {"kind": "endogenous", "column": "y"},
        "backlog": {"kind": "endogenous"},
    },
    "edges": [
        {"from": "weather", "to": "weather", "lags": [1]},
        {"from": "weather", "to": "orders", "lags": [0]},
        {"from": "promo", "to": "orders", "lags": [0]},
        {"from": "price", "to": "orders", "lags": [0]},
        {"from": "orders", "to": "orders", "lags": [1, 2]},
        {"from": "orders", "to": "backlog", "lags": [0]},
        {"from": "backlog", "to": "backlog", "lags": [1]},
    ],
}
TRUE_EDGES = (
    ("weather", "orders"),
    ("promo", "orders"),
    ("price", "orders"),
    ("orders", "backlog"),
    ("orders", "promo"),
    ("orders", "price"),
)


def panel_of(columns, roles):
    """A daily panel of [N, T] columns; ``roles`` as in a data config."""
    series, steps = next(iter(columns.values())).shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"L{i:03d}" for i in range(series)], steps),
            "ds": np.tile(pd.date_range("2024-01-01", periods=steps), series),
            **{name: values.ravel() for name, values in columns.items()},
        }
    )
    schema = Schema.from_config({"freq": "D", "columns": roles})
    return panel_from_table(SourceTable(frame=frame), schema, calendar={"features": ["weekday"]})


def shop(*, seed=0, series=40, steps=300, bend=0.0, day_share=0.3):
    """A linear shop: weather, a promotion and a price that react to yesterday, orders, backlog.

    ``day_share`` of each shock's variance is shared by all series of a day; ``bend`` adds a tanh.
    """
    rng = np.random.default_rng(seed)
    names = ("weather", "promo", "price", "y", "backlog")
    x = {name: np.zeros((series, steps), np.float32) for name in names}
    level = rng.normal(0, 1, series)

    def shock(scale):
        common = rng.standard_normal() * np.sqrt(day_share)
        return scale * (common + rng.standard_normal(series) * np.sqrt(1 - day_share))

    before = {name: np.zeros(series) for name in names}
    earlier = np.zeros(series)
    for t in range(steps):
        now = {"weather": 0.7 * before["weather"] + shock(0.7)}
        reaction = before["y"] - level
        chance = 1 / (1 + np.exp(1.0 + 0.8 * reaction))
        now["promo"] = (rng.random(series) < chance).astype(float)
        now["price"] = -0.3 * reaction + shock(0.5)
        week = 0.3 * np.sin(2 * np.pi * t / 7)
        now["y"] = (
            level
            + week
            + 0.4 * reaction
            + 0.2 * (earlier - level)
            + 0.3 * now["weather"]
            + 0.6 * now["promo"]
            - 0.5 * now["price"]
            + bend * np.tanh(2 * now["weather"])
            + shock(0.6)
        )
        now["backlog"] = 0.5 * before["backlog"] + 0.4 * (now["y"] - level) + shock(0.5)
        earlier, before = before["y"], now
        for name in names:
            x[name][:, t] = now[name]
    return x


SHOP_ROLES = {
    "y": {"role": "target"},
    "weather": {"role": "observed"},
    "promo": {"role": "observed", "manipulable": True},
    "price": {"role": "observed", "manipulable": True},
    "backlog": {"role": "observed"},
}


def shop_panel(**options):
    return panel_of(shop(**options), SHOP_ROLES)


def shop_graph():
    return Graph.from_config(SHOP)
