"""Steps and blocks of steps that agree: days and weeks, each forecast by a model of its own.

A copy of the model learns the sum of the last ``b`` steps, so that what it forecasts for the steps
b, 2b, ... are the sums of blocks that do not overlap: the weeks of a daily horizon.  Steps and
blocks are reconciled by their structure (Athanasopoulos et al. 2017), with one projection for all
series, which therefore commutes with one over sites and regions: both add up at once.  Quantiles
and paths of the steps move with their points.

Axes: ``W`` windows, ``H`` horizon, ``B`` blocks of one length, ``T`` nodes (blocks, then steps).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from scipy import sparse

from lanecast.data.forecasts import Forecasts
from lanecast.data.hierarchy import Hierarchy
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.hierarchy.projection import projection
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.models.quantiles.finishing import finish
from lanecast.models.wrapping import Wrapping, longer


class TemporalForecaster(Wrapping):
    """The inner forecaster's steps, moved to agree with blocks that are forecast beside them."""

    def __init__(self, *, inner: Any, blocks: Sequence[int], windows: WindowSpec) -> None:
        for length in blocks:
            if length < 2 or windows.horizon % length:
                raise ConfigError(
                    f"hierarchy.blocks={list(blocks)}: a block of {length} steps does not divide"
                    f" the horizon of {windows.horizon} steps; choose others, or set it to []"
                )
        if not blocks or len(set(blocks)) < len(blocks):
            raise ConfigError(f"hierarchy.blocks={list(blocks)} must name lengths, each once")
        self.inner: Forecaster = inner
        self.blocks, self.windows = tuple(sorted(blocks, reverse=True)), windows
        self.of_blocks: dict[int, Forecaster] = {
            length: self.inner.clone() for length in self.blocks
        }
        self.name = inner.name
        self.fitted_until: int | None = None

    @property
    def wrapped(self) -> Mapping[str, Forecaster]:
        """The forecaster of the steps, then those of the blocks."""
        blocks = {f"blocks-{length}": model for length, model in self.of_blocks.items()}
        return {"steps": self.inner, **blocks}

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Fit the steps, then the blocks of each length."""
        self.inner.fit(panel, until=until, reporter=reporter)
        for length, model in self.of_blocks.items():
            model.fit(block_panel(panel, length), until=until)
        self.fitted_until = until
        return self

    def with_horizon(self, horizon: int) -> Self:
        """An unfitted copy with the same blocks, which must divide the horizon."""
        inner = self.inner.with_horizon(horizon)
        return type(self)(inner=inner, blocks=self.blocks, windows=longer(self.windows, horizon))

    def as_of(self, panel: Panel, *, until: int) -> Self | None:
        """With steps and blocks as they stood then."""
        if (inner := self.inner.as_of(panel, until=until)) is None:
            return None
        blocks = {}
        for length, model in self.of_blocks.items():
            if (standing := model.as_of(block_panel(panel, length), until=until)) is None:
                return None
            blocks[length] = standing
        other = copy.copy(self)
        other.inner, other.of_blocks, other.fitted_until = inner, blocks, until
        return other

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Forecasts:
        """The forecasts of the steps, moved to where steps and blocks agree."""
        base = self.inner.predict(
            panel, at=at, quantiles=quantiles, samples=samples, seed=seed, **options
        )
        if not len(at):
            return base
        horizon = self.windows.horizon
        ends = {length: np.arange(length, horizon + 1, length) - 1 for length in self.blocks}
        sums = [
            model.predict(block_panel(panel, length), at=at, seed=seed, **options).point_WH[
                :, ends[length]
            ]
            for length, model in self.of_blocks.items()
        ]
        base_TW = np.concatenate([*sums, base.point_WH], axis=1).T
        steps = step_hierarchy(horizon, self.blocks)
        point_WH = np.asarray(projection(steps, "wls_struct") @ base_TW).T
        move_WH = point_WH - base.point_WH
        grid, paths = base.quantiles_WHQ, base.samples_SWH
        return finish(
            panel=panel,
            at=at,
            point_WH=point_WH,
            levels=base.levels,
            quantiles_WHQ=None if grid is None else grid + move_WH[..., None],
            samples_SWH=None if paths is None else paths + move_WH,
        )


def step_hierarchy(horizon: int, blocks: Sequence[int]) -> Hierarchy:
    """The steps of a horizon below its blocks."""
    names: list[str] = []
    rows, levels = [], {}
    for length in blocks:
        levels[f"blocks of {length}"] = len(names) + np.arange(horizon // length)
        names += [f"block {at + 1} of {length}" for at in range(horizon // length)]
        rows.append(sparse.kron(sparse.identity(horizon // length), np.ones((1, length))))
    levels["steps"] = len(names) + np.arange(horizon)
    names += [f"step {at + 1}" for at in range(horizon)]
    sums = sparse.vstack([*rows, sparse.identity(horizon)], format="csr")
    return Hierarchy(names=tuple(names), sums_MN=sums, levels=levels)


def block_panel(panel: Panel, length: int) -> Panel:
    """The panel whose target is the sum of the last ``length`` steps of each series.

    A sum with a missing step is missing, as are those of a series' first ``length - 1`` steps.
    Columns in units of the target are summed as well, all others averaged; a known-future column
    takes the mean of the steps that are there.
    """
    first_C = np.repeat(panel.offsets[:-1], np.diff(panel.offsets))
    cell_C = np.arange(panel.num_cells)
    values = panel.values.numpy().astype(np.float64)
    whole_C = cell_C - first_C >= length - 1
    low_C = np.maximum(cell_C - length + 1, first_C)
    seen = np.isfinite(values)
    sums = _running(np.where(seen, values, 0.0), low_C)
    known = _running(seen.astype(np.float64), low_C)
    means = sums / np.where(known > 0, known, 1.0)
    means[known == 0] = np.nan
    blocks = means.copy()
    for at, name in enumerate(panel.schema.stored):
        column = panel.schema.columns[name]
        if name == TARGET:
            blocks[:, at] = np.where((known[:, at] == length) & whole_C, sums[:, at], np.nan)
        elif column.scale == "target":
            blocks[:, at] = means[:, at] * length
    return replace(panel, values=torch.from_numpy(blocks.astype(np.float32)), counts={})


def _running(values: np.ndarray, low_C: np.ndarray) -> np.ndarray:
    """Sums over the cells ``low .. cell`` of each column."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(total[1:] - total[low_C])
