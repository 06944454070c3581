"""Forecasts that add up: one projection of the forecasts of every node.

Reconciling is ``y = S P y_base``; applied to joint sample paths it gives paths that add up, hence
coherent distributions (Panagiotelis et al. 2023).  The projections are those of
hierarchicalforecast.

| method | what it needs | source |
|---|---|---|
| bottom_up | nothing | |
| top_down | past values of every node, for the shares | Gross and Sohl 1990 |
| ols, wls_struct | the structure | Wickramasuriya et al. 2019 |
| wls_var, mint_shrink | errors of past forecasts of every node | Wickramasuriya et al. 2019 |
| erm, erm_lasso | past values and forecasts of every node | Ben Taieb and Koo 2019 |

Axes: ``M`` nodes, ``N`` bottom series, ``T`` past steps, ``S`` samples, ``H`` horizon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from lanecast.data.hierarchy import Hierarchy
from lanecast.errors import ConfigError, LanecastError

NEEDS_PAST = ("top_down", "wls_var", "mint_shrink", "erm", "erm_lasso")
METHODS = ("bottom_up", "ols", "wls_struct", *NEEDS_PAST)
DENSE_NODES = 3000  # up to so many nodes a projection is an ordinary matrix
LASSO_CELLS = 50_000_000  # of the design matrix of erm_lasso


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What every node was and what had been forecast, both out of sample or both in sample."""

    actual_MT: np.ndarray
    forecast_MT: np.ndarray

    def checked(self, hierarchy: Hierarchy) -> Past:
        """As float64; LanecastError unless there is a finite row of two steps for every node."""
        arrays = [np.asarray(x, dtype=np.float64) for x in (self.actual_MT, self.forecast_MT)]
        for name, values in zip(("actual", "forecast"), arrays, strict=True):
            if (
                values.shape != arrays[0].shape
                or values.ndim != 2
                or values.shape[0] != len(hierarchy.names)
                or values.shape[1] < 2
            ):
                raise LanecastError(
                    f"past {name} values have shape {values.shape}; reconciling"
                    f" {len(hierarchy.names)} nodes needs one row for each and at least 2 steps"
                )
            if (bad := np.flatnonzero(~np.isfinite(values).all(axis=1))).size:
                raise LanecastError(
                    f"past {name} values of node {hierarchy.names[bad[0]]!r} are not finite; leave"
                    " those steps out"
                )
        return Past(actual_MT=arrays[0], forecast_MT=arrays[1])

    def rows(self, kept_M: np.ndarray) -> Past:
        """Some nodes."""
        return Past(actual_MT=self.actual_MT[kept_M], forecast_MT=self.forecast_MT[kept_M])


def projection(hierarchy: Hierarchy, method: str, *, past: Past | None = None) -> Any:
    """``P`` [N, M], a matrix or a linear operator: bottom values from forecasts of all nodes."""
    if method not in METHODS:
        raise ConfigError(f"method {method!r} does not exist; choose from {', '.join(METHODS)}")
    nodes, bottom = hierarchy.sums_MN.shape
    if method == "bottom_up":
        return sparse.hstack(
            [sparse.csr_matrix((bottom, nodes - bottom)), sparse.identity(bottom)], format="csr"
        )
    if method in NEEDS_PAST:
        if past is None:
            raise ConfigError(f"method={method} needs past values and forecasts of every node")
        past = past.checked(hierarchy)
    if method == "top_down":
        return _top_down(hierarchy, past)
    if method.startswith("erm"):
        return _empirical(hierarchy, method, past)
    return _min_trace(hierarchy, method, past)


def _min_trace(hierarchy: Hierarchy, method: str, past: Past | None) -> Any:
    from hierarchicalforecast import methods

    nodes = len(hierarchy.names)
    residuals = {}
    if past is not None:
        errors = past.actual_MT - past.forecast_MT
        # The library's floors are absolute: errors near 1, by a power of two, which rounds nothing.
        usual = float(np.abs(errors).mean())
        errors = errors / 2.0 ** np.round(np.log2(usual)) if usual > 0 else errors
        residuals = {"y_insample": errors, "y_hat_insample": np.zeros_like(errors)}
    zeros = np.zeros((nodes, 1))
    if nodes <= DENSE_NODES:
        dense = methods.MinTrace(method).fit(
            S=hierarchy.sums_MN.toarray(), y_hat=zeros, **residuals
        )
        return np.asarray(dense.P)
    if method == "mint_shrink":
        raise ConfigError(
            f"mint_shrink holds a full {nodes} x {nodes} covariance; above {DENSE_NODES} nodes use"
            " wls_var or wls_struct"
        )
    fitted = methods.MinTraceSparse(method).fit(
        S=hierarchy.sums_MN.tocsr(), y_hat=zeros, **residuals
    )
    return fitted.P


def _top_down(hierarchy: Hierarchy, past: Past | None) -> Any:
    """Every series its share of the total, as in the mean of the past."""
    from hierarchicalforecast import methods

    assert past is not None
    bottom = hierarchy.num_bottom
    if hierarchy.sums_MN[0].nnz != bottom or hierarchy.num_upper == 0:
        raise ConfigError(
            f"top_down splits the first node, but {hierarchy.names[0]!r} does not sum every series;"
            " put the total first (levels: [[], ...])"
        )
    if not past.actual_MT[0].any():
        raise LanecastError("top_down: the total was 0 in all past steps, so nothing has a share")
    fitted = methods.TopDownSparse("proportion_averages").fit(
        S=hierarchy.sums_MN.tocsr(),
        y_hat=np.zeros((len(hierarchy.names), 1)),
        y_insample=past.actual_MT,
    )
    return fitted.P


def _empirical(hierarchy: Hierarchy, method: str, past: Past | None) -> Any:
    """The projection that would have been best on the past; it may bias what was unbiased."""
    from hierarchicalforecast import methods

    assert past is not None
    nodes, steps = past.actual_MT.shape
    cells = nodes * steps * nodes * hierarchy.num_bottom
    if method == "erm" and steps < nodes:
        raise ConfigError(
            f"erm fits {nodes} weights a series to {steps} past steps, which determine no more than"
            f" {steps}; take more past (hierarchy.past.steps), or erm_lasso or mint_shrink"
        )
    if method == "erm_lasso" and cells > LASSO_CELLS:
        raise ConfigError(
            f"erm_lasso would hold a design matrix of {cells:.2g} cells; use mint_shrink, or fewer"
            " nodes or past steps"
        )
    kind = "closed" if method == "erm" else "reg_bu"
    fitted = methods.ERM(kind).fit(
        S=hierarchy.sums_MN.toarray(),
        y_hat=np.zeros((nodes, steps)),  # its width says how many past steps count
        y_insample=past.actual_MT,
        y_hat_insample=past.forecast_MT,
    )
    return np.asarray(fitted.P)


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
