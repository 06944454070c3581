"""A shop whose columns are published late, known early, full of holes, and joined by newcomers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from causal_worlds import shop
from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Role, Schema
from lanecast.data.views import with_values
from lanecast.data.windows import WindowIndex
from lanecast.sources import SourceTable

SERIES, STEPS, UNTIL, CUTOFF, HORIZON = 8, 200, 150, 158, 8
LATE, NEW = 6, 7  # a series that the fit saw a little of, and one that it saw nothing of
STARTS = {LATE: 120, NEW: 153}
BUDGET = FitBudget(steps=20, batch=8, segment=32, hidden=4)
ROLES = {
    "y": {"role": "target", "delay": "P1D"},
    "weather": {"role": "observed", "delay": "P3D"},
    "promo": {"role": "observed", "manipulable": True},
    "price": {"role": "known_future", "lead": "P5D", "manipulable": True},
    "backlog": {"role": "observed", "delay": "P2D"},
}
GRAPH = {
    "nodes": {
        "weather": {"kind": "exogenous"},
        "promo": {
            "kind": "treatment",
            "family": "bernoulli",
            "reference": 0.0,
            "policy_parents": [{"node": "orders", "lags": [2]}],
        },
        "price": {"kind": "treatment", "policy_parents": []},
        "orders": {"kind": "endogenous", "column": "y"},
        "backlog": {"kind": "endogenous"},
    },
    "edges": [
        {"from": "weather", "to": "weather", "lags": [1]},
        {"from": "weather", "to": "orders", "lags": [0]},
        {"from": "promo", "to": "orders", "lags": [0, 1], "memory": 1},
        {"from": "price", "to": "orders", "lags": [0], "sign": "negative"},
        {"from": "orders", "to": "orders", "lags": [1, 2]},
        {"from": "orders", "to": "backlog", "lags": [0]},
        {"from": "backlog", "to": "backlog", "lags": [1]},
    ],
}
NODES = ("weather", "promo", "price", "orders", "backlog")


def graph() -> Graph:
    """The shop's graph; orders remember a promotion for one day."""
    return Graph.from_config(GRAPH)


@lru_cache
def panel() -> Panel:
    """Eight series, holes in every observed column, two that start late."""
    x = shop(series=SERIES, steps=STEPS, day_share=0.0)
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"L{i}" for i in range(SERIES)], STEPS),
            "ds": np.tile(pd.date_range("2024-01-01", periods=STEPS), SERIES),
            "step": np.tile(np.arange(STEPS), SERIES),
            **{name: values.ravel().copy() for name, values in x.items()},
        }
    )
    for name in ("y", "weather", "backlog"):
        frame.loc[rng.random(len(frame)) < 0.03, name] = np.nan
    start = frame["unique_id"].map({f"L{i}": step for i, step in STARTS.items()}).fillna(0)
    frame = frame[frame["step"] >= start].drop(columns="step")
    schema = Schema.from_config({"freq": "D", "columns": ROLES})
    return panel_from_table(SourceTable(frame=frame), schema, calendar={"features": ["weekday"]})


@lru_cache
def layer() -> CausalLayer:
    """Fitted until `UNTIL`."""
    return CausalLayer(graph=graph(), budget=BUDGET).fit(panel(), until=UNTIL)


def at(cutoff: int = CUTOFF) -> WindowIndex:
    """Every series as of one cutoff."""
    return WindowIndex(series_W=np.arange(SERIES), cutoff_W=np.full(SERIES, cutoff, np.int64))


def steps(held: Panel) -> np.ndarray:
    """Step of each cell."""
    lengths = np.diff(held.offsets)
    return np.arange(held.num_cells) + np.repeat(held.start - held.offsets[:-1], lengths)


def refilled(held: Panel, cutoff: int, *, seed: int, later: int = 0) -> Panel:
    """Other values wherever they are not known ``later`` steps after ``cutoff``; holes move too."""
    rng, columns = np.random.default_rng(seed), {}
    for name in held.schema.stored:
        column = held.schema.columns[name]
        newest = -held.schema.delay_steps(name)
        if column.role is Role.KNOWN_FUTURE:
            newest = held.schema.lead_steps(name)
        hidden = steps(held) > cutoff + later + newest
        values = held.column(name).numpy().copy()
        values[hidden] = rng.normal(30, 10, hidden.sum())
        values[hidden & (rng.random(len(values)) < 0.2)] = np.nan
        columns[name] = values
    return with_values(held, columns)
