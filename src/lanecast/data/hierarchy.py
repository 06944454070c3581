"""What adds up to what: lanes to sites, sites to regions, regions to the network.

A hierarchy is a sparse summing matrix ``S``: every node is a sum of bottom series.
Axes: ``M`` nodes, ``N`` bottom series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lanecast.data.panel import Panel
from lanecast.errors import ConfigError

BOTTOM = "bottom"
TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Nodes from the top down; the last ``N`` are the bottom series, in the order of the panel.

    ``levels`` maps a level to its node numbers.
    """

    names: tuple[str, ...]
    sums_MN: sparse.csr_matrix
    levels: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        """Refuse a matrix that is no hierarchy."""
        nodes, bottom = self.sums_MN.shape
        if len(self.names) != nodes:
            raise ConfigError(f"the hierarchy names {len(self.names)} nodes but sums {nodes}")
        tail = self.sums_MN[nodes - bottom :]
        if (tail != sparse.identity(bottom, format="csr")).nnz:
            raise ConfigError(
                f"the last {bottom} nodes of the hierarchy must be the bottom series, in order;"
                " sort the rows of the summing matrix so"
            )
        if (empty := np.flatnonzero(np.diff(self.sums_MN.indptr) == 0)).size:
            raise ConfigError(f"node {self.names[empty[0]]!r} of the hierarchy sums no series")
        covered = np.zeros(nodes, dtype=np.int64)
        for rows in self.levels.values():
            covered[rows] += 1
        if (odd := np.flatnonzero(covered != 1)).size:
            raise ConfigError(
                f"node {self.names[odd[0]]!r} belongs to {covered[odd[0]]} levels; each node"
                " belongs to exactly one"
            )

    @property
    def num_bottom(self) -> int:
        """Number of bottom series."""
        return int(self.sums_MN.shape[1])

    @property
    def num_upper(self) -> int:
        """Number of nodes above the bottom series."""
        return len(self.names) - self.num_bottom

    def kept(self, active_N: np.ndarray) -> tuple[Hierarchy, np.ndarray]:
        """The hierarchy of some bottom series, and which nodes it keeps, [M] bool.

        A node none of whose series is left goes too.
        """
        sums = self.sums_MN[:, np.flatnonzero(active_N)].tocsr()
        kept_M = np.diff(sums.indptr) > 0
        place_M = np.cumsum(kept_M) - 1
        levels = {name: place_M[rows[kept_M[rows]]] for name, rows in self.levels.items()}
        left = Hierarchy(
            names=tuple(name for name, keep in zip(self.names, kept_M, strict=True) if keep),
            sums_MN=sums[kept_M],
            levels={name: rows for name, rows in levels.items() if rows.size},
        )
        return left, kept_M

    def bottom(self) -> Hierarchy:
        """The series alone, without a node above them."""
        return Hierarchy(
            names=self.names[self.num_upper :],
            sums_MN=sparse.identity(self.num_bottom, format="csr"),
            levels={BOTTOM: np.arange(self.num_bottom)},
        )

    def aggregate(self, bottom_NX: np.ndarray) -> np.ndarray:
        """Every node's sum of the bottom series, [M, ...]; the first axis is the series."""
        flat = np.asarray(bottom_NX).reshape(self.num_bottom, -1)
        return np.asarray(self.sums_MN @ flat).reshape(-1, *np.shape(bottom_NX)[1:])

    def incoherence(self, values_MX: np.ndarray) -> tuple[float, str]:
        """Largest gap between a node and the sum of its series, relative to it, and which node."""
        told = np.asarray(values_MX, dtype=np.float64)
        summed = self.aggregate(told[-self.num_bottom :])
        gap = np.abs(told - summed) / np.maximum(np.abs(summed), 1.0)
        worst = int(gap.reshape(len(gap), -1).max(axis=1).argmax())
        return float(gap.max()), self.names[worst]


