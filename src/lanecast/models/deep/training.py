"""Running Lightning for one fit; the best weights end up in the module."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger

from lanecast.data.datamodule import ForecastDataModule
from lanecast.data.disk.weights import checkpoint
from lanecast.errors import CheckpointError, ConfigError
from lanecast.models.deep.module import ForecastModule
from lanecast.models.deep.networks.nhits_fused import fused
from lanecast.models.deep.optimization import Hardware, Optimization
from lanecast.models.deep.progress import Progress
from lanecast.models.deep.quiet import quiet_lightning
from lanecast.models.protocol import FitReport, Reporter


class ReporterLogger(Logger):
    """Lightning's metrics, handed to a `Reporter`."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    @property
    def name(self) -> str:
        """A label for Lightning."""
        return "lanecast"

    @property
    def version(self) -> str:
        """A label for Lightning."""
        return "0"

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the record holds the config."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """One row of curves, by optimizer steps done; Lightning's ``epoch`` is left out."""
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        if values:
            self._reporter.log((step or 0) + 1, **values)  # Lightning counts from 0


class _Last(Checkpoint):
    """``last.ckpt``: what a stopped fit is resumed from, of every epoch's end and of Ctrl-C.

    Not so of a Ctrl-C during a validation, which Lightning cannot resume: the last epoch's stays.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "last.ckpt"

    def on_train_epoch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
    ) -> None:
        """Save after the best weights are: their place belongs to what is resumed."""
        trainer.save_checkpoint(self._path)

    def on_exception(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        exception: BaseException,
    ) -> None:
        """Save after a stop from outside only: weights that diverged are of no use."""
        if isinstance(exception, KeyboardInterrupt) and trainer.training:
            trainer.save_checkpoint(self._path)


def fit_module(
    module: ForecastModule,
    data: ForecastDataModule,
    *,
    plan: Optimization,
    hardware: Hardware,
    steps: int,
    reporter: Reporter | None,
    resume: str | None = None,
    keep: int = 1,
) -> FitReport:
    """Train for at most ``steps`` steps and leave the best weights in ``module``.

    Best is by ``plan.objective`` over the validations; without validation windows the last weights
    are kept and the objective is ``train/loss``.  Ctrl-C is passed on as KeyboardInterrupt after
    the last checkpoint is written.  The weights of the ``keep`` best checkpoints stay in the
    reporter's folder, in the place of those of an earlier fit, beside the last checkpoint whole.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        raise ConfigError(
            f"trainer.devices={hardware.devices}: the other processes end with the first fit, so a"
            " script can train once; set protocol.refit=never or trainer=cpu"
        )
    monitor = plan.objective if data.split.val_cutoffs else None
    module.budget = {"optim.max_steps": steps, "optim.val_every": data.steps_per_epoch}
    with tempfile.TemporaryDirectory() as scratch, quiet_lightning():
        kept = reporter is not None and keep > 0
        folder = reporter.folder / "checkpoints" if reporter and kept else Path(scratch)
        if kept and resume is None:
            shutil.rmtree(folder, ignore_errors=True)  # what an earlier fit of this run left
        best = _best(folder, monitor, keep=keep)
        callbacks = [best, _Last(folder)] if kept else [best]
        trainer = _trainer(plan, hardware, steps, reporter, callbacks, data)
        with _faster(module, fuse=plan.fused_layers, mode=hardware.compile):
            _run(trainer, module, data, resume)
        if trainer.global_rank != 0:
            raise SystemExit(0)  # the script of another DDP rank: rank 0 goes on alone
        report = _outcome(trainer, module, best)
    if monitor and reporter is not None and not math.isfinite(report.value):
        reporter.warn(
            f"{monitor} is not a number, so that the fit ended at its first validation: are the"
            " targets there all 0 or missing? choose optim.objective=val/mse or a longer"
            " optim.val_steps"
        )
    return report


@contextmanager
def _faster(module: ForecastModule, *, fuse: bool, mode: str | None) -> Iterator[None]:
    """The network's forward fused and compiled for the fit alone; its weights keep their names."""
    network: Any = module.network
    form: Any = fused(network) if fuse else network
    if form is network and mode is None:
        yield
        return
    forward = network.forward if form is network else form
    network.forward = forward if mode is None else torch.compile(forward, mode=mode)
    try:
        yield
    finally:
        del network.forward  # the class's own again


def _best(folder: Path, monitor: str | None, *, keep: int) -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=folder,
        filename="best" if keep <= 1 else "best-{step}",
        monitor=monitor,
        save_weights_only=True,  # the optimizer's state is twice their size
        save_top_k=max(1, keep) if monitor else 1,
        save_on_train_epoch_end=True,  # what is saved in a validation cannot be resumed
        enable_version_counter=False,
    )


