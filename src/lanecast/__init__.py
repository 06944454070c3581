"""lanecast: forecasting research for middle-mile networks.

``import lanecast as lc`` costs nothing: each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanecast.api.decisions import PlanResult, WhatIfResult
    from lanecast.api.inputs import graph, list_models, load, model, panel
    from lanecast.api.results import BacktestResult, ComparisonResult, ForecastResult
    from lanecast.api.verbs import backtest, compare, fit, forecast, open_run, plan, what_if
    from lanecast.causal.graph.graph import Graph
    from lanecast.data.panel import Panel
    from lanecast.errors import ConfigError, LanecastError, SchemaError
    from lanecast.models.protocol import Forecaster
    from lanecast.pipeline.opening import OpenedRun

    __version__: str

__all__ = [
    "BacktestResult",
    "ComparisonResult",
    "ConfigError",
    "ForecastResult",
    "Forecaster",
    "Graph",
    "LanecastError",
    "OpenedRun",
    "Panel",
    "PlanResult",
    "SchemaError",
    "WhatIfResult",
    "__version__",
    "backtest",
    "compare",
    "fit",
    "forecast",
    "graph",
    "list_models",
    "load",
    "model",
    "open_run",
    "panel",
    "plan",
    "what_if",
]
_HOMES = {
    "lanecast.api.decisions": ("PlanResult", "WhatIfResult"),
    "lanecast.api.inputs": ("graph", "list_models", "load", "model", "panel"),
    "lanecast.api.results": ("BacktestResult", "ComparisonResult", "ForecastResult"),
    "lanecast.api.verbs": (
        "backtest", "compare", "fit", "forecast", "open_run", "plan", "what_if"
    ),
    "lanecast.causal.graph.graph": ("Graph",),
    "lanecast.data.panel": ("Panel",),
    "lanecast.errors": ("ConfigError", "LanecastError", "SchemaError"),
    "lanecast.models.protocol": ("Forecaster",),
    "lanecast.pipeline.opening": ("OpenedRun",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name from where it is defined (PEP 562); submodules need their own import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("lanecast")
    else:
        home = next(home for home, names in _HOMES.items() if name in names)
        value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
