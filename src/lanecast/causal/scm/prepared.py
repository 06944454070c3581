"""A panel as the layer reads it: link space, joined columns, visibility, gaps filled in order.

Axes: ``N`` series, ``T`` steps, ``X`` nodes then joined columns, ``J`` nodes, ``W`` windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.graph.graph import Graph
from lanecast.causal.graph.publication import newest, remade_delays
from lanecast.causal.scm.context import Context
from lanecast.causal.scm.dense import Dense, LinkSpace, Space, bind, last_visible
from lanecast.causal.scm.mechanisms import Mechanisms
from lanecast.causal.scm.rollout import Hooks, roll
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Prepared:
    """``x`` holds 0, the typical level, where nothing is seen.

    What a join sums over holds nothing (the link of 0) before its series has begun.  ``whole`` is
    ``x`` with every gap filled by its mechanism, from the past alone; ``carried`` tells which
    series carry a node.  It does not hold the panel, so that it may live as long as the panel does.
    """

    start_N: Tensor
    keys_N: np.ndarray  # of `Panel.keys`
    space: Space
    x_NTX: Tensor
    seen_NTX: Tensor
    whole_NTX: Tensor
    context: Context
    carried_NJ: Tensor
    newest_J: np.ndarray  # newest visible step of each node relative to a cutoff
    remade_J: np.ndarray  # the same of the reference history

    def seen_at(self, step: int) -> Tensor:
        """What is known at ``step``, [N, step + 1, X]; a joined column as late as its source."""
        sources = [join.source for join in self.space.joins]
        newest_X = torch.from_numpy(np.concatenate([self.newest_J, self.newest_J[sources]]))
        seen_NTX = self.seen_NTX[:, : step + 1]
        return seen_NTX & (torch.arange(seen_NTX.shape[1])[:, None] <= step + newest_X)

    @property
    def context_TF(self) -> Tensor:
        """Calendar columns by step."""
        return self.context.dates_TF


def prepare(
    panel: Panel, graph: Graph, links: LinkSpace, *, at: int, mechanisms: Mechanisms | None
) -> Prepared:
    """Bind a panel; a series that the fit did not see is centered on its cells up to ``at``."""
    dense = Dense.of(panel, graph)
    space = bind(links, dense, at=at)
    linked = links.linked(dense.values_NTJ)
    seen = np.isfinite(linked)
    x = (linked - space.center_NJ.numpy()[:, None]) / space.scale_J.numpy()
    x_NTX = torch.from_numpy(np.where(seen, x, np.float32(0)).astype(np.float32))
    seen_NTX = torch.from_numpy(seen)
    if space.joins:
        x_NTX, seen_NTX = _with_joins(x_NTX, seen_NTX, space, torch.from_numpy(panel.start))
    context = links.context(panel)
    carriers = [graph.carriers(n, panel.attributes, panel.num_series) for n in graph.order]
    carried = torch.from_numpy(np.stack(carriers, axis=-1))
    whole = x_NTX
    if mechanisms is not None:
        whole = _filled(x_NTX, seen_NTX, context, panel, space, carried, mechanisms)
    return Prepared(
        start_N=torch.from_numpy(panel.start),
        keys_N=panel.keys,
        space=space,
        x_NTX=x_NTX,
        seen_NTX=seen_NTX,
        whole_NTX=whole,
        context=context,
        carried_NJ=carried,
        newest_J=last_visible(panel, graph),
        remade_J=newest(remade_delays(graph, panel.schema), graph),
    )


def _with_joins(
    x_NTJ: Tensor, seen_NTJ: Tensor, space: Space, start_N: Tensor
) -> tuple[Tensor, Tensor]:
    """Joined columns behind the nodes; seen where all is seen of what has begun, for receivers."""
    series, steps = x_NTJ.shape[:2]
    early_NT = torch.arange(steps) < start_N[:, None]
    x_NTJ = x_NTJ.clone()
    for join in space.joins:
        nothing = space.nothing(join.source)[:, None]
        x = x_NTJ[..., join.source]
        x_NTJ[..., join.source] = torch.where(early_NT & join.gives[:, None], nothing, x)
    x_MJ, rows = x_NTJ.transpose(0, 1).reshape(steps * series, -1), torch.arange(series)
    columns, seen = [x_NTJ], [seen_NTJ]
    for number, join in enumerate(space.joins):
        columns.append(
            space.joined(x_MJ, rows.repeat(steps), number).view(steps, series).T[..., None]
        )
        gone = (~seen_NTJ[..., join.source] & ~early_NT).float().T  # [T, N]
        missing = join.sums(gone).T > 0
        begun = join.sums((~early_NT).float().T).T > 0  # of series that receive anything
        seen.append((~missing & begun)[..., None])
    return torch.cat(columns, dim=-1), torch.cat(seen, dim=-1)


def _filled(
    x_NTX: Tensor,
    seen_NTX: Tensor,
    context: Context,
    panel: Panel,
    space: Space,
    carried_NJ: Tensor,
    mechanisms: Mechanisms,
) -> Tensor:
    """Gaps after a series' start take their mechanism's value, step by step."""
    wiring = mechanisms.wiring
    nodes = wiring.num_nodes
    steps = x_NTX.shape[1]
    step_T = torch.arange(steps)
    start = torch.from_numpy(panel.start)[:, None]
    end = torch.from_numpy(panel.end)[:, None]
    inside = (step_T >= start) & (step_T < end)
    # Nodes of another level are never filled; what is carried may not depend on later values.
    gap = inside[..., None] & ~seen_NTX[..., :nodes] & carried_NJ[:, None]
    if not gap.any():
        return x_NTX
    first = max(wiring.lag, int(torch.nonzero(gap.any(dim=0).any(dim=-1)).min()))
    if first >= steps:
        return x_NTX
    rows = torch.arange(len(x_NTX))
    hooks = Hooks(join=lambda x, number: space.joined(x, rows, number))
    with torch.no_grad():
        return roll(
            mechanisms,
            x_NTX,
            clamp_RTJ=~gap,
            context_RTF=context.whole(steps),
            start=first,
            hooks=hooks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CutWindows:
    """Windows as of their cutoffs: what is not visible is filler; ``start``: first rolled step.

    T: ``back`` steps up to the cutoff, then the horizon.
    """

    x_WTX: Tensor
    clamp_WTJ: Tensor
    context_WTF: Tensor
    start: int
    back: int


def cut(
    prepared: Prepared,
    at: WindowIndex,
    *,
    horizon: int,
    lag: int,
    history_NTX: Tensor | None = None,
    newest_J: np.ndarray | None = None,
    filler: float | None = None,
) -> CutWindows:
    """Windows ``at`` as of their cutoffs, with enough history to roll from the ragged edge on.

    ``history_NTX`` replaces the values (a reference history, say), ``newest_J`` their visibility.
    ``filler``: what stands in cells that are not visible (None: 0), to prove that nobody reads it.
    """
    newest_J = prepared.newest_J if newest_J is None else newest_J
    nodes = len(newest_J)
    ragged = int(max(0, -newest_J.min()))
    back = lag + ragged  # the first `lag` steps are only read
    ahead_T = torch.arange(1 - back, horizon + 1)
    series = torch.from_numpy(np.ascontiguousarray(at.series_W))
    cutoff = torch.from_numpy(np.ascontiguousarray(at.cutoff_W))
    step_WT = cutoff[:, None] + ahead_T
    steps = prepared.x_NTX.shape[1]
    inside_WT = (step_WT >= 0) & (step_WT < steps)
    clamped = step_WT.clamp(0, steps - 1)
    values = prepared.whole_NTX if history_NTX is None else history_NTX
    x = values[series[:, None], clamped].masked_fill(~inside_WT[..., None], 0.0)
    seen = prepared.seen_NTX[series[:, None], clamped] & inside_WT[..., None]
    clamp = seen[..., :nodes] & (ahead_T[:, None] <= torch.from_numpy(newest_J))
    settled = ahead_T <= -ragged  # every node of the step is published: gaps are filled already
    clamp = clamp | settled[:, None]
    blank = torch.zeros_like(x) if filler is None else torch.full_like(x, filler)
    hidden = torch.cat(
        [~clamp, ~settled[None, :, None].expand(*x.shape[:2], x.shape[2] - nodes)], -1
    )
    x = torch.where(hidden, blank, x)
    later = prepared.start_N[series] > cutoff
    for join in prepared.space.joins:  # a series that has not begun adds nothing to come either
        nothing = (later & join.gives[series])[:, None]
        zero = prepared.space.nothing(join.source)[series][:, None]
        x[..., join.source] = torch.where(nothing, zero, x[..., join.source])
        clamp[..., join.source] |= nothing
    return CutWindows(
        x_WTX=x,
        clamp_WTJ=clamp,
        context_WTF=prepared.context(series, step_WT),
        start=back - ragged,
        back=back,
    )
