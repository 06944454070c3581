"""Whole numbers that the panel's float32 cannot tell from their neighbours.

Axes: ``R`` rows, ``X`` stored columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EXACT = 1 << 24  # up to it float32 holds every whole number


def exactness_warnings(values_RX: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    """One line for each column of whole numbers of which some lie beyond `EXACT`."""
    warnings = []
    for number, name in enumerate(names):
        values = values_RX[:, number]
        largest = np.fmax(np.fmax.reduce(values), -np.fmin.reduce(values)) if len(values) else 0
        if not largest > EXACT or not ((values % 1 == 0) | np.isnan(values)).all():
            continue
        beyond = np.abs(values) > EXACT
        warnings.append(
            f"column {name!r} holds whole numbers up to {largest:.0f}; float32 keeps them exactly"
            f" up to {EXACT} (2^24), and {int(beyond.sum())} rows lie beyond, the largest in steps"
            f" of {np.spacing(largest):.0f}; bring the column into a larger unit if that matters"
        )
    return tuple(warnings)
