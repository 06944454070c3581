"""What a planner may ask: do(node), as plain data that the simulator and the causal layer share.

Steps count from the cutoff: step 1 is the first one predicted.  Axes: ``N`` series, ``H`` horizon.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from lanecast.errors import ConfigError


class Kind(StrEnum):
    """How an intervention changes a node's path."""

    HARD = "hard"  # x = value
    SHIFT = "shift"  # x = planned + value
    SCALE = "scale"  # x = planned * value
    DELAY = "delay"  # x[h] = planned[h - value]; 0 before
    RANDOM = "random"  # x ~ Bernoulli(value), drawn from the intervention's own seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """do(``node``) over the steps ``first..last`` ahead of the cutoff (``last=None``: to the end).

    ``value`` is in the node's unit for hard and shift, a factor for scale, steps for delay, a
    probability for random.  ``series`` limits it to some series; None means all.  Outside its steps
    and series the node keeps what it would have had.
    """

    node: str
    kind: Kind = Kind.HARD
    value: float = 0.0
    first: int = 1
    last: int | None = None
    series: tuple[str, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        try:
            object.__setattr__(self, "kind", Kind(self.kind))
        except ValueError as err:
            raise ConfigError(
                f"do({self.node}): kind={self.kind!r} is not one of {', '.join(Kind)}"
            ) from err
        if not math.isfinite(self.value):
            raise ConfigError(f"do({self.node}): value={self.value} is not a finite number")
        if self.series is not None:
            object.__setattr__(self, "series", tuple(map(str, self.series)))
        if self.first < 1 or (self.last is not None and self.last < self.first):
            raise ConfigError(
                f"do({self.node}): steps {self.first}..{self.last} are no span of steps ahead;"
                " step 1 is the first one predicted"
            )
        if self.kind is Kind.DELAY and (self.value < 1 or self.value != int(self.value)):
            raise ConfigError(f"do({self.node}): a delay is a whole number of steps, at least 1")
        if self.kind is Kind.RANDOM and not 0 <= self.value <= 1:
            raise ConfigError(f"do({self.node}): {self.value} is no probability")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Intervention:
        """Build one from a plain mapping; ConfigError names the key that is wrong."""
        try:
            return cls(**{str(key): value for key, value in config.items()})
        except TypeError as err:
            raise ConfigError(
                f"intervention {dict(config)}: {err}; its keys are node, kind, value, first, last,"
                " series, seed"
            ) from err

    def touched(self, series_N: np.ndarray, horizon: int) -> np.ndarray:
        """Which cells it sets, [N, H] bool; ConfigError for a series that is not there."""
        last = horizon if self.last is None else min(self.last, horizon)
        step_H = np.arange(1, horizon + 1)
        inside_H = (step_H >= self.first) & (step_H <= last)
        if self.series is None:
            return np.broadcast_to(inside_H, (len(series_N), horizon)).copy()
        names_N = series_N.astype(str)
        if gone := sorted(set(self.series) - set(names_N.tolist())):
            raise ConfigError(f"do({self.node}): there is no series {gone[0]!r}")
        chosen_N = np.isin(names_N, self.series)
        return np.asarray(chosen_N[:, None] & inside_H)

    def path(self, planned_NH: np.ndarray, series_N: np.ndarray) -> np.ndarray:
        """The node's path under do, [N, H]; ``planned`` is what it would have been."""
        horizon = planned_NH.shape[1]
        if self.kind is Kind.HARD:
            new_NH = np.full_like(planned_NH, self.value)
        elif self.kind is Kind.SHIFT:
            new_NH = planned_NH + self.value
        elif self.kind is Kind.SCALE:
            new_NH = planned_NH * self.value
        elif self.kind is Kind.DELAY:
            steps = min(int(self.value), horizon)
            new_NH = np.zeros_like(planned_NH)
            new_NH[:, steps:] = planned_NH[:, : horizon - steps]
        else:
            rng = np.random.default_rng(self.seed)
            new_NH = (rng.random(planned_NH.shape) < self.value).astype(planned_NH.dtype)
        return np.asarray(np.where(self.touched(series_N, horizon), new_NH, planned_NH))
