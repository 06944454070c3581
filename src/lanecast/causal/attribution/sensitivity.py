"""Bounds for an effect that is refused: how far a hidden common cause could have carried it.

The hidden cause ties the residuals of treatment and outcome by a correlation of at most r.  A bias
``b`` of the lag-0 edge then hides in the outcome's mechanism: taken out, it leaves the fit to the
data as it is,

    mu_b = mu - b (a - E[a | other inputs of the outcome]),

with the expectation linear, in link space.  Biases across ``|b| <= b(r)`` are rolled, and what lies
between them is the band.  Own lags of a node with memories read deviations from the fitted memory
part, so that there the fit is left as it is to first order only.
Axes: ``W`` windows, ``H`` horizon, ``E`` slots, ``R`` rows, ``F`` calendar columns.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch

from lanecast.causal.falsification.innovations import Innovations, innovations
from lanecast.causal.falsification.standard_errors import product
from lanecast.causal.graph.identify import bounds
from lanecast.causal.scm.chaining import Action, Chain, chain
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import GraphError, SchemaError

_POINTS = 5  # biases rolled across the band, its ends included


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """The lag-0 edge and how wrong it may be, in link space (each node over its own scale).

    ``fitted`` is the mean slope of the fit, ``beta`` that slope with what the residuals still hold
    of the treatment (one step toward the regression's own), the middle of ``low .. high``; these
    hold the bias of hidden causes up to ``max_correlation`` and ``margin`` for the sampling error
    of ``beta``.
    """

    treatment: str
    outcome: str
    max_correlation: float
    fitted: float
    beta: float
    s_outcome: float
    s_treatment: float
    margin: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Largest bias considered, to either side."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Paths of the outcome under the action, in its unit; the middle takes the fit at its word."""

    sensitivity: Sensitivity
    low_WH: np.ndarray
    middle_WH: np.ndarray
    high_WH: np.ndarray

    def covers(self, path_WH: np.ndarray) -> np.ndarray:
        """Where a path lies inside, [W, H]."""
        return (self.low_WH <= path_WH) & (path_WH <= self.high_WH)


def sensitivity(
    layer: CausalLayer,
    panel: Panel,
    *,
    treatment: str,
    outcome: str | None = None,
    max_correlation: float,
    z: float = 1.96,
) -> Sensitivity:
    """How far the treatment's lag-0 slope may be off, from the residuals of the layer's own fit.

    ``z`` standard errors of the slope (clustered by day and by series) are added to the bias; with
    0 the sampling error is left out.
    """
    edge = _Edge.of(layer, panel, treatment, outcome or layer.graph.target)
    return _sensitivity(edge, max_correlation, z)


def band(
    layer: CausalLayer,
    panel: Panel,
    at: WindowIndex,
    *,
    horizon: int,
    action: Action,
    treatment: str,
    outcome: str | None = None,
    max_correlation: float,
    z: float = 1.96,
    how: Chain | None = None,
) -> Band:
    """Where the outcome's mean path under ``action`` may lie if hidden causes correlate by <= r.

    ``how`` rolls it: without samples it is the path without noise, else the mean over samples, all
    biases with the same noise.
    """
    edge = _Edge.of(layer, panel, treatment, outcome or layer.graph.target)
    sensitivity = _sensitivity(edge, max_correlation, z)
    paths = []
    for slope in (sensitivity.fitted, *np.linspace(sensitivity.low, sensitivity.high, _POINTS)):
        twin = edge.without(sensitivity.fitted - float(slope))
        rolled = chain(twin, panel, at, horizon=horizon, action=action, how=how)
        paths.append(rolled.natural(sensitivity.outcome).mean(axis=0))
    paths_PWH = np.stack(paths)
    return Band(
        sensitivity=sensitivity,
        low_WH=paths_PWH.min(axis=0),
        middle_WH=paths_PWH[0],
        high_WH=paths_PWH.max(axis=0),
    )


def _sensitivity(edge: _Edge, max_correlation: float, z: float) -> Sensitivity:
    fitted, s_outcome, s_treatment = edge.slope(), edge.outcome_sd(), edge.treatment_sd()
    series_R, day_R = np.nonzero(edge.rows_NT)
    left = product(edge.residual_R, edge.left_R, series_R=series_R, day_R=day_R)
    beta = fitted + left.slope
    low, high = bounds(beta, s_outcome, s_treatment, max_correlation=max_correlation)
    return Sensitivity(
        treatment=edge.treatment,
        outcome=edge.outcome,
        max_correlation=max_correlation,
        fitted=fitted,
        beta=beta,
        s_outcome=s_outcome,
        s_treatment=s_treatment,
        margin=z * left.error,
        low=low - z * left.error,
        high=high + z * left.error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    """A confounded lag-0 edge on the rows of the fit, and the treatment told by the other inputs.

    ``intercept + context_F c + others_E z`` is E[a | other inputs], ``left_R`` what it leaves.
    """

    layer: CausalLayer
    residuals: Innovations
    treatment: str
    outcome: str
    slot: int
    rows_NT: np.ndarray
    residual_R: np.ndarray  # of the outcome, link space
    left_R: np.ndarray
    intercept: float
    context_F: np.ndarray
    others_E: np.ndarray

    @classmethod
    def of(cls, layer: CausalLayer, panel: Panel, treatment: str, outcome: str) -> _Edge:
        """The edge as the layer fitted it, with the innovations of its nodes."""
        slot = _slot(layer, treatment, outcome)
        assert layer.fitted_until is not None
        residuals = innovations(layer, panel, first=0, last=layer.fitted_until)
        node = layer.node(outcome)
        rows_NT = residuals.valid_NTJ[..., node]
        if not rows_NT.any():
            raise SchemaError(
                f"no row before the end of the fit holds {outcome!r} and all its parents in this"
                " panel; give the panel that the layer was fitted on"
            )
        inputs_RE = residuals.input_NTJE[:, :, node][rows_NT].astype(np.float64)
        open_E = layer.wiring.mask_JE[node].numpy().copy()
        open_E[slot] = False
        context_RF = residuals.context_NTF[rows_NT]
        regressors_RK = np.concatenate(
            [np.ones((len(inputs_RE), 1)), context_RF, inputs_RE[:, open_E]], axis=1
        )
        a_R = inputs_RE[:, slot]
        weight_K = np.linalg.pinv(regressors_RK.T @ regressors_RK, rcond=1e-10) @ (
            regressors_RK.T @ a_R
        )
        others_E = np.zeros(len(open_E))
        others_E[open_E] = weight_K[1 + context_RF.shape[1] :]
        return cls(
            layer=layer,
            residuals=residuals,
            treatment=treatment,
            outcome=outcome,
            slot=slot,
            rows_NT=rows_NT,
            residual_R=(residuals.u_NTJ[..., node] / residuals.weight_NTJ[..., node])[rows_NT],
            left_R=a_R - regressors_RK @ weight_K,
            intercept=float(weight_K[0]),
            context_F=weight_K[1 : 1 + context_RF.shape[1]],
            others_E=others_E,
        )

    def outcome_sd(self) -> float:
        """Residual sd of the outcome, less the degrees of freedom of each series' own season."""
        phases = self.layer.prepare(self.residuals.panel).context.profile_NPK.shape[1]
        count_N = self.rows_NT.sum(axis=1)
        free = np.maximum(count_N - phases, 1)[count_N > 0].sum()
        return float(np.sqrt((self.residual_R**2).sum() / free))

    def treatment_sd(self) -> float:
        """Residual sd of the policy: its own surprise, in link space."""
        node = self.layer.node(self.treatment)
        rows_NT = self.residuals.valid_NTJ[..., node]
        u_R = self.residuals.u_NTJ[..., node][rows_NT]
        if not self.layer.wiring.bernoulli_J[node]:
            u_R = u_R / self.residuals.weight_NTJ[..., node][rows_NT]
        return float(np.sqrt((u_R.astype(np.float64) ** 2).mean()))

    def slope(self) -> float:
        """d mu / d a at lag 0, mean over the rows of the fit."""
        mechanisms, node = self.layer.mechanisms, self.layer.node(self.outcome)
        at, gates = torch.tensor([node]), mechanisms.gate_slots(mechanisms.gates())
        inputs = torch.from_numpy(self.residuals.input_NTJE[:, :, node][self.rows_NT])
        context = torch.from_numpy(self.residuals.context_NTF[self.rows_NT]).float()
        with torch.enable_grad():
            z = inputs[:, None].clone().requires_grad_()
            mu = mechanisms.action_part(z, context, gates, at)
            mu = mu + mechanisms.rest_part(z, context, gates, at)[0]
            (slope,) = torch.autograd.grad(mu.sum(), z)
        return float(slope[:, 0, self.slot].double().mean())

    def without(self, bias: float) -> CausalLayer:
        """The layer with ``bias`` taken out of the edge; the fit to the data stays as it is."""
        node = self.layer.node(self.outcome)
        mechanisms = deepcopy(self.layer.mechanisms)
        with torch.no_grad():
            open_E = mechanisms.gate_slots(mechanisms.gates())[node]
            free_E = (mechanisms.sign[node] == 0).float() * open_E
            slots = len(free_E)
            # gates and signs become part of the weights, so that any bias can be added to them
            mechanisms.linear[node] = mechanisms._linear()[node] * open_E
            for first in (mechanisms.first_rest, mechanisms.first_action):
                first[node, :slots] *= free_E[:, None]
            mechanisms.sign, mechanisms.gate_of = (
                mechanisms.sign.clone(),
                mechanisms.gate_of.clone(),
            )
            mechanisms.sign[node], mechanisms.gate_of[node] = 0.0, -1
            mechanisms.linear[node] += bias * torch.from_numpy(self.others_E).float()
            mechanisms.linear[node, self.slot] -= bias
            mechanisms.context[node] += bias * torch.from_numpy(self.context_F).float()
            mechanisms.bias[node] += bias * self.intercept
        return self.layer.with_mechanisms(mechanisms)


def _slot(layer: CausalLayer, treatment: str, outcome: str) -> int:
    """Slot of the treatment's lag-0 edge; GraphError where there is nothing to bound."""
    graph, wiring = layer.graph, layer.wiring
    for name in (treatment, outcome):
        if name not in graph.order:
            raise GraphError(
                f"there is no seen node {name!r}; the graph has {', '.join(graph.order)}"
            )
    pair = {treatment, outcome}
    if not any(set(tie) == pair for tie in graph.bidirected):
        raise GraphError(
            f"no bidirected edge joins {treatment} and {outcome}: ask for the effect itself, or"
            " declare the pair in bidirected:"
        )
    node, number = layer.node(outcome), layer.node(treatment)
    slots_E = (wiring.source_JE[node] == number) & (wiring.lag_JE[node] == 0) & wiring.mask_JE[node]
    if not slots_E.any():
        raise GraphError(
            f"{treatment} has no edge of lag 0 to {outcome}, and bounds are known for that edge"
            " alone; give the edge lag 0, or measure the hidden cause"
        )
    return int(torch.nonzero(slots_E)[0])
