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
    """Seconds: the floor before and after, of lanecast, and the incumbent's where it was run."""

    before: float
    lanecast: float
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
    *, floor: Clock, lanecast: Clock, neuralforecast: Clock | None, rounds: int
) -> list[Round]:
    """Rounds of floor, lanecast, the incumbent and the floor again."""
    results = []
    for _ in range(rounds):
        before, seconds = floor(), lanecast()
        incumbent = neuralforecast() if neuralforecast is not None else None
        results.append(
            Round(before=before, lanecast=seconds, neuralforecast=incumbent, after=floor())
        )
    return results


def figure(rounds: Sequence[Round]) -> Figure:
    """What steady rounds say; the others are counted as discarded."""
    steady = [each for each in rounds if each.steady]
    compared = [each for each in steady if each.neuralforecast is not None]
    return Figure(
        ours=_median(each.lanecast for each in steady),
        neuralforecast=_median(each.neuralforecast or math.nan for each in compared),
        floor=_median(each.floor for each in steady),
        ratio_to_floor=_median(each.lanecast / each.floor for each in steady),
        neuralforecast_to_ours=_median(
            (each.neuralforecast or 0) / each.lanecast for each in compared
        ),
        rounds=len(rounds),
        discarded=len(rounds) - len(steady),
    )


def _median(values: Iterable[float]) -> float:
    numbers = list(values)
    return statistics.median(numbers) if numbers else math.nan
