"""Interleaved rounds in one process: ratios within a round, medians over the steady ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

STEADY = 0.2  # how far the floor may move within a round

Clock = Callable[[], float]  # does the work once and says how many seconds it took


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Seconds: the floor before and after, ours, and the incumbent's where it was run."""

    before: float
    ours: float
    after: float
    neuralforecast: float | None = None

    @property
    def floor(self) -> float:
        """Mean of the two floors around."""
        return (self.before + self.after) / 2

    @property
    def steady(self) -> bool:
        """Whether the machine was equally fast before and after."""
        return abs(self.before - self.after) <= STEADY * min(self.before, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Medians over the steady rounds, seconds; nan where no round was steady or nothing was run."""

    ours: float
    neuralforecast: float
    floor: float
    ratio_to_floor: float
    neuralforecast_to_ours: float
    rounds: int
    discarded: int


def interleaved(
    *, floor: Clock, ours: Clock, neuralforecast: Clock | None, rounds: int
) -> list[Round]:
    """Rounds of floor, ours, the incumbent and the floor again."""
    found = []
    for _ in range(rounds):
        before, mine = floor(), ours()
        theirs = neuralforecast() if neuralforecast is not None else None
        found.append(Round(before=before, ours=mine, neuralforecast=theirs, after=floor()))
    return found


def figure(rounds: Sequence[Round]) -> Figure:
    """What steady rounds say; the others are counted as discarded."""
    steady = [each for each in rounds if each.steady]
    theirs = [each for each in steady if each.neuralforecast is not None]
    return Figure(
        ours=_median(each.ours for each in steady),
        neuralforecast=_median(each.neuralforecast or math.nan for each in theirs),
        floor=_median(each.floor for each in steady),
        ratio_to_floor=_median(each.ours / each.floor for each in steady),
        neuralforecast_to_ours=_median((each.neuralforecast or 0) / each.ours for each in theirs),
        rounds=len(rounds),
        discarded=len(rounds) - len(steady),
    )


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return statistics.median(found) if found else math.nan
