"""Panels and actions that differ in one respect, for audits.

Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.views import with_roles
from lanecast.data.visibility.visible import visible as visible_cells
from lanecast.data.windows import WindowIndex

POISON = 1e6


def unrounded(panel: Panel) -> Panel:
    """The target as a real number: rounding to whole counts would hide small moves."""
    target = replace(panel.schema.columns[TARGET], integer=False)
    return with_roles(panel, {TARGET: target})


def lengthened(panel: Panel, until: int) -> Panel:
    """Every series with cells up to step ``until``, empty where there were none."""
    lengths = np.diff(panel.offsets)
    new = np.maximum(lengths, np.where(lengths > 0, until + 1 - panel.start, lengths))
    offsets = np.concatenate([[0], np.cumsum(new)]).astype(np.int64)
    values = torch.full((int(offsets[-1]), panel.values.shape[1]), float("nan"))
    owner = np.repeat(np.arange(panel.num_series), lengths)
    place = np.arange(panel.num_cells) - panel.offsets[owner] + offsets[owner]
    values[torch.from_numpy(place)] = panel.values
    issued = panel.issued
    if panel.issued_names:
        issued = torch.full((len(values), *panel.issued.shape[1:]), float("nan"))
        issued[torch.from_numpy(place)] = panel.issued
    return replace(panel, offsets=offsets, values=values, issued=issued)


def poisoned(panel: Panel, cutoff: int, *, visible: bool) -> Panel:
    """Every cell that is not known at the cutoff at `POISON`; the twin changes all that is."""
    lengths = np.diff(panel.offsets)
    owner = np.repeat(np.arange(panel.num_series), lengths)
    step = np.arange(panel.num_cells) - panel.offsets[owner] + panel.start[owner]
    values = panel.values.clone()
    for number, name in enumerate(panel.schema.stored):
        known = torch.from_numpy(step <= cutoff + panel.schema.last_visible(name))
        column = values[:, number]
        changed = 1.5 * column + 1.0 if visible else torch.full_like(column, POISON)
        values[:, number] = torch.where(known == visible, changed, column)
    return replace(panel, values=values)


def extremes(panel: Panel, at: WindowIndex, column: str) -> tuple[np.ndarray, np.ndarray]:
    """A low and a high value of each window's own past, [W]; never equal."""
    back = np.arange(-int(at.cutoff_W.max()), 1)
    seen_WT = visible_cells(panel, at, column, back)
    some_WT = np.where(np.isfinite(seen_WT).any(axis=1, keepdims=True), seen_WT, 0.0)
    low_W, high_W = np.nanquantile(some_WT, (0.1, 0.9), axis=1)
    return low_W, np.where(high_W > low_W, high_W, low_W + np.maximum(1.0, 0.1 * np.abs(low_W)))


def with_cells(
    panel: Panel, at: WindowIndex, column: str, ahead: int, value_W: np.ndarray
) -> Panel:
    """One column's value at one step ahead of each window."""
    cell_W = panel.offsets[at.series_W] + at.cutoff_W + ahead - panel.start[at.series_W]
    values = panel.values.clone()
    number = panel.schema.stored.index(column)
    values[torch.from_numpy(cell_W), number] = torch.from_numpy(value_W).float()
    return replace(panel, values=values)


def opposite_actions(
    graph: Graph, panel: Panel, at: WindowIndex, node: str, *, horizon: int, first: int
) -> tuple[Action, Action]:
    """A treatment low, and high, on the steps from ``first`` on; open before."""
    declared = graph.nodes[node]
    low_W, high_W = extremes(panel, at, str(declared.column))
    if declared.family == "bernoulli":
        low_W, high_W = np.zeros(len(at)), np.ones(len(at))
    elif declared.link == "log":
        low_W = np.where(low_W > 0, low_W, 1.0)
        high_W = np.maximum(high_W, 1.1 * low_W)
    steps = np.arange(1, horizon + 1) >= first
    paths = [
        np.where(steps, end_W[:, None], np.nan).astype(np.float32) for end_W in (low_W, high_W)
    ]
    return Action(hard={node: paths[0]}), Action(hard={node: paths[1]})
