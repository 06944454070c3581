"""Joins between levels: what a site reads of its lanes, or a lane of its center, as one column.

A joined column is a deterministic node: the sum (or the split parent) of one node over the series
of another level, in natural units, then in the link of its source.
Axes: ``N`` series, ``T`` steps, ``J`` nodes, ``R`` rows of a rollout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph
from lanecast.data.panel import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinColumn:
    """``target_P[k]`` receives ``weight_P[k]`` times the source value of series ``source_P[k]``."""

    name: str  # "<source node>:<aggregate>"
    source: int  # node
    link: str
    source_P: Tensor
    target_P: Tensor
    weight_P: Tensor
    rows: np.ndarray  # series that receive anything
    gives: Tensor  # series that are summed somewhere, [N] bool
    num_series: int

    def sums(self, natural_SN: Tensor) -> Tensor:
        """Joined natural values, [S, N]; 0 where nothing is received."""
        parts = natural_SN[:, self.source_P] * self.weight_P
        zero = natural_SN.new_zeros(len(natural_SN), self.num_series)
        return zero.index_add_(1, self.target_P, parts)

    def linked(self, values_NTJ: np.ndarray) -> np.ndarray:
        """Link of the joined column over time, [N, T]; NaN for series that receive nothing."""
        from lanecast.data.links import link_of

        natural = torch.from_numpy(np.ascontiguousarray(values_NTJ[..., self.source].T))
        total = self.sums(natural).numpy().T
        out = np.full(total.shape, np.nan, np.float32)
        out[self.rows] = link_of(total[self.rows], self.link)
        return out


def join_columns(graph: Graph, panel: Panel) -> tuple[JoinColumn, ...]:
    """One column for each (source node, aggregate) that an edge reads."""
    pairs = sorted(
        {(e.source, e.aggregate) for e in graph.edges if e.aggregate and not e.forbidden}
    )
    return tuple(_column(graph, panel, source, str(aggregate)) for source, aggregate in pairs)


def _column(graph: Graph, panel: Panel, source: str, aggregate: str) -> JoinColumn:
    join = graph.joins[aggregate]
    source_P, target_P, weight_P = graph.pairs_of(join, panel.series, panel.attributes)
    return JoinColumn(
        name=f"{source}:{aggregate}",
        source=graph.order.index(source),
        link=graph.nodes[source].link,
        source_P=torch.from_numpy(source_P),
        target_P=torch.from_numpy(target_P),
        weight_P=torch.from_numpy(weight_P.astype(np.float32)),
        rows=np.unique(target_P),
        gives=torch.from_numpy(np.isin(np.arange(panel.num_series), source_P)),
        num_series=panel.num_series,
    )
