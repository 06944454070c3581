"""One datamodule for training and backtesting: windows sampled and gathered by index."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from lanecast.data.gather import Gatherer, Label, WindowBatch
from lanecast.data.lifetime import closes, open_at
from lanecast.data.panel import Panel
from lanecast.data.windows import (
    Split,
    WindowIndex,
    WindowSpec,
    require_training_windows,
    training_windows,
    windows_at,
)
from lanecast.errors import SchemaError

_PERMUTED_UP_TO = 1 << 22  # above this many windows, draw with replacement instead of permuting

Batch = tuple[WindowBatch, Label]


class Sampler:
    """The endless order of training windows: sample ``k`` is a function of ``k`` and the seed.

    It comes in rounds: each a permutation of all windows, or draws where they are very many.
    """

    def __init__(self, *, num_windows: int, seed: int) -> None:
        self.num_windows, self.seed = num_windows, seed
        self._length = min(num_windows, _PERMUTED_UP_TO)
        self._order = lru_cache(maxsize=2)(self._round)

    def rows(self, first: int, count: int) -> np.ndarray:
        """Windows number ``first .. first + count - 1`` of the order, [count]."""
        rounds = range(first // self._length, (first + count - 1) // self._length + 1)
        start = first - rounds[0] * self._length
        if len(rounds) == 1:
            return self._order(rounds[0])[start : start + count]
        return np.concatenate([self._order(k) for k in rounds])[start : start + count]

    def _round(self, number: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, number])
        if self.num_windows > self._length:
            return rng.integers(self.num_windows, size=self._length)
        return rng.permutation(self.num_windows)


class ForecastDataModule(pl.LightningDataModule):
    """Training and validation batches of one fit.  ``split`` says what each may see.

    An epoch is ``steps_per_epoch`` batches.  ``batch_size`` counts windows of one optimizer step,
    whatever the number of processes: under DDP each rank takes its share of the same batch.  For a
    multivariate network a batch holds whole cutoffs, all series of each.
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
        require_training_windows(self.train_windows, panel, spec, split.train_until)
        if whole_cutoffs:
            count = np.diff(self.train_windows.before_S)
            first_S = self.train_windows.first_S[count > 0]
            last = int((first_S + (count[count > 0] - 1) * spec.train_stride).max())
            self.cutoffs = np.arange(last, int(first_S.min()) - 1, -spec.train_stride)[::-1].copy()
        size = len(self.cutoffs) if whole_cutoffs else len(self.train_windows)
        self.sampler = Sampler(num_windows=size, seed=seed)
        self.gatherer = Gatherer(panel, spec, device)
        if split.val_cutoffs and not len(self.val_windows):
            raise SchemaError(
                f"no validation window: no series has {spec.min_context} targets in the"
                f" {spec.context} steps up to any cutoff from"
                f" {panel.time_of(split.val_cutoffs[0])} on; lower windows.min_context, or set"
                " optim.val_steps=0"
            )

    @cached_property
    def val_windows(self) -> WindowIndex:
        """Every validation window."""
        if self.whole_cutoffs:
            return whole(self.panel, np.asarray(self.split.val_cutoffs, dtype=np.int64))
        return windows_at(self.panel, self.split.val_cutoffs, self.spec)

    def train_dataloader(self) -> Any:
        """Batches of the current epoch; the last one ends where the budget does."""
        if self.trainer is None:
            return _Epoch(self, range(self.steps_per_epoch))
        first = self.trainer.current_epoch * self.steps_per_epoch
        end = first + self.steps_per_epoch
        if self.trainer.max_steps >= 0:
            end = min(end, max(first + 1, self.trainer.max_steps))
        return _Epoch(self, range(first, end))

    def val_dataloader(self) -> Any:
        """Every validation window, in order; empty where nothing is held out.

        Ranks get equally many batches, since each forward synchronizes them; where there are fewer
        windows than that takes, every rank gets all of them, which leaves the metrics as they are.
        """
        index = self.val_windows
        if not len(index):
            return []
        world, rank = self._world()
        group = self.panel.num_series if self.whole_cutoffs else 1
        units = len(index) // group
        count = math.ceil(units / max(1, self.eval_batch_size // group))
        count = math.ceil(count / world) * world
        if count > units:
            count, world, rank = units, 1, 0
        edges = group * np.array([units * i // count for i in range(count + 1)])
        batches = [index[low:high] for low, high in pairwise(edges)]
        return _Evaluation(self, batches[rank::world])

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
        return self.answered(self.train_index(step))

    def answered(self, index: WindowIndex) -> Batch:
        """Windows with their answers; of one that is there for the others alone, as its series is
        closed, there is none.
        """
        batch, label = self.gatherer(index)
        if self.whole_cutoffs and closes(self.panel.schema):
            is_open = torch.from_numpy(open_at(self.panel, index.series_W, index.cutoff_W))
            seen = label.seen_BH & is_open[:, None].to(label.seen_BH.device)
            label = replace(label, seen_BH=seen)
        return batch, label

    def train_index(self, step: int) -> WindowIndex:
        """The windows of that batch."""
        world, rank = self._world()
        per_step = self.batch_size
        if self.whole_cutoffs:
            per_step = self.batch_size // self.panel.num_series
        per_step = max(world, per_step)  # nobody goes without
        rows = np.array_split(self.sampler.rows(step * per_step, per_step), world)[rank]
        if self.whole_cutoffs:
            return whole(self.panel, self.cutoffs[rows])
        return self.train_windows.decode(rows)

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
    steps: range

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Batch]:
        """From the trainer's own step on: a fit resumed within an epoch goes on where it was."""
        steps_run = self.data.trainer.global_step if self.data.trainer is not None else 0
        for step in range(max(steps_run, self.steps.start), self.steps.stop):
            yield self.data.train_batch(step)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    data: ForecastDataModule
    batches: list[WindowIndex]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for index in self.batches:
            yield self.data.answered(index)
