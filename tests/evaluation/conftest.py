"""Random cells, windows and forecasts that the tests of the room share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowSpec, windows_at

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True, kw_only=True)
class Cells:
    y_WH: np.ndarray
    seen_WH: np.ndarray
    point_WH: np.ndarray
    quantiles_WHQ: np.ndarray
    levels: tuple[float, ...] = LEVELS


def random_cells(rng: np.random.Generator, windows: int, horizon: int) -> Cells:
    y = rng.gamma(2.0, 5.0, (windows, horizon))
    quantiles = np.sort(rng.gamma(2.0, 5.0, (windows, horizon, len(LEVELS))), axis=-1)
    return Cells(
        y_WH=y,
        seen_WH=rng.random(y.shape) > 0.1,
        point_WH=quantiles[..., 3],
        quantiles_WHQ=quantiles,
    )


@pytest.fixture
def cells() -> Cells:
    return random_cells(np.random.default_rng(0), 40, 6)


@pytest.fixture
def spec() -> WindowSpec:
    return WindowSpec(context=28, horizon=14, min_context=7)


@pytest.fixture
def forecast(spec: WindowSpec) -> Callable[..., Forecasts]:
    """Random forecasts of every window at the given cutoffs."""

    def make(panel: Panel, cutoffs: tuple[int, ...] = (80, 94), seed: int = 0) -> Forecasts:
        index = windows_at(panel, cutoffs, spec)
        made = random_cells(np.random.default_rng(seed), len(index), spec.horizon)
        return Forecasts(
            index=index,
            point_WH=made.point_WH,
            levels=LEVELS,
            quantiles_WHQ=made.quantiles_WHQ,
        )

    return make
