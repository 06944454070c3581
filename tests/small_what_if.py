"""A small world with orders, promo, price, capacity and what follows, and models coupled to it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lanecast.causal.graph.graph import Graph
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.sources import SourceTable
from lanecast.whatif.coupled import CoupledForecaster
from small_models import HARDWARE, small

SPEC = WindowSpec(context=21, horizon=14, min_context=7)
STEPS, CUTOFF, SERIES = 160, 139, 6
GRAPH: dict[str, Any] = {
    "nodes": {
        "calendar": {"kind": "exogenous", "calendar": True},
        "promo": {
            "kind": "treatment",
            "family": "bernoulli",
            "reference": 0.0,
            "policy_parents": [{"node": "orders", "lags": [1, 2]}],
        },
        "price": {"kind": "treatment", "link": "log", "policy_parents": []},
        "capacity": {"kind": "treatment", "link": "log", "policy_parents": []},
        "orders": {"kind": "endogenous", "column": "y", "link": "log1p"},
        "shipments": {"kind": "endogenous", "link": "log1p"},
    },
    "edges": [
        {"from": "promo", "to": "orders", "lags": [0, 1], "memory": 2},
        {"from": "price", "to": "orders", "lags": [0], "memory": 0, "sign": "negative"},
        {"from": "orders", "to": "orders", "lags": [1, 7]},
        {"from": "orders", "to": "shipments", "lags": [0, 1]},
        {"from": "capacity", "to": "shipments", "lags": [0]},
    ],
}
COLUMNS: dict[str, dict[str, Any]] = {
    "y": {"role": "target", "non_negative": True, "integer": True},
    "promo": {"role": "observed", "manipulable": True},
    "price": {"role": "known_future", "lead": "P7D", "manipulable": True, "non_negative": True},
    "capacity": {
        "role": "known_future",
        "lead": "P14D",
        "manipulable": True,
        "non_negative": True,
    },
    "shipments": {"role": "observed", "delay": "P1D", "non_negative": True},
    "origin": {"role": "static"},
    "dest": {"role": "static"},
}
PLAN = {"steps": 60, "batch": 6, "segment": 48, "hidden": 4, "lr": 3e-2}


def table() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Promotions answer yesterday's orders and lift today's; price and capacity are random."""
    rng = np.random.default_rng(0)
    columns = {
        name: np.zeros((SERIES, STEPS)) for name in COLUMNS if name not in ("origin", "dest")
    }
    last, level = np.zeros(SERIES), rng.uniform(3.0, 5.0, SERIES)
    for t in range(STEPS):
        promo = rng.random(SERIES) < 1 / (1 + np.exp(0.8 + 6 * last))
        price = np.exp(1.0 + 0.05 * rng.standard_normal(SERIES))
        last = 0.15 * rng.standard_normal(SERIES) + 0.5 * last
        season = 0.2 * np.sin(2 * np.pi * t / 7)
        y = np.exp(level + season + 0.4 * promo - 1.2 * (np.log(price) - 1.0) + last)
        capacity = np.exp(level + 0.3 + 0.1 * rng.standard_normal(SERIES))
        found = {"y": np.round(y), "promo": promo, "price": price, "capacity": capacity}
        for name, value in {**found, "shipments": np.minimum(y, capacity)}.items():
            columns[name][:, t] = value
    names = [f"F{i // 3}>D{i % 3}" for i in range(SERIES)]
    days = pd.date_range("2024-01-01", periods=STEPS)
    frame = pd.DataFrame({"unique_id": np.repeat(names, STEPS), "ds": np.tile(days, SERIES)})
    for name, values in columns.items():
        frame[name] = values.ravel()
    traits = pd.DataFrame({"unique_id": names})
    traits["origin"] = traits["unique_id"].str[:2]
    traits["dest"] = traits["unique_id"].str[3:]
    return frame, traits


@lru_cache
def world() -> Panel:
    """The table as a panel."""
    frame, traits = table()
    schema = Schema.from_config({"freq": "D", "columns": COLUMNS})
    found = SourceTable(frame=frame, statics=traits)
    return panel_from_table(found, schema, calendar={"features": ["weekday"]})


@lru_cache
def coupled(mode: str, network: str = "nhits") -> CoupledForecaster:
    """A forecaster of that coupling, fitted until `CUTOFF`."""
    inner = small(network, windows=SPEC, hardware=HARDWARE, max_steps=20, val_steps=0)
    forecaster = CoupledForecaster(
        inner=inner,
        graph=Graph.from_config(GRAPH),
        mode=mode,
        windows=SPEC,
        mechanisms=PLAN,
        policy_samples=4,
    )
    return forecaster.fit(world(), until=CUTOFF)


def at() -> WindowIndex:
    """Every series at `CUTOFF`."""
    return windows_at(world(), [CUTOFF], SPEC)


@lru_cache
def build_refit() -> CoupledForecaster:
    """As ``coupled("delta")``, fitted anew with another seed."""
    inner = small("nhits", windows=SPEC, hardware=HARDWARE, max_steps=20, val_steps=0)
    inner.seed = 7
    forecaster = CoupledForecaster(
        inner=inner,
        graph=Graph.from_config(GRAPH),
        mode="delta",
        windows=SPEC,
        mechanisms=PLAN,
        policy_samples=4,
        seed=7,
    )
    return forecaster.fit(world(), until=CUTOFF)
