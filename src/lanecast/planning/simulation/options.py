"""What is uncertain on a day, and randomness that does not depend on the order of events."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from lanecast.errors import PlanError

KINDS = {"transit": 1, "unload": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """One day in the network; hours count from midnight.

    Packages are released in ``batches_per_day`` equal parts over the first ``release_hours``; a
    trailer leaves when it is full, or at ``cutoff_hour``.  Driving takes its planned time times a
    lognormal factor of mean 1 and coefficient of variation ``transit_cv``.  Unloading a trailer
    takes ``unload_hours``, exponential or fixed, at one of so many docks that the doors' daily
    trailers keep them busy for ``dock_use`` of a day (0: never a queue).  Sorters take
    ``sort_batch_pkg`` at a time.  ``whole``: fractions of planned trailers are rounded up.
    """

    batches_per_day: int = 12
    release_hours: float = 18.0
    cutoff_hour: float = 23.0
    transit_cv: float = 0.15
    unload_hours: float = 0.5
    unload_random: bool = True
    dock_use: float = 0.8
    sort_batch_pkg: float = 100.0
    whole: bool = False

    def __post_init__(self) -> None:
        """Refuse a day that cannot be."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise PlanError(f"simulation {field.name}={value} must be a number >= 0")
        if self.batches_per_day < 1 or self.sort_batch_pkg <= 0:
            raise PlanError("simulation batches_per_day and sort_batch_pkg must be above 0")
        if not self.release_hours <= self.cutoff_hour < 24:
            raise PlanError(
                f"simulation release_hours={self.release_hours:g} must not end after"
                f" cutoff_hour={self.cutoff_hour:g}, which lies before 24"
            )


def drawn(seed: int, kind: str, *place: int) -> np.random.Generator:
    """Random numbers of one event of one place: the same for every plan under the same seed."""
    return np.random.default_rng(np.random.SeedSequence([seed, KINDS[kind], *place]))


def delay_factor(seed: int, options: SimulationOptions, *place: int) -> float:
    """How many times its planned hours a trailer drives."""
    if options.transit_cv == 0:
        return 1.0
    spread = float(np.sqrt(np.log1p(options.transit_cv**2)))
    return float(np.exp(spread * drawn(seed, "transit", *place).standard_normal() - spread**2 / 2))
