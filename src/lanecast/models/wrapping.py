"""Forecasters made of other forecasters: what is handed on stands here, and nothing else is.

As sktime's delegating forecasters do, a wrapper says what it takes from those inside: it saves and
loads them, describes itself by them with its own facts in their place, and stands at an earlier
step with them as they stood there.  Their reports are theirs alone: a wrapper is judged by what it
forecasts itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from lanecast.data.panel import Panel
from lanecast.data.windows import WindowSpec
from lanecast.models.protocol import SEEDED, Capabilities, Forecaster

T = TypeVar("T")


class Wrapping(Forecaster):
    """A forecaster around those it has ``wrapped``, by the folder that each is saved in."""

    fitted_until: int | None

    @property
    @abstractmethod
    def wrapped(self) -> Mapping[str, Forecaster]:
        """What it is made of; the first of them is the one it describes itself by."""

    def describe(self) -> Capabilities:
        """As the first that it wraps; a subclass puts its own facts in."""
        return replace(next(iter(self.wrapped.values())).describe(), alone=False)

    def save(self, folder: Path) -> None:
        """Write each into a folder of its own."""
        for name, forecaster in self.wrapped.items():
            forecaster.save(folder / name)

    def load(self, folder: Path) -> Self:
        """Take up each."""
        for name, forecaster in self.wrapped.items():
            forecaster.load(folder / name)
        self.fitted_until = min(each.fitted_until or 0 for each in self.wrapped.values())
        return self


def described_together(parts: Sequence[Capabilities], names: Sequence[str]) -> Capabilities:
    """Of several forecasters that answer as one: what any reads, what all can, counts by name."""
    statics = (part.static_names for part in parts if part.static_names is not None)
    return replace(
        parts[0],
        uses=frozenset().union(*(part.uses for part in parts)),
        quantiles="members",
        horizons=all(part.horizons for part in parts),
        alone=all(part.alone for part in parts),
        series=next((part.series for part in parts if part.series is not None), None),
        reads_issued=all(part.reads_issued for part in parts),
        seeded=max((part.seeded for part in parts), key=SEEDED.index),
        validation=agreed(part.validation for part in parts if part.validation is not None),
        static_names=next(statics, None),
        calibrated_on=agreed(part.calibrated_on for part in parts),
        counts={
            f"{name}/{count}": number
            for name, part in zip(names, parts, strict=True)
            for count, number in part.counts.items()
        },
    )


def earlier(forecaster: Forecaster, panel: Panel, *, until: int) -> Forecaster:
    """A forecaster as of a step before its fit's end: as it stood there, or a clone fitted so."""
    standing = forecaster.as_of(panel, until=until)
    return forecaster.clone().fit(panel, until=until) if standing is None else standing


def agreed(values: Iterable[T]) -> T | None:
    """The one value that all have; None where they differ or there is none."""
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else None


def longer(windows: WindowSpec, horizon: int) -> WindowSpec:
    """The windows with another horizon."""
    return replace(windows, horizon=horizon)
