"""Where the fits of a backtest run: here, one after the other, or as Ray tasks side by side.

A fit and its forecasts depend on the config, the panel and the fold alone, so that engines agree to
the last bit at equal threads.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lanecast.errors import ConfigError
from lanecast.pipeline.building import build_forecaster
from lanecast.pipeline.facts import model_facts
from lanecast.pipeline.opening import MODEL, saved_model

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.forecasts import Forecasts
    from lanecast.data.panel import Panel
    from lanecast.models.protocol import Forecaster, Reporter
    from lanecast.whatif.leakage import OtherFutures

# Ray asks about usage reports and starts a dashboard unless told otherwise.
CALM = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One fit and the cutoffs it serves; the fit knows nothing after ``until``."""

    until: int
    cutoffs: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Served:
    """What one fold came to."""

    forecasts: Forecasts
    others: OtherFutures
    fit_seconds: float
    predict_seconds: float


class Engine(Protocol):
    """Serves all folds; the last fitted model lies in ``folder / MODEL`` afterwards."""

    def serve(
        self, cfg: DictConfig, panel: Panel, folds: Sequence[Fold], reporter: Reporter
    ) -> tuple[list[Served], Mapping[str, Any]]:
        """Each fold in order, and the facts of the last model."""
        ...


class Local:
    """One fold after the other in this process."""

    def serve(
        self, cfg: DictConfig, panel: Panel, folds: Sequence[Fold], reporter: Reporter
    ) -> tuple[list[Served], Mapping[str, Any]]:
        """Each fold in order, and the facts of the last model."""
        forecaster = build_forecaster(cfg)
        served = [serve_fold(forecaster, cfg, panel, fold, reporter) for fold in folds]
        if cfg.get("run") is None:
            forecaster.save(reporter.folder / MODEL)
        return served, model_facts(forecaster)


@dataclass(slots=True)
class Notes:
    """A `Reporter` for a fit elsewhere: what it says is kept, to be told where the run is."""

    folder: Path
    rows: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def log(self, step: int, **values: float) -> None:
        """Keep a row of curves."""
        self.rows.append((step, values))

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def tell(self, reporter: Reporter) -> None:
        """Say it all again."""
        for step, values in self.rows:
            reporter.log(step, **values)
        for message in self.warnings:
            reporter.warn(message)


@dataclass(frozen=True, kw_only=True)
class Ray:
    """Every fold is a task of ``cpus_per_fit`` cores and, with ``trainer=gpu``, of so many GPUs.

    The panel is shared by all tasks of a machine.
    The Ray it started ends with the backtest.  A failed task is not tried again.
    """

    address: str | None = "local"
    num_cpus: int | None = None
    cpus_per_fit: float | None = 1
    gpus_per_fit: float = 0

    def serve(
        self, cfg: DictConfig, panel: Panel, folds: Sequence[Fold], reporter: Reporter
    ) -> tuple[list[Served], Mapping[str, Any]]:
        """Each fold in order, and the facts of the last model."""
        from lanecast.config import resolved_config

        ray = self._started()
        try:
            task = ray.remote(
                max_retries=0, num_cpus=self.cpus_per_fit or 1, num_gpus=self.gpus_per_fit
            )(_serve_elsewhere)
            there, plain = ray.put(panel), ray.put(resolved_config(cfg))
            asked = [task.remote(plain, there, fold, fold is folds[-1]) for fold in folds]
            served = []
            for answer in asked:
                one, notes, files, facts = ray.get(answer)
                notes.tell(reporter)
                served.append(one)
            for name, content in files.items():
                path = reporter.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return served, facts
        finally:
            ray.shutdown()

    def _started(self) -> Any:
        os.environ.update(CALM)
        from lanecast.config import CALM_THREADS

        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as err:
            raise ConfigError(
                f"engine=ray needs Ray ({err}); pip install 'lanecast[sweep]' brings it"
            ) from err
        if ray.is_initialized():
            raise ConfigError(
                "engine=ray inside of a Ray task: the sweep runs on Ray already; set engine=local"
            )
        size = {"num_cpus": self.num_cpus} if self.address == "local" else {}
        ray.init(
            address=self.address,
            include_dashboard=False,
            configure_logging=False,
            runtime_env={"env_vars": CALM_THREADS},
            **size,
        )
        return ray


def serve_fold(
    forecaster: Forecaster, cfg: Any, panel: Panel, fold: Fold, reporter: Reporter
) -> Served:
    """Fit, or load the trained model of ``cfg.run``, and forecast the cutoffs of the fold."""
    from lanecast.config import instantiate
    from lanecast.data.windows import windows_at
    from lanecast.whatif.leakage import OtherFutures

    started = time.perf_counter()
    if cfg.get("run") is not None:
        forecaster.load(saved_model(cfg.run))
    else:
        forecaster.fit(_history(panel, cfg, fold), until=fold.until, reporter=reporter)
    fitted = time.perf_counter()
    at = windows_at(panel, fold.cutoffs, instantiate(cfg.windows))
    forecasts = forecaster.predict(
        panel,
        at=at,
        quantiles=list(cfg.protocol.quantiles),
        samples=int(cfg.protocol.samples) or None,
        seed=int(cfg.seed),
    )
    predicted = time.perf_counter()
    others = OtherFutures()
    others.ask(forecaster, panel, at, seed=int(cfg.seed))
    return Served(
        forecasts=forecasts,
        others=others,
        fit_seconds=fitted - started,
        predict_seconds=predicted - fitted,
    )


def _history(panel: Panel, cfg: Any, fold: Fold) -> Panel:
    """The panel a fit may learn from: all of it, or the last ``window`` steps (sliding)."""
    if cfg.protocol.window == "expanding":
        return panel
    return panel.since(fold.until - int(cfg.protocol.window) + 1)


def _serve_elsewhere(
    plain: dict[str, Any], panel: Panel, fold: Fold, keep: bool
) -> tuple[Served, Notes, dict[str, bytes], Mapping[str, Any]]:
    """A fold in a process of its own; the files of the model and its checkpoints, where kept."""
    from omegaconf import OmegaConf

    cfg: Any = OmegaConf.create(plain)
    forecaster = build_forecaster(cfg)
    with tempfile.TemporaryDirectory() as scratch:
        notes = Notes(Path(scratch))
        served = serve_fold(forecaster, cfg, panel, fold, notes)
        if keep and cfg.get("run") is None:
            forecaster.save(notes.folder / MODEL)
        files = {
            path.relative_to(notes.folder).as_posix(): path.read_bytes()
            for path in sorted(notes.folder.rglob("*"))
            if keep and path.is_file()
        }
    return served, notes, files, model_facts(forecaster)
