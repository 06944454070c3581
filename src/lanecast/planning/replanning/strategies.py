"""The core of replanning: several strategies through the same days with the same forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lanecast.planning.contracts import Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.planning.policies import Policy
from lanecast.planning.program.program import perfect
from lanecast.planning.replanning.closed_loop import Loop, Travelled, travel
from lanecast.planning.replanning.triggers import Trigger

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """The span as it went under each strategy; ``perfect_usd``: the cost of perfect information."""

    spans: Mapping[str, Travelled]
    perfect_usd: float

    def table(self) -> pd.DataFrame:
        """One row per strategy, the cheapest first; ``cost_ratio``: to perfect information."""
        import pandas as pd

        rows = [
            {
                "strategy": name,
                "cost_usd": span.total,
                "cost_ratio": span.total / self.perfect_usd,
                "plans": len(span.planned_on),
                "changed_trailers": span.changed_trailers,
                "changed_heads": span.changed_heads,
                "change_usd": float(span.by_kind["change"].sum()),
                "rolled": span.rolled,
                "rolled_per_package": span.rolled / max(span.volume, 1e-12),
                "backlog": span.backlog,
            }
            for name, span in self.spans.items()
        ]
        return pd.DataFrame(rows).sort_values("cost_usd", ignore_index=True)

    def days(self) -> pd.DataFrame:
        """What every day cost, by strategy and kind, and whether a plan was made on it."""
        import pandas as pd

        parts = []
        for name, span in self.spans.items():
            frame = pd.DataFrame({f"{kind}_usd": cost for kind, cost in span.by_kind.items()})
            planned = [day in span.planned_on for day in range(len(frame))]
            parts.append(frame.assign(strategy=name, day=range(len(frame)), planned=planned))
        return pd.concat(parts)


def replan(
    parameters: Parameters,
    happened: Scenarios,
    forecasts: Sequence[Scenarios],
    *,
    policy: Policy,
    triggers: Mapping[str, Trigger],
    loop: Loop | None = None,
    progress: Callable[[str], None] | None = None,
) -> Replanned:
    """Go through the days of ``happened``, one scenario, once per strategy (a trigger by its name).

    ``forecasts[d]`` are paths of day ``d`` and those after it, made before day ``d``.
    """
    spans = {
        name: travel(
            parameters,
            happened.volume_WLT[0],
            forecast=forecasts.__getitem__,
            policy=policy,
            trigger=trigger,
            loop=loop,
            strategy=name,
            progress=progress,
        )
        for name, trigger in triggers.items()
    }
    return Replanned(spans=spans, perfect_usd=float(perfect(parameters, happened)[0]))
