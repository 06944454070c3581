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
from lanecast.data.visibility.as_known import AsKnown
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


def lane_hierarchy(
    panel: Panel, levels: Sequence[Sequence[str]] = ((), ("origin",), ("dest",))
) -> Hierarchy:
    """A hierarchy from static columns: each level groups the series by some of them.

    ``()`` is the total.  Lanes by origin and by destination are two levels beside each other.
    """
    names: list[str] = []
    rows, levels_found = [], {}
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
        levels_found[level] = len(names) + np.arange(len(groups))
        names += [level if not key else f"{level}={'/'.join(key)}" for key in groups]
        member = np.array([groups[key] for key in keys])
        ones = np.ones(panel.num_series)
        shape = (len(groups), panel.num_series)
        rows.append(sparse.csr_matrix((ones, (member, np.arange(panel.num_series))), shape=shape))
    levels_found[BOTTOM] = len(names) + np.arange(panel.num_series)
    names += [str(name) for name in panel.series]
    sums = sparse.vstack([*rows, sparse.identity(panel.num_series)], format="csr")
    return Hierarchy(names=tuple(names), sums_MN=sums, levels=levels_found)


def table_hierarchy(frame: pd.DataFrame, panel: Panel) -> Hierarchy:
    """A hierarchy from a summing matrix: node names first, then one column per bottom series.

    Where the last rows are the bottom series themselves, one 1 in each, these rows name the series
    and the labels of the columns are not read; else the labels do.  Rows that together sum every
    series, one after another, are a level.  Series are put in the order of the panel.
    """
    names = frame.iloc[:, 0].astype(str).to_list()
    weights = frame.iloc[:, 1:].to_numpy(dtype=np.float64)
    count = weights.shape[1]
    labels = [str(name) for name in frame.columns[1:]]
    if len(names) >= count and np.array_equal(weights[-count:], np.identity(count)):
        labels, names, weights = names[-count:], names[:-count], weights[:-count]
    place = {name: at for at, name in enumerate(labels)}
    series = [str(name) for name in panel.series]
    if isinstance(panel, AsKnown):  # what has not begun is not there, though the matrix has it
        series += [str(name) for name in panel.yet_to_begin if str(name) in place]
    if missing := sorted(set(series) - set(place)):
        raise ConfigError(
            f"the summing matrix has no bottom series {missing[0]!r}, but the panel has; its first"
            f" are {', '.join(labels[:3])}"
        )
    if extra := sorted(set(place) - set(series)):
        raise ConfigError(
            f"the summing matrix has the bottom series {extra[0]!r}, but the panel has not (does"
            " data.keep drop it?)"
        )
    weights = weights[:, [place[name] for name in series]]
    levels = _levels(weights)
    levels[BOTTOM] = len(names) + np.arange(count)
    sums = sparse.vstack([sparse.csr_matrix(weights), sparse.identity(count)], format="csr")
    whole = Hierarchy(names=(*names, *series), sums_MN=sums, levels=levels)
    if len(series) == panel.num_series:
        return whole
    return whole.kept(np.arange(count) < panel.num_series)[0]


def _levels(weights_UN: np.ndarray) -> dict[str, np.ndarray]:
    """Runs of rows that sum every series; rows left over at the end are a level as well."""
    levels: dict[str, np.ndarray] = {}
    first = 0
    for row in range(len(weights_UN)):
        whole = (weights_UN[first : row + 1].sum(axis=0) >= 1.0).all()
        if whole or row == len(weights_UN) - 1:
            levels[f"level_{len(levels) + 1}"] = np.arange(first, row + 1)
            first = row + 1
    return levels


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
