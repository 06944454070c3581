"""When a lane is open: what its past says of it as of each cutoff, and nothing that comes later.

As of a cutoff a series is open until a closing date that was known then (`Schema.closed`), or until
`Schema.closes_after` has passed since its last target known then that is not 0; a target that has
not arrived yet is no zero.  The end of the table says nothing.
Axes: ``N`` series, ``P`` pairs of series and cutoff, ``S`` spans of cutoffs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lanecast.data.moments import series_blocks
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Schema, step_length

NEVER = np.iinfo(np.int64).max // 4


def closes(schema: Schema) -> bool:
    """Whether anything says when a series closes."""
    return schema.closed is not None or schema.closes_after is not None


def open_at(panel: Panel, series_P: np.ndarray, cutoff_P: np.ndarray) -> np.ndarray:
    """Whether each series is open as of the cutoff beside it, [P]."""
    open_P: np.ndarray = cutoff_P < closing_steps(panel)[series_P]
    if patience := panel.schema.closing_steps:
        newest_P = cutoff_P - panel.schema.delay_steps(TARGET)
        silent_P = newest_P - last_active(panel, series_P, newest_P)
        open_P &= silent_P < patience
    return open_P


def num_closed(panel: Panel, cutoffs: Sequence[int]) -> int:
    """How many pairs of series and cutoff are closed."""
    everyone = np.arange(panel.num_series)
    return sum(
        int((~open_at(panel, everyone, np.full(len(everyone), cutoff))).sum()) for cutoff in cutoffs
    )


def open_before(panel: Panel, steps: int) -> np.ndarray:
    """Whether each series was open as of the step before, for the first ``steps``, [N, steps]."""
    series_P = np.repeat(np.arange(panel.num_series), steps)
    cutoff_P = np.tile(np.arange(-1, steps - 1), panel.num_series)
    return open_at(panel, series_P, cutoff_P).reshape(panel.num_series, steps)


def last_active(panel: Panel, series_P: np.ndarray, step_P: np.ndarray) -> np.ndarray:
    """Last step, up to the given one, with a target that is not 0; else the one before the first
    row, [P].
    """
    low_P, high_P = panel.low[series_P], panel.known_high[series_P]
    stop_P = np.clip(low_P + step_P + 1 - panel.start[series_P], low_P, high_P)
    last_P = panel.activity.last(low_P, stop_P)
    return panel.start[series_P] + np.where(last_P < 0, -1, last_P - low_P)


def closing_steps(panel: Panel) -> np.ndarray:
    """First step as of whose end each series is closed by its date, or `NEVER`, [N].

    A date counts from when it was known on; the node of several series has none.
    """
    steps_N = np.full(panel.num_series, NEVER, dtype=np.int64)
    for name in panel.schema.closing:
        dates_N = panel.attributes[name]
        if dates_N.dtype == object:
            dates_N = np.array([_date(value) for value in dates_N], dtype="datetime64[ns]")
        dated_N = ~np.isnat(dates_N)
        ahead_N = (dates_N[dated_N] - panel.times[0]).astype(np.int64)
        own_N = ahead_N // step_length(panel.schema.freq).value
        if name == panel.schema.closed:
            steps_N[dated_N] = own_N
        else:
            steps_N[dated_N] = np.maximum(steps_N[dated_N], own_N)
    return steps_N


def open_spans(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of cutoffs as of which a series is open: its number, first and last cutoff, [S] each.

    In order of series and time; ends lie anywhere, also outside of the panel.
    """
    everyone = np.arange(panel.num_series)
    closing_N = closing_steps(panel)
    patience, delay = panel.schema.closing_steps, panel.schema.delay_steps(TARGET)
    if not patience:
        return everyone, np.full(panel.num_series, -NEVER), closing_N - 1
    pauses = list(_pauses(panel, patience))
    owner, before, after = (np.concatenate(part) for part in zip(*pauses, strict=True))
    latest_N = last_active(panel, everyone, panel.end - 1)
    series_S = np.concatenate([everyone, owner])
    first_S = np.concatenate([np.full(panel.num_series, -NEVER), after + delay])
    last_S = np.concatenate([latest_N, before]) + delay + patience - 1
    first_S = first_S[np.lexsort((first_S, series_S))]
    last_S = last_S[np.lexsort((last_S, series_S))]
    series_S = np.sort(series_S, kind="stable")
    return series_S, first_S, np.minimum(last_S, closing_N[series_S] - 1)


def _pauses(panel: Panel, patience: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pauses longer than ``patience``: series, last active step before and first one after."""
    target, known_N = panel.cells(TARGET), panel.known_high - panel.low
    for first, end in series_blocks(panel):
        low, high = panel.offsets[first], panel.offsets[end]
        y_C = target[panel.places(int(low), int(high))].numpy()
        cell_A = low + np.flatnonzero(np.isfinite(y_C) & (y_C != 0))
        owner_A = np.searchsorted(panel.offsets, cell_A, side="right") - 1
        known_A = cell_A - panel.offsets[owner_A] < known_N[owner_A]
        cell_A, owner_A = cell_A[known_A], owner_A[known_A]
        step_A = panel.start[owner_A] + cell_A - panel.offsets[owner_A]
        before_A = panel.start[owner_A] - 1
        same_A = owner_A[1:] == owner_A[:-1]
        before_A[1:][same_A] = step_A[:-1][same_A]
        long_A = step_A - before_A > patience
        yield owner_A[long_A], before_A[long_A], step_A[long_A]


def _date(value: object) -> np.datetime64:
    """A date among other values; numpy hands out those of nanoseconds as integers."""
    return np.datetime64(value if isinstance(value, int) else "NaT", "ns")
