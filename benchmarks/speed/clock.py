"""The moment at which a device has done all that it was given."""

from __future__ import annotations

import time

import torch


def now(device: torch.device) -> float:
    """Seconds on a monotonic clock, once no work is left on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
