"""Lanes that lead to sites: orders sum to arrivals, and a site's load slows its lanes next day."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex
from lanecast.sources import SourceTable

STEPS, UNTIL, CUTOFF, HORIZON = 180, 140, 146, 6
LANES = ("A>X", "A>Y", "B>X", "B>Y", "C>X", "C>Y")
SITES = ("X", "Y")
LATE, LATE_START = 4, 60  # C>X opens late
GRAPH = {
    "levels": {
        "lane": {"attribute": "kind", "value": "lane"},
        "site": {"attribute": "kind", "value": "site"},
    },
    "joins": {
        "sum_by_dest": {"from": "lane", "to": "site", "by": "dest", "how": "sum"},
        "load_of_dest": {"from": "site", "to": "lane", "by": "dest", "how": "split"},
    },
    "nodes": {
        "promo": {
            "kind": "treatment",
            "level": "lane",
            "family": "bernoulli",
            "reference": 0.0,
            "policy_parents": [{"node": "orders", "lags": [1]}],
        },
        "weather": {"kind": "exogenous", "level": "site"},
        "orders": {"kind": "endogenous", "level": "lane", "column": "y", "link": "log1p"},
        "arrivals": {"kind": "endogenous", "level": "site", "link": "log1p"},
        "hours": {"kind": "endogenous", "level": "site"},
    },
    "edges": [
        {"from": "promo", "to": "orders", "lags": [0]},
        {"from": "orders", "to": "orders", "lags": [1]},
        {"from": "hours", "to": "orders", "lags": [1], "aggregate": "load_of_dest"},
        {"from": "orders", "to": "arrivals", "lags": [0, 1], "aggregate": "sum_by_dest"},
        {"from": "weather", "to": "weather", "lags": [1]},
        {"from": "weather", "to": "hours", "lags": [0]},
        {"from": "arrivals", "to": "hours", "lags": [0]},
    ],
}
ROLES = {
    "y": {"role": "target", "non_negative": True},
    "promo": {"role": "observed", "manipulable": True},
    "weather": {"role": "observed"},
    "arrivals": {"role": "observed", "non_negative": True},
    "hours": {"role": "observed"},
    "kind": {"role": "static"},
    "dest": {"role": "static"},
}
BUDGET = FitBudget(steps=20, batch=8, segment=32, hidden=4)


def graph() -> Graph:
    """Both joins, one up and one down."""
    return Graph.from_config(GRAPH)


def _columns() -> dict[str, np.ndarray]:
    """[lanes + sites, steps] of each column; NaN where a series does not carry it."""
    rng = np.random.default_rng(8)
    shape = (len(LANES) + len(SITES), STEPS)
    x = {n: np.full(shape, np.nan) for n in ("y", "promo", "weather", "arrivals", "hours")}
    dest = np.array([SITES.index(name[-1]) for name in LANES])
    last, hours, weather = np.full(6, 3.0), np.zeros(2), np.zeros(2)
    yesterday = np.zeros(2)
    for t in range(STEPS):
        promo = (rng.random(6) < 0.3).astype(float)
        weather = 0.5 * weather + 0.4 * rng.standard_normal(2)
        load = hours[dest]
        last = 2.0 + 0.3 * last + 0.4 * promo - 0.1 * load + 0.15 * rng.standard_normal(6)
        orders = np.expm1(last)
        orders[LATE] = orders[LATE] if t >= LATE_START else 0.0
        total = np.bincount(dest, orders)
        arrivals = (0.7 * total + 0.3 * yesterday) * np.exp(0.05 * rng.standard_normal(2))
        hours = np.log1p(arrivals) - 4 + 0.3 * weather + 0.1 * rng.standard_normal(2)
        yesterday = total
        for name, value in (("y", orders), ("promo", promo)):
            x[name][:6, t] = value
        for name, value in (("weather", weather), ("arrivals", arrivals), ("hours", hours)):
            x[name][6:, t] = value
    return x


@lru_cache
def panel() -> Panel:
    """Six lanes, then two sites."""
    ids = (*LANES, *SITES)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(ids, STEPS),
            "ds": np.tile(pd.date_range("2024-01-01", periods=STEPS), len(ids)),
            **{name: values.ravel() for name, values in _columns().items()},
        }
    )
    early = frame["ds"] < pd.Timestamp("2024-01-01") + pd.Timedelta(days=LATE_START)
    frame = frame[~((frame["unique_id"] == LANES[LATE]) & early)]
    statics = pd.DataFrame(
        {
            "unique_id": ids,
            "kind": ["lane"] * 6 + ["site"] * 2,
            "dest": [*(name[-1] for name in LANES), *SITES],
        }
    )
    schema = Schema.from_config({"freq": "D", "columns": ROLES})
    return panel_from_table(
        SourceTable(frame=frame, statics=statics), schema, calendar={"features": ["weekday"]}
    )


@lru_cache
def layer() -> CausalLayer:
    """Fitted until `UNTIL`."""
    return CausalLayer(graph=graph(), budget=BUDGET).fit(panel(), until=UNTIL)


def at(cutoff: int = CUTOFF) -> WindowIndex:
    """Every series as of one cutoff."""
    size = len(LANES) + len(SITES)
    return WindowIndex(series_W=np.arange(size), cutoff_W=np.full(size, cutoff, np.int64))
