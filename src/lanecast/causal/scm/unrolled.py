"""Windows as the layer rolls them, for those who look inside a rollout step by step.

Axes: ``W`` windows, ``T`` steps of the buffer, ``X`` nodes then joined columns, ``J`` nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.prepared import CutWindows, Prepared, cut
from lanecast.causal.scm.rollout import Hooks, roll
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError, GraphError


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrolled:
    """One layer, one set of windows, as of their cutoffs; rolls without chunks and samples."""

    layer: CausalLayer
    prepared: Prepared
    at: WindowIndex
    window: CutWindows
    horizon: int

    @classmethod
    def of(cls, layer: CausalLayer, panel: Panel, at: WindowIndex, horizon: int) -> Unrolled:
        """Cut the windows; with joins between levels they must be whole cutoffs, in order."""
        if not len(at):
            raise ConfigError("there is no window to look into")
        layer.check(int(at.cutoff_W.min()))
        if layer.wiring.joins:
            everyone = np.arange(panel.num_series)
            whole = np.tile(everyone, len(at) // max(1, panel.num_series))
            if not np.array_equal(at.series_W, whole):
                raise GraphError(
                    "the graph joins levels: give every series of each cutoff, in the order of the"
                    " panel"
                )
        prepared = layer.prepare(panel)
        window = cut(prepared, at, horizon=horizon, lag=layer.wiring.lag)
        return cls(layer=layer, prepared=prepared, at=at, window=window, horizon=horizon)

    @property
    def rows(self) -> Tensor:
        """Series of each window."""
        return torch.from_numpy(np.ascontiguousarray(self.at.series_W))

    @property
    def back(self) -> int:
        """Steps of the buffer up to the cutoff."""
        return self.window.back

    def to_link(self, name: str, path_WH: np.ndarray) -> Tensor:
        """A path in the node's unit, in link space; ConfigError if it is of another shape."""
        if path_WH.shape != (len(self.at), self.horizon):
            raise ConfigError(
                f"do({name}): a path of shape {path_WH.shape} for windows of"
                f" {(len(self.at), self.horizon)}"
            )
        values = torch.from_numpy(np.ascontiguousarray(path_WH)).float()
        return self.prepared.space.to_link(values, self.rows, self.layer.node(name))

    def natural(self, x_RH: Tensor, node: int) -> Tensor:
        """Link space to the node's unit; rows are windows, time after time."""
        times = len(x_RH) // len(self.at)
        return self.prepared.space.to_natural(x_RH, self.rows.repeat(times), node)

    def with_paths(self, paths: dict[str, Tensor]) -> Unrolled:
        """The same windows with nodes held at link-space paths [W, H], NaN where left alone."""
        x, clamp = self.window.x_WTX.clone(), self.window.clamp_WTJ.clone()
        for name, path in paths.items():
            node, held = self.layer.node(name), torch.isfinite(path)
            x[:, self.back :, node] = torch.where(held, path, x[:, self.back :, node])
            clamp[:, self.back :, node] |= held
        return replace(self, window=replace(self.window, x_WTX=x, clamp_WTJ=clamp))

    def hooks(self, times: int = 1) -> Hooks:
        """Joined columns, for buffers that hold the windows so many times."""
        rows, space = self.rows.repeat(times), self.prepared.space
        return Hooks(join=lambda step, number: space.joined(step, rows, number))

    def rolled(self, **options: Any) -> Tensor:
        """The mean path of every column, [W, T, X]; ``options`` go to `rollout.roll`."""
        with torch.inference_mode():
            return roll(
                self.layer.mechanisms,
                self.window.x_WTX,
                clamp_RTJ=self.window.clamp_WTJ,
                context_RTF=self.window.context_WTF,
                start=self.window.start,
                hooks=self.hooks(),
                **options,
            ).clone()
