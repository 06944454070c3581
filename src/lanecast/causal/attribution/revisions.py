"""Why a forecast moved between two cutoffs: the same dates, one kind of news at a time.

Fixed order: the cutoff moves and brings nothing; revisions; new actuals node by node in the order
of the graph; changed known futures node by node; parameters; config.  Each term is the forecast
after its step less the one before, so that the terms telescope and their sum is exact.  The order
matters where news interact, which is why it is fixed.
Axes: ``W`` series, ``D`` target dates, ``K`` terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError, SchemaError

MOVED, REVISED, PARAMETERS, CONFIG = "origin moved", "revisions", "parameters", "config"
ISSUED = "issued forecasts"


class Predictor(Protocol):
    """Anything that forecasts windows of a panel; every forecaster does."""

    def predict(self, panel: Panel, *, at: WindowIndex) -> Any:
        """Forecasts with ``point_WH``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two forecasts: what made it, from which panel, at which cutoff."""

    forecaster: Predictor
    panel: Panel
    cutoff: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """``terms_KWD`` in the order of ``names``; ``before + terms = after``, date by date."""

    names: tuple[str, ...]
    series: np.ndarray  # [W] unique_id
    times: np.ndarray  # [D]
    before_WD: np.ndarray
    after_WD: np.ndarray
    terms_KWD: np.ndarray

    @property
    def totals(self) -> dict[str, float]:
        """Each term summed over series and dates."""
        sums = self.terms_KWD.sum(axis=(1, 2)).tolist()
        return dict(zip(self.names, sums, strict=True))

    @property
    def gap(self) -> float:
        """Largest cell of ``after - before - sum of terms``; 0 up to rounding."""
        change = self.after_WD - self.before_WD
        return float(np.abs(change - self.terms_KWD.sum(axis=0)).max(initial=0.0))

    def table(self) -> pd.DataFrame:
        """One row per series and date: before, every term, after."""
        num, dates = self.before_WD.shape
        columns = dict(zip(self.names, self.terms_KWD, strict=True))
        return pd.DataFrame(
            {
                "unique_id": np.repeat(self.series, dates),
                "ds": np.tile(self.times, num),
                "before": self.before_WD.ravel(),
                **{name: values.ravel() for name, values in columns.items()},
                "after": self.after_WD.ravel(),
            }
        )


def revisions(
    before: Side,
    after: Side,
    *,
    series: np.ndarray | None = None,
    graph: Graph | None = None,
    refitted: Predictor | None = None,
) -> Revisions:
    """Explain ``after - before`` on the dates that both predict.

    Panels may be one object.  ``series`` are names (default: those of the new panel).  ``graph``
    gives nodes their names and order; columns outside of it follow in the order of the schema.
    ``refitted`` is the forecaster of ``before`` fitted anew; what remains between it and that of
    ``after`` is ``config``.  Without it all of the difference is ``parameters``.
    """
    old, new = before.panel, after.panel
    _check(before, after)
    names = new.series if series is None else np.asarray(series)
    start = before.forecaster.predict(old, at=_windows(old, names, before.cutoff)).point_WH
    shift = after.cutoff - before.cutoff
    horizon = start.shape[1]
    if shift >= horizon:
        raise ConfigError(
            f"forecasts from cutoffs {before.cutoff} and {after.cutoff} share no date within a"
            f" horizon of {horizon}; choose cutoffs closer together"
        )
    at = _windows(new, names, after.cutoff)

    def predicted(forecaster: Predictor, panel: Panel) -> np.ndarray:
        point_WD = forecaster.predict(panel, at=at).point_WH[:, : horizon - shift]
        return np.asarray(point_WD, dtype=np.float64)

    begin = np.asarray(start[:, shift:], dtype=np.float64)
    labels, at_hand = [], [begin]
    for label, panel in _revealed(before, after, graph):
        labels.append(label)
        at_hand.append(predicted(before.forecaster, panel))
    if refitted is not None:
        labels.append(PARAMETERS)
        at_hand.append(predicted(refitted, new))
    last = before.forecaster if refitted is None else refitted
    if after.forecaster is not last:
        labels.append(PARAMETERS if refitted is None else CONFIG)
        at_hand.append(predicted(after.forecaster, new))
    dates = range(after.cutoff + 1, before.cutoff + horizon + 1)
    return Revisions(
        names=tuple(labels),
        series=names,
        times=np.array([new.time_of(step).to_datetime64() for step in dates]),
        before_WD=begin,
        after_WD=at_hand[-1],
        terms_KWD=np.diff(np.stack(at_hand), axis=0),
    )


def _check(before: Side, after: Side) -> None:
    old, new = before.panel, after.panel
    if before.cutoff > after.cutoff:
        raise ConfigError(
            f"a revision runs forward: cutoff {before.cutoff} lies after {after.cutoff}"
        )
    if old.schema != new.schema or old.times[0] != new.times[0]:
        raise SchemaError(
            "the two panels differ in their schema or in the first step of their grid; build both"
            " from one data config"
        )


def _windows(panel: Panel, names: np.ndarray, cutoff: int) -> WindowIndex:
    row = {str(name): number for number, name in enumerate(panel.series)}
    if missing := [str(name) for name in names if str(name) not in row]:
        raise SchemaError(f"series {missing[0]!r} is not in both panels; leave it out of series=")
    rows = np.array([row[str(name)] for name in names], dtype=np.int64)
    return WindowIndex(series_W=rows, cutoff_W=np.full(len(rows), cutoff, dtype=np.int64))


def _revealed(before: Side, after: Side, graph: Graph | None) -> Iterator[tuple[str, Panel]]:
    """The new panel as it is revealed, from what was known at the old cutoff to all of it."""
    old, new = before.panel, after.panel
    schema, columns = new.schema, new.schema.stored
    step_C = np.arange(new.num_cells) + np.repeat(
        new.start - new.offsets[:-1], np.diff(new.offsets)
    )
    newest_X = np.array([new.schema.last_visible(column) for column in columns])
    known_CX = step_C[:, None] <= before.cutoff + newest_X
    was_CX = _laid_out(old, new, step_C)
    now_CX = new.values.numpy()
    future_X = np.array([column in schema.known for column in columns])
    differs_CX = ~((was_CX == now_CX) | (np.isnan(was_CX) & np.isnan(now_CX)))
    shown_CX = np.where(known_CX, was_CX, np.float32(np.nan))
    # what neither forecast may see stays as it is: nobody reads it
    shut_CX = step_C[:, None] > after.cutoff + newest_X
    shown_CX = np.where(shut_CX, now_CX, shown_CX)
    issued = _issued_before(new, step_C, before.cutoff)
    plain = replace(new, statics=_statics_before(old, new))

    def panel(base: Panel, forecasts: Tensor) -> Panel:
        return replace(base, values=torch.from_numpy(shown_CX.copy()), issued=forecasts)

    yield MOVED, panel(plain, issued)
    if not torch.equal(plain.statics, new.statics) or (differs_CX & known_CX)[:, ~future_X].any():
        shown_CX = np.where(known_CX & ~future_X, now_CX, shown_CX)
        yield REVISED, panel(new, issued)
    for label, number in _in_order(columns, graph, lambda k: not future_X[k], "new actuals"):
        shown_CX[:, number] = now_CX[:, number]
        yield label, panel(new, issued)
    for label, number in _in_order(columns, graph, lambda k: bool(future_X[k]), "known future"):
        shown_CX[:, number] = now_CX[:, number]
        yield label, panel(new, issued)
    if new.issued_names:
        yield ISSUED, new


def _in_order(
    columns: tuple[str, ...], graph: Graph | None, wanted: Callable[[int], bool], kind: str
) -> Iterator[tuple[str, int]]:
    """(label, column number), nodes in the order of the graph, then the other columns."""
    nodes = {} if graph is None else {str(graph.nodes[n].column): n for n in graph.order}
    others = [column for column in columns if column not in nodes]
    for column in (*nodes, *others):
        if column in columns and wanted(columns.index(column)):
            yield f"{kind}: {nodes.get(column, column)}", columns.index(column)


def _laid_out(old: Panel, new: Panel, step_C: np.ndarray) -> np.ndarray:
    """The old panel's values in the new one's cells, NaN where it has none, [cells, X]."""
    if old is new:
        return new.values.numpy().copy()
    row = {str(name): number for number, name in enumerate(old.series)}
    old_N = np.array([row.get(str(name), -1) for name in new.series], dtype=np.int64)
    owner_C = np.repeat(old_N, np.diff(new.offsets))
    cell_C = old.offsets[owner_C] + step_C - old.start[owner_C]
    inside = (owner_C >= 0) & (step_C >= old.start[owner_C]) & (step_C < old.end[owner_C])
    values = old.values.numpy()[np.where(inside, cell_C, 0)]
    return np.where(inside[:, None], values, np.float32(np.nan))


def _statics_before(old: Panel, new: Panel) -> Tensor:
    """Encoded statics as the old panel had them; those of the new one where they do not compare."""
    if old is new or old.static_names != new.static_names or not new.statics.numel():
        return new.statics
    row = {str(name): number for number, name in enumerate(old.series)}
    statics = new.statics.clone()
    for number, name in enumerate(new.series):
        if str(name) in row:
            statics[number] = old.statics[row[str(name)]]
    return statics


def _issued_before(new: Panel, step_C: np.ndarray, cutoff: int) -> Tensor:
    """Forecasts issued after the old cutoff are not there yet."""
    if not new.issued_names:
        return new.issued
    late = torch.from_numpy(step_C > cutoff)
    return new.issued.masked_fill(late[:, None, None], float("nan"))
