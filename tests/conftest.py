"""Small synthetic panels that every room's tests share."""

from collections.abc import Callable

import pytest

from lanecast.data.panel import Panel
from lanecast.testing import example_panel


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    """Build a panel of one's own; see `example_panel` for the options."""
    return example_panel


@pytest.fixture(scope="session")
def panel() -> Panel:
    """Four daily series with columns of all roles; treat it as read-only."""
    return example_panel()


@pytest.fixture(scope="session")
def plain_panel() -> Panel:
    """The same series with a target and nothing else but the calendar."""
    return example_panel(covariates=False)


@pytest.fixture(scope="session")
def future_panel() -> Panel:
    """`panel` followed by 14 rows that hold the known future and no target."""
    return example_panel(future=14)
