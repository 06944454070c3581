"""The panel of a graph as dense arrays in link space, with joins between levels as extra columns.

Link space: the link of a node, less the typical level of its series (median over what the fit
knew), over one scale for the whole node; treatments are centered but not scaled, 0/1 nodes are left
as they are.  A per-window scaler would mix past actions into the level.
Axes: ``N`` series, ``T`` steps of the grid, ``J`` nodes in topological order, ``V`` joined columns,
``F`` calendar columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph, NodeKind
from lanecast.causal.graph.publication import delays, newest
from lanecast.causal.scm.context import Context, phases, profiles, restlessness
from lanecast.causal.scm.joins import JoinColumn, join_columns
from lanecast.data.links import _FLOOR, LARGEST, link_of, torch_inverse, torch_link
from lanecast.data.panel import Panel
from lanecast.errors import LeakageError, SchemaError


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """Values of a panel on its grid, NaN where the panel has none; natural units."""

    panel: Panel
    values_NTJ: np.ndarray  # float32
    context_TF: Tensor

    @classmethod
    def of(cls, panel: Panel, graph: Graph, *, steps: int | None = None) -> Dense:
        """Lay the graph's columns out on steps ``0 .. steps - 1`` (default: the panel's last)."""
        length = int(panel.end.max()) if steps is None else steps
        values = np.full((panel.num_series, length, len(graph.order)), np.nan, dtype=np.float32)
        lengths = np.diff(panel.offsets)
        owner = np.repeat(np.arange(panel.num_series), lengths)
        step = np.arange(panel.num_cells) + np.repeat(panel.start - panel.offsets[:-1], lengths)
        for number, name in enumerate(graph.order):
            column = graph.nodes[name].column
            if column is None or column not in panel.schema.stored:
                raise SchemaError(
                    f"node {name!r} reads column {column!r}, which this panel does not store; it"
                    f" has {list(panel.schema.stored)}"
                )
            values[owner, step, number] = panel.column(column).numpy()
        calendar = panel.calendar
        if len(calendar) < length:
            raise SchemaError(f"the calendar has {len(calendar)} steps, the panel {length}")
        return cls(panel=panel, values_NTJ=values, context_TF=calendar)


@dataclass
class LinkSpace:
    """Link, center and scale of every node; ``fit`` reads cells whose value is known at a step.

    ``known`` maps a series to its row of ``center_MJ``, which is NaN where the fit saw nothing: a
    series is then centered on its own cells up to the step it is asked at, or, before its first
    one, on the middle of the other series.
    """

    graph: Graph
    center_MJ: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    scale_J: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    joined: dict[str, tuple[dict[str, float], float]] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    profile_MPK: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 0), np.float32))
    restless_MK: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    fitted_until: int | None = None

    @property
    def links(self) -> tuple[str, ...]:
        """Link of each node."""
        return tuple(self.graph.nodes[name].link for name in self.graph.order)

    def fit(self, dense: Dense, *, until: int) -> Self:
        """Learn centers and scales from what is known at ``until``."""
        raw_NTJ = visible_values(dense, self.graph, until)
        for number, name in enumerate(self.graph.order):
            _refuse_beyond_link(raw_NTJ[..., number], name, self.links[number])
        y_NTJ = self.linked(raw_NTJ)
        middle = _nanmedian(y_NTJ)
        center = np.nan_to_num(middle)
        square = (y_NTJ - center[:, None]) ** 2
        empty_J = ~np.isfinite(square).any(axis=(0, 1))
        spread = np.sqrt(np.nanmean(np.where(empty_J, 0, square), axis=(0, 1)))
        size = np.abs(center).mean(axis=0)  # less than a share of it is rounding
        flat = ~np.isfinite(spread) | (spread <= _FLOOR * size)
        scale = np.where(flat, np.where(size > 0, size, 1.0), spread)
        for number, name in enumerate(self.graph.order):
            node = self.graph.nodes[name]
            if node.family == "bernoulli":
                middle[:, number] = center[:, number] = 0.0
            if node.kind is NodeKind.TREATMENT or node.family == "bernoulli":
                scale[number] = 1.0
        self.center_MJ = middle.astype(np.float32)
        self.scale_J = scale.astype(np.float32)
        self.known = {str(name): row for row, name in enumerate(dense.panel.series)}
        season, phase_T = phases(dense.panel)
        x_NTK = ((y_NTJ - center[:, None]) / scale)[..., self.seasonal]
        self.profile_MPK = profiles(x_NTK, phase_T, season)
        self.restless_MK = restlessness(x_NTK)
        self.fitted_until = until
        for join in join_columns(self.graph, dense.panel):
            raw_NT = _joined(join, dense, self.graph, until)
            middle_N = _nanmedian(raw_NT[..., None])[:, 0]
            with np.errstate(all="ignore"):
                spread_NT = (raw_NT - middle_N[:, None])[np.isfinite(raw_NT)]
                width = float(np.sqrt(np.mean(spread_NT**2))) if len(spread_NT) else 1.0
            names, finite_N = dense.panel.series, np.isfinite(middle_N)
            size = float(np.abs(middle_N[finite_N]).mean()) if finite_N.any() else 0.0
            centers = {str(names[i]): float(middle_N[i]) for i in join.rows if finite_N[i]}
            self.joined[join.name] = (centers, width if width > _FLOOR * size else size or 1.0)
        return self

    def centers(self, dense: Dense, *, at: int) -> np.ndarray:
        """Center of each series of a panel, [N, J]; a new one has its own up to step ``at``."""
        center_NJ = self._fitted(dense.panel)
        open_N = np.isnan(center_NJ).any(axis=1)
        if open_N.any():
            seen = visible_values(dense, self.graph, at)[open_N]
            own = _nanmedian(self.linked(seen))
            typical = _nanmedian(self.center_MJ[None])[0]
            own = np.where(np.isnan(own), np.nan_to_num(typical), own)
            center_NJ[open_N] = np.where(np.isnan(center_NJ[open_N]), own, center_NJ[open_N])
        return center_NJ.astype(np.float32)

    def newcomers(self, dense: Dense) -> np.ndarray:
        """Series with values of a node that the fit saw none of, [N] bool."""
        return (np.isnan(self._fitted(dense.panel)) & np.isfinite(dense.values_NTJ).any(1)).any(1)

    def join_centers(self, join: JoinColumn, dense: Dense, *, at: int) -> np.ndarray:
        """As `centers`, of a joined column, [N]; 0 for series that receive nothing."""
        centers = self.joined[join.name][0]
        names = [str(name) for name in dense.panel.series]
        center_N = np.array([centers.get(name, np.nan) for name in names])
        if np.isnan(center_N[join.rows]).any():
            own = _nanmedian(_joined(join, dense, self.graph, at)[..., None])[:, 0]
            typical = float(np.median(list(centers.values()))) if centers else 0.0
            own = np.where(np.isnan(own), typical, own)
            center_N = np.where(np.isnan(center_N), own, center_N)
        kept = np.zeros(len(names), np.float32)
        kept[join.rows] = center_N[join.rows]
        return kept

    def _fitted(self, panel: Panel) -> np.ndarray:
        """What the fit knows of the series of a panel, [N, J]; NaN where it saw nothing."""
        rows = np.array([self.known.get(str(name), -1) for name in panel.series], dtype=np.int64)
        center_NJ = np.full((len(rows), len(self.graph.order)), np.nan)
        center_NJ[rows >= 0] = self.center_MJ[rows[rows >= 0]]
        free = [self.graph.nodes[name].family == "bernoulli" for name in self.graph.order]
        center_NJ[:, np.array(free)] = 0.0
        return center_NJ

    @property
    def seasonal(self) -> list[int]:
        """Nodes that have a profile: neither 0/1 nor set by a planner."""
        nodes = [self.graph.nodes[name] for name in self.graph.order]
        return [
            number
            for number, node in enumerate(nodes)
            if node.family != "bernoulli" and node.kind is not NodeKind.TREATMENT
        ]

    def context(self, panel: Panel) -> Context:
        """Calendar and the series' own season; a new series has a flat and typical one."""
        _, phase_T = phases(panel)
        rows = np.array([self.known.get(str(name), -1) for name in panel.series])
        profile = self.profile_MPK[np.maximum(rows, 0)]
        restless = self.restless_MK[np.maximum(rows, 0)]
        profile[rows < 0], restless[rows < 0] = 0.0, 0.0
        return Context(
            dates_TF=panel.calendar,
            phase_T=torch.from_numpy(phase_T),
            profile_NPK=torch.from_numpy(profile),
            restless_NK=torch.from_numpy(restless),
        )

    def linked(self, values: np.ndarray) -> np.ndarray:
        """The link of natural values [..., J]."""
        out = values.astype(np.float32, copy=True)
        for number, link in enumerate(self.links):
            out[..., number] = link_of(out[..., number], link)
        return out

    def facts(self) -> dict[str, Any]:
        """What `restore` needs, JSON and arrays apart."""
        return {
            "series": list(self.known),
            "fitted_until": self.fitted_until,
            "joined": {name: [centers, width] for name, (centers, width) in self.joined.items()},
        }

    @classmethod
    def restore(
        cls, graph: Graph, facts: Mapping[str, Any], arrays: Mapping[str, Tensor]
    ) -> LinkSpace:
        """Take up what `facts` told."""
        return cls(
            graph=graph,
            center_MJ=arrays["center"].numpy(),
            scale_J=arrays["scale"].numpy(),
            profile_MPK=arrays["profile"].numpy(),
            restless_MK=arrays["restless"].numpy(),
            joined={
                name: (centers, float(width)) for name, (centers, width) in facts["joined"].items()
            },
            known={name: row for row, name in enumerate(facts["series"])},
            fitted_until=facts["fitted_until"],
        )

    def check(self, cutoff: int) -> None:
        """LeakageError for a window before the end of what the fit saw."""
        if self.fitted_until is None:
            raise LeakageError("the causal layer was never fitted; call fit(panel, until=...)")
        if cutoff < self.fitted_until:
            raise LeakageError(
                f"a window at cutoff {cutoff} would be read with mechanisms fitted until step"
                f" {self.fitted_until}; refit with until <= {cutoff}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """`LinkSpace` bound to the series of one panel; converts between units on tensors."""

    links: tuple[str, ...]
    center_NJ: Tensor
    scale_J: Tensor
    joins: tuple[JoinColumn, ...]
    join_center_VN: Tensor
    join_scale_V: Tensor

    def to_link(self, values: Tensor, rows: Tensor, node: int) -> Tensor:
        """Natural values [..., W, H] of one node in link space; ``rows`` [W] are series."""
        linked = torch_link(values, self.links[node])
        return (linked - self.center_NJ[rows, node][:, None]) / self.scale_J[node]

    def to_natural(self, x: Tensor, rows: Tensor, node: int) -> Tensor:
        """Link-space values [..., W, H] of one node in its own unit."""
        linked = x * self.scale_J[node] + self.center_NJ[rows, node][:, None]
        return torch_inverse(linked, self.links[node])

    def nothing(self, node: int) -> Tensor:
        """A natural 0 of one node in link space, by series, [N]."""
        zero = torch_link(torch.zeros(1), self.links[node])
        return (zero - self.center_NJ[:, node]) / self.scale_J[node]

    def joined(self, x_RJ: Tensor, rows: Tensor, number: int) -> Tensor:
        """Joined column ``number`` of one step, [R]; R holds all series, sample after sample."""
        join = self.joins[number]
        num = len(self.center_NJ)
        linked = x_RJ[:, join.source] * self.scale_J[join.source]
        linked = linked + self.center_NJ[rows, join.source]
        natural = torch_inverse(linked, self.links[join.source]).view(-1, num)
        total = join.sums(natural)
        out = torch_link(total, join.link) - self.join_center_VN[number]
        return (out / self.join_scale_V[number]).reshape(-1)


def bind(space: LinkSpace, dense: Dense, *, at: int) -> Space:
    """Centers of the panel's series, in its order; LeakageError before any fit."""
    space.check(at)
    joins = join_columns(space.graph, dense.panel)
    centers = np.array([space.join_centers(join, dense, at=at) for join in joins], np.float32)
    widths = [space.joined[join.name][1] for join in joins]
    return Space(
        links=space.links,
        center_NJ=torch.from_numpy(space.centers(dense, at=at)),
        scale_J=torch.from_numpy(space.scale_J),
        joins=joins,
        join_center_VN=torch.from_numpy(centers.reshape(len(joins), dense.panel.num_series)),
        join_scale_V=torch.tensor(widths),
    )


def visible_values(dense: Dense, graph: Graph, cutoff: int) -> np.ndarray:
    """Natural values with NaN wherever the value is not known at ``cutoff``, [N, T, J]."""
    last_J = last_visible(dense.panel, graph)
    step_T = np.arange(dense.values_NTJ.shape[1])
    hidden_TJ = step_T[:, None] > cutoff + last_J
    return np.where(hidden_TJ, np.float32(np.nan), dense.values_NTJ)


def _joined(join: JoinColumn, dense: Dense, graph: Graph, cutoff: int) -> np.ndarray:
    """Link of a joined column, [N, T]; NaN unless all that has begun is known at ``cutoff``."""
    values = visible_values(dense, graph, cutoff)
    begun_NT = np.arange(values.shape[1]) >= dense.panel.start[:, None]
    return join.linked(np.where(begun_NT[..., None], values, np.float32(0)))


def last_visible(panel: Panel, graph: Graph) -> np.ndarray:
    """Newest visible step of each node relative to the cutoff, [J]."""
    return newest(delays(graph, panel.schema), graph)


def _nanmedian(values: np.ndarray) -> np.ndarray:
    """Median over T of [N, T, J]; quietly NaN where nothing is there."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=1))


def _refuse_beyond_link(raw_NT: np.ndarray, name: str, link: str) -> None:
    """SchemaError where a node's values lie beyond what its log keeps apart."""
    if link == "identity":
        return
    positive = raw_NT[raw_NT > 0]  # NaN is not
    if not len(positive):
        return
    usual, largest = float(np.median(positive)), float(positive.max())
    if largest > LARGEST or (link == "log" and usual < _FLOOR):
        size = f"up to {largest:.3g}" if largest > LARGEST else f"usually {usual:.3g}"
        raise SchemaError(
            f"node {name!r} has link {link}, which keeps values from {_FLOOR:g} to {LARGEST:g}, but"
            f" its column is {size}; bring the column into another unit, or set link: identity"
        )
