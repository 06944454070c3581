"""A panel of two lanes and models that fit in a moment, as a user of Python would make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot

import lanecast as lc
from lane_table import lanes

SMALL = {"max_steps": 2, "batch_size": 16, "val_every": 2, "progress": False, "threads": 1}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder, in which nothing may be left; figures without a display."""
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    pyplot.close("all")


@pytest.fixture
def table() -> pd.DataFrame:
    """Two lanes of 150 days; ``promo`` is known ahead, ``late`` is not."""
    return lanes()[0]


@pytest.fixture
def promotions() -> pd.DataFrame:
    """The promotions of the 14 days after the table."""
    return lanes()[1]


@pytest.fixture
def panel(table: pd.DataFrame) -> lc.Panel:
    """Those lanes as a panel."""
    return lc.panel(table, known_future=["promo"], observed=["late"])


@pytest.fixture
def small() -> Callable[..., lc.Forecaster]:
    """A model by name; networks with a budget of two steps."""

    def build(name: str = "linear", **settings: Any) -> lc.Forecaster:
        budget = SMALL if name in ("linear", "nhits", "tft") else {}
        return lc.model(name, **{**budget, **settings})

    return build
