"""N-HiTS in fewer and smaller products: neuralforecast's layers, weights and gradients.

The same function up to rounding; what the class computes and nothing reads is left out:

- A block begins with two linear layers and no activation between them.  Where a batch has more rows
  than the block has inputs, their matrices are multiplied first and the batch goes through once;
  the chain rule gives both layers the gradients that they have apart, so training stays the same.
- A block's residual and its covariates meet the first matrix one after the other: backward then
  computes no gradient of covariates, and forward copies them once instead of three times.
- Interpolating is one product: a step's weights of the knots are those of unit knots.
- What the last block explains of the past, pooling over single steps, and a second copy of every
  hidden layer: ReLU replaces what it reads.

Axes as in `lanecast.data.gather`; ``t`` pooled steps, ``E`` pooled covariates side by side,
``U`` hidden units, ``k`` knots, ``m`` raw outputs per step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, linear

from lanecast.data.gather import WindowBatch
from lanecast.data.schema import Role
from lanecast.models.deep.networks.base import Network, NeuralforecastNetwork

Forward = Callable[[WindowBatch], Tensor]
First = tuple[Tensor, Tensor, int]  # weight, bias, and for how many layers they stand


def fused(network: Network, *, rows: int | None = None) -> Forward:
    """The network's forward in fewer products; the network itself if it is no plain N-HiTS.

    With ``rows``, the batch size of many forwards to come, it keeps the weights that it finds:
    their products are made once, not once a batch.
    """
    if isinstance(network, NeuralforecastNetwork) and _plain(network.model):
        return _Fused(network, rows=rows)
    return network


def _plain(model: Any) -> bool:
    """Whether every part of the model is the one whose work is known here."""
    from neuralforecast.models.nhits import NHITS, NHITSBlock

    if type(model) is not NHITS or model.decompose_forecast:
        return False
    if any(each._forward_hooks or each._forward_pre_hooks for each in model.modules()):
        return False
    return all(
        type(block) is NHITSBlock
        and block.basis.interpolation_mode in ("linear", "nearest")
        and type(block.layers) is nn.Sequential
        and type(block.layers[0]) is type(block.layers[-1]) is nn.Linear
        and all(layer.bias is not None for layer in block.layers if type(layer) is nn.Linear)
        for block in model.blocks
    )


class _Fused:
    """Reads the layers at every call: weights may be trained, swapped or stacked meanwhile.

    With ``rows`` it reads the first two of every block now, and never again.
    """

    def __init__(self, network: NeuralforecastNetwork, *, rows: int | None) -> None:
        self._blocks, self._uses = network.model.blocks, network.uses
        self._firsts: list[First | None] = [
            None if rows is None else _first(block.layers[:-1], rows=rows) for block in self._blocks
        ]

    def __call__(self, batch: WindowBatch) -> Tensor:
        """Raw outputs, [B, H, m]."""
        past_BL, seen_BL = batch.past_BLP[..., 0], batch.seen_BLP[..., 0]
        residual_BL = past_BL.flip(-1)
        mask_BL = seen_BL.to(past_BL.dtype).flip(-1)
        covariates: dict[int, Tensor | None] = {}
        raw_BmH = past_BL[:, None, -1:]
        for number, (block, first) in enumerate(
            zip(self._blocks, self._firsts, strict=True), start=1
        ):
            kernel = block.pooling_layer.kernel_size
            if kernel not in covariates:
                covariates[kernel] = _covariates(batch, self._uses, block.pooling_layer)
            hidden_BU = _hidden(block, residual_BL, covariates[kernel], first)
            last, length = block.layers[-1], block.basis.backcast_size
            if number < len(self._blocks):
                theta = last(hidden_BU)
                residual_BL = (residual_BL - theta[:, :length]) * mask_BL
                knots = theta[:, length:]
            else:
                knots = linear(hidden_BU, last.weight[length:], last.bias[length:])
            raw_BmH = raw_BmH + _forecast(block.basis, knots)
        horizon = self._blocks[-1].basis.forecast_size
        return raw_BmH.expand(-1, -1, horizon).transpose(1, 2)


def _forecast(basis: Any, knots: Tensor) -> Tensor:
    """The basis' forecast of its knots, [B, m, H], or [B, m, 1] where all steps are alike."""
    knots_Bmk = knots.unflatten(1, (basis.out_features, -1))
    size, steps = knots_Bmk.shape[-1], basis.forecast_size
    if size in (1, steps):
        return knots_Bmk
    with torch.autocast(knots.device.type, enabled=False):  # as torch interpolates: no bf16
        dtype = torch.promote_types(knots.dtype, torch.float32)
        unit_kk = torch.eye(size, dtype=dtype, device=knots.device)
        weight_kH = interpolate(unit_kk[None], size=steps, mode=basis.interpolation_mode)[0]
        return knots_Bmk.to(dtype) @ weight_kH


def _hidden(
    block: Any, residual_BL: Tensor, covariates_BE: Tensor | None, first: First | None
) -> Tensor:
    """What the block's last layer reads, [B, U]; ``first`` is its first product, if it is made."""
    *layers, _ = block.layers
    pooled_Bt = _pooled(block.pooling_layer, residual_BL[..., None]).flatten(1)
    weight, bias, used = first or _first(layers, rows=len(pooled_Bt))
    if covariates_BE is None:
        hidden = linear(pooled_Bt, weight, bias)
    else:
        sizes = [pooled_Bt.shape[1], covariates_BE.shape[1]]
        weight_Ut, weight_UE = weight.split(sizes, dim=1)
        hidden = torch.addmm(linear(covariates_BE, weight_UE, bias), pooled_Bt, weight_Ut.t())
    for layer in layers[used:]:  # what a product gave is read by its activation only
        hidden = torch.relu_(hidden) if type(layer) is nn.ReLU else layer(hidden)
    return hidden


def _first(layers: Sequence[Any], *, rows: int) -> First:
    """Weight and bias of the block's first product, and how many layers it stands for."""
    first = layers[0]
    second = layers[1] if len(layers) > 1 else None
    if type(second) is not nn.Linear or not _pays(first, second, rows):
        return first.weight, first.bias, 1
    with torch.autocast(first.weight.device.type, enabled=False):  # at the weights' own precision
        shift = torch.mv(second.weight, first.bias) + second.bias
        return second.weight @ first.weight, shift, 2


def _pays(first: nn.Linear, second: nn.Linear, rows: int) -> bool:
    """Whether the product of the layers, and one pass, take fewer products than two passes."""
    size, hidden, out = first.in_features, first.out_features, second.out_features
    return hidden * out * size + rows * size * out < rows * hidden * (size + out)


def _covariates(batch: WindowBatch, uses: frozenset[Role], pooling: Any) -> Tensor | None:
    """All that a block reads besides the residual, in the order of its first layer, [B, E]."""
    parts = []
    if Role.OBSERVED in uses:
        parts.append(_pooled(pooling, batch.past_BLP[..., 1:]).flatten(1))
    if Role.KNOWN_FUTURE in uses:
        known = torch.cat([batch.known_past_BLK, batch.future_BHK], dim=1)
        parts.append(_pooled(pooling, known).flatten(1))
    if Role.STATIC in uses:
        parts.append(batch.static_BC)
    return torch.cat(parts, dim=1) if parts else None


def _pooled(pooling: Any, values_BTx: Tensor) -> Tensor:
    """The pooling layer along the steps, [B, t, x]."""
    if pooling.kernel_size == 1:
        return values_BTx
    return pooling(values_BTx.transpose(1, 2)).transpose(1, 2)
