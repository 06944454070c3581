"""How far a fit has come: one bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import multiprocessing
import time
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lanecast.models.protocol import Reporter

log = logging.getLogger(__name__)

LOG_SECONDS = 30.0  # between two lines of a log
BAR_SECONDS = 0.1  # between two moves of the bar: a step may take less than a move


class Progress(pl.Callback):
    """Optimizer steps of the whole budget, with the newest validation.

    Lightning's own bar starts anew at each validation, shows another for the validation, and fills
    a log with both.  Jobs side by side share a terminal, which cannot show several bars.
    """

    def __init__(self, steps: int, monitor: str | None, reporter: Reporter | None) -> None:
        self.steps, self.monitor = steps, monitor
        folder = None if reporter is None else reporter.folder
        self.place = "" if folder is None else f"{folder.parent.name}/{folder.name}: "
        self._bar: Bar | None = None
        self._task = TaskID(0)
        self._shown = 0.0

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Draw the bar, a resumed fit's where it stopped."""
        self._shown = time.monotonic()
        console = Console(stderr=True)
        alone = multiprocessing.parent_process() is None
        if trainer.is_global_zero and alone and console.is_terminal:
            columns = TextColumn("training"), BarColumn(), MofNCompleteColumn()
            metric = TextColumn("{task.description}", markup=False)
            self._bar = Bar(*columns, TimeRemainingColumn(), metric, console=console)
            self._task = self._bar.add_task("", total=self.steps, completed=trainer.global_step)
            self._bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Move the bar."""
        if self._bar is not None and time.monotonic() - self._shown >= BAR_SECONDS:
            self._shown = time.monotonic()
            self._bar.update(self._task, completed=trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Say what the validation came to."""
        if self.monitor is None or self.monitor not in trainer.callback_metrics:
            return
        step, value = trainer.global_step, float(trainer.callback_metrics[self.monitor])
        if self._bar is not None:
            shown = f"{self.monitor} {value:.4g}"
            self._bar.update(self._task, completed=step, description=shown)
        elif trainer.is_global_zero and time.monotonic() - self._shown >= LOG_SECONDS:
            self._shown = time.monotonic()
            where = f"{self.place}step {step} of {self.steps}"
            log.info("%s, %s %.4g", where, self.monitor, value)

    def on_train_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Leave the bar as it stands."""
        self._close(trainer)

    def on_exception(self, trainer: pl.Trainer, *_: Any) -> None:
        """Leave the bar as it stands."""
        self._close(trainer)

    def _close(self, trainer: pl.Trainer) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=trainer.global_step)
            self._bar.stop()
            self._bar = None