def lane_hierarchy(
    panel: Panel, levels: Sequence[Sequence[str]] = ((), ("origin",), ("dest",))
) -> Hierarchy:
    """A hierarchy from static columns: each level groups the series by some of them.

    ``()`` is the total.  Lanes by origin and by destination are two levels beside each other.
    """
    names: list[str] = []
    rows, found = [], {}
    for columns in levels:
        if missing := [name for name in columns if name not in panel.attributes]:
            raise ConfigError(
                f"level {list(columns)} needs the static column {missing[0]!r}, but the panel has"
                f" {sorted(panel.attributes) or 'none'}; declare it with role static"
            )
        keys = [
            tuple(str(panel.attributes[c][n]) for c in columns) for n in range(panel.num_series)
        ]
        groups = {key: at for at, key in enumerate(sorted(set(keys)))}
        level = "/".join(columns) or TOTAL
        found[level] = len(names) + np.arange(len(groups))
        names += [level if not key else f"{level}={'/'.join(key)}" for key in groups]
        member = np.array([groups[key] for key in keys])
        ones = np.ones(panel.num_series)
        shape = (len(groups), panel.num_series)
        rows.append(sparse.csr_matrix((ones, (member, np.arange(panel.num_series))), shape=shape))
    found[BOTTOM] = len(names) + np.arange(panel.num_series)
    names += [str(name) for name in panel.series]
    sums = sparse.vstack([*rows, sparse.identity(panel.num_series)], format="csr")
    return Hierarchy(names=tuple(names), sums_MN=sums, levels=found)


def table_hierarchy(frame: pd.DataFrame, panel: Panel) -> Hierarchy:
    """A hierarchy from a summing matrix: node names first, then one column of 0 and 1 per series.

    Rows that together sum every series once, one after another, are a level.  The bottom rows may
    be there or not; they are put last, in the order of the panel.
    """
    named = frame.set_index(frame.columns[0])
    series = [str(name) for name in panel.series]
    columns = {str(name): at for at, name in enumerate(named.columns)}
    if missing := [name for name in series if name not in columns]:
        raise ConfigError(
            f"the summing matrix has no column {missing[0]!r}, which is a series of the panel; its"
            f" columns start with {', '.join(list(columns)[:3])}"
        )
    if len(columns) != len(series):
        extra = next(iter(sorted(set(columns) - set(series))))
        raise ConfigError(
            f"the summing matrix has the column {extra!r}, but the panel has no such series (does"
            " data.keep drop it?)"
        )
    weights = named.to_numpy(dtype=np.float64)[:, [columns[name] for name in series]]
    upper = [at for at, name in enumerate(named.index.astype(str)) if name not in columns]
    levels: dict[str, np.ndarray] = {}
    open_rows: list[int] = []
    for place, at in enumerate(upper):
        open_rows.append(place)
        if (weights[[upper[row] for row in open_rows]].sum(axis=0) >= 1.0).all() or (
            at == upper[-1]
        ):
            levels[f"level_{len(levels) + 1}"] = np.array(open_rows)
            open_rows = []
    levels[BOTTOM] = len(upper) + np.arange(len(series))
    sums = sparse.vstack(
        [sparse.csr_matrix(weights[upper]), sparse.identity(len(series))], format="csr"
    )
    names = (*(str(named.index[at]) for at in upper), *series)
    return Hierarchy(names=names, sums_MN=sums, levels=levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Where the sums come from: static columns (``levels``), or a summing matrix in Parquet."""

    levels: Sequence[Sequence[str]] = ((), ("origin",), ("dest",))
    table: str | None = None

    def of(self, panel: Panel) -> Hierarchy:
        """The hierarchy over the series of a panel."""
        if self.table is None:
            return lane_hierarchy(panel, self.levels)
        path = Path(self.table)
        if not path.is_file():
            raise ConfigError(f"hierarchy.structure.table={self.table} is not there")
        return table_hierarchy(pd.read_parquet(path), panel)
