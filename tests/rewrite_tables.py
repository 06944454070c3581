"""Tables for the probe: lanes with gaps, ends and births, described by numbers and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lanecast.audits.rewrites import RawTables, as_delivered
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec

SPEC = WindowSpec(context=28, horizon=7, min_context=7)
DAYS, CUTOFF, STEP = 130, pd.Timestamp("2024-04-01"), 5
COLUMNS: dict[str, dict[str, Any]] = {
    "y": {"role": "target", "delay": "P1D", "non_negative": True, "integer": True},
    "late": {"role": "observed", "delay": "P2D", "non_negative": True},
    "plan": {"role": "known_future", "lead": "P20D", "non_negative": True},
    "promo": {"role": "known_future", "non_negative": True},
    "miles": {"role": "static"},
    "origin": {"role": "static"},
    "dest": {"role": "static"},
}


def schema_of(*left_out: str, absent: str = "missing", **changes: dict[str, Any]) -> Schema:
    """`COLUMNS` without some, and others of a column's declaration."""
    columns = {
        name: {**declared, **changes.get(name, {})}
        for name, declared in COLUMNS.items()
        if name not in left_out
    }
    return Schema.from_config({"freq": "D", "absent": absent, "columns": columns})


def lanes(*, gaps: bool = False, num: int = 6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lanes of two origins, one that ended, one born later, one born after the cutoff; statics."""
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=DAYS)
    blocks, traits = [], []
    for number in range(num + 1):
        week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
        mean = 15 * (number + 1) * week
        promo = (rng.random(DAYS) < 0.2).astype(float)
        y = rng.poisson(mean * (1 + 0.5 * promo)).astype(float)
        name = f"{'AB'[number % 2]}>{'XYZ'[number % 3]}{number}"
        block = pd.DataFrame({"unique_id": name, "ds": days, "y": y, "late": (y / 9).round(2)})
        block = block.assign(plan=mean.round(), promo=promo)
        first, last = {2: (30, DAYS), 3: (0, 104), num: (97, DAYS)}.get(number, (0, DAYS))
        block = block.iloc[first:last]
        if gaps:
            block = block[rng.random(len(block)) < 0.8]
        blocks.append(block)
        traits.append([name, 100.0 * (number + 1), name[0], name[2]])
    statics = pd.DataFrame(traits, columns=["unique_id", "miles", "origin", "dest"])
    return pd.concat(blocks, ignore_index=True), statics


def raw_tables(schema: Schema, *, gaps: bool = False, further: int = STEP) -> RawTables:
    """The lanes as far as the schema declares their columns, the statics apart."""
    frame, statics = lanes(gaps=gaps)
    statics = statics[["unique_id", *schema.static]]
    return RawTables(
        frame=frame[["unique_id", "ds", *schema.stored]],
        statics=statics if schema.static else None,
        schema=schema,
        cutoff=CUTOFF,
        reach=SPEC.horizon + further,
        quiet=further,
    )


def in_one_frame(tables: RawTables) -> RawTables:
    """The statics as columns of the long table."""
    assert tables.statics is not None
    return replace(tables, frame=tables.frame.merge(tables.statics, on="unique_id"), statics=None)


def with_future(tables: RawTables) -> RawTables:
    """The table up to the cutoff, and the known columns of the days after it apart."""
    return as_delivered(tables)
