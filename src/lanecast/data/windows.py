"""Which windows exist: integer arithmetic over (series, cutoff) pairs, nothing is copied.

``cutoff`` is the last step whose period is over, ``origin = cutoff + 1`` the first one predicted.
A window reads the steps ``cutoff - context + 1 .. cutoff`` and predicts
``origin .. cutoff + horizon``.
Axes: ``W`` windows, ``N`` series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lanecast.data.as_known import AsKnown
from lanecast.data.lifetime import closes, open_at, open_spans
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.errors import ConfigError, SchemaError

ASKED = 1 << 16  # pairs of series and cutoff that are looked at in one go


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """Lengths in steps.  ``min_context``: present targets a window needs among those it reads."""

    context: int
    horizon: int
    train_stride: int = 1
    min_context: int = 1

    def __post_init__(self) -> None:
        """Refuse lengths that leave nothing to read or to predict."""
        for name in ("context", "horizon", "train_stride", "min_context"):
            if getattr(self, name) < 1:
                raise ConfigError(f"windows.{name}={getattr(self, name)} must be at least 1 step")
        if self.min_context > self.context:
            raise ConfigError(
                f"windows.min_context={self.min_context} exceeds windows.context={self.context};"
                " no window could qualify"
            )

    def check_against(self, panel: Panel) -> None:
        """SchemaError if the panel cannot fill a single window of this spec."""
        for name in panel.schema.past:
            if (delay := panel.schema.delay_steps(name)) >= self.context:
                raise SchemaError(
                    f"column {name!r} has a delay of {delay} steps, but a window reads only"
                    f" {self.context}: no value of it would ever be visible; raise windows.context"
                    " or lower the delay"
                )
        longest = int(np.diff(panel.offsets).max(initial=0))
        # What is known at a step may be short of a context: whether more follows is not known.
        if longest < self.context and not isinstance(panel, AsKnown):
            raise SchemaError(
                f"windows.context={self.context} is longer than every series (the longest has"
                f" {longest} steps); lower windows.context or supply more history"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowIndex:
    """Windows by (series, cutoff), in the order in which forecasts are returned."""

    series_W: np.ndarray  # int64
    cutoff_W: np.ndarray  # int64

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.series_W)

    def __getitem__(self, rows: slice | np.ndarray) -> WindowIndex:
        """Some of the windows."""
        return WindowIndex(series_W=self.series_W[rows], cutoff_W=self.cutoff_W[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRange:
    """All training windows, decoded on demand: memory grows with the series, not the windows.

    Axes: ``S`` spans of cutoffs, in order of series and time; a series that closes and opens again
    has several.
    """

    series_S: np.ndarray
    first_S: np.ndarray  # first cutoff of each span
    before_S: np.ndarray  # [S + 1] number of windows of earlier spans
    stride: int

    def __len__(self) -> int:
        """Number of windows."""
        return int(self.before_S[-1])

    def decode(self, rows: np.ndarray) -> WindowIndex:
        """The windows with the given numbers, ``0 <= row < len``."""
        span = np.searchsorted(self.before_S, rows, side="right") - 1
        cutoff = self.first_S[span] + (rows - self.before_S[span]) * self.stride
        return WindowIndex(series_W=self.series_S[span], cutoff_W=cutoff)

    def before_series(self, num_series: int) -> np.ndarray:
        """Number of windows of earlier series, [N + 1]."""
        return self.before_S[np.searchsorted(self.series_S, np.arange(num_series + 1))]


def windows_at(panel: Panel, cutoffs: Sequence[int], spec: WindowSpec) -> WindowIndex:
    """Every series x cutoff with enough visible targets in its context, cutoff by cutoff.

    A label is not needed.  A series that has not begun, has been silent for a whole context, or is
    closed as of the cutoff, is left out; the caller counts them as
    ``len(cutoffs) * num_series - len(index)``.
    """
    delay, everyone = panel.schema.delay_steps(TARGET), np.arange(panel.num_series)
    none = np.zeros(0, dtype=np.int64)
    parts = [(none, none)]
    at_once = max(1, ASKED // max(1, panel.num_series))
    for low in range(0, len(cutoffs), at_once):
        some = np.asarray(cutoffs[low : low + at_once], dtype=np.int64)
        series, times = np.tile(everyone, len(some)), np.repeat(some, len(everyone))
        seen = panel.count_targets(series, times - spec.context + 1, times - delay)
        enough = seen >= spec.min_context
        if closes(panel.schema):
            enough &= open_at(panel, series, times)
        parts.append((series[enough], times[enough]))
    all_series, all_times = zip(*parts, strict=True)
    return WindowIndex(series_W=np.concatenate(all_series), cutoff_W=np.concatenate(all_times))


def require_training_windows(
    windows: WindowRange, panel: Panel, spec: WindowSpec, until: int
) -> None:
    """SchemaError where no series is long enough to train on."""
    if not len(windows):
        raise SchemaError(
            f"no training window: no series has {spec.min_context} + {spec.horizon} steps up"
            f" to {panel.time_of(until)}; move the cutoff later, lower protocol.count, or"
            " shorten windows"
        )


def training_windows(panel: Panel, *, until: int, spec: WindowSpec) -> WindowRange:
    """Every window whose whole label is known at ``until``: ``cutoff + horizon + delay <= until``.

    Short histories are kept from ``min_context`` steps on; what they lack on the left is masked.
    A series has no window whose cutoff finds it closed.
    """
    last = np.minimum(panel.end - 1, until - panel.schema.delay_steps(TARGET)) - spec.horizon
    first, series = panel.start + spec.min_context - 1, np.arange(panel.num_series)
    if closes(panel.schema):
        series, opened, closed = open_spans(panel)
        first, last = np.maximum(first[series], opened), np.minimum(last[series], closed)
    # Align on the last window, so that the newest label is always used whatever the stride.
    count = np.maximum(0, (last - first) // spec.train_stride + 1)
    return WindowRange(
        series_S=series,
        first_S=last - (count - 1) * spec.train_stride,
        before_S=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        stride=spec.train_stride,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Training labels end at ``train_until``, then come validation cutoffs, none past ``until``."""

    train_until: int
    val_cutoffs: tuple[int, ...]
    until: int


def split(*, until: int, horizon: int, val_steps: int, val_stride: int, delay: int = 0) -> Split:
    """Hold out the last ``val_steps`` steps known at ``until`` for validation.

    Disjoint and embargoed: every training label lies before the first validation origin.
    ``val_steps=0`` trains on everything and validates nothing.
    """
    if val_steps == 0:
        return Split(train_until=until, val_cutoffs=(), until=until)
    if val_steps < horizon:
        raise ConfigError(
            f"val_steps={val_steps} is shorter than windows.horizon={horizon}: not one validation"
            f" window would fit; set optim.val_steps and protocol.val_steps to 0 or to at least"
            f" {horizon}"
        )
    first = until - delay - val_steps
    cutoffs = tuple(range(until - delay - horizon, first - 1, -val_stride))[::-1]
    return Split(train_until=min(cutoffs), val_cutoffs=cutoffs, until=until)
