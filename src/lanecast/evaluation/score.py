"""Forecasts in, one flat table of scores out; memory is bounded by chunks of windows.

Axes: ``W`` windows, ``H`` horizon, ``G`` groups of steps ahead, ``C`` cutoffs.
"""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError, LanecastError
from lanecast.evaluation.history import seasonal_scale
from lanecast.evaluation.metrics import Terms, point_terms, quantile_terms, ratios, scaled_terms
from lanecast.evaluation.slices import SLICERS, horizon_groups

FEW = 8  # chunks; handing so few to threads costs more than it saves
CHUNK = 4096  # windows whose quantiles are expanded at once, level by level: bounds the memory
SLICES = ("horizon", *SLICERS)
T = TypeVar("T")
BY_CUTOFF_SUMS = {"abs_error": "sum_abs_error", "abs_y": "sum_abs_y", "cells": "num_cells"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a backtest scored.

    ``values``: ``metric`` or ``metric/slice`` (see `lanecast.evaluation.metrics`), and ``total/*``
    for the sum over series; nan where undefined.  ``counts``: what stands behind them.
    ``by_cutoff``: one row per cutoff, for paired comparisons.  ``scored``: hash of the labels.
    ``reliability``: each quantile level with the share of cells at or below its quantile.
    """

    values: dict[str, float]
    counts: dict[str, int]
    by_cutoff: list[dict[str, Any]]
    scored: str
    reliability: list[tuple[float, float]]

    def to_record(self) -> dict[str, Any]:
        """The keys of record.json that `lanecast.report.table` reads; nan becomes null."""
        return {
            "scores": _without_nan(self.values),
            "counts": dict(self.counts),
            "by_cutoff": [_without_nan(row) for row in self.by_cutoff],
            "scored": self.scored,
            "reliability": [list(pair) for pair in self.reliability],
        }


def evaluate(
    forecasts: Forecasts,
    panel: Panel,
    spec: WindowSpec,
    *,
    season: int,
    slices: Sequence[str] = SLICES,
) -> Scores:
    """Score every window against the panel; ``season`` (steps) is the lag of the MASE scale."""
    _check_request(slices, season)
    index = forecasts.index
    y_WH, seen_WH = labels(panel, index, spec.horizon)
    _check_forecasts(forecasts, panel, y_WH.shape)
    groups = horizon_groups(spec.horizon, panel.schema.freq)
    wanted = [name for name in slices if name != "horizon"]
    with _beside(len(index)) as submit:  # they read the panel, beside the sums over forecasts
        scale = submit(seasonal_scale, panel, index, season)
        parts = {name: submit(SLICERS[name], panel, index, spec) for name in wanted}
        scored = submit(scored_hash, panel, index, y_WH, seen_WH)
        edges = [low for low, _ in groups.values()]
        sums_GW = _window_sums(forecasts, y_WH, seen_WH, edges=edges)
    scale_W = scale()
    sums_W = {name: term[-1] for name, term in sums_GW.items()}
    cutoffs, which_W = np.unique(index.cutoff_W, return_inverse=True)
    sums_W |= scaled_terms(sums_W["abs_error"], sums_W["cells"], scale_W)

    overall = {name: term.sum() for name, term in sums_W.items()}
    values = {name: float(value) for name, value in ratios(overall).items()}
    counts = {
        "num_series": len(np.unique(index.series_W)),
        "num_cutoffs": len(cutoffs),
        "num_windows": len(index),
        "num_cells": int(seen_WH.sum()),
        "num_unseen_cells": int((~seen_WH).sum()),
        "num_windows_without_scale": len(index) - int(sums_W["scaled"].sum()),
    }
    if "horizon" in slices:
        parts_GW = {name: term[:-1] for name, term in sums_GW.items()}
        parts_GW |= scaled_terms(parts_GW["abs_error"], parts_GW["cells"], scale_W)
        sums_G = {name: term.sum(axis=1) for name, term in parts_GW.items()}
        _add(values, counts, names=tuple(groups), sums=sums_G)
    for name in wanted:
        part = parts[name]()
        sums = _grouped(sums_W, part.class_W, len(part.names))
        windows = np.bincount(part.class_W, minlength=len(part.names))
        _add(values, counts, names=part.names, sums=sums, windows=windows)
    _add_total(values, counts, which_W, y_WH, seen_WH, forecasts.point_WH)
    counts["num_undefined_metrics"] = sum(math.isnan(value) for value in values.values())
    return Scores(
        values=values,
        counts=counts,
        by_cutoff=_by_cutoff(panel, cutoffs, which_W, sums_W),
        scored=scored(),
        reliability=_reliability(forecasts, y_WH, seen_WH),
    )


def scored_hash(panel: Panel, index: WindowIndex, y_WH: np.ndarray, seen_WH: np.ndarray) -> str:
    """Hash of the labels that were scored: two runs may be compared iff theirs are equal.

    Series count by name and cutoffs by time: roles, features and the order of windows do not
    matter.
    """
    names = panel.series.astype(str)
    rank = np.argsort(np.argsort(names, kind="stable"), kind="stable")
    order = np.lexsort((rank[index.series_W], index.cutoff_W))
    series, which = np.unique(rank[index.series_W][order], return_inverse=True)
    cutoffs, when = np.unique(index.cutoff_W[order], return_inverse=True)
    digest = hashlib.sha256(repr(y_WH.shape).encode())
    digest.update("\x00".join(names[np.argsort(names, kind="stable")][series]).encode())
    digest.update(" ".join(panel.time_of(int(step)).isoformat() for step in cutoffs).encode())
    for array in (which.astype(np.int64), when.astype(np.int64), seen_WH[order]):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(np.where(seen_WH, y_WH, 0.0).astype(np.float32)[order].tobytes())
    return digest.hexdigest()[:16]


def _window_sums(
    forecasts: Forecasts, y_WH: np.ndarray, seen_WH: np.ndarray, *, edges: list[int]
) -> Terms:
    """Terms summed over the steps of each horizon group and, last, over all steps, [G + 1, W]."""
    member_HG = np.zeros((y_WH.shape[1], len(edges) + 1))
    member_HG[:, -1] = 1.0
    for group, (low, high) in enumerate(pairwise([*edges, y_WH.shape[1]])):
        member_HG[low:high, group] = 1.0

    def sums_of(rows: slice) -> Terms:
        terms = point_terms(y_WH[rows], seen_WH[rows], forecasts.point_WH[rows])
        if forecasts.quantiles_WHQ is not None:
            quantiles = forecasts.quantiles_WHQ[rows]
            terms |= quantile_terms(y_WH[rows], seen_WH[rows], quantiles, forecasts.levels)
        return {name: member_HG.T @ x.T for name, x in terms.items()}

    chunks = _by_chunk(sums_of, len(y_WH))
    return {name: np.concatenate([chunk[name] for chunk in chunks], axis=1) for name in chunks[0]}


@contextmanager
def _beside(num_windows: int) -> Iterator[Callable[..., Callable[[], Any]]]:
    """A function that begins a call and gives one that waits for its result.

    Of few windows nothing runs beside: the threads would wait for each other's Python.
    """
    if num_windows < FEW * CHUNK:
        yield lambda work, *arguments: partial(work, *arguments)
        return
    with ThreadPoolExecutor(2) as pool:
        yield lambda work, *arguments: pool.submit(work, *arguments).result


def _by_chunk(work: Callable[[slice], T], num_windows: int) -> list[T]:
    """``work`` on every chunk of windows; of many, two at a time: numpy lets another thread run."""
    chunks = [slice(first, first + CHUNK) for first in range(0, num_windows, CHUNK)]
    if len(chunks) < FEW:
        return [work(chunk) for chunk in chunks]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, chunks))


def _reliability(
    forecasts: Forecasts, y_WH: np.ndarray, seen_WH: np.ndarray
) -> list[tuple[float, float]]:
    """Level and share of seen cells at or below its quantile; empty without quantiles."""
    grid_WHQ = forecasts.quantiles_WHQ
    if grid_WHQ is None or not seen_WH.any():
        return []

    def below(rows: slice) -> np.ndarray:
        y_CH, seen_CH = y_WH[rows], seen_WH[rows]
        columns = (grid_WHQ[rows, :, q] for q in range(len(forecasts.levels)))
        return np.array([np.count_nonzero((y_CH <= column) & seen_CH) for column in columns])

    below_Q = np.sum(_by_chunk(below, len(y_WH)), axis=0)
    shares = (below_Q / seen_WH.sum()).tolist()
    return [(float(level), share) for level, share in zip(forecasts.levels, shares, strict=True)]


def _grouped(sums_W: Terms, class_W: np.ndarray, num_classes: int) -> Terms:
    return {
        name: np.bincount(class_W, weights=term, minlength=num_classes)
        for name, term in sums_W.items()
    }


def _add(
    values: dict[str, float],
    counts: dict[str, int],
    *,
    names: tuple[str, ...],
    sums: Terms,
    windows: np.ndarray | None = None,
) -> None:
    for metric, by_class in ratios(sums).items():
        values |= {f"{metric}/{name}": float(by_class[at]) for at, name in enumerate(names)}
    counts |= {f"num_cells/{name}": int(sums["cells"][at]) for at, name in enumerate(names)}
    if windows is not None:
        counts |= {f"num_windows/{name}": int(windows[at]) for at, name in enumerate(names)}


def _add_total(
    values: dict[str, float],
    counts: dict[str, int],
    which_W: np.ndarray,
    y_WH: np.ndarray,
    seen_WH: np.ndarray,
    point_WH: np.ndarray,
) -> None:
    """The network: sums over series per cutoff and step, where every series of the cutoff is seen.

    The point forecast of the total is the sum of the points, which is not its median.
    """
    steps = y_WH.shape[1]
    cell_WH = which_W[:, None] * steps + np.arange(steps)  # of the table of cutoffs and steps
    y_CH, point_CH, seen_CH = (
        np.bincount(cell_WH.ravel(), weights=part_WH.ravel()).reshape(-1, steps)
        for part_WH in (y_WH, point_WH, seen_WH)
    )
    complete = seen_CH == np.bincount(which_W)[:, None]
    terms = point_terms(y_CH, complete, point_CH)
    metrics = ratios({name: np.asarray(term.sum()) for name, term in terms.items()})
    values |= {f"total/{name}": float(value) for name, value in metrics.items()}
    counts["num_cells/total"] = int(complete.sum())
    counts["num_incomplete_cells/total"] = int((~complete).sum())


def _by_cutoff(
    panel: Panel, cutoffs: np.ndarray, which_W: np.ndarray, sums_W: Terms
) -> list[dict[str, Any]]:
    sums = _grouped(sums_W, which_W, len(cutoffs))
    metrics, windows = ratios(sums), np.bincount(which_W)
    return [
        {
            "cutoff": panel.time_of(int(step)).isoformat(),
            **{name: float(value[at]) for name, value in metrics.items()},
            **{column: float(sums[name][at]) for name, column in BY_CUTOFF_SUMS.items()},
            "num_windows": int(windows[at]),
            "num_scaled": int(sums["scaled"][at]),
        }
        for at, step in enumerate(cutoffs)
    ]


def _check_request(slices: Sequence[str], season: int) -> None:
    if season < 1:
        raise ConfigError(f"season={season} must be at least 1 step; 7 for daily, 24 for hourly")
    for name in slices:
        if name not in SLICES:
            near = difflib.get_close_matches(name, SLICES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(SLICES)}"
            raise ConfigError(f"slice {name!r} does not exist; {hint}")


def _check_forecasts(forecasts: Forecasts, panel: Panel, shape: tuple[int, ...]) -> None:
    """Refuse what would turn into a silent nan or a broadcast."""
    if not len(forecasts.index):
        raise LanecastError(
            "there is no window to score: no series has enough history at any cutoff; lower"
            " windows.min_context or choose later cutoffs"
        )
    arrays = {"point_WH": (forecasts.point_WH, shape)}
    if forecasts.quantiles_WHQ is not None:
        arrays["quantiles_WHQ"] = (forecasts.quantiles_WHQ, (*shape, len(forecasts.levels)))
    for name, (array, expected) in arrays.items():
        if array.shape != expected:
            raise LanecastError(
                f"{name} has shape {array.shape}, but the index, horizon and levels ask for"
                f" {expected}; the forecaster must answer exactly the windows it was given"
            )
        if not np.isfinite(array).all():
            window, step = np.argwhere(~np.isfinite(array))[0][:2]
            series = panel.series[forecasts.index.series_W[window]]
            cutoff = panel.time_of(int(forecasts.index.cutoff_W[window]))
            raise LanecastError(
                f"{name} is not finite in {int((~np.isfinite(array)).sum())} cells, first for"
                f" {series!r} at cutoff {cutoff}, step {step + 1}; a forecaster must return finite"
                " numbers (did its training diverge?)"
            )


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in row.items()
    }
