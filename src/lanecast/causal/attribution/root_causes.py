"""Root cause of a miss: whose surprises turned the forecast into what happened?

The noise of a realized window is abducted, and the game is played over nodes: ``v(S)`` is the
outcome's path when the nodes in S have their noise and the others have none, so that ``v()`` is the
forecast and ``v(all)`` what happened.  A 0/1 node in S takes the values that it had.  Shapley
values share ``v(all) - v()`` exactly: over all subsets up to `EXACT` players, else over seeded
permutations, each walked in both directions.
Axes: ``W`` windows, ``H`` horizon, ``T`` steps of the buffer, ``J`` nodes, ``P`` players.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.scm.layer import CausalLayer
from lanecast.causal.scm.rollout import roll
from lanecast.causal.scm.unrolled import Unrolled
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError, SchemaError

EXACT = 8
_ROWS = 1 << 14  # rows rolled at once

Coalition = frozenset[int]
Value = Callable[[Sequence[Coalition]], np.ndarray]  # coalitions -> [len, W, H]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """``forecast + sum of shares = rebuilt``, cell by cell in the outcome's unit; by node [W, H].

    ``rebuilt`` is what the abducted noise makes of the mechanisms; ``actual`` what the panel holds.
    """

    outcome: str
    forecast_WH: np.ndarray
    rebuilt_WH: np.ndarray
    actual_WH: np.ndarray
    shares: dict[str, np.ndarray]

    @property
    def gap(self) -> float:
        """Largest cell of ``rebuilt - forecast - sum of shares``; 0 up to rounding."""
        shares_WH = sum(self.shares.values(), np.zeros_like(self.forecast_WH))
        missing = np.abs(self.rebuilt_WH - self.forecast_WH - shares_WH)
        return float(missing.max(initial=0.0))

    @property
    def totals(self) -> dict[str, float]:
        """Each node's share summed over windows and steps, the largest first."""
        sums = {name: float(share.sum()) for name, share in self.shares.items()}
        return dict(sorted(sums.items(), key=lambda item: -abs(item[1])))


def root_cause(
    layer: CausalLayer,
    panel: Panel,
    at: WindowIndex,
    *,
    horizon: int,
    outcome: str | None = None,
    permutations: int = 32,
    seed: int = 0,
) -> Miss:
    """Share the miss of the windows ``at``, all of whose steps have happened, among the nodes.

    Players are the outcome and its ancestors, as far as they were not known at the cutoff.  What
    was missing is filled by its mechanism and surprises nobody.
    """
    name = outcome or layer.graph.target
    plain = Unrolled.of(layer, panel, at, horizon)
    node = layer.node(name)
    actual = _actual(plain, node, name)
    noise, happened = _abducted(plain)
    reach = {name, *layer.graph.ancestors(name)}
    open_J = ~plain.window.clamp_WTJ[:, plain.window.start :].all(dim=0).all(dim=0)
    players = [k for k, n in enumerate(layer.wiring.names) if n in reach and bool(open_J[k])]

    def value(coalitions: Sequence[Coalition]) -> np.ndarray:
        return _played(plain, coalitions, players, noise, happened, node)

    if len(players) <= EXACT:
        shares, ends = _exact(value, len(players))
    else:
        shares, ends = _sampled(value, len(players), permutations=permutations, seed=seed)
    names = [layer.wiring.names[k] for k in players]
    return Miss(
        outcome=name,
        forecast_WH=ends[0],
        rebuilt_WH=ends[1],
        actual_WH=actual,
        shares=dict(zip(names, shares, strict=True)),
    )


def _actual(plain: Unrolled, node: int, name: str) -> np.ndarray:
    """What happened to the outcome, [W, H]; SchemaError where it is not known yet."""
    prepared, at = plain.prepared, plain.at
    last = int(at.cutoff_W.max()) + plain.horizon
    steps = prepared.x_NTX.shape[1]
    when = torch.from_numpy(np.ascontiguousarray(at.cutoff_W))[:, None]
    when = when + torch.arange(1, plain.horizon + 1)
    if last >= steps or not prepared.seen_NTX[plain.rows[:, None], when, node].all():
        raise SchemaError(
            f"{name!r} is not known for every step of these windows (they end at step {last}); a"
            " miss has causes once it has happened: leave those windows out"
        )
    x = prepared.whole_NTX[plain.rows[:, None], when, node]
    return plain.natural(x, node).double().numpy()


