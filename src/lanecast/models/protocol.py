"""The contract that every forecaster keeps, deep or not.

Axes: ``W`` windows, ``H`` horizon, ``Q`` quantile levels, ``S`` sample paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import Role
from lanecast.data.windows import WindowIndex


class Reporter(Protocol):
    """Where a fit leaves its curves and checkpoints; `lanecast.runs` provides the real one."""

    folder: Path

    def log(self, step: int, **values: float) -> None:
        """Append one row of named metrics (``val/wape``) to the run's curves."""

    def warn(self, message: str) -> None:
        """Leave a warning in the record."""


@runtime_checkable
class Forecaster(Protocol):
    """``fit`` sees nothing that was not known at ``until``; ``predict`` nothing past each cutoff.

    ``fit`` returns itself and may be called again (a refit starts afresh).  ``predict`` answers
    exactly the windows of ``at``, in order, with finite numbers, and never needs a label.  A window
    before the end of what was fitted is refused with `LeakageError`.
    """

    name: str
    fitted_until: int | None

    @property
    def uses(self) -> frozenset[Role]:
        """Roles of the columns it reads."""
        ...

    @property
    def do_validity(self) -> str:
        """What it may be asked about actions: "associational" unless its construction says more."""
        ...

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Learn from what is known at step ``until``."""
        ...

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
    ) -> Forecasts:
        """Forecast the windows ``at``; quantile levels and sample paths on request."""
        ...

    def save(self, folder: Path) -> None:
        """Write whatever `load` needs, without pickles."""
        ...

    def load(self, folder: Path) -> Self:
        """Take up the state that `save` wrote; CheckpointError if it belongs to another config."""
        ...
