"""`DeepForecaster`: a network, its training and its forecasts behind the `Forecaster` protocol."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from lanecast.data import visible
from lanecast.data.datamodule import ForecastDataModule
from lanecast.data.disk.weights import load_tensors, save_tensors
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.schema import TARGET
from lanecast.data.views import of_series
from lanecast.data.windows import Split, WindowIndex, WindowSpec, split
from lanecast.errors import CheckpointError, LeakageError, SchemaError
from lanecast.models.deep.anchors import Anchor, NoAnchor
from lanecast.models.deep.inference import Calibration, Inference, calibrate
from lanecast.models.deep.inputs import Inputs, Selection
from lanecast.models.deep.losses import Loss
from lanecast.models.deep.module import ForecastModule
from lanecast.models.deep.networks.base import Network, NetworkShape, roles_taken
from lanecast.models.deep.optimization import Hardware, Optimization
from lanecast.models.deep.training import fit_module
from lanecast.models.protocol import Capabilities, FitReport, Forecaster, Reporter, Validation
from lanecast.models.quantiles.grids import at_levels, sample_paths
from lanecast.models.quantiles.support import on_support

WEIGHTS = "model"  # name of their file; of runs up to 2026-11-29 model.pt

Weigher = Callable[[Panel, int], np.ndarray]  # panel, until -> what an error of each series weighs


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A fit that is ready to run for ``steps`` optimizer steps.

    ``alone`` names the setting that only Lightning's own loop follows; empty where there is none.
    """

    module: ForecastModule
    data: ForecastDataModule
    steps: int
    alone: str = ""


