"""A one-step network in the place of the target's mechanism, chained by the causal layer.

Axes: ``R`` rows of a rollout, ``T`` steps of its buffer, ``L`` context of the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.prepared import CutWindows, Prepared
from lanecast.causal.scm.rollout import Override
from lanecast.data.gather import WindowBatch
from lanecast.data.links import torch_link
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.models.deep.module import ForecastModule

_BATCH = 8192
_INTERVAL_80 = 2.5631  # width of a standard normal's central 80 %


@dataclass(frozen=True, slots=True, kw_only=True)
class OneStep:
    """A trained module of horizon 1 and the view of the panel it reads."""

    module: ForecastModule
    view: Panel
    context: int
    rows_of: Callable[[np.ndarray], np.ndarray]  # series of the layer's panel -> of the view

    def overriding(
        self, layer: CausalLayer
    ) -> Callable[[Prepared, WindowIndex, CutWindows, int], Override]:
        """What `lanecast.causal.scm.chaining.Chain.override` wants for the target."""
        graph = layer.graph
        node_of = {str(graph.nodes[name].column): layer.node(name) for name in graph.order}
        target = layer.node(graph.target)

        def make(prepared: Prepared, at: WindowIndex, window: CutWindows, count: int) -> Override:
            series = torch.from_numpy(np.ascontiguousarray(at.series_W)).repeat(count)
            rows = torch.from_numpy(self.rows_of(at.series_W)).repeat(count)
            first = torch.from_numpy(np.ascontiguousarray(at.cutoff_W)).repeat(count) + 1
            first = first - window.back
            known = [node_of[name] for name in self.view.schema.known]

            def override(x: Tensor, step: int) -> tuple[Tensor, Tensor]:
                batch = self._batch(x, step, prepared, series, rows, first, target, known)
                return self._answer(batch, prepared, series, target)

            return override

        return make

    def _batch(
        self,
        x: Tensor,
        step: int,
        prepared: Prepared,
        series: Tensor,
        rows: Tensor,
        first: Tensor,
        target: int,
        known: list[int],
    ) -> WindowBatch:
        space, view = prepared.space, self.view
        span = slice(step - self.context, step + 1)
        when = first[:, None] + torch.arange(span.start, span.stop)
        seen = when >= torch.from_numpy(view.start)[rows][:, None]
        y = space.to_natural(x[:, span, target], series, target).masked_fill(~seen, 0.0)
        columns = [space.to_natural(x[:, span, node], series, node) for node in known]
        empty = x.new_zeros(*when.shape, 0)
        covariates = torch.stack(columns, dim=-1) if columns else empty
        covariates = covariates.masked_fill(~seen[..., None], 0.0)
        dates = view.calendar[when.clamp(0, len(view.calendar) - 1)]
        both = torch.cat([covariates, dates], dim=-1)
        seen_twice = seen[..., None].expand_as(both)
        static = view.statics[rows] if view.statics.numel() else x.new_zeros(len(x), 0)
        return WindowBatch(
            past_BLP=y[:, :-1, None],
            seen_BLP=seen[:, :-1, None],
            known_past_BLK=both[:, :-1],
            known_past_seen_BLK=seen_twice[:, :-1],
            future_BHK=both[:, -1:],
            future_seen_BHK=seen_twice[:, -1:],
            static_BC=static,
            series_B=rows,
            cutoff_B=when[:, -2],
        )

    def _answer(
        self, batch: WindowBatch, prepared: Prepared, series: Tensor, target: int
    ) -> tuple[Tensor, Tensor]:
        """``mu`` and ``s`` of the target in link space: the median and a normal's width."""
        space, module = prepared.space, self.module
        levels = module.loss.levels
        low, high = levels.index(0.1), levels.index(0.9)
        mus, spreads = [], []
        for k in range(0, len(series), _BATCH):
            rows = torch.arange(k, min(k + _BATCH, len(series)))
            output = module(batch.rows(rows))
            grid = module.loss.grid(output.raw_BHm)
            assert grid is not None
            natural = module.scaler.inverse(grid, output.scale)[:, 0]
            linked = torch_link(natural, space.links[target])
            linked = linked - space.center_NJ[series[rows], target][:, None]
            linked = linked / space.scale_J[target]
            mus.append(linked[:, levels.index(0.5)])
            spreads.append((linked[:, high] - linked[:, low]) / _INTERVAL_80)
        return torch.cat(mus), torch.cat(spreads).clamp(min=1e-3)
