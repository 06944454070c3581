"""Windows rolled from their cutoffs: observational, under do, or from the reference history.

Axes: ``S`` samples, ``W`` windows, ``H`` horizon, ``J`` nodes, ``R`` rows = samples x windows,
``T`` steps of the rolled buffer, ``N`` series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.noise import standardized, uniforms
from lanecast.causal.scm.prepared import CutWindows, Prepared, cut
from lanecast.causal.scm.rollout import Hooks, Override, roll
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError, GraphError

_ROWS = 1 << 15  # rows rolled at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Soft:
    """Shift and scale of a node that goes on following its mechanism, in its own unit, [W, H]."""

    shift_WH: np.ndarray
    scale_WH: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is done to the windows: hard paths (NaN = untouched) and soft changes, by node."""

    hard: Mapping[str, np.ndarray] = field(default_factory=dict)  # [W, H] in the node's unit
    soft: Mapping[str, Soft] = field(default_factory=dict)

    def rows(self, chosen: np.ndarray) -> Action:
        """The same for some windows."""
        return Action(
            hard={name: path[chosen] for name, path in self.hard.items()},
            soft={
                name: Soft(shift_WH=change.shift_WH[chosen], scale_WH=change.scale_WH[chosen])
                for name, change in self.soft.items()
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """Paths of every node in link space, [S, W, H, J], and how to leave it."""

    x_SWHJ: Tensor
    names: tuple[str, ...]
    prepared: Prepared
    at: WindowIndex

    def link(self, name: str) -> np.ndarray:
        """A node's paths in the link's unit, less the series' level: differences are effects."""
        number = self.names.index(name)
        scale = float(self.prepared.space.scale_J[number])
        return (self.x_SWHJ[..., number] * scale).numpy()

    def natural(self, name: str) -> np.ndarray:
        """A node's paths in its own unit, [S, W, H]."""
        number = self.names.index(name)
        rows = torch.from_numpy(np.ascontiguousarray(self.at.series_W))
        return self.prepared.space.to_natural(self.x_SWHJ[..., number], rows, number).numpy()


# (prepared, windows of the chunk, their cut, number of samples) -> override of one node
Overriding = Callable[[Prepared, WindowIndex, CutWindows, int], Override]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """How to roll: ``samples`` None is one path without noise, 0/1 nodes at their probability.

    ``reference`` starts from the reference history with every treatment at its reference.
    ``override`` replaces the mechanism of a node; it can read ``min_back`` steps of history.
    ``filler`` stands in cells that are not visible, to prove that nobody reads them.
    ``training`` allows cutoffs before the end of the fit, for covariates of training windows.
    """

    samples: range | None = None
    seed: int = 0
    reference: bool = False
    override: Mapping[str, Overriding] = field(default_factory=dict)
    min_back: int = 0
    filler: float | None = None
    training: bool = False


def chain(
    layer: CausalLayer,
    panel: Panel,
    at: WindowIndex,
    *,
    horizon: int,
    action: Action | None = None,
    how: Chain | None = None,
) -> Rolled:
    """Roll the windows ``at``; with joins between levels whole cutoffs are rolled together."""
    how, action = how or Chain(), action or Action()
    _check(action, layer, (len(at), horizon))
    if len(at) and not how.training:
        layer.check(int(at.cutoff_W.min()))
    prepared = layer.prepare(panel)
    history = layer.reference_history(panel) if how.reference else None
    count = 1 if how.samples is None else len(how.samples)
    out = torch.empty(count, len(at), horizon, layer.wiring.num_nodes)
    for rows, whole, whole_action in _chunks(layer, panel, at, action, count):
        rolled = _roll_chunk(layer, panel, prepared, whole, horizon, whole_action, how, history)
        chosen = at.series_W[rows] if layer.wiring.joins else slice(None)
        out[:, torch.from_numpy(rows)] = rolled[:, chosen]
    return Rolled(x_SWHJ=out, names=layer.wiring.names, prepared=prepared, at=at)


def _check(action: Action, layer: CausalLayer, shape: tuple[int, int]) -> None:
    """GraphError for a node that is not there, ConfigError for a path that is none."""
    parts = [(name, path, False) for name, path in action.hard.items()]
    for name, soft in action.soft.items():
        parts += [(name, soft.shift_WH, True), (name, soft.scale_WH, True)]
    for name, path, whole in parts:
        if name not in layer.graph.order:
            raise GraphError(
                f"do({name}): the graph has no such node that is seen; it has"
                f" {', '.join(layer.graph.order)}"
            )
        if path.shape != shape:
            raise ConfigError(f"do({name}): a path of shape {path.shape} for windows of {shape}")
        if np.isinf(path).any() or (whole and np.isnan(path).any()):
            advice = "" if whole else "; NaN leaves a step alone"
            raise ConfigError(f"do({name}): a path must be finite{advice}")


def _chunks(
    layer: CausalLayer, panel: Panel, at: WindowIndex, action: Action, samples: int
) -> list[tuple[np.ndarray, WindowIndex, Action]]:
    """Rows of ``at``, and the windows that must be rolled to have them."""
    if not layer.wiring.joins:
        size = max(1, _ROWS // samples)
        parts = [np.arange(k, min(k + size, len(at))) for k in range(0, len(at), size)]
        return [(rows, at[rows], action.rows(rows)) for rows in parts]
    chunks = []
    everyone = np.arange(panel.num_series, dtype=np.int64)
    for cutoff in np.unique(at.cutoff_W):
        rows = np.flatnonzero(at.cutoff_W == cutoff)
        whole = WindowIndex(series_W=everyone, cutoff_W=np.full(len(everyone), cutoff, np.int64))
        chunks.append((rows, whole, _spread(action.rows(rows), at.series_W[rows], len(everyone))))
    return chunks


def _spread(action: Action, series: np.ndarray, num: int) -> Action:
    """An action on some series of a cutoff as one on all: the others are left alone."""
    hard = {}
    for name, path in action.hard.items():
        hard[name] = np.full((num, path.shape[1]), np.nan, path.dtype)
        hard[name][series] = path
    soft = {}
    for name, change in action.soft.items():
        shift = np.zeros((num, change.shift_WH.shape[1]), np.float32)
        scale = np.ones_like(shift)
        shift[series], scale[series] = change.shift_WH, change.scale_WH
        soft[name] = Soft(shift_WH=shift, scale_WH=scale)
    return Action(hard=hard, soft=soft)


def _roll_chunk(
    layer: CausalLayer,
    panel: Panel,
    prepared: Prepared,
    at: WindowIndex,
    horizon: int,
    action: Action,
    how: Chain,
    history_NTX: Tensor | None,
) -> Tensor:
    wiring = layer.wiring
    lag = max(wiring.lag, how.min_back)
    window = cut(
        prepared,
        at,
        horizon=horizon,
        lag=lag,
        history_NTX=history_NTX,
        newest_J=None if history_NTX is None else prepared.remade_J,
        filler=how.filler,
    )
    x, clamp = window.x_WTX.clone(), window.clamp_WTJ.clone()
    start = lag
    if how.reference:
        _set_reference(layer, prepared, at, x, clamp, start)
    back = window.back
    series = torch.from_numpy(np.ascontiguousarray(at.series_W))
    for name, path in action.hard.items():
        number = layer.node(name)
        value = prepared.space.to_link(torch.from_numpy(path).float(), series, number)
        known = torch.isfinite(value)
        x[:, back:, number] = torch.where(known, value, x[:, back:, number])
        clamp[:, back:, number] |= known
    count = 1 if how.samples is None else len(how.samples)
    noise, uniform = _noise(layer, panel, at, x.shape[1] - start, how)
    hooks = _hooks(layer, prepared, at, window, action, how)
    with torch.inference_mode():
        rolled = roll(
            layer.mechanisms,
            _repeated(x, count),
            clamp_RTJ=_repeated(clamp, count),
            context_RTF=_repeated(window.context_WTF, count),
            start=start,
            noise_RTJ=_padded(noise, start),
            uniform_RTJ=_padded(uniform, start),
            hooks=hooks,
        )
    nodes = wiring.num_nodes
    return rolled[:, back:, :nodes].reshape(count, len(at), horizon, nodes)


def _hooks(
    layer: CausalLayer,
    prepared: Prepared,
    at: WindowIndex,
    window: CutWindows,
    action: Action,
    how: Chain,
) -> Hooks:
    """Overrides, soft changes and joins of a chunk."""
    count = 1 if how.samples is None else len(how.samples)
    rows = torch.from_numpy(np.ascontiguousarray(at.series_W)).repeat(count)
    soft = {layer.node(name): change for name, change in action.soft.items()}
    return Hooks(
        override={
            layer.node(n): make(prepared, at, window, count) for n, make in how.override.items()
        },
        adjust={
            node: _adjuster(prepared, node, change, rows, window.back, count)
            for node, change in soft.items()
        },
        join=lambda x, number: prepared.space.joined(x, rows, number),
    )


def _set_reference(
    layer: CausalLayer, prepared: Prepared, at: WindowIndex, x: Tensor, clamp: Tensor, start: int
) -> None:
    """Treatments at their reference on every rolled step."""
    series = torch.from_numpy(np.ascontiguousarray(at.series_W))
    for name, value in layer.reference_levels().items():
        number = layer.node(name)
        if value is None:
            x[:, start:, number] = 0.0
        else:
            natural = torch.full((len(at), 1), value)
            x[:, start:, number] = prepared.space.to_link(natural, series, number)
        clamp[:, start:, number] = True


def _noise(
    layer: CausalLayer, panel: Panel, at: WindowIndex, steps: int, how: Chain
) -> tuple[Tensor | None, Tensor | None]:
    """Of the rolled steps: from the ragged edge on, which a reference history has in common."""
    if how.samples is None:
        return None, None
    nodes = layer.wiring.num_nodes
    keys = panel.noise_keys(at.series_W, at.cutoff_W)
    drawn = uniforms(keys, samples=how.samples, steps=steps, nodes=nodes, seed=how.seed)
    u = standardized(drawn, layer.noises, layer.noise_tables)
    return u, torch.from_numpy(drawn.astype(np.float32))


def _repeated(values_WTX: Tensor, count: int) -> Tensor:
    """Windows, sample after sample, [R, T, X]; rows last in memory, where a roll wants them."""
    return values_WTX.permute(1, 2, 0).repeat(1, 1, count).permute(2, 0, 1)


def _padded(noise_SWHJ: Tensor | None, start: int) -> Tensor | None:
    """Noise of the rolled steps, behind zeros for the steps that are only read; [R, T, J]."""
    if noise_SWHJ is None:
        return None
    samples, windows, steps, nodes = noise_SWHJ.shape
    padded_TJR = noise_SWHJ.new_zeros(start + steps, nodes, samples * windows)
    padded_TJR[start:] = noise_SWHJ.permute(2, 3, 0, 1).flatten(2)
    return padded_TJR.permute(2, 0, 1)


def _adjuster(
    prepared: Prepared, number: int, soft: Soft, rows: Tensor, back: int, count: int
) -> Callable[[Tensor, int], Tensor]:
    """Shift and scale in the node's unit on the steps ahead; exactly nothing elsewhere."""
    shift = torch.from_numpy(soft.shift_WH).float().repeat(count, 1)
    scale = torch.from_numpy(soft.scale_WH).float().repeat(count, 1)

    def adjust(value: Tensor, step: int) -> Tensor:
        if step < back:
            return value
        k, b = scale[:, step - back], shift[:, step - back]
        natural = prepared.space.to_natural(value[:, None], rows, number)[:, 0]
        changed = prepared.space.to_link((natural * k + b)[:, None], rows, number)[:, 0]
        return torch.where((k == 1) & (b == 0), value, changed)

    return adjust
