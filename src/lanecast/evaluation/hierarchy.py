"""Forecasts that add up: lanes to sites, sites to regions, regions to the network.

A hierarchy is a sparse summing matrix ``S``: every node is a sum of bottom series.  Reconciling
forecasts of all nodes is one projection, ``y = S P y_base``; applied to joint sample paths it gives
paths that add up, hence coherent distributions (Panagiotelis et al. 2023).  The projections are
those of hierarchicalforecast (Wickramasuriya, Athanasopoulos and Hyndman 2019).

| method | what it needs |
|---|---|
| bottom_up | nothing |
| ols, wls_struct | the structure |
| wls_var, mint_shrink | errors of past forecasts of every node, ``[M, T]`` |

Axes: ``M`` nodes, ``N`` bottom series, ``T`` past steps, ``S`` samples, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from lanecast.data.panel import Panel
from lanecast.errors import ConfigError, LanecastError

BOTTOM = "bottom"
TOTAL = "total"
NEEDS_ERRORS = ("wls_var", "mint_shrink")
METHODS = ("bottom_up", "ols", "wls_struct", *NEEDS_ERRORS)
DENSE_NODES = 3000  # up to so many nodes a projection is an ordinary matrix


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


def shrunk_errors(error_MT: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Errors checked for `reconcile`: one row per node, finite, at least two steps."""
    errors = np.asarray(error_MT, dtype=np.float64)
    if errors.ndim != 2 or errors.shape[0] != len(hierarchy.names) or errors.shape[1] < 2:
        raise LanecastError(
            f"past errors have shape {errors.shape}; reconciling {len(hierarchy.names)} nodes needs"
            " one row for each and at least 2 steps"
        )
    if (bad := np.flatnonzero(~np.isfinite(errors).all(axis=1))).size:
        raise LanecastError(
            f"past errors of node {hierarchy.names[bad[0]]!r} are not finite; leave those steps out"
        )
    return errors


def projection(hierarchy: Hierarchy, method: str, *, error_MT: np.ndarray | None = None) -> Any:
    """``P`` [N, M], a matrix or a linear operator: bottom values from forecasts of all nodes."""
    from hierarchicalforecast import methods

    if method not in METHODS:
        raise ConfigError(f"method {method!r} does not exist; choose from {', '.join(METHODS)}")
    nodes, bottom = hierarchy.sums_MN.shape
    if method == "bottom_up":
        return sparse.hstack(
            [sparse.csr_matrix((bottom, nodes - bottom)), sparse.identity(bottom)], format="csr"
        )
    given = {}
    if method in NEEDS_ERRORS:
        if error_MT is None:
            raise ConfigError(f"method={method} needs the errors of past forecasts of every node")
        errors = shrunk_errors(error_MT, hierarchy)
        given = {"y_insample": errors, "y_hat_insample": np.zeros_like(errors)}
    zeros = np.zeros((nodes, 1))
    if nodes <= DENSE_NODES:
        dense = methods.MinTrace(method).fit(S=hierarchy.sums_MN.toarray(), y_hat=zeros, **given)
        return np.asarray(dense.P)
    if method == "mint_shrink":
        raise ConfigError(
            f"mint_shrink holds a full {nodes} x {nodes} covariance; above {DENSE_NODES} nodes use"
            " wls_var or wls_struct"
        )
    found = methods.MinTraceSparse(method).fit(S=hierarchy.sums_MN.tocsr(), y_hat=zeros, **given)
    return found.P


def reconcile(hierarchy: Hierarchy, matrix_NM: Any, base_MX: np.ndarray) -> np.ndarray:
    """Coherent values of every node from base forecasts, [M, ...]: ``S P y``.

    Sample paths go in with their samples and steps behind the first axis, and come out joint.
    """
    base = np.asarray(base_MX, dtype=np.float64)
    if base.shape[0] != len(hierarchy.names):
        raise LanecastError(
            f"base forecasts of {base.shape[0]} nodes for a hierarchy of {len(hierarchy.names)};"
            " forecast every node, or aggregate the bottom series first"
        )
    flat = base.reshape(base.shape[0], -1)
    bottom = np.asarray(matrix_NM @ flat)
    return hierarchy.aggregate(bottom.reshape(hierarchy.num_bottom, *base.shape[1:]))


def coherent_do(
    hierarchy: Hierarchy, matrix_NM: Any, base_MX: np.ndarray, effect_NX: np.ndarray
) -> np.ndarray:
    """A scenario that adds up: ``S P y_base + S effect``, [M, ...].

    The baseline is reconciled once and the effect added from the bottom, so that a node none of
    whose series is acted on keeps every bit (reconciling each scenario apart would move it).
    """
    baseline = reconcile(hierarchy, matrix_NM, base_MX)
    effect = hierarchy.aggregate(np.asarray(effect_NX, dtype=np.float64))
    return np.where(effect == 0.0, baseline, baseline + effect)