def _outcome(trainer: pl.Trainer, module: ForecastModule, best: ModelCheckpoint) -> FitReport:
    """Take up the best weights where there was a validation; say what the fit came to."""
    steps = trainer.global_step
    if best.monitor is None:
        value = float(trainer.callback_metrics.get("train/loss", math.nan))
        return FitReport(objective="train/loss", value=value, step=steps, steps_run=steps)
    if best.best_model_score is None or not Path(best.best_model_path).is_file():
        raise CheckpointError(
            f"the best checkpoint {best.best_model_path!r} of this fit is gone; train without"
            " model.resume, or put it back"
        )
    state = checkpoint(Path(best.best_model_path))
    module.load_state_dict(state["state_dict"])
    return FitReport(
        objective=best.monitor,
        value=float(best.best_model_score),
        step=int(state["global_step"]),
        steps_run=steps,
    )


def _trainer(
    plan: Optimization,
    hardware: Hardware,
    steps: int,
    reporter: Reporter | None,
    callbacks: list[Any],
    data: ForecastDataModule,
) -> pl.Trainer:
    validated = bool(data.split.val_cutoffs)
    if validated:
        callbacks.append(EarlyStopping(monitor=plan.objective, patience=plan.patience))
    if hardware.progress:
        callbacks.append(Progress(steps, plan.objective if validated else None, reporter))
    return pl.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.trainer_devices(),
        strategy=hardware.strategy,
        precision=hardware.precision,  # type: ignore[arg-type]
        max_steps=steps,
        gradient_clip_val=plan.clip,
        limit_val_batches=None if validated else 0,
        logger=ReporterLogger(reporter) if reporter is not None else False,
        callbacks=callbacks,
        log_every_n_steps=data.steps_per_epoch,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,  # the last epoch may be shorter
        default_root_dir=str(reporter.folder) if reporter is not None else None,
    )


def _run(
    trainer: pl.Trainer, module: ForecastModule, data: ForecastDataModule, resume: str | None
) -> None:
    if resume is not None:
        _check_resumable(module, Path(resume))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        # Ours is: it starts at the step that the trainer has reached.
        warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
        # Our sums are reduced over the ranks before they are logged.
        warnings.filterwarnings("ignore", message=".*logging on epoch level in distributed.*")
        try:
            trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
        except SystemExit as left:
            if not trainer.interrupted:
                raise
            # Lightning turns Ctrl-C into exit(1); what was raised first knows the signal.
            first = left.__context__
            stop = first if isinstance(first, KeyboardInterrupt) else KeyboardInterrupt()
            raise stop from None


def _check_resumable(module: ForecastModule, resume: Path) -> None:
    """CheckpointError if the checkpoint is not there, or is of other weights or another budget."""
    if not resume.is_file():
        raise CheckpointError(
            f"no checkpoint at {resume}; give the path of a run's checkpoints/last.ckpt"
        )
    state = checkpoint(resume)
    if "state_dict" not in state:
        raise CheckpointError(
            f"{resume} is no checkpoint of a fit; give the path of a run's checkpoints/last.ckpt"
        )
    _refuse_paths(state, resume)
    if "optimizer_states" not in state:
        raise CheckpointError(
            f"{resume} holds weights alone, which nothing can go on from; give the"
            " checkpoints/last.ckpt of a run that was stopped: one that completed has none"
        )
    if (budget := state.get("budget")) != module.budget:
        raise CheckpointError(
            f"{resume} is of a fit with the budget {budget}, on which its schedule and order of"
            f" windows depend, but here it is {module.budget}; resume with the same, or train anew"
        )
    stored, expected = state["state_dict"], module.state_dict()
    for name in sorted(stored.keys() | expected.keys()):
        shapes = [
            tuple(weights[name].shape) if name in weights else None
            for weights in (stored, expected)
        ]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"{resume} belongs to another config: {name} is {shapes[0]} there and {shapes[1]}"
                " here; resume with the run's own config: run=<run folder> model.resume=<path>"
            )


def _refuse_paths(state: Mapping[str, Any], resume: Path) -> None:
    """Lightning deletes the checkpoints that a checkpoint lists: those of its own folder alone."""
    for of_callback in dict(state.get("callbacks") or {}).values():
        if not isinstance(of_callback, Mapping):
            continue
        folder = os.path.abspath(str(of_callback.get("dirpath") or resume.parent))
        best = of_callback.get("best_k_models") or {}
        single = (of_callback.get(f"{kind}_model_path") for kind in ("best", "kth_best", "last"))
        for path in filter(None, (*best, *single)):
            if os.path.abspath(os.path.dirname(str(path))) != folder or ".." in Path(path).parts:
                raise CheckpointError(
                    f"{resume} lists {path} as a checkpoint of its own, which lies elsewhere;"
                    " resume from a checkpoint that lanecast wrote, or train anew"
                )
