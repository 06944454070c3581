"""Lanes worth a second look, by name: of the table at hand, so nothing that is forecast reads this.

Axes: ``N`` series, ``C`` cells of a block, ``R`` series that are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from lanecast.data.cutoffs import short_time
from lanecast.data.lifetime import NEVER, closing_steps, last_active
from lanecast.data.moments import series_blocks
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, step_length

NAMED = 5  # series that a message names
LONG = pd.Timedelta(days=28)  # a silence that is long, and far past all others
SEVERAL = 5  # series of a table of which one may well outlive the others
ALIKE = 8  # targets that are not 0 which two series need to look alike


def listed(names: Sequence[str], count: int) -> str:
    """The first names, and how many there are besides."""
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return ", ".join(names) + more


def odd_lanes(panel: Panel) -> list[str]:
    """One message for each kind of odd lane that the panel has."""
    last_N = last_active(panel, np.arange(panel.num_series), panel.end - 1)
    notes = [*_brief(panel), *_far_past(panel, last_N), *_silent(panel, last_N)]
    return [*notes, *_alike(panel), *_unlike(panel)]


def _brief(panel: Panel) -> Iterator[str]:
    zero = panel.schema.absent == "zero"
    counted = panel.activity if zero else panel.presence
    rows_N = np.diff(counted.before(panel.offsets))
    if len(brief := np.flatnonzero((rows_N > 0) & (rows_N <= 2))):
        rows = "targets that are not 0" if zero else "rows with a target"
        yield (
            f"{len(brief)} of {panel.num_series} series have one or two {rows}:"
            f" {_named(panel, brief)}"
        )


def _far_past(panel: Panel, last_N: np.ndarray) -> Iterator[str]:
    """The few series whose last row lies far past that of all others.

    Among very few series one that goes on day by day says only that the others have ended.
    """
    order = np.argsort(last_N, kind="stable")[-1 - max(1, panel.num_series // 20) :]
    gap = np.diff(last_N[order])
    if not gap.size or gap.max() <= _long_steps(panel):
        return
    before = int(gap.argmax())
    far, end = order[before + 1 :], int(last_N[order[before]])
    low, high = panel.offsets[far], panel.offsets[far + 1]
    behind = np.clip(low + end + 1 - panel.start[far], low, high)
    rows = panel.activity.before(high) - panel.activity.before(behind)
    if panel.num_series < SEVERAL and (rows * 10 > gap.max()).any():
        return
    names = [
        f"{str(panel.series[n])!r} ({short_time(panel.time_of(int(last_N[n])))})"
        for n in far[:NAMED]
    ]
    yield (
        f"{len(far)} of {panel.num_series} series have rows far past all others, which end by"
        f" {short_time(panel.time_of(end))}: {listed(names, len(far))}; correct their"
        " dates if they are mistyped"
    )


def _silent(panel: Panel, last_N: np.ndarray) -> Iterator[str]:
    if panel.schema.closes_after is not None:
        return
    known_N = panel.presence.last(panel.offsets[:-1], panel.offsets[1:])
    known_N = np.where(known_N < 0, panel.start - 1, panel.start + known_N - panel.offsets[:-1])
    silent_N = (known_N - last_N >= _long_steps(panel)) & (closing_steps(panel) == NEVER)
    if len(silent := np.flatnonzero(silent_N)):
        silent = silent[np.argsort(last_N[silent], kind="stable")]
        names = [
            f"{str(panel.series[n])!r} (since {short_time(panel.time_of(int(last_N[n])))})"
            for n in silent[:NAMED]
        ]
        yield (
            f"{len(silent)} of {panel.num_series} series have been 0 for {LONG.days} days or longer"
            f" and stay open: {listed(names, len(silent))}; set data.schema.closes_after (P28D,"
            " say) or data.schema.closed if they have ended"
        )


def _alike(panel: Panel) -> Iterator[str]:
    """Series with the same targets at the same steps, by a hash of each."""
    active_N = np.diff(panel.activity.before(panel.offsets))
    able = np.flatnonzero(active_N >= ALIKE)
    hash_N = _hashes(panel)[able]
    order = np.argsort(hash_N, kind="stable")
    same = np.flatnonzero(np.diff(hash_N[order].view(np.int64)) == 0)
    pairs = [tuple(sorted((able[order[at]], able[order[at + 1]]))) for at in same]
    pairs = sorted(pair for pair in pairs if _same(panel, *pair))
    if pairs:
        names = [f"{str(panel.series[a])!r} and {str(panel.series[b])!r}" for a, b in pairs[:NAMED]]
        yield (
            f"{len(pairs)} pairs of series have the same targets throughout:"
            f" {listed(names, len(pairs))}; leave one out if it is one lane under two names"
        )


def _hashes(panel: Panel) -> np.ndarray:
    """A hash of the targets of each series and their steps; one that is 0 does not count, [N]."""
    weight_T = np.random.default_rng(0).integers(1, 2**63, int(panel.end.max()), dtype=np.uint64)
    target, hashes = panel.column(TARGET).numpy(), np.zeros(panel.num_series, dtype=np.uint64)
    for first, end in series_blocks(panel):
        low = panel.offsets[first : end + 1]
        y_C = np.ascontiguousarray(target[low[0] : low[-1]])
        lengths = np.diff(low)
        step_C = np.arange(len(y_C)) + np.repeat(
            panel.start[first:end] - low[:-1] + low[0], lengths
        )
        bits_C = np.where(np.isfinite(y_C), y_C, 0.0).view(np.uint32).astype(np.uint64)
        before_C = np.concatenate([[np.uint64(0)], np.cumsum(bits_C * weight_T[step_C])])
        edges = low - low[0]
        hashes[first:end] = before_C[edges[1:]] - before_C[edges[:-1]]
    return hashes


def _same(panel: Panel, first: int, second: int) -> bool:
    """Whether two series move alike, and move at all: two flat lines do not look odd."""
    target = panel.column(TARGET).numpy()
    values = []
    for number in (first, second):
        cell_C = np.arange(panel.offsets[number], panel.offsets[number + 1])
        y_C = target[cell_C]
        active = np.isfinite(y_C) & (y_C != 0)
        step_C = panel.start[number] + cell_C - panel.offsets[number]
        values.append((step_C[active], y_C[active]))
    (step_C, y_C), (other_C, x_C) = values
    return np.array_equal(step_C, other_C) and np.array_equal(y_C, x_C) and np.ptp(y_C) > 0


def _unlike(panel: Panel) -> Iterator[str]:
    """Fills that no row has, which tell a model where there is none."""
    for key, count in panel.counts.items():
        if key.startswith("absent_unlike_any_row/"):
            name = key.partition("/")[2]
            yield (
                f"column {name!r} holds on the {count:,} steps without a row what it holds in no"
                " row: it tells a model there that the target is 0, which must be known ahead"
            )


def _long_steps(panel: Panel) -> int:
    return max(4, LONG // step_length(panel.schema.freq))


def _named(panel: Panel, numbers: np.ndarray) -> str:
    return listed([repr(str(name)) for name in panel.series[numbers[:NAMED]]], len(numbers))
