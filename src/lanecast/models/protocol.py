"""The contract that every forecaster keeps, deep or not.

Axes: ``W`` windows, ``H`` horizon, ``Q`` quantile levels, ``S`` sample paths.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Role
from lanecast.data.windows import Split, WindowIndex, WindowSpec, split
from lanecast.errors import ConfigError

SEEDED = ("nothing", "quantiles", "all")  # what another seed may change; all: the points too


class Reporter(Protocol):
    """Where a fit leaves its curves and checkpoints; `lanecast.runs` provides the real one."""

    folder: Path

    def log(self, step: int, **values: float) -> None:
        """Append one row of named metrics (``val/wape``) to the run's curves."""

    def warn(self, message: str) -> None:
        """Leave a warning in the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a fit came to: the objective of the best checkpoint, not of the last epoch."""

    objective: str
    value: float
    step: int
    steps_run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """By what a fit is judged: a metric over the windows of the last ``steps`` steps it may know.

    ``stride`` lies between their cutoffs; ``levels`` are the quantiles behind ``val/wql``.
    """

    objective: str
    steps: int
    stride: int
    levels: tuple[float, ...] = ()

    def split(self, panel: Panel, *, until: int, horizon: int) -> Split:
        """Where training ends and which cutoffs are validated, for a fit ``until``."""
        return split(
            until=until,
            horizon=horizon,
            val_steps=self.steps,
            val_stride=self.stride,
            delay=panel.schema.delay_steps(TARGET),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a forecaster is and can: the one place where others learn it, before and after a fit.

    uses: roles of the columns it reads; all it might read until a fit has chosen.
    quantiles: where they come from: "model", "residuals", "conformal", "paths" or "members".
    do_validity: what it may be asked about actions; more than "associational" needs a construction.
    horizons: whether `Forecaster.with_horizon` gives a copy.
    alone: whether the answer to a window depends on that window and the fit, and on nothing else of
    the panel: only then are several cutoffs asked in one call.
    series: the only ones it can forecast, where it takes all of its fit at once; None: any.
    reads_issued: whether it reads the columns that a causal layer issues with each forecast.
    seeded: what another seed may change, one of `SEEDED`: where it may, one fit proves little.
    validation: how its own fit is judged; None where it validates nothing.
    graph: the causal graph that it is coupled to, ``causal`` what was learned of it.

    Of the last fit, kept by `save` and `load`: ``static_names``, the encoding of the statics that
    another table must be given (None: any), and ``calibrated_on``.  ``counts`` tells of fallbacks
    and sizes since then.
    """

    windows: WindowSpec
    uses: frozenset[Role]
    quantiles: str
    do_validity: str = "associational"
    horizons: bool = False
    alone: bool = False
    series: tuple[str, ...] | None = None
    reads_issued: bool = False
    seeded: str = "all"
    validation: Validation | None = None
    graph: Any = None  # this room imports no causal one
    static_names: tuple[str, ...] | None = None
    calibrated_on: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    causal: Mapping[str, Any] | None = None


@runtime_checkable
class Forecaster(Protocol):
    """``fit`` sees nothing that was not known at ``until``; ``predict`` nothing past each cutoff.

    ``fit`` returns itself and may be called again (a refit starts afresh).  ``predict`` answers
    exactly the windows of ``at``, in order, with finite numbers, and never needs a label.  A window
    before the end of what was fitted is refused with `LeakageError`.

    A class that inherits from it takes over the defaults of what few forecasters have.
    """

    name: str
    fitted_until: int | None
    report: FitReport | None = None  # of the last fit; None where it judged nothing, after `load`

    def describe(self) -> Capabilities:
        """What it is, before and after a fit."""
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

    def clone(self) -> Self:
        """A copy to be fitted on its own, as for a refit: nothing it learns reaches this one."""
        return copy.deepcopy(self)

    def with_horizon(self, horizon: int) -> Self:
        """An unfitted copy that forecasts another number of steps, all else alike."""
        raise ConfigError(
            f"{self.name} is built for {self.describe().windows.horizon} steps and has no copy for"
            f" {horizon}; build it anew with windows.horizon={horizon}"
        )

    def as_of(self, panel: Panel, *, until: int) -> Self | None:  # noqa: ARG002
        """Itself as it stood at an earlier step of its own fit, without another fit.

        None where nothing of it ended so early: then only a `clone` fitted until there knows
        nothing later.
        """
        return None