class DeepForecaster(Forecaster):
    """Any `Network` with any `Loss`; ``network`` and ``scaler`` are factories: refits start afresh.

    Intervals and paths are calibrated on the validation windows, or, where none are held out, on
    the last training windows; its description says which.
    """

    def __init__(
        self,
        *,
        name: str,
        network: Callable[..., Network],
        loss: Loss,
        scaler: Callable[[], Scaler],
        windows: WindowSpec,
        optim: Optimization,
        hardware: Hardware,
        seed: int,
        inputs: Inputs | None = None,
        anchor: Anchor | None = None,
        resume: str | None = None,
        keep_checkpoints: int = 1,
        weigher: Weigher | None = None,
    ) -> None:
        self.name, self.windows, self.seed = name, windows, seed
        self._network, self._loss, self._scaler = network, loss, scaler
        self._anchor = anchor or NoAnchor()
        self._inputs = inputs or Inputs()
        self._optim, self._hardware, self._resume = optim, hardware, resume
        self._keep_checkpoints = keep_checkpoints
        self._weigher = weigher  # asked at every fit
        self.fitted_until: int | None = None
        self.report: FitReport | None = None
        self.counts: dict[str, int] = {}
        self._spans: Split | None = None  # of the last fit
        self._module: ForecastModule | None = None
        self._shape: NetworkShape | None = None
        self._columns: list[str] = []
        self._calibration: Calibration | None = None

    def describe(self) -> Capabilities:
        """What it is; until the network is built, the roles that it can be given."""
        levels, optim = self._loss.levels, self._optim
        validation = Validation(
            objective=optim.objective, steps=optim.val_steps, stride=optim.val_stride, levels=levels
        )
        kinds = (name.partition(":") for name in self._columns)
        multivariate = self._module is not None and self._module.network.multivariate
        series = tuple(self._fitted().scaler.known) if multivariate else None
        return Capabilities(
            windows=self.windows,
            uses=self._module.network.uses if self._module else roles_taken(self._network),
            quantiles="model" if levels else "residuals",
            horizons=True,
            alone=series is None and self._module is not None,
            series=series,
            reads_issued=True,
            validation=validation if optim.val_steps else None,
            static_names=tuple(name for kind, _, name in kinds if kind == "static")
            if self._columns
            else None,
            calibrated_on=self._calibration.source if self._calibration else None,
            counts=dict(self.counts),
        )

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Train afresh on what is known at ``until``."""
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            begun = self.begin(panel, until=until)
            report = fit_module(
                begun.module,
                begun.data,
                plan=self._optim,
                hardware=self._hardware,
                steps=begun.steps,
                reporter=reporter,
                resume=self._resume,
                keep=self._keep_checkpoints,
            )
        return self.end(begun, report, reporter=reporter)

    def begin(self, panel: Panel, *, until: int) -> Begun:
        """The untrained module, drawn from torch's generator, and the batches of its fit."""
        self._hardware.set_threads()
        spans = split(
            until=until,
            horizon=self.windows.horizon,
            val_steps=self._optim.val_steps,
            val_stride=self._optim.val_stride,
            delay=panel.schema.delay_steps(TARGET),
        )
        module = self._build(panel, scaler_until=spans.train_until).train()
        if self._weigher is not None:
            module.series_weight_N = torch.as_tensor(self._weigher(panel, until)).float()
        steps = self._hardware.steps(self._optim.max_steps)
        data = ForecastDataModule(
            panel,
            spec=self.windows,
            split=spans,
            batch_size=self._optim.batch_size,
            steps_per_epoch=min(self._optim.val_every, steps),
            seed=self.seed,
            whole_cutoffs=module.network.multivariate,
            device=self._hardware.device(),
        )
        self.counts = {
            "training_windows": len(data.train_windows),
            "validation_windows": len(data.val_windows),
            "parameters": sum(p.numel() for p in module.network.parameters()),
        }
        resumed = "" if self._resume is None else f"model.resume={self._resume}"
        return Begun(module=module, data=data, steps=steps, alone=resumed or self._hardware.alone)

    def end(self, begun: Begun, report: FitReport, *, reporter: Reporter | None = None) -> Self:
        """Take up a trained module and learn its intervals and paths."""
        panel, spans = begun.data.panel, begun.data.split
        self.report, self._module, self.fitted_until = report, begun.module.eval(), spans.until
        self._spans = spans
        self._calibration = calibrate(self._inference(panel), spans)
        self.counts["paths_of_independent_steps"] = int(self._calibration.independent)
        if self._calibration.independent and reporter is not None:
            reporter.warn(
                f"{self.name}: too few complete windows to learn how steps depend on each other;"
                " sample paths are drawn step by step"
            )
        return self

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
    ) -> Forecasts:
        """Forecast the windows ``at`` in batched forwards."""
        index = at
        if self._fitted().network.multivariate:
            panel, at = of_series(panel, at, list(self._fitted().scaler.known))
        self._check(panel, at)
        unseen = set(map(str, panel.series)) - set(self._fitted().scaler.known)
        self.counts["series_unseen_in_training"] = len(unseen)
        inference, calibration = self._inference(panel), self._calibrated()
        target = panel.schema.columns[TARGET]
        levels = tuple(quantiles or ())
        if not levels and not samples:
            return Forecasts(index=index, point_WH=on_support(inference.points(at), target))
        wanted = paths = None
        if not samples:
            point, wanted = inference.quantiles(at, calibration, levels)
        else:
            point, grid = inference.grids(at, calibration)
            paths = sample_paths(
                grid,
                calibration.levels,
                correlation_HH=calibration.correlation_HH,
                samples=samples,
                seed=seed,
                keys=panel.noise_keys(at.series_W, at.cutoff_W),
            )
            wanted = at_levels(grid, calibration.levels, levels) if levels else None
        return Forecasts(
            index=index,
            point_WH=on_support(point, target),
            levels=levels,
            quantiles_WHQ=None if wanted is None else on_support(wanted, target),
            samples_SWH=None if paths is None else on_support(paths, target),
        )

    def save(self, folder: Path) -> None:
        """Weights as safetensors, everything else as JSON."""
        module = self._fitted()
        assert self._shape is not None
        folder.mkdir(parents=True, exist_ok=True)
        calibration = self._calibrated()
        state = {"module": module.state_dict(), "calibration": calibration.tensors()}
        save_tensors(folder / WEIGHTS, state)
        facts = {
            "choices": self._choices(),
            "shape": asdict(self._shape),
            "columns": self._columns,
            "levels": list(calibration.levels),
            "selection": asdict(module.selection),
            "fitted_until": self.fitted_until,
            "calibrated_on": calibration.source,
            "scaler": module.scaler.facts(),
        }
        (folder / "model.json").write_text(json.dumps(facts, indent=1))

    def load(self, folder: Path) -> Self:
        """Rebuild the network that ``save`` wrote and check that it is this config's."""
        if not (folder / "model.json").is_file():
            raise CheckpointError(f"{folder} holds no model.json; is it the checkpoint of a run?")
        facts = json.loads((folder / "model.json").read_text())
        shape = NetworkShape(**facts["shape"])
        for choice, expected in self._choices().items():
            if (recorded := facts["choices"].get(choice)) != expected:
                raise CheckpointError(
                    f"{folder} was trained with {choice} {recorded}, this config has {expected};"
                    " use the run's own config: run=<run folder>"
                )
        state = load_tensors(folder / WEIGHTS)
        scaler = self._scaler().restore(facts["scaler"], _scaler(state))
        module = self._assemble(shape, scaler, Selection(**facts["selection"]))
        try:
            module.load_state_dict(state["module"])
        except RuntimeError as err:
            raise CheckpointError(
                f"what {folder} holds does not fit the network of this config: {err}; use the"
                " run's own config: run=<run folder>"
            ) from err
        self._module, self._shape, self._spans, self.report = module.eval(), shape, None, None
        self._columns, self.fitted_until = facts["columns"], facts["fitted_until"]
        self._calibration = Calibration.restored(facts, state["calibration"])
        return self

    def _choices(self) -> dict[str, Any]:
        """What a checkpoint shares with the config that loads it, though no weight shows it."""
        return {
            "model": self.name,
            "context": self.windows.context,
            "horizon": self.windows.horizon,
            "loss": f"{type(self._loss).__name__} {self._loss.kind}",
            "levels": list(self._loss.levels),
            "anchor": repr(self._anchor),
        }

    def _build(self, panel: Panel, *, scaler_until: int) -> ForecastModule:
        selection = self._inputs.bind(panel)
        self._shape = NetworkShape(
            context=self.windows.context,
            horizon=self.windows.horizon,
            num_observed=len(selection.past) - 1,
            num_known=len(selection.known),
            num_static=selection.num_static,
            num_outputs=self._loss.outputs,
            num_series=panel.num_series,
        )
        self._columns = _columns(panel)
        self._anchor.bind(panel)
        scaler = self._scaler().fit(panel, until=scaler_until)
        return self._assemble(self._shape, scaler, selection)

    def _assemble(
        self, shape: NetworkShape, scaler: Scaler, selection: Selection
    ) -> ForecastModule:
        return ForecastModule(
            network=self._network(shape=shape),
            loss=self._loss,
            scaler=scaler,
            anchor=self._anchor,
            selection=selection,
            plan=self._optim,
            total_steps=self._hardware.steps(self._optim.max_steps),
        )

    def _fitted(self) -> ForecastModule:
        if self._module is None:
            raise LeakageError(f"{self.name} was never fitted; call fit(panel, until=...) or load")
        return self._module

    def _calibrated(self) -> Calibration:
        if self._calibration is None:
            raise LeakageError(f"{self.name} was never fitted; call fit(panel, until=...) or load")
        return self._calibration

    def _inference(self, panel: Panel) -> Inference:
        return Inference(self._fitted(), panel, self.windows, self._hardware.device())

    def with_horizon(self, horizon: int) -> Self:
        """An unfitted copy that forecasts another number of steps, all else alike."""
        other = copy.copy(self)
        other.windows = replace(self.windows, horizon=horizon)
        other.fitted_until = other.report = None
        other._module = other._shape = other._spans = other._calibration = None
        other._columns, other.counts = [], {}
        return other

    def clone(self) -> Self:
        """As in `Forecaster`, without what this one has learned."""
        return copy.deepcopy(self.with_horizon(self.windows.horizon))

    def as_of(self, panel: Panel, *, until: int) -> Self | None:
        """The weights, which know no label of the validation, calibrated on training windows.

        The best checkpoint was chosen by the validation, as the fit's own report was.
        """
        spans = self._spans
        if spans is None or not spans.val_cutoffs or not spans.train_until <= until < spans.until:
            return None
        other = copy.copy(self)
        other.fitted_until, other.report, other._spans = until, None, None
        other.counts = dict(self.counts)
        self.bind(panel)
        trained = Split(train_until=spans.train_until, val_cutoffs=(), until=spans.train_until)
        other._calibration = calibrate(self._inference(panel), trained)
        return other

    @property
    def plan(self) -> Optimization:
        """How it is fitted."""
        return self._optim

    @property
    def module(self) -> ForecastModule:
        """The trained module; LeakageError before any fit."""
        return self._fitted()

    def bind(self, panel: Panel) -> None:
        """Look up this panel's series and columns, as `predict` does before a forward."""
        self._anchor.bind(panel)
        self._fitted().scaler.bind(panel)

    def _check(self, panel: Panel, at: WindowIndex) -> None:
        """Refuse early windows, other columns and, for multivariate networks, other series."""
        module = self._fitted()
        visible.refuse_early(self.name, self.fitted_until, panel, at)
        if _columns(panel) != self._columns:
            gone = sorted(set(self._columns) - set(_columns(panel)))
            new = sorted(set(_columns(panel)) - set(self._columns))
            raise SchemaError(
                f"{self.name} was trained on other columns: missing {gone}, new {new}; supply the"
                " columns of the training run, in its order"
            )
        self._anchor.bind(panel)
        module.scaler.bind(panel)
        if module.network.multivariate and list(map(str, panel.series)) != list(
            module.scaler.known
        ):
            raise SchemaError(
                f"{self.name} is multivariate and forecasts exactly the {len(module.scaler.known)}"
                f" series it was trained on, in order; this panel has {panel.num_series} others;"
                " refit, or choose a univariate network"
            )


def _columns(panel: Panel) -> list[str]:
    past = [f"past:{name}" for name in panel.schema.past]
    known = [f"known:{name}" for name in panel.known_names]
    return past + known + [f"static:{name}" for name in panel.static_names]


def _scaler(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {k[7:]: v for k, v in state["module"].items() if k.startswith("scaler.")}
