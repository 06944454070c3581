"""Sites, regions and the network as series of their own, summed from the lanes of a panel.

A node is known when all of its lanes are: a lane's missing target makes the node's missing, a lane
outside its own rows adds nothing.  Columns in units of the target (``scale: target``) are summed;
all others are means over the lanes that have a value, so that a flag becomes the share of lanes.

Axes: ``U`` nodes above the lanes, ``T`` steps, ``X`` stored columns, ``R`` pairs of a node and a
cell of one of its lanes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from lanecast.data.hierarchy import Hierarchy
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Schema

SEVERAL = "several"  # a static attribute whose lanes differ


def node_panel(panel: Panel, hierarchy: Hierarchy) -> Panel:
    """The nodes above the series of ``panel`` as a panel on the same grid, in their order."""
    nodes = hierarchy.num_upper
    pairs = hierarchy.sums_MN[:nodes].tocoo()
    node_P, lane_P, weight_P = pairs.row, pairs.col, pairs.data
    start_U = np.full(nodes, np.iinfo(np.int64).max)
    end_U = np.zeros(nodes, dtype=np.int64)
    np.minimum.at(start_U, node_P, panel.start[lane_P])
    np.maximum.at(end_U, node_P, panel.end[lane_P])
    offsets = np.concatenate([[0], np.cumsum(end_U - start_U)]).astype(np.int64)
    length_P = np.diff(panel.offsets)[lane_P]
    pair_R = np.repeat(np.arange(len(node_P)), length_P)
    step_R = np.arange(len(pair_R)) - np.repeat(np.cumsum(length_P) - length_P, length_P)
    cell_R = panel.offsets[lane_P][pair_R] + step_R
    target_R = (offsets[node_P] + panel.start[lane_P] - start_U[node_P])[pair_R] + step_R
    summed = _Summed(cell_R, target_R, weight_P[pair_R], num_cells=int(offsets[-1]))
    values = [
        summed.column(panel.values[:, at].numpy(), **_rule(panel.schema, name))
        for at, name in enumerate(panel.schema.stored)
    ]
    return replace(
        panel,
        series=np.array(hierarchy.names[:nodes], dtype=object),
        offsets=offsets,
        start=start_U,
        values=torch.from_numpy(np.stack(values, axis=-1)),
        issued=_issued(panel, summed),
        statics=_statics(panel, node_P, lane_P, nodes),
        attributes=_attributes(panel, node_P, lane_P, nodes),
        counts={},
    )


def _rule(schema: Schema, name: str) -> dict[str, bool]:
    """Whether a column is summed, and whether one missing value makes the sum missing."""
    return {
        "total": name == TARGET or schema.columns[name].scale == "target",
        "all_of": name == TARGET,
    }


class _Summed:
    """Sums or means of lanes' cells by node and step."""

    def __init__(
        self, cell_R: np.ndarray, place_R: np.ndarray, weight_R: np.ndarray, *, num_cells: int
    ) -> None:
        self.cell_R, self.place_R, self.weight_R, self.num_cells = (
            cell_R,
            place_R,
            weight_R,
            num_cells,
        )

    def column(self, values: np.ndarray, *, total: bool, all_of: bool) -> np.ndarray:
        """One column of the nodes, [cells] float32; NaN where no lane has it, or not ``all_of``."""
        x_R = values[self.cell_R].astype(np.float64)
        seen_R = np.isfinite(x_R)
        weight_R = np.where(seen_R, self.weight_R, 0.0)
        known = self._count(weight_R)
        sums = self._count(weight_R * np.where(seen_R, x_R, 0.0))
        sums_or_means = sums if total else sums / np.where(known > 0, known, 1.0)
        missing = known == 0
        if all_of:
            missing |= self._count((~seen_R).astype(np.float64)) > 0
        return np.where(missing, np.nan, sums_or_means).astype(np.float32)

    def _count(self, weight_R: np.ndarray) -> np.ndarray:
        return np.bincount(self.place_R, weights=weight_R, minlength=self.num_cells)


def _issued(panel: Panel, summed: _Summed) -> torch.Tensor:
    if not panel.issued_names:
        return panel.issued
    ahead, names = panel.issued.shape[1:]
    flat = panel.issued.reshape(panel.num_cells, -1).numpy()
    columns = [summed.column(flat[:, at], total=False, all_of=False) for at in range(ahead * names)]
    return torch.from_numpy(np.stack(columns, axis=-1)).reshape(summed.num_cells, ahead, names)


def _statics(panel: Panel, node_P: np.ndarray, lane_P: np.ndarray, nodes: int) -> torch.Tensor:
    """Means of the encoded statics: a category becomes the shares of the lanes."""
    if not panel.statics.numel():
        return panel.statics
    number_U1 = np.bincount(node_P, minlength=nodes)[:, None]
    sums_UC = np.zeros((nodes, panel.statics.shape[1]))
    np.add.at(sums_UC, node_P, panel.statics.numpy()[lane_P])
    return torch.from_numpy((sums_UC / number_U1).astype(np.float32))


def _attributes(
    panel: Panel, node_P: np.ndarray, lane_P: np.ndarray, nodes: int
) -> dict[str, np.ndarray]:
    """What all lanes of a node share, else ``several``."""
    attributes = {}
    for name, values_N in panel.attributes.items():
        values = np.full(nodes, SEVERAL, dtype=object)
        text_P = values_N[lane_P].astype(str)
        order = np.lexsort((text_P, node_P))
        node, text = node_P[order], text_P[order]
        first = np.searchsorted(node, np.arange(nodes))
        last = np.searchsorted(node, np.arange(nodes), side="right") - 1
        same = text[first] == text[last]
        values[same] = values_N[lane_P[order][first[same]]]
        attributes[name] = values
    return attributes
