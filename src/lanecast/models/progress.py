"""How far a fit has come: one bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from typing import Any

import lightning.pytorch as pl
from tqdm import tqdm

from lanecast.models.protocol import Reporter

log = logging.getLogger(__name__)

SECONDS = 30.0  # between two lines of a log


class Progress(pl.Callback):
    """Optimizer steps of the whole budget, with the newest validation.

    Lightning's own bar starts anew at each validation, shows another for the validation, and fills
    a log with both.  Jobs side by side share a terminal, which cannot show several bars.
    """

    def __init__(self, steps: int, monitor: str | None, reporter: Reporter | None) -> None:
        self.steps, self.monitor = steps, monitor
        folder = None if reporter is None else reporter.folder
        self.place = "" if folder is None else f"{folder.parent.name}/{folder.name}: "
        self._bar: tqdm[Any] | None = None
        self._told = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Draw the bar, a resumed fit's where it stopped."""
        self._told = time.monotonic()
        alone = multiprocessing.parent_process() is None
        if trainer.is_global_zero and alone and sys.stderr.isatty():
            self._bar = tqdm(
                total=self.steps,
                initial=trainer.global_step,
                desc="training",
                unit="step",
                dynamic_ncols=True,
                file=sys.stderr,
            )

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(trainer.global_step - self._bar.n)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Say what the validation came to."""
        if self.monitor is None or self.monitor not in trainer.callback_metrics:
            return
        value = f"{self.monitor} {float(trainer.callback_metrics[self.monitor]):.4g}"
        if self._bar is not None:
            self._bar.set_postfix_str(value)
        elif trainer.is_global_zero and time.monotonic() - self._told >= SECONDS:
            self._told = time.monotonic()
            log.info("%sstep %d of %d, %s", self.place, trainer.global_step, self.steps, value)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Leave the bar as it stands."""
        self._close()

    def on_exception(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        exception: BaseException,  # noqa: ARG002
    ) -> None:
        """Leave the bar as it stands."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
