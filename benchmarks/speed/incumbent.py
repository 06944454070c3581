"""neuralforecast at the same work: its own training step, its own cross-validation and scoring."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.speed.clock import now
from benchmarks.speed.steps import Setting
from lanecast.data.panel import Panel
from lanecast.models.deep.quiet import quiet_lightning


class Incumbent:
    """One neuralforecast model on one panel: same network, loss, scaler, optimizer and windows.

    Everything else stays at its defaults: 32 series a batch, sampled windows of those.
    """

    def __init__(self, panel: Panel, setting: Setting) -> None:
        from neuralforecast.tsdataset import TimeSeriesDataset

        self._panel, self._setting = panel, setting
        self.frame, self.static = frame_of(panel)
        self._dataset = TimeSeriesDataset.from_df(self.frame, self.static)[0]

    def step(self) -> Callable[[], float]:
        """Seconds per training step, its Trainer included; each call fits afresh."""
        from pytorch_lightning.callbacks import Callback

        setting = self._setting
        moments: list[float] = []

        class Clock(Callback):
            """Notes when the marked steps have ended."""

            def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
                if trainer.global_step - 1 in setting.marks:  # its epochs are short
                    moments.append(now(setting.device))

        def seconds_per_step() -> float:
            moments.clear()
            with _quiet():
                steps = setting.warmup + setting.steps
                model = self._model(max_steps=steps + 1, callbacks=[Clock()])
                model.fit(self._dataset)
            return (moments[1] - moments[0]) / setting.steps

        return seconds_per_step

    def backtest(self, *, windows: int, stride: int) -> Callable[[], float]:
        """Seconds from a fitted model to a score table: its cross-validation without training, and
        utilsforecast on what it returns.
        """
        from neuralforecast import NeuralForecast

        setting = self._setting
        with _quiet():
            model = self._model(max_steps=1)
            fitted = NeuralForecast([model], freq="D")
            fitted.fit(self.frame, static_df=self.static)

        def seconds() -> float:
            started = now(setting.device)
            with _quiet():
                table = fitted.cross_validation(
                    df=None, n_windows=windows, step_size=stride, use_fitted=True
                )
                scored(table)
            return now(setting.device) - started

        return seconds

    def _model(self, **more: Any) -> Any:
        import neuralforecast.models as zoo
        from neuralforecast.losses.pytorch import MQLoss

        setting, schema = self._setting, self._panel.schema
        optimizer = setting.optim.optimizer
        options = dict(optimizer.keywords)  # type: ignore[attr-defined]
        if setting.hardware.precision != "32-true":
            options.pop("fused", None)  # Lightning clips no fused optimizer there; ours does
        exogenous = {
            "hist_exog_list": list(schema.observed) or None,
            "futr_exog_list": list(schema.known) or None,
            "stat_exog_list": list(self._panel.static_names) or None,
        }
        size = {"n_series": self._panel.num_series} if setting.multivariate else exogenous
        batch = setting.optim.batch_size
        return getattr(zoo, setting.name)(
            h=setting.windows.horizon,
            input_size=setting.windows.context,
            loss=MQLoss(quantiles=list(setting.loss.levels)),
            scaler_type="robust",
            windows_batch_size=batch // self._panel.num_series if setting.multivariate else batch,
            optimizer=optimizer.func,  # type: ignore[attr-defined]
            optimizer_kwargs=options,
            gradient_clip_val=setting.optim.clip,
            start_padding_enabled=True,
            logger=False,
            accelerator=setting.hardware.accelerator,
            devices=1,
            precision=setting.hardware.precision,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            **setting.options,
            **size,
            **more,
        )


def frame_of(panel: Panel) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The panel as neuralforecast reads it: a long table, and one of statics."""
    lengths = np.diff(panel.offsets)
    step = np.arange(panel.num_cells) - np.repeat(panel.offsets[:-1] - panel.start, lengths)
    frame = pd.DataFrame(
        {"unique_id": np.repeat(panel.series, lengths), "ds": panel.times[step]}
        | {name: panel.column(name).numpy() for name in panel.schema.stored}
    )
    if not panel.static_names:
        return frame, None
    static = pd.DataFrame(panel.statics.numpy(), columns=list(panel.static_names))
    return frame, static.assign(unique_id=panel.series)


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """Scores of a cross-validation by series and cutoff, and their means."""
    from utilsforecast import losses
    from utilsforecast.evaluation import evaluate

    table.columns = [str(name).removesuffix(".0") for name in table.columns]
    model = next(name for name in map(str, table) if name.endswith("-median")).removesuffix(
        "-median"
    )
    table = table.assign(**{model: table[f"{model}-median"]})
    point = evaluate(table, [losses.mae, losses.mse, losses.rmse, losses.bias, losses.nd], [model])
    interval = evaluate(table, [losses.coverage, losses.mqloss], [model], level=[80, 90])
    return pd.concat([point, interval]).groupby("metric")[model].mean().to_frame()


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), quiet_lightning():
        warnings.simplefilter("ignore")
        yield
