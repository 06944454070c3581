"""Link functions, on arrays and on tensors: identity, log and log1p, and their inverses."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_FLOOR = 1e-6
LARGEST = 1e12  # below e^30, where the inverse is bounded


def link_of(values: np.ndarray, link: str) -> np.ndarray:
    """Link on numpy values; a log of what is not positive is NaN, as if missing."""
    if link == "log1p":
        return np.log1p(np.maximum(values, 0))
    if link == "log":
        with np.errstate(all="ignore"):
            return np.where(values > 0, np.log(np.where(values > 0, values, 1)), np.nan)
    return values


def torch_link(values: Tensor, link: str) -> Tensor:
    """Link on tensors; a log is floored at 1e-6 of its unit."""
    if link == "log1p":
        return torch.log1p(values.clamp(min=0))
    return torch.log(values.clamp(min=_FLOOR)) if link == "log" else values


def torch_inverse(linked: Tensor, link: str) -> Tensor:
    """Inverse of `torch_link`, bounded so that a wild path stays finite."""
    if link == "log1p":
        return torch.expm1(linked.clamp(max=30.0)).clamp(min=0.0)
    return torch.exp(linked.clamp(max=30.0)) if link == "log" else linked


def link(values: np.ndarray | None, kind: str) -> np.ndarray:
    """Natural values in link space; quantiles stay quantiles."""
    assert values is not None
    if kind == "log1p":
        return np.asarray(np.log1p(np.maximum(values, 0.0)))
    return np.asarray(np.log(np.maximum(values, 1e-6))) if kind == "log" else values


def unlink(values: np.ndarray, kind: str) -> np.ndarray:
    """Back from link space."""
    if kind == "log1p":
        return np.asarray(np.maximum(np.expm1(np.minimum(values, 30.0)), 0.0))
    return np.asarray(np.exp(np.minimum(values, 30.0))) if kind == "log" else values
