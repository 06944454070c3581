"""`DeepForecaster`: a network, its training and its forecasts behind the `Forecaster` protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from lanecast.data.datamodule import ForecastDataModule, whole
from lanecast.data.gather import Gatherer
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.schema import TARGET, Role
from lanecast.data.windows import Split, WindowIndex, WindowSpec, split, windows_at
from lanecast.errors import CheckpointError, LeakageError, SchemaError
from lanecast.models.anchors import Anchor, NoAnchor
from lanecast.models.fitting import FitReport, fit_module
from lanecast.models.inputs import Inputs, Selection
from lanecast.models.losses import Loss
from lanecast.models.module import ForecastModule
from lanecast.models.networks import Network, NetworkShape
from lanecast.models.optimization import Hardware, Optimization
from lanecast.models.paths import at_levels, horizon_correlation, sample_paths, scores_of
from lanecast.models.protocol import Forecasts, Reporter

POINT_LEVELS = tuple(round(level, 3) for level in np.arange(0.025, 1.0, 0.025))
_CALIBRATION_CUTOFFS = 28
_BATCH = 1024


class DeepForecaster:
    """Any `Network` with any `Loss`; ``network`` and ``scaler`` are factories: refits start afresh.

    Intervals and paths are calibrated on the validation windows, or, where none are held out, on
    the last training windows; ``calibrated_on`` says which.
    """

    do_validity = "associational"

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
    ) -> None:
        self.name, self.windows, self.seed = name, windows, seed
        self._network, self._loss, self._scaler = network, loss, scaler
        self._anchor = anchor or NoAnchor()
        self._inputs = inputs or Inputs()
        self._optim, self._hardware, self._resume = optim, hardware, resume
        self._keep_checkpoints = keep_checkpoints
        self.fitted_until: int | None = None
        self.report: FitReport | None = None
        self.calibrated_on = "nothing"
        self._module: ForecastModule | None = None
        self._shape: NetworkShape | None = None
        self._columns: list[str] = []
        self._levels: tuple[float, ...] = ()
        self._residual_HQ: torch.Tensor | None = None  # scaled, for point losses only
        self._correlation_HH = np.eye(windows.horizon)

    @property
    def uses(self) -> frozenset[Role]:
        """Roles that reach the network; all of them until it is built."""
        return self._module.network.uses if self._module else frozenset(Role)

    @property
    def static_names(self) -> tuple[str, ...]:
        """The encoded static columns it was fitted on, to encode another table alike."""
        names = (name.partition(":") for name in self._columns)
        return tuple(name for kind, _, name in names if kind == "static")

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Train afresh on what is known at ``until``."""
        self._hardware.set_threads()
        spans = split(
            until=until,
            horizon=self.windows.horizon,
            val_steps=self._optim.val_steps,
            val_stride=self._optim.val_stride,
            delay=panel.schema.delay_steps(TARGET),
        )
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            module = self._build(panel, scaler_until=spans.train_until)
            steps = min(self._optim.max_steps, self._hardware.step_limit or self._optim.max_steps)
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
            self.report = fit_module(
                module,
                data,
                plan=self._optim,
                hardware=self._hardware,
                steps=steps,
                reporter=reporter,
                resume=self._resume,
                keep=self._keep_checkpoints,
            )
        self._module = module.eval()
        self.fitted_until = until
        self._calibrate(panel, spans)
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
        self._check(panel, at)
        point, grid = self._forward(panel, at)
        if panel.schema.columns[TARGET].non_negative:
            point, grid = np.maximum(point, 0.0), np.maximum(grid, 0.0)
        paths = None
        if samples:
            paths = sample_paths(
                grid,
                self._levels,
                correlation_HH=self._correlation_HH,
                samples=samples,
                seed=seed,
            )
            if panel.schema.columns[TARGET].non_negative:
                np.maximum(paths, 0.0, out=paths)
        levels = tuple(quantiles or ())
        wanted = at_levels(grid, self._levels, levels) if levels else None
        if wanted is not None and panel.schema.columns[TARGET].non_negative:
            wanted = np.maximum(wanted, 0.0)  # levels beyond the grid are extrapolated
        return Forecasts(
            index=at,
            point_WH=point,
            levels=levels,
            quantiles_WHQ=wanted,
            samples_SWH=paths,
        )

    def save(self, folder: Path) -> None:
        """Weights as a state_dict, everything else as JSON."""
        module = self._fitted()
        assert self._shape is not None
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"correlation": torch.from_numpy(np.ascontiguousarray(self._correlation_HH))}
        if self._residual_HQ is not None:
            arrays["residuals"] = self._residual_HQ
        state = {"module": module.state_dict(), "calibration": arrays}
        torch.save(state, folder / "model.pt")
        facts = {
            "name": self.name,
            "shape": asdict(self._shape),
            "columns": self._columns,
            "levels": list(self._levels),
            "selection": asdict(module.selection),
            "fitted_until": self.fitted_until,
            "calibrated_on": self.calibrated_on,
            "scaler": module.scaler.facts(),
        }
        (folder / "model.json").write_text(json.dumps(facts, indent=1))

    def load(self, folder: Path) -> Self:
        """Rebuild the network that ``save`` wrote and check that it is this config's."""
        if not (folder / "model.json").is_file():
            raise CheckpointError(f"{folder} holds no model.json; is it the checkpoint of a run?")
        facts = json.loads((folder / "model.json").read_text())
        shape = NetworkShape(**facts["shape"])
        ours = (self.name, self.windows.context, self.windows.horizon)
        theirs = (facts["name"], shape.context, shape.horizon)
        if ours != theirs:
            raise CheckpointError(
                f"{folder} was trained as (model, context, horizon) {theirs}, this config is"
                f" {ours}; use the run's own config: run=<run folder>"
            )
        state = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
        scaler = self._scaler().restore(facts["scaler"], _scaler(state))
        module = self._assemble(shape, scaler, Selection(**facts["selection"]))
        try:
            module.load_state_dict(state["module"])
        except RuntimeError as err:
            raise CheckpointError(
                f"{folder}/model.pt does not fit the network of this config: {err}; use the run's"
                " own config: run=<run folder>"
            ) from err
        self._module, self._shape = module.eval(), shape
        self._columns, self._levels = facts["columns"], tuple(facts["levels"])
        self.fitted_until, self.calibrated_on = facts["fitted_until"], facts["calibrated_on"]
        self._residual_HQ = state["calibration"].get("residuals")
        self._correlation_HH = state["calibration"]["correlation"].numpy()
        return self

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
            total_steps=min(
                self._optim.max_steps, self._hardware.step_limit or self._optim.max_steps
            ),
        )

    def _fitted(self) -> ForecastModule:
        if self._module is None:
            raise LeakageError(f"{self.name} was never fitted; call fit(panel, until=...) or load")
        return self._module

    def _check(self, panel: Panel, at: WindowIndex) -> None:
        """Refuse early windows, other columns and, for multivariate networks, other series."""
        module = self._fitted()
        if len(at) and self.fitted_until is not None and int(at.cutoff_W.min()) < self.fitted_until:
            raise LeakageError(
                f"{self.name} was fitted until step {self.fitted_until}"
                f" ({panel.time_of(self.fitted_until)}) and may not forecast from the earlier"
                f" cutoff {panel.time_of(int(at.cutoff_W.min()))}; refit with an earlier until"
            )
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

    @torch.inference_mode()
    def _forward(self, panel: Panel, at: WindowIndex) -> tuple[np.ndarray, np.ndarray]:
        """Point [W, H] and quantile grid [W, H, Q] in the target's unit."""
        module = self._fitted()
        device = self._hardware.device()
        module = module.to(device).eval()
        rows, index, size = None, at, _BATCH
        if module.network.multivariate:
            cutoffs, place = np.unique(at.cutoff_W, return_inverse=True)
            index = whole(panel, cutoffs)
            rows = place * panel.num_series + at.series_W
            size = max(1, _BATCH // panel.num_series) * panel.num_series
        gather = Gatherer(panel, self.windows, device)
        points, grids = [], []
        for first in range(0, len(index), size):
            batch, _ = gather(index[first : first + size])
            output = module(batch)
            point = module.loss.point(output.raw_BHm)
            grid = module.loss.grid(output.raw_BHm)
            if grid is None:
                grid = point[..., None] + (
                    self._residual_HQ.to(point)
                    if self._residual_HQ is not None
                    else torch.zeros(1, device=device)
                )
            points.append(module.scaler.inverse(point, output.scale).cpu().numpy())
            grids.append(module.scaler.inverse(grid, output.scale).cpu().numpy())
        horizon = self.windows.horizon
        if not points:
            num_levels = len(self._levels)
            return np.zeros((0, horizon), np.float32), np.zeros(
                (0, horizon, num_levels), np.float32
            )
        point_WH, grid_WHQ = np.concatenate(points), np.concatenate(grids)
        return (point_WH, grid_WHQ) if rows is None else (point_WH[rows], grid_WHQ[rows])

    def _calibrate(self, panel: Panel, spans: Split) -> None:
        """Learn what paths need: residual quantiles (point losses) and horizon correlation."""
        module = self._fitted()
        cutoffs: Sequence[int] = spans.val_cutoffs
        self.calibrated_on = "validation windows"
        if not cutoffs:
            last = spans.until - panel.schema.delay_steps(TARGET) - self.windows.horizon
            cutoffs = range(max(0, last - _CALIBRATION_CUTOFFS + 1), last + 1)
            self.calibrated_on = "training windows"
        index = windows_at(panel, cutoffs, self.windows)
        _, label = Gatherer(panel, self.windows)(index)
        y_WH, seen_WH = label.y_BH.numpy(), label.seen_BH.numpy()
        self._residual_HQ = None
        self._levels = module.loss.levels
        if not self._levels:
            self._levels = POINT_LEVELS
            self._residual_HQ = self._residual_quantiles(panel, index)
        _, grid = self._forward(panel, index)
        z_WH = scores_of(grid, self._levels, y_WH)
        self._correlation_HH = horizon_correlation(z_WH, seen_WH)

    @torch.inference_mode()
    def _residual_quantiles(self, panel: Panel, index: WindowIndex) -> torch.Tensor:
        """Quantiles of the scaled residuals per step, pooled over windows, [H, Q]."""
        module = self._fitted()
        point, _ = self._forward(panel, index)
        device = self._hardware.device()
        residuals, seen = [], []
        gather = Gatherer(panel, self.windows, device)
        for first in range(0, len(index), _BATCH):
            batch, label = gather(index[first : first + _BATCH])
            _, scale = module.scaler.transform(batch)
            y = module.scaler.scale_target(label.y_BH, scale)
            p = torch.from_numpy(point[first : first + _BATCH]).to(device)
            residuals.append((y - module.scaler.scale_target(p, scale)).cpu())
            seen.append(label.seen_BH.cpu())
        e_WH = torch.cat(residuals).masked_fill(~torch.cat(seen), float("nan"))
        levels = torch.tensor(POINT_LEVELS)
        grid_QH = torch.from_numpy(np.nanquantile(e_WH.numpy(), levels.numpy(), axis=0))
        return grid_QH.T.float().nan_to_num(0.0).contiguous()


def _columns(panel: Panel) -> list[str]:
    past = [f"past:{name}" for name in panel.schema.past]
    known = [f"known:{name}" for name in panel.known_names]
    return past + known + [f"static:{name}" for name in panel.static_names]


def _scaler(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    prefix = "scaler."
    return {k[len(prefix) :]: v for k, v in state["module"].items() if k.startswith(prefix)}
