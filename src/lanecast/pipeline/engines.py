"""Where the fits of a backtest run: here, one after the other, or as Ray tasks side by side.

A fit and its forecasts depend on the model, the panel and the fold alone, so that engines agree to
the last bit at equal threads.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lanecast.errors import ConfigError
from lanecast.pipeline.facts import model_facts
from lanecast.pipeline.folds import Fold, FoldForecasts, FoldOptions, forecast_fold

if TYPE_CHECKING:
    from lanecast.data.panel import Panel
    from lanecast.models.protocol import Forecaster, Reporter

# Ray asks about usage reports and starts a dashboard unless told otherwise.
CALM = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldResults:
    """Every fold in order, the last model fitted, and what a record says of that model."""

    folds: tuple[FoldForecasts, ...]
    model: Forecaster
    facts: Mapping[str, Any]


class Engine(Protocol):
    """Fits a clone of the model for each fold and forecasts its cutoffs."""

    def forecast(
        self,
        panel: Panel,
        model: Forecaster,
        folds: Sequence[Fold],
        *,
        options: FoldOptions,
        reporter: Reporter | None = None,
    ) -> FoldResults:
        """Every fold in order; ``model`` stays as it is."""
        ...


class Local:
    """One fold after the other in this process."""

    def forecast(
        self,
        panel: Panel,
        model: Forecaster,
        folds: Sequence[Fold],
        *,
        options: FoldOptions,
        reporter: Reporter | None = None,
    ) -> FoldResults:
        """Every fold in order; ``model`` stays as it is."""
        last, results = model, []
        for fold in folds:
            last, forecasts = forecast_fold(panel, model, fold, options=options, reporter=reporter)
            results.append(forecasts)
        return FoldResults(folds=tuple(results), model=last, facts=model_facts(last))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What comes back of a fold in another process; files by path, of the last fold alone.

    ``model`` are those that the fitted model saved, ``left`` what the fit left for its reporter.
    """

    forecasts: FoldForecasts
    notes: Notes
    model: Mapping[str, bytes]
    left: Mapping[str, bytes]
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ray:
    """Every fold is a task of ``cpus_per_fit`` cores and, with ``trainer=gpu``, of so many GPUs.

    The panel and the unfitted model are shared by all tasks of a machine.
    The Ray it started ends with the backtest.  A failed task is not tried again.
    """

    address: str | None = "local"
    num_cpus: int | None = None
    cpus_per_fit: float | None = 1
    gpus_per_fit: float = 0

    def forecast(
        self,
        panel: Panel,
        model: Forecaster,
        folds: Sequence[Fold],
        *,
        options: FoldOptions,
        reporter: Reporter | None = None,
    ) -> FoldResults:
        """Every fold in order; ``model`` stays as it is."""
        ray = self._started()
        try:
            task = ray.remote(
                max_retries=0, num_cpus=self.cpus_per_fit or 1, num_gpus=self.gpus_per_fit
            )(_forecast_elsewhere)
            shared = ray.put(panel), ray.put(model)
            pending = [task.remote(*shared, fold, options, fold is folds[-1]) for fold in folds]
            results: list[Elsewhere] = []
            for answer in pending:
                results.append(ray.get(answer))
                if reporter is not None:
                    results[-1].notes.tell(reporter)
        finally:
            ray.shutdown()
        last = results[-1]
        if reporter is not None:
            _write_files(last.left, reporter.folder)
        with tempfile.TemporaryDirectory() as scratch:
            _write_files(last.model, Path(scratch))
            trained = model.clone().load(Path(scratch))
        return FoldResults(
            folds=tuple(result.forecasts for result in results), model=trained, facts=last.facts
        )

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


def _forecast_elsewhere(
    panel: Panel, model: Forecaster, fold: Fold, options: FoldOptions, keep: bool
) -> Elsewhere:
    """A fold in a process of its own; with ``keep``, the files of its model and its fit."""
    with tempfile.TemporaryDirectory() as fit, tempfile.TemporaryDirectory() as saved:
        notes = Notes(Path(fit))
        trained, forecasts = forecast_fold(panel, model, fold, options=options, reporter=notes)
        if keep:
            trained.save(Path(saved))
        return Elsewhere(
            forecasts=forecasts,
            notes=notes,
            model=_read_files(Path(saved)),
            left=_read_files(notes.folder) if keep else {},
            facts=model_facts(trained),
        )


def _read_files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _write_files(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