def _abducted(plain: Unrolled) -> tuple[Tensor, Tensor]:
    """Noise [W, T, J] and values [W, T, X] of the realized buffer, gaps filled."""
    lag, back = plain.layer.wiring.lag, plain.back
    nodes = plain.layer.wiring.num_nodes
    when = torch.from_numpy(np.ascontiguousarray(plain.at.cutoff_W))[:, None]
    when = when + torch.arange(1 - back, plain.horizon + 1)
    x = plain.prepared.whole_NTX[plain.rows[:, None], when.clamp(min=0)]
    x = x.masked_fill((when < 0)[..., None], 0.0)
    with torch.inference_mode():
        mu, spread, _ = plain.layer.mechanisms.teacher(x, plain.window.context_WTF)
        u = torch.zeros(*x.shape[:2], nodes)
        u[:, lag:] = (x[:, lag:, :nodes] - mu) / spread
    return u.clone(), x


def _played(
    plain: Unrolled,
    coalitions: Sequence[Coalition],
    players: Sequence[int],
    noise: Tensor,
    happened: Tensor,
    node: int,
) -> np.ndarray:
    """The outcome's path for each coalition, [coalitions, W, H] float64."""
    size = max(1, _ROWS // len(plain.at))
    binary = plain.layer.wiring.bernoulli_J
    parts = []
    for first in range(0, len(coalitions), size):
        some = coalitions[first : first + size]
        inside = torch.zeros(len(some), len(binary), dtype=torch.bool)
        for row, coalition in enumerate(some):
            inside[row, [players[k] for k in coalition]] = True
        parts.append(_rolled(plain, inside, binary, noise, happened, node))
    return np.concatenate(parts)


def _rolled(
    plain: Unrolled, inside_CJ: Tensor, binary_J: Tensor, noise: Tensor, happened: Tensor, node: int
) -> np.ndarray:
    count, windows = len(inside_CJ), len(plain.at)
    window, nodes = plain.window, len(binary_J)
    inside = inside_CJ.repeat_interleave(windows, dim=0)[:, None]  # [C * W, 1, J]
    x = window.x_WTX.repeat(count, 1, 1)
    clamp = window.clamp_WTJ.repeat(count, 1, 1)
    held = inside & binary_J & ~clamp
    x[..., :nodes] = torch.where(held, happened.repeat(count, 1, 1)[..., :nodes], x[..., :nodes])
    with torch.inference_mode():
        rolled = roll(
            plain.layer.mechanisms,
            x,
            clamp_RTJ=clamp | held,
            context_RTF=window.context_WTF.repeat(count, 1, 1),
            start=window.start,
            noise_RTJ=noise.repeat(count, 1, 1) * (inside & ~binary_J),
            hooks=plain.hooks(count),
        )
        path = plain.natural(rolled[:, window.back :, node], node)
    return path.double().numpy().reshape(count, windows, plain.horizon)


def _exact(value: Value, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Shapley values over all subsets, [P, W, H], and the two ends of the game."""
    subsets = [frozenset(s) for k in range(count + 1) for s in combinations(range(count), k)]
    worth = dict(zip(subsets, value(subsets), strict=True))
    shares = np.zeros((count, *worth[frozenset()].shape))
    for subset in subsets:
        for player in set(range(count)) - subset:
            k = len(subset)
            weight = math.factorial(k) * math.factorial(count - k - 1) / math.factorial(count)
            shares[player] += weight * (worth[subset | {player}] - worth[subset])
    return shares, np.stack([worth[frozenset()], worth[frozenset(range(count))]])


def _sampled(
    value: Value, count: int, *, permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over permutations and their reverses: each one alone is efficient, so the mean is."""
    if permutations < 1:
        raise ConfigError(f"permutations={permutations} must be at least 1")
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(count) for _ in range(permutations)]
    orders = [both for order in orders for both in (order, order[::-1])]
    chains = [[frozenset(order[:k].tolist()) for k in range(count + 1)] for order in orders]
    subsets = list(dict.fromkeys(subset for chain in chains for subset in chain))
    worth = dict(zip(subsets, value(subsets), strict=True))
    shares = np.zeros((count, *worth[frozenset()].shape))
    for order, chain in zip(orders, chains, strict=True):
        for player, (less, more) in zip(order, pairwise(chain), strict=True):
            shares[player] += (worth[more] - worth[less]) / len(orders)
    return shares, np.stack([worth[frozenset()], worth[frozenset(range(count))]])
