"""One model, three futures of its treatments: what it gains from those nobody could know.

A forecast as known draws what is open at the cutoff from the learned policy.  Handed the logged
values instead, a model also reads the shocks that the policy answers: the difference is leakage.
Axes: ``W`` windows, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lanecast.data.forecasts import Forecasts, joined
from lanecast.data.panel import Panel
from lanecast.data.statics import encoded_as
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.evaluation.score import evaluate
from lanecast.models.as_known import predict_as_known
from lanecast.models.protocol import Forecaster
from lanecast.whatif.treatments import Futures

BESIDE = (Futures.KNOWN, Futures.LOGGED)  # scored beside the forecast, which samples


@dataclass(slots=True)
class OtherFutures:
    """Forecasts of a coupled model with the futures that its backtest is not judged by."""

    parts: dict[Futures, list[Forecasts]] = field(default_factory=dict)

    def ask(self, forecaster: Forecaster, panel: Panel, at: WindowIndex, *, seed: int) -> None:
        """Forecast ``at`` once more for each; nothing for a model without a graph's treatments."""
        graph = forecaster.describe().graph
        if graph is None or not graph.treatments:
            return
        names = forecaster.describe().static_names
        whole = panel if names is None else encoded_as(panel, names)
        coupled: Any = forecaster  # `futures` is an option of coupled forecasters alone
        for futures in BESIDE:
            # What happened is no part of what was known: it takes the whole panel.
            if futures is Futures.LOGGED:
                forecasts = coupled.predict(whole, at=at, seed=seed, futures=futures)
            else:
                forecasts = predict_as_known(coupled, panel, at=at, seed=seed, futures=futures)
            self.parts.setdefault(futures, []).append(forecasts)

    def add(self, other: OtherFutures) -> None:
        """Take over what was asked of another fit."""
        for futures, parts in other.parts.items():
            self.parts.setdefault(futures, []).extend(parts)

    def scores(
        self, sampled_wape: float, panel: Panel, spec: WindowSpec, *, season: int
    ) -> dict[str, float]:
        """WAPE by kind of future, and the leakage in WAPE points; empty where none was asked."""
        if not self.parts:
            return {}
        wapes = {"wape/futures_sampled": sampled_wape}
        for futures, parts in self.parts.items():
            scored = evaluate(joined(parts), panel, spec, season=season, slices=())
            wapes[f"wape/futures_{futures}"] = scored.values["wape"]
        logged = wapes[f"wape/futures_{Futures.LOGGED}"]
        return wapes | {"leakage_wape_points": 100 * (sampled_wape - logged)}


def futures_lines(scores: Mapping[str, float]) -> Sequence[str]:
    """What the console tells; nothing where nothing was asked."""
    if not scores:
        return []
    shown = ", ".join(
        f"{kind.replace('_', ' ')} {scores[f'wape/futures_{kind}']:.4f}"
        for kind in (Futures.SAMPLED, *BESIDE)
    )
    points = scores["leakage_wape_points"]
    return [f"WAPE by futures of the treatments: {shown}; leakage {points:+.2f} WAPE points"]
