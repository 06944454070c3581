"""Interventions as arithmetic: each cell of a node becomes ``gain * what it would be + offset``.

A hard value has gain 0; a cell that nobody touches has gain 1 and offset 0, which is exact.
Axes: ``S`` scenarios, ``N`` lanes, ``H`` days ahead.  Arrays are [H, S, 1, N]; the 1 broadcasts
over branches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lanecast.errors import ConfigError
from lanecast.interventions import Intervention, Kind

NODES = ("weather", "promo", "price", "orders", "capacity")  # what do() may set
LIMITS = {
    "promo": (0.0, 1.0),
    "price": (0.01, np.inf),
    "orders": (0, np.inf),
    "capacity": (0, np.inf),
}

Planned = Callable[[str], np.ndarray]


@dataclass(frozen=True, slots=True)
class Do:
    """Scenarios side by side; a node that no scenario touches is absent."""

    gain: Mapping[str, np.ndarray] = field(default_factory=dict)
    offset: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __call__(self, node: str, ahead: int, value: np.ndarray) -> np.ndarray:
        """The node's value ``ahead`` days after the cutoff, given what it would be."""
        if node not in self.gain:
            return value
        gain_S1N, offset_S1N = self.gain[node][ahead - 1], self.offset[node][ahead - 1]
        untouched = (gain_S1N == 1) & (offset_S1N == 0)
        if untouched.all():
            return value
        low, high = LIMITS.get(node, (-np.inf, np.inf))
        changed = np.clip(gain_S1N * value + offset_S1N, np.float32(low), np.float32(high))
        return np.where(untouched, value, changed)


def compiled(
    scenarios: Sequence[Sequence[Intervention]],
    *,
    names_N: np.ndarray,
    horizon: int,
    planned: Planned,
    paths: Mapping[str, np.ndarray] | None = None,
) -> Do:
    """Scenarios as gains and offsets; ``paths`` [N, H] hold in all of them, NaN where free.

    ``planned`` gives a node's factual path [N, H], which only a delay needs.
    """
    paths = paths or {}
    for node in {*paths, *(each.node for do in scenarios for each in do)}:
        if node not in NODES:
            raise ConfigError(
                f"midmile: do({node}) has no meaning here; nodes to set are {', '.join(NODES)}"
            )
    gain, offset = {}, {}
    for node in NODES:
        touching = [[each for each in do if each.node == node] for do in scenarios]
        if node not in paths and not any(touching):
            continue
        shape = (len(scenarios), len(names_N), horizon)
        a_SNH, b_SNH = np.ones(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        if node in paths:
            fixed_NH = _path(paths[node], node, shape[1:])
            a_SNH[:], b_SNH[:] = np.isnan(fixed_NH), np.nan_to_num(fixed_NH)
        for number, do in enumerate(touching):
            for each in do:
                _apply(each, a_SNH[number], b_SNH[number], names_N, planned)
        gain[node] = np.ascontiguousarray(a_SNH.transpose(2, 0, 1)[:, :, None])
        offset[node] = np.ascontiguousarray(b_SNH.transpose(2, 0, 1)[:, :, None])
    return Do(gain, offset)


def _apply(
    each: Intervention, a_NH: np.ndarray, b_NH: np.ndarray, names_N: np.ndarray, planned: Planned
) -> None:
    """Put one intervention after those already in ``a`` and ``b``, in place."""
    touched_NH = each.touched(names_N, a_NH.shape[1])
    if each.kind is Kind.SHIFT:
        b_NH[touched_NH] += np.float32(each.value)
    elif each.kind is Kind.SCALE:
        a_NH[touched_NH] *= np.float32(each.value)
        b_NH[touched_NH] *= np.float32(each.value)
    else:  # a path of its own: hard, delayed or random
        needs_plan = each.kind is Kind.DELAY
        plan_NH = planned(each.node) if needs_plan else np.zeros_like(b_NH)
        path_NH = each.path(plan_NH, names_N)
        a_NH[touched_NH] = 0
        b_NH[touched_NH] = path_NH[touched_NH]


def _path(path: np.ndarray, node: str, shape: tuple[int, ...]) -> np.ndarray:
    path_NH = np.asarray(path, dtype=np.float32)
    if path_NH.shape != shape:
        raise ConfigError(
            f"midmile: paths[{node!r}] has shape {path_NH.shape}, but {shape[0]} lanes and"
            f" {shape[1]} days ahead are asked for"
        )
    return path_NH
