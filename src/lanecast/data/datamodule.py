"""One datamodule for training and backtesting: windows sampled and gathered by index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from lanecast.data.gather import Gatherer, Label, WindowBatch
from lanecast.data.panel import Panel
from lanecast.data.windows import (
    Split,
    WindowIndex,
    WindowSpec,
    training_windows,
    windows_at,
)
from lanecast.errors import SchemaError

_PERMUTED_UP_TO = 1 << 22  # above this many windows, draw with replacement instead of permuting

Batch = tuple[WindowBatch, Label]


class Sampler:
    """The endless order of training windows: sample ``k`` is a function of the seed."""

    def __init__(self, *, num_windows: int, seed: int) -> None:
        self.num_windows, self.seed = num_windows, seed
        self._order = lru_cache(maxsize=2)(self._permutation)

    def rows(self, first: int, count: int) -> np.ndarray:
        """Windows number ``first .. first + count - 1`` of the order, [count]."""
        if self.num_windows > _PERMUTED_UP_TO:
            return np.random.default_rng([self.seed, first]).integers(self.num_windows, size=count)
        rounds = range(first // self.num_windows, (first + count - 1) // self.num_windows + 1)
        start = first - rounds[0] * self.num_windows
        if len(rounds) == 1:
            return self._order(rounds[0])[start : start + count]
        return np.concatenate([self._order(k) for k in rounds])[start : start + count]

    def _permutation(self, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, number]).permutation(self.num_windows)


class ForecastDataModule(pl.LightningDataModule):
    """Training and validation batches of one fit.  ``split`` says what each may see.

    An epoch is ``steps_per_epoch`` batches; under DDP each rank takes its share of each batch.
    For a multivariate network a batch holds whole cutoffs, all series of each.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        spec: WindowSpec,
        split: Split,
        batch_size: int,
        steps_per_epoch: int,
        seed: int,
        whole_cutoffs: bool = False,
        device: torch.device | str = "cpu",
        eval_batch_size: int = 1024,
    ) -> None:
        super().__init__()
        spec.check_against(panel)
        self.panel, self.spec, self.split = panel, spec, split
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch
        self.eval_batch_size, self.whole_cutoffs = eval_batch_size, whole_cutoffs
        self.train_windows = training_windows(panel, until=split.train_until, spec=spec)
        self.cutoffs = np.zeros(0, np.int64)
        if not len(self.train_windows):
            raise SchemaError(
                f"no training window: no series has {spec.min_context} + {spec.horizon} steps up"
                f" to {panel.time_of(split.train_until)}; move the cutoff later or shorten windows"
            )
        if whole_cutoffs:
            first = int(self.train_windows.first_N.min())
            last = split.train_until - spec.horizon
            self.cutoffs = np.arange(last, first - 1, -spec.train_stride)[::-1].copy()
        size = len(self.cutoffs) if whole_cutoffs else len(self.train_windows)
        self.sampler = Sampler(num_windows=size, seed=seed)
        self.gatherer = Gatherer(panel, spec, device)

    @property
    def val_windows(self) -> WindowIndex:
        """Every validation window."""
        if self.whole_cutoffs:
            return whole(self.panel, np.asarray(self.split.val_cutoffs, dtype=np.int64))
        return windows_at(self.panel, self.split.val_cutoffs, self.spec)

    def train_dataloader(self) -> Any:
        """Batches of the current epoch."""
        return _Epoch(self)

    def val_dataloader(self) -> Any:
        """Every validation window, in order; empty where nothing is held out."""
        if not self.split.val_cutoffs:
            return []
        world, rank = self._world()
        index = self.val_windows
        size = self.eval_batch_size
        if self.whole_cutoffs:
            size = max(1, size // self.panel.num_series) * self.panel.num_series
        batches = [index[i : i + size] for i in range(0, len(index), size)]
        return _Evaluation(self.gatherer, batches[rank::world])

    def transfer_batch_to_device(
        self,
        batch: Batch,
        device: torch.device,  # noqa: ARG002
        dataloader_idx: int,  # noqa: ARG002
    ) -> Batch:
        """Nothing to move: a batch is gathered where the panel lies."""
        return batch

    def train_batch(self, step: int) -> Batch:
        """The batch of optimizer step ``step`` (this rank's share of it)."""
        world, rank = self._world()
        per_step = self.batch_size
        if self.whole_cutoffs:
            per_step = max(1, self.batch_size // self.panel.num_series)
        rows = self.sampler.rows((step * world + rank) * per_step, per_step)
        if self.whole_cutoffs:
            return self.gatherer(whole(self.panel, self.cutoffs[rows]))
        return self.gatherer(self.train_windows.decode(rows))

    def epoch(self) -> int:
        """The trainer's current epoch, 0 without a trainer."""
        return self.trainer.current_epoch if self.trainer is not None else 0

    def _world(self) -> tuple[int, int]:
        if self.trainer is None:
            return 1, 0
        return self.trainer.world_size, self.trainer.global_rank


def whole(panel: Panel, cutoffs: np.ndarray) -> WindowIndex:
    """All series at each cutoff, series in panel order."""
    num = panel.num_series
    return WindowIndex(
        series_W=np.tile(np.arange(num), len(cutoffs)), cutoff_W=np.repeat(cutoffs, num)
    )


@dataclass(frozen=True, slots=True)
class _Epoch:
    data: ForecastDataModule

    def __len__(self) -> int:
        return self.data.steps_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        first = self.data.epoch() * self.data.steps_per_epoch
        for step in range(first, first + self.data.steps_per_epoch):
            yield self.data.train_batch(step)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    gatherer: Gatherer
    batches: list[WindowIndex]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for index in self.batches:
            yield self.gatherer(index)
