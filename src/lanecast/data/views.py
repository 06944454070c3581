"""Other views of the same panel: other roles, other values, other futures.

Axes: ``N`` series, ``W`` windows, ``T`` steps of a window, ``H`` horizon, ``X`` stored columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Column
from lanecast.data.windows import WindowIndex
from lanecast.errors import SchemaError


def with_roles(panel: Panel, columns: Mapping[str, Column | None]) -> Panel:
    """The panel with some columns declared anew, or left out (None); values move to their place."""
    if unknown := sorted(set(columns) - set(panel.schema.columns)):
        raise SchemaError(f"there is no column {unknown[0]!r} to declare anew in this panel")
    declared = {
        name: columns.get(name, column)
        for name, column in panel.schema.columns.items()
        if columns.get(name, column) is not None
    }
    schema = replace(
        panel.schema,
        columns={name: column for name, column in declared.items() if column is not None},
    )
    order = [panel.schema.stored.index(name) for name in schema.stored]
    return replace(panel, schema=schema, values=panel.values[:, order].contiguous())


def with_values(panel: Panel, columns: Mapping[str, np.ndarray]) -> Panel:
    """The panel with other values in some columns, [cells] each."""
    if unknown := sorted(set(columns) - set(panel.schema.stored)):
        raise SchemaError(
            f"this panel stores no column {unknown[0]!r}; it has {list(panel.schema.stored)}"
        )
    values = panel.values.clone()
    for name, column in columns.items():
        values[:, panel.schema.stored.index(name)] = torch.from_numpy(
            np.ascontiguousarray(column, dtype=np.float32)
        )
    return replace(panel, values=values)


def with_target(panel: Panel) -> Panel:
    """Only the series that have a target at all; the panel itself where every series has one."""
    has_N = panel.presence.before(panel.known_high) > panel.presence.before(panel.low)
    return panel if has_N.all() else panel.select(np.flatnonzero(has_N))


def of_series(panel: Panel, at: WindowIndex, names: Sequence[str]) -> tuple[Panel, WindowIndex]:
    """The panel of exactly the series named, in that order, and the windows in its numbering.

    Both as they are where no other series is there, one of them is not, or a window is of another.
    """
    if len(names) >= panel.num_series:
        return panel, at
    place = {str(name): number for number, name in enumerate(panel.series)}
    rows = np.array([place.get(name, -1) for name in names], dtype=np.int64)
    if (rows < 0).any() or not np.isin(at.series_W, rows).all():
        return panel, at
    place_N = np.full(panel.num_series, -1, dtype=np.int64)
    place_N[rows] = np.arange(len(rows))
    index = WindowIndex(series_W=place_N[at.series_W], cutoff_W=at.cutoff_W)
    return panel.select(rows), index


def cells_of(panel: Panel, at: WindowIndex, ahead_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell numbers at ``cutoff + ahead``, clamped into the series, and which lie inside, [W, T]."""
    low_W1, high_W1 = panel.low[at.series_W][:, None], panel.high[at.series_W][:, None]
    cell_WT = low_W1 + (at.cutoff_W - panel.start[at.series_W])[:, None] + ahead_T
    inside_WT = (cell_WT >= low_W1) & (cell_WT < high_W1)
    return np.clip(cell_WT, low_W1, high_W1 - 1), inside_WT


def unfolded(
    panel: Panel,
    at: WindowIndex,
    *,
    history: int,
    horizon: int,
    futures: Mapping[str, np.ndarray],
) -> tuple[Panel, WindowIndex]:
    """Each window as a series of its own, with its own future values of some columns.

    A new series holds ``history`` steps up to the cutoff and ``horizon`` after it, under the name
    of the series it came from.  ``futures``: column -> [W, H], in the place of what the panel has
    there; NaN is a missing value.  The target of the steps ahead is blanked: no model can read an
    answer here.
    """
    panel, ahead_T = panel.packed, np.arange(1 - history, horizon + 1)
    cell_WT, inside_WT = cells_of(panel, at, ahead_T)
    values = panel.values.numpy()[cell_WT]
    values[~inside_WT] = np.nan
    values[:, history:, panel.schema.stored.index(TARGET)] = np.nan
    for name, path_WH in futures.items():
        values[:, history:, panel.schema.stored.index(name)] = path_WH
    first_W = np.maximum(at.cutoff_W - history + 1, 0)
    skip_W = first_W - (at.cutoff_W - history + 1)  # steps before the grid
    kept_WT = np.arange(len(ahead_T)) >= skip_W[:, None]
    unfolded_panel = replace(
        panel,
        series=panel.series[at.series_W],
        offsets=np.concatenate([[0], np.cumsum(kept_WT.sum(axis=1))]).astype(np.int64),
        start=first_W.astype(np.int64),
        values=torch.from_numpy(np.ascontiguousarray(values[kept_WT])),
        statics=panel.statics[torch.from_numpy(np.ascontiguousarray(at.series_W))]
        if panel.statics.numel()
        else panel.statics,
        attributes={name: column[at.series_W] for name, column in panel.attributes.items()},
    )
    if panel.issued_names:  # nothing was issued where the series has no cell
        outside = torch.from_numpy(~inside_WT[kept_WT])
        issued = panel.issued[torch.from_numpy(cell_WT[kept_WT])]
        issued[outside] = float("nan")
        unfolded_panel = replace(unfolded_panel, issued=issued)
    index = WindowIndex(series_W=np.arange(len(at), dtype=np.int64), cutoff_W=at.cutoff_W)
    return unfolded_panel, index
