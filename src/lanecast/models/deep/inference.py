"""Batched forwards of a trained module, and what its intervals and paths are calibrated on.

Axes: ``W`` windows, ``H`` horizon, ``Q`` levels of the quantile grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lanecast.data.datamodule import whole
from lanecast.data.gather import Gatherer, Label, WindowBatch
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.windows import Split, WindowIndex, WindowSpec, windows_at
from lanecast.models.deep.batch_threads import each_batch
from lanecast.models.deep.module import ForecastModule, Output
from lanecast.models.deep.networks.folding import folded
from lanecast.models.deep.networks.nhits_fused import Forward, fused
from lanecast.models.quantiles.grids import at_levels, horizon_correlation, scores_of

POINT_LEVELS = tuple(round(level, 3) for level in np.arange(0.025, 1.0, 0.025))
_CALIBRATION_CUTOFFS = 28
_CALIBRATION_WINDOWS = 1 << 17  # of more, so many evenly spread ones are taken
BATCH = 1024  # windows of one forward
BLOCK = 32  # a batch is filled up to whole blocks: a product of fewer rows rounds in another way

Read = Callable[[np.ndarray, Output, Label], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What turns a network's outputs into intervals and paths.

    ``levels`` of the grid; ``residual_HQ`` quantiles of scaled residuals, for point losses only,
    centered so that the median is the point forecast; ``correlation_HH`` of normal scores over the
    horizon; ``source`` says which windows they come from.
    """

    levels: tuple[float, ...]
    residual_HQ: Tensor | None
    correlation_HH: np.ndarray
    source: str

    @property
    def independent(self) -> bool:
        """Whether paths ignore the dependence between steps: too few windows to learn it."""
        return len(self.correlation_HH) > 1 and not np.triu(self.correlation_HH, k=1).any()

    def tensors(self) -> dict[str, Tensor]:
        """The arrays, to be saved beside the weights."""
        tensors_by_name = {
            "correlation": torch.from_numpy(np.ascontiguousarray(self.correlation_HH))
        }
        return (
            tensors_by_name
            if self.residual_HQ is None
            else {**tensors_by_name, "residuals": self.residual_HQ}
        )

    @classmethod
    def restored(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Calibration:
        """From what `tensors` gave and the levels and source of the saved facts."""
        return cls(
            levels=tuple(facts["levels"]),
            residual_HQ=tensors.get("residuals"),
            correlation_HH=tensors["correlation"].numpy(),
            source=facts["calibrated_on"],
        )


class Inference:
    """Forecasts windows of one panel with one module, batch by batch on one device."""

    def __init__(
        self, module: ForecastModule, panel: Panel, spec: WindowSpec, device: torch.device
    ) -> None:
        self.module, self.panel, self.spec = module.to(device).eval(), panel, spec
        self._gather, self._device = Gatherer(panel, spec, device), device

    def points(self, at: WindowIndex) -> np.ndarray:
        """Point forecasts in the target's unit, [W, H]."""
        point_WH = np.zeros((len(at), self.spec.horizon), dtype=np.float32)

        def read(rows: np.ndarray, output: Output, _: Label) -> None:
            point = self.module.loss.point(output.raw_BHm)
            point_WH[rows] = self.module.scaler.inverse(point, output.scale).cpu().numpy()

        self._each(at, read)
        return point_WH

    def grids(self, at: WindowIndex, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
        """Points [W, H] and the quantile grid [W, H, Q] at the calibration's levels."""
        return self.quantiles(at, calibration, calibration.levels)

    def quantiles(
        self, at: WindowIndex, calibration: Calibration, levels: Sequence[float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points [W, H] and quantiles [W, H, Q] at any levels; the whole grid is never kept."""
        on_grid = set(levels) <= set(calibration.levels)
        places = [calibration.levels.index(level) for level in levels] if on_grid else []
        at_Q = torch.tensor(places, dtype=torch.long, device=self._device)
        points = np.zeros((len(at), self.spec.horizon), dtype=np.float32)
        grid_WHQ = np.zeros((*points.shape, len(levels)), np.float32 if on_grid else np.float64)

        def read(rows: np.ndarray, output: Output, _: Label) -> None:
            point, grid = self.module.loss.read(output.raw_BHm)
            if grid is None:
                assert calibration.residual_HQ is not None
                grid = point[..., None] + calibration.residual_HQ.to(point)
            inverse = self.module.scaler.inverse
            points[rows] = inverse(point, output.scale).cpu().numpy()
            if on_grid:
                chosen = grid.movedim(-1, 0).index_select(0, at_Q).movedim(0, -1)
                grid_WHQ[rows] = inverse(chosen, output.scale).cpu().numpy()
            else:
                grid_BHQ = inverse(grid, output.scale).cpu().numpy()
                grid_WHQ[rows] = at_levels(grid_BHQ, calibration.levels, levels)

        self._each(at, read)
        return points, grid_WHQ

    def residual_quantiles(self, at: WindowIndex) -> Tensor:
        """Quantiles of scaled residuals by step, pooled over windows, median 0, [H, Q]."""
        e_WH = np.full((len(at), self.spec.horizon), np.nan, dtype=np.float32)

        def read(rows: np.ndarray, output: Output, label: Label) -> None:
            y = self.module.scaler.scale_target(label.y_BH, output.scale)
            residual = y - self.module.loss.point(output.raw_BHm)
            e_WH[rows] = residual.masked_fill(~label.seen_BH, float("nan")).cpu().numpy()

        self._each(at, read)
        e_WH = e_WH[np.isfinite(e_WH).any(axis=1)]
        if not len(e_WH):
            return torch.zeros(self.spec.horizon, len(POINT_LEVELS))
        grid_QH = np.nan_to_num(np.nanquantile(e_WH, POINT_LEVELS, axis=0))
        return torch.from_numpy((grid_QH - grid_QH[POINT_LEVELS.index(0.5)]).T.copy()).float()

    def _each(self, at: WindowIndex, read: Read) -> None:
        """Hand every batch's outputs and labels to ``read``, with its rows of ``at``.

        On a CPU as many batches run side by side as torch has threads, one thread each: less time
        than batches one by one on all threads, since an operation too small to be shared out then
        runs beside one of another batch.  All go through a fused network (`nhits`), or through a
        folded one (`folding`), and in whole blocks of windows, however few they are: an answer is
        not to depend, by rounding, on how many others are asked beside it.
        """
        multivariate = self.module.network.multivariate
        forward = self._whole_cutoff if multivariate else self._batch
        batches = _by_cutoff(at) if multivariate else _in_order(at)
        with torch.inference_mode():
            network = fused(self.module.network, rows=BATCH)
        if network is self.module.network:
            network = folded(self.module.network)

        def work(rows: np.ndarray) -> None:
            with torch.inference_mode():
                read(rows, *forward(at, rows, network))

        each_batch(work, batches, parallel=self._device.type == "cpu")

    def _batch(self, at: WindowIndex, rows: np.ndarray, network: Forward) -> tuple[Output, Label]:
        missing = -len(rows) % BLOCK
        if not missing:
            batch, label = self._gather(at[rows])
            return self._output(batch, network), label
        batch, label = self._gather(at[np.append(rows, np.repeat(rows[-1:], missing))])
        own = slice(len(rows))
        return self._output(batch, network).rows(own), label.rows(own)

    def _whole_cutoff(
        self, at: WindowIndex, rows: np.ndarray, network: Forward
    ) -> tuple[Output, Label]:
        """As `_batch`: all series of a cutoff go through at once, the ones asked come back."""
        batch, label = self._gather(whole(self.panel, at.cutoff_W[rows[:1]]))
        output = self._output(batch, network)
        chosen = torch.from_numpy(at.series_W[rows]).to(output.raw_BHm.device)
        return output.rows(chosen), label.rows(chosen)

    def _output(self, batch: WindowBatch, network: Forward) -> Output:
        inputs, future_BH, scale = self.module.inputs(batch)
        return self.module.output(network(inputs), future_BH, scale)


def _spread(at: WindowIndex, most: int) -> WindowIndex:
    return at if len(at) <= most else at[np.linspace(0, len(at) - 1, most).astype(np.int64)]


def _in_order(at: WindowIndex) -> list[np.ndarray]:
    return [np.arange(k, min(k + BATCH, len(at))) for k in range(0, len(at), BATCH)]


def _by_cutoff(at: WindowIndex) -> list[np.ndarray]:
    return [np.flatnonzero(at.cutoff_W == cutoff) for cutoff in np.unique(at.cutoff_W)]


def calibrate(inference: Inference, spans: Split) -> Calibration:
    """Learn intervals and paths on the validation windows, or on the last training windows."""
    panel, spec = inference.panel, inference.spec
    cutoffs: Sequence[int] = spans.val_cutoffs
    source = "validation windows"
    if not cutoffs:
        last = spans.until - panel.schema.delay_steps(TARGET) - spec.horizon
        cutoffs = range(max(0, last - _CALIBRATION_CUTOFFS + 1), last + 1)
        source = "training windows"
    at = _spread(windows_at(panel, cutoffs, spec), _CALIBRATION_WINDOWS)
    levels = inference.module.loss.levels or POINT_LEVELS
    residual = None if inference.module.loss.levels else inference.residual_quantiles(at)
    first = Calibration(
        levels=levels, residual_HQ=residual, correlation_HH=np.eye(spec.horizon), source=source
    )
    _, grid = inference.grids(at, first)
    y_WH, seen_WH = labels(panel, at, spec.horizon)
    z_WH = scores_of(grid, levels, y_WH)
    return Calibration(
        levels=levels,
        residual_HQ=residual,
        correlation_HH=horizon_correlation(z_WH, seen_WH),
        source=source,
    )
