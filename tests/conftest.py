"""Small synthetic panels that every room's tests share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.data.panel import Panel
from lanecast.data.schema import Schema

NAN = np.nan
COLUMNS: dict[str, dict[str, Any]] = {
    "y": {"role": "target", "non_negative": True},
    "late": {"role": "observed"},
    "temperature": {"role": "observed", "delay": "P2D"},
    "scheduled": {"role": "known_future", "scale": "target"},
    "promo": {"role": "known_future", "lead": "P7D", "manipulable": True},
    "size": {"role": "static"},
}
GRID_AHEAD = 64


def build_panel(
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
    times = pd.date_range("2024-01-01", periods=steps + future + GRID_AHEAD, freq="D")
    blocks, start = [], []
    for number, length in enumerate(lengths):
        t = np.arange(steps - length, steps + future)
        scheduled = (10.0 * (number + 1)) * (1.5 + np.sin(2 * np.pi * t / 7))
        promo = (rng.random(len(t)) < 0.2).astype(float)
        y = np.round(np.maximum(0, scheduled * (1 + 0.3 * promo) + rng.normal(0, 1, len(t))))
        late = rng.random(len(t)) * y
        temperature = rng.normal(15, 5, len(t))
        for hidden in (y, late, temperature):
            hidden[len(t) - future :] = NAN
        if number == 3:
            y[length // 3 : length // 3 + 5] = NAN
            late[length // 2] = NAN
        columns = [y, late, temperature, scheduled, promo] if covariates else [y]
        blocks.append(np.stack(columns, axis=-1))
        start.append(steps - length)
    sizes = [len(block) for block in blocks]
    num_series = len(lengths)
    return Panel(
        schema=schema,
        series=np.array([f"A>{chr(66 + i)}" for i in range(num_series)], dtype=object),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        start=np.array(start, dtype=np.int64),
        times=times.to_numpy("datetime64[ns]"),
        values=torch.from_numpy(np.concatenate(blocks)).float(),
        calendar=torch.eye(7)[torch.from_numpy(times.day_of_week.to_numpy(np.int64).copy())],
        calendar_names=tuple(f"weekday_{day}" for day in range(7)),
        statics=torch.arange(num_series)[:, None].float() if covariates else torch.zeros(0, 0),
        static_names=("size",) if covariates else (),
        attributes={"size": np.arange(num_series)} if covariates else {},
    )


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    """Build a panel of one's own; see `build_panel` for the options."""
    return build_panel


@pytest.fixture(scope="session")
def panel() -> Panel:
    """Four daily series with columns of all roles; treat it as read-only."""
    return build_panel()


@pytest.fixture(scope="session")
def plain_panel() -> Panel:
    """The same series with a target and nothing else but the calendar."""
    return build_panel(covariates=False)


@pytest.fixture(scope="session")
def future_panel() -> Panel:
    """`panel` followed by 14 rows that hold the known future and no target."""
    return build_panel(future=14)
