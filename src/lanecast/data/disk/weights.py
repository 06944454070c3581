"""Tensors on disk as safetensors: reading them runs nothing, whoever wrote the file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lanecast.errors import CheckpointError

Tensors = Mapping[str, Tensor | Mapping[str, Tensor]]
SUFFIX, OLD = ".safetensors", ".pt"


def save_tensors(path: Path, tensors: Tensors) -> None:
    """Write ``<path>.safetensors``: tensors by name, or by group and name."""
    from safetensors.torch import save_file

    flat: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if isinstance(value, Tensor):
            flat[name] = value
        else:
            flat |= {f"{name}/{inner}": tensor for inner, tensor in value.items()}
    # Two names of one tensor, as of layers that share weights, are two copies in the file.
    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in flat.items()}
    save_file(whole, path.with_name(f"{path.name}{SUFFIX}"))


def load_tensors(path: Path) -> dict[str, Any]:
    """Read what `save_tensors` wrote, on the CPU; of an older run ``<path>.pt``, tensors only.

    CheckpointError names the file where it is missing, cut off, or holds more than tensors.
    """
    file, old = (path.with_name(f"{path.name}{suffix}") for suffix in (SUFFIX, OLD))
    if not file.is_file() and old.is_file():
        return checkpoint(old)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        flat = load_file(file)
    except (OSError, ValueError, SafetensorError) as broken:
        raise CheckpointError(
            f"{file} cannot be read as weights ({_first_line(broken)}); copy the run folder again,"
            " or train anew"
        ) from broken
    tensors: dict[str, Any] = {}
    for name, tensor in flat.items():
        group, slash, inner = name.partition("/")
        if slash:
            tensors.setdefault(group, {})[inner] = tensor
        else:
            tensors[name] = tensor
    return tensors


def checkpoint(path: Path) -> dict[str, Any]:
    """A file of torch's own form as tensors and plain values, on the CPU; nothing else is read."""
    try:
        if zipfile.is_zipfile(path) and (part := zipfile.ZipFile(path).testzip()) is not None:
            raise ValueError(f"{part} in it is damaged")  # torch reads over it
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as broken:  # zipfile's, pickle's, torch's and the system's
        raise CheckpointError(
            f"{path} cannot be read as tensors and plain values ({_first_line(broken)}); anything"
            " else in a checkpoint could run code: copy the run folder again, or train anew"
        ) from broken
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds no tensors by name; train anew")
    return state


def _first_line(broken: Exception) -> str:
    return (str(broken).splitlines() or [type(broken).__name__])[0][:200]
