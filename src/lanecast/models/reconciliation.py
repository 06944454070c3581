"""Forecasts that add up: one projection of the forecasts of every node.

Reconciling is ``y = S P y_base``; applied to joint sample paths it gives paths that add up, hence
coherent distributions (Panagiotelis et al. 2023).  The projections are those of hierarchicalforecast
(Wickramasuriya, Athanasopoulos and Hyndman 2019).

| method | what it needs |
|---|---|
| bottom_up | nothing |
| ols, wls_struct | the structure |
| wls_var, mint_shrink | errors of past forecasts of every node, ``[M, T]`` |

Axes: ``M`` nodes, ``N`` bottom series, ``T`` past steps, ``S`` samples, ``H`` horizon.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from lanecast.data.hierarchy import Hierarchy
from lanecast.errors import ConfigError, LanecastError

NEEDS_ERRORS = ("wls_var", "mint_shrink")
METHODS = ("bottom_up", "ols", "wls_struct", *NEEDS_ERRORS)
DENSE_NODES = 3000  # up to so many nodes a projection is an ordinary matrix


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
