"""The small panel that a contract is held on, and the same with other values here and there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lanecast.data.panel import Panel
from lanecast.data.schema import Role, Schema

COLUMNS: dict[str, dict[str, Any]] = {
    "y": {"role": "target", "non_negative": True},
    "late": {"role": "observed"},
    "temperature": {"role": "observed", "delay": "P2D"},
    "scheduled": {"role": "known_future", "scale": "target"},
    "promo": {"role": "known_future", "lead": "P7D", "manipulable": True},
    "size": {"role": "static"},
}
GRID_AHEAD = 64
FIRST_DAY = np.datetime64("2024-01-01")
RECENT = 21  # steps before the cutoff in which known values are changed


def example_panel(
    *,
    seed: int = 0,
    steps: int = 120,
    future: int = 0,
    covariates: bool = True,
    lengths: tuple[int, ...] | None = None,
) -> Panel:
    """Daily series with a weekly season: two long ones, one short and late, one with gaps.

    ``future`` rows follow the last target and hold the known_future columns only.
    """
    rng = np.random.default_rng(seed)
    lengths = (steps, steps, steps // 4, steps) if lengths is None else lengths
    schema = Schema.from_config(
        {"freq": "D", "columns": COLUMNS if covariates else {"y": COLUMNS["y"]}}
    )
    days = FIRST_DAY + np.arange(steps + future + GRID_AHEAD)
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    blocks = [
        _cells(rng, number, length, steps=steps, future=future, covariates=covariates)
        for number, length in enumerate(lengths)
    ]
    num_series = len(lengths)
    return Panel(
        schema=schema,
        series=np.array([f"A>{chr(66 + i)}" for i in range(num_series)], dtype=object),
        offsets=np.concatenate([[0], np.cumsum([len(block) for block in blocks])]).astype(np.int64),
        start=np.array([steps - length for length in lengths], dtype=np.int64),
        times=days.astype("datetime64[ns]"),
        values=torch.from_numpy(np.concatenate(blocks)).float(),
        calendar=torch.eye(7)[torch.from_numpy(weekday)],
        calendar_names=tuple(f"weekday_{day}" for day in range(7)),
        statics=torch.arange(num_series)[:, None].float() if covariates else torch.zeros(0, 0),
        static_names=("size",) if covariates else (),
        attributes={"size": np.arange(num_series)} if covariates else {},
    )


def _cells(
    rng: np.random.Generator, number: int, length: int, *, steps: int, future: int, covariates: bool
) -> np.ndarray:
    """The stored columns of one series; the fourth series has gaps."""
    t = np.arange(steps - length, steps + future)
    scheduled = (10.0 * (number + 1)) * (1.5 + np.sin(2 * np.pi * t / 7))
    promo = (rng.random(len(t)) < 0.2).astype(float)
    y = np.round(np.maximum(0, scheduled * (1 + 0.3 * promo) + rng.normal(0, 1, len(t))))
    late = rng.random(len(t)) * y
    temperature = rng.normal(15, 5, len(t))
    for hidden in (y, late, temperature):
        hidden[len(t) - future :] = np.nan
    if number == 3:
        y[length // 3 : length // 3 + 5] = np.nan
        late[length // 2] = np.nan
    columns: list[np.ndarray] = [y, late, temperature, scheduled, promo] if covariates else [y]
    return np.stack(columns, axis=-1)


def with_late_target(panel: Panel) -> Panel:
    """The panel with every role, delay and lead there is: the target is two steps late as well."""
    columns = dict(panel.schema.columns)
    columns["y"] = replace(columns["y"], delay="P2D")
    return replace(panel, schema=Schema(freq="D", columns=columns))


def change_unknown(panel: Panel, cutoff: int) -> Panel:
    """Everything that is not known at the cutoff becomes something else."""
    schema, values = panel.schema, panel.values.clone()
    for number, name in enumerate(schema.stored):
        lead = schema.lead_steps(name) if name in schema.known else -schema.delay_steps(name)
        if lead is not None:
            late = torch.from_numpy(_cells_after(panel, cutoff + lead))
            values[late, number] = 1000.0 + torch.arange(int(late.sum())) % 97
    return replace(panel, values=values)


def change_known(panel: Panel, cutoff: int, role: Role, *, horizon: int) -> Panel:
    """Values of one role that are known at the cutoff become others, around the cutoff."""
    schema, values, statics = panel.schema, panel.values.clone(), panel.statics.clone()
    recent = torch.from_numpy(_cells_after(panel, cutoff - RECENT))
    for number, name in enumerate(schema.stored):
        if schema.columns[name].role is role:
            lead = schema.lead_steps(name) if name in schema.known else -schema.delay_steps(name)
            until = cutoff + (horizon if lead is None else lead)
            changed = recent & ~torch.from_numpy(_cells_after(panel, until))
            values[changed, number] = 1.5 * values[changed, number] + 3.0
    if role is Role.STATIC:
        statics = statics.flip(0) * 3.0
    return replace(panel, values=values, statics=statics)


def _cells_after(panel: Panel, step: int) -> np.ndarray:
    """Which cells of the store belong to a later step, [cells]."""
    lengths = np.diff(panel.offsets)
    ahead = np.arange(panel.num_cells) - np.repeat(panel.offsets[:-1], lengths)
    return ahead + np.repeat(panel.start, lengths) > step
