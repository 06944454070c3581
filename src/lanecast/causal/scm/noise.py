"""The noise of a rollout: a function of (seed, sample, series, cutoff, node, step), never of order.

Two rolls of the same windows draw the same noise whatever was done in them, and whatever else was
rolled beside them.  Axes: ``S`` samples, ``W`` windows, ``H`` steps, ``J`` nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lanecast.seeding import hashed_uniforms

STUDENT_DF = 5.0
GRID = (np.arange(201) + 0.5) / 201  # levels of an empirical noise table
KINDS = ("gaussian", "student_t", "empirical")


def uniforms(
    keys: tuple[np.ndarray, np.ndarray], *, samples: range, steps: int, nodes: int, seed: int
) -> np.ndarray:
    """Uniforms in (0, 1), [S, W, H, J] float64, for the sample numbers given.

    ``keys``: of each window, by `Panel.noise_keys`.
    """
    uniform = hashed_uniforms(
        *keys, num=len(samples), size=steps * nodes, seed=seed, skip=samples.start
    )
    return uniform.reshape(len(samples), len(keys[0]), steps, nodes)


def standardized(
    uniform_SWHJ: np.ndarray, kinds: Sequence[str], tables: np.ndarray | None
) -> Tensor:
    """``u`` of each node by its noise model; ``tables`` [J, len(GRID)] of empirical quantiles."""
    from scipy.special import ndtri
    from scipy.stats import t

    u = np.empty(uniform_SWHJ.shape, np.float32)
    for node, kind in enumerate(kinds):
        p = uniform_SWHJ[..., node]
        if kind == "student_t":
            u[..., node] = t.ppf(p, STUDENT_DF)
        elif kind == "empirical" and tables is not None:
            u[..., node] = np.interp(p, GRID, tables[node])
        else:
            u[..., node] = ndtri(p)
    return torch.from_numpy(u)
