"""What can be forecast at one cutoff of a hierarchy, and what is asked of it.

Axes: ``W`` windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lanecast.data.hierarchy import Hierarchy
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Upper nodes first, then the series; ``window_W``: place of each asked window among these."""

    cutoff: int
    hierarchy: Hierarchy
    names: tuple[str, ...]
    panel: Panel
    series: WindowIndex
    nodes: Panel | None
    above: WindowIndex
    at: WindowIndex
    window_W: np.ndarray

    @classmethod
    def of(
        cls,
        panel: Panel,
        hierarchy: Hierarchy,
        nodes: Panel | None,
        at: WindowIndex,
        cutoff: int,
        windows: WindowSpec,
    ) -> Cut:
        """The hierarchy of the series that can be forecast, or are asked, at ``cutoff``."""
        able = windows_at(panel, [cutoff], windows).series_W
        active = np.unique(np.concatenate([able, at.series_W]))
        active_N = np.isin(np.arange(panel.num_series), active)
        left, kept_M = hierarchy.kept(active_N)
        above = np.flatnonzero(kept_M[: hierarchy.num_upper])
        if nodes is None:  # the sums are not forecast, so they are no rows here
            left, above = left.bottom(), above[:0]
        return cls(
            cutoff=cutoff,
            hierarchy=left,
            names=left.names,
            panel=panel,
            series=WindowIndex(series_W=active, cutoff_W=np.full(len(active), cutoff)),
            nodes=nodes,
            above=WindowIndex(series_W=above, cutoff_W=np.full(len(above), cutoff)),
            at=at,
            window_W=np.searchsorted(active, at.series_W),
        )
