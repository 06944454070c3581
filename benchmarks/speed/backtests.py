"""A backtest without refits: ours to the score table, and the bare forwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.speed.clock import now
from benchmarks.speed.steps import Setting, forecaster_of
from lanecast.data.gather import Gatherer
from lanecast.data.panel import Panel
from lanecast.data.windows import windows_at
from lanecast.evaluation.score import Scores, evaluate
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.inference import BATCH

READY = 32  # scaled batches that are kept; a longer backtest goes through them again


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedBacktest:
    """A fitted model (of one step: its weights do not matter) and the cutoffs it is asked."""

    model: DeepForecaster
    panel: Panel
    setting: Setting
    cutoffs: tuple[int, ...]

    @classmethod
    def of(cls, panel: Panel, setting: Setting, *, windows: int, stride: int) -> TimedBacktest:
        """The last ``windows`` cutoffs, ``stride`` steps apart, that have their answers."""
        last = panel.last_step - setting.windows.horizon
        cutoffs = tuple(range(last - (windows - 1) * stride, last + 1, stride))
        model = forecaster_of(setting, steps=1)
        model.fit(panel, until=cutoffs[0])
        return cls(model=model, panel=panel, setting=setting, cutoffs=cutoffs)

    def scores(self) -> Scores:
        """What the backtest is for."""
        at = windows_at(self.panel, self.cutoffs, self.setting.windows)
        forecasts = self.model.predict(self.panel, at=at, quantiles=self.setting.levels)
        return evaluate(forecasts, self.panel, self.setting.windows, season=7)

    def ours(self) -> float:
        """Seconds to the score table."""
        started = now(self.setting.device)
        self.scores()
        return now(self.setting.device) - started

    def floor(self) -> Callable[[], float]:
        """Seconds of the network's forwards alone, on all threads, batch after batch."""
        at = windows_at(self.panel, self.cutoffs, self.setting.windows)
        device = self.setting.device
        gather = Gatherer(self.panel, self.setting.windows, device)
        module = self.model.module.to(device).eval()
        firsts = range(0, len(at), BATCH)
        ready = [
            module.selection(module.scaler.transform(gather(at[slice(k, k + BATCH)])[0])[0])
            for k in firsts[:READY]
        ]

        def seconds() -> float:
            started = now(device)
            with torch.inference_mode():
                for number in range(len(firsts)):
                    module.network(ready[number % len(ready)])
            return now(device) - started

        return seconds
