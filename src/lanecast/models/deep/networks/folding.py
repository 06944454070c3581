"""Linear layers in a row, folded into one where a network only forecasts.

The MLP blocks of N-BEATS begin with two linear layers without an activation between them
(neuralforecast).  Training needs both; a forecast needs their product, a smaller matrix.  N-HiTS,
whose blocks do so too, has a form of its own in `lanecast.models.deep.networks.nhits_fused`.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


def folded(network: Net) -> Net:
    """The same function, up to rounding, in fewer products; the network itself stays as it is."""
    if not any(len(_folds(module)) < len(module) for module in _sequentials(network)):
        return network
    copied = copy.deepcopy(network)
    for module in _sequentials(copied):
        layers = _folds(module)
        for name in set(module._modules) - set(layers):
            del module._modules[name]
        for name, row in layers.items():
            module._modules[name] = _product(row)
    return copied


def _sequentials(network: nn.Module) -> list[nn.Sequential]:
    """Plain ones only: a subclass may do more than call its layers in turn."""
    return [module for module in network.modules() if type(module) is nn.Sequential]


def _folds(module: nn.Sequential) -> dict[str, list[nn.Module]]:
    """Layers by the name of the first, with those that fold into it."""
    layers: dict[str, list[nn.Module]] = {}
    row: list[nn.Module] = []
    for name, layer in module._modules.items():  # named_children() leaves out a layer's second use
        assert layer is not None
        if row and _pays(row, layer):
            row.append(layer)
        else:
            layers[name] = row = [layer]
    return layers


def _pays(row: list[nn.Module], layer: nn.Module) -> bool:
    """Whether one matrix takes no more products than the row and the layer one after another."""
    if not all(type(each) is nn.Linear and not _hooked(each) for each in (*row, layer)):
        return False
    first, last = row[0], row[-1]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    assert isinstance(layer, nn.Linear)
    apart = first.in_features * last.out_features + layer.in_features * layer.out_features
    return first.in_features * layer.out_features <= apart


def _hooked(layer: nn.Module) -> bool:
    return bool(layer._forward_hooks or layer._forward_pre_hooks)


def _product(row: list[nn.Module]) -> nn.Module:
    """The layers of a row as one; multiplied at double precision."""
    first = row[0]
    if len(row) == 1:
        return first
    assert isinstance(first, nn.Linear)
    with torch.no_grad():
        weight = first.weight.double()
        shift = weight.new_zeros(len(weight)) if first.bias is None else first.bias.double()
        for layer in row[1:]:
            assert isinstance(layer, nn.Linear)
            weight, shift = layer.weight.double() @ weight, layer.weight.double() @ shift
            shift = shift if layer.bias is None else shift + layer.bias
        whole = nn.Linear(weight.shape[1], weight.shape[0], device="meta", dtype=first.weight.dtype)
        whole.weight = nn.Parameter(weight.to(first.weight), requires_grad=False)
        whole.bias = nn.Parameter(shift.to(first.weight), requires_grad=False)
    return whole.train(first.training)
