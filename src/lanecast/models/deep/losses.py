"""Losses: what the last layer means, how it is trained, and how to read quantiles off it.

All in scaled units.  ``m`` raw outputs per step; weights are 0 where a label is missing.
Axes: ``B`` windows, ``H`` horizon, ``Q`` quantile levels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Laplace, Normal, StudentT

from lanecast.errors import ConfigError
from lanecast.models.quantiles.sorting import in_order

_NORMAL = Normal(0.0, 1.0)


class Loss(nn.Module, ABC):
    """Base: ``levels`` is the quantile grid of `grid`, ``outputs`` the m of the network."""

    kind: str
    outputs: int
    levels: tuple[float, ...]

    def forward(self, raw_BHm: Tensor, y_BH: Tensor, weight_BH: Tensor) -> Tensor:
        """Weighted mean loss, a scalar."""
        loss_BH = self.pointwise(raw_BHm, y_BH)
        total = weight_BH.sum()
        return (loss_BH * weight_BH).sum() / torch.where(total > 0, total, 1.0)

    @abstractmethod
    def pointwise(self, raw_BHm: Tensor, y_BH: Tensor) -> Tensor:
        """Loss of every step, [B, H]."""

    @abstractmethod
    def grid(self, raw_BHm: Tensor) -> Tensor | None:
        """Sorted quantiles at ``levels``, [B, H, Q]; None for a point loss."""

    @abstractmethod
    def point(self, raw_BHm: Tensor) -> Tensor:
        """The point forecast, [B, H]: the median wherever there is one."""

    def read(self, raw_BHm: Tensor) -> tuple[Tensor, Tensor | None]:
        """`point` and `grid` at once."""
        return self.point(raw_BHm), self.grid(raw_BHm)

    @abstractmethod
    def shift(self, raw_BHm: Tensor, anchor_BH: Tensor) -> Tensor:
        """The outputs read as corrections to ``anchor``: locations move, spreads stay."""


class MultiQuantile(Loss):
    """Mean pinball loss over a grid of levels (Koenker and Bassett 1978)."""

    kind = "quantiles"
    levels_Q: Tensor

    def __init__(self, *, levels: Sequence[float]) -> None:
        super().__init__()
        self.levels = _checked(levels)
        self.outputs = len(self.levels)
        self.register_buffer("levels_Q", torch.tensor(self.levels))

    def pointwise(self, raw_BHm: Tensor, y_BH: Tensor) -> Tensor:
        """Pinball loss, mean over the levels; zero iff every quantile is exact."""
        e_BHQ = y_BH[..., None] - raw_BHm
        return torch.maximum(self.levels_Q * e_BHQ, (self.levels_Q - 1) * e_BHQ).mean(dim=-1)

    def grid(self, raw_BHm: Tensor) -> Tensor:
        """The outputs, sorted so that quantiles never cross."""
        return in_order(raw_BHm)

    def point(self, raw_BHm: Tensor) -> Tensor:
        """The median."""
        return self.grid(raw_BHm)[..., self.levels.index(0.5)]

    def read(self, raw_BHm: Tensor) -> tuple[Tensor, Tensor | None]:
        """Sorted once."""
        grid = self.grid(raw_BHm)
        return grid[..., self.levels.index(0.5)], grid

    def shift(self, raw_BHm: Tensor, anchor_BH: Tensor) -> Tensor:
        """Every quantile moves by the anchor."""
        return raw_BHm + anchor_BH[..., None]


class Point(Loss):
    """A point loss: mae, mse or huber.  Intervals then come from residuals."""

    def __init__(self, *, kind: str = "mae") -> None:
        super().__init__()
        losses: dict[str, Any] = {"mae": nn.functional.l1_loss, "mse": nn.functional.mse_loss}
        losses["huber"] = nn.functional.huber_loss
        if kind not in losses:
            raise ConfigError(f"loss.kind={kind!r} is not one of {', '.join(losses)}")
        self._loss, self.kind = losses[kind], kind
        self.outputs, self.levels = 1, ()

    def pointwise(self, raw_BHm: Tensor, y_BH: Tensor) -> Tensor:
        """The chosen loss of every step."""
        return self._loss(raw_BHm[..., 0], y_BH, reduction="none")

    def grid(self, raw_BHm: Tensor) -> None:
        """None: a point loss knows no quantiles."""

    def point(self, raw_BHm: Tensor) -> Tensor:
        """The output."""
        return raw_BHm[..., 0]

    def shift(self, raw_BHm: Tensor, anchor_BH: Tensor) -> Tensor:
        """The output moves by the anchor."""
        return raw_BHm + anchor_BH[..., None]


class Parametric(Loss):
    """Negative log-likelihood of a location-scale family: normal, laplace or student_t (5 df)."""

    def __init__(self, *, family: str, levels: Sequence[float]) -> None:
        super().__init__()
        if family not in ("normal", "laplace", "student_t"):
            raise ConfigError(f"loss.family={family!r} is not one of normal, laplace, student_t")
        self.family = self.kind = family
        self.outputs = 2
        self.levels = _checked(levels)
        self._unit_quantiles = torch.tensor([_unit_quantile(family, q) for q in self.levels])

    def pointwise(self, raw_BHm: Tensor, y_BH: Tensor) -> Tensor:
        """Negative log-likelihood."""
        return -self._distribution(raw_BHm).log_prob(y_BH)

    def grid(self, raw_BHm: Tensor) -> Tensor:
        """Quantiles of the family."""
        spread = self._spread(raw_BHm)[..., None]
        return raw_BHm[..., :1] + spread * self._unit_quantiles.to(raw_BHm)

    def point(self, raw_BHm: Tensor) -> Tensor:
        """The median, which is the location."""
        return raw_BHm[..., 0]

    def shift(self, raw_BHm: Tensor, anchor_BH: Tensor) -> Tensor:
        """The location moves by the anchor; the scale stays."""
        return torch.stack([raw_BHm[..., 0] + anchor_BH, raw_BHm[..., 1]], dim=-1)

    def _spread(self, raw_BHm: Tensor) -> Tensor:
        return nn.functional.softplus(raw_BHm[..., 1]) + 1e-3

    def _distribution(self, raw_BHm: Tensor) -> Distribution:
        loc, spread = raw_BHm[..., 0], self._spread(raw_BHm)
        if self.family == "normal":
            return Normal(loc, spread)
        return Laplace(loc, spread) if self.family == "laplace" else StudentT(5.0, loc, spread)


def _checked(levels: Sequence[float]) -> tuple[float, ...]:
    sorted_levels = [float(level) for level in levels]
    inside = all(0 < level < 1 for level in sorted_levels)
    if not inside or sorted_levels != sorted(set(sorted_levels)) or 0.5 not in sorted_levels:
        raise ConfigError(
            f"loss.levels={sorted_levels} must rise strictly within (0, 1) and contain 0.5"
        )
    return tuple(sorted_levels)


def _unit_quantile(family: str, level: float) -> float:
    """Quantile of the family at location 0 and scale 1."""
    if family == "normal":
        return float(_NORMAL.icdf(torch.tensor(level)))
    if family == "laplace":
        return math.copysign(math.log1p(-2 * abs(level - 0.5)), level - 0.5)
    from scipy.stats import t

    return float(t.ppf(level, 5.0))
