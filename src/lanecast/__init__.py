"""lanecast: forecasting research for middle-mile networks.

``import lanecast as lc`` costs nothing: each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanecast.api import (
        backtest,
        compare,
        fit,
        forecast,
        graph,
        list_models,
        load,
        model,
        open_run,
        panel,
        plan,
        what_if,
    )
    from lanecast.causal.graph.graph import Graph
    from lanecast.data.panel import Panel
    from lanecast.decisions import PlanResult, WhatIfResult
    from lanecast.errors import ConfigError, LanecastError, SchemaError
    from lanecast.models.protocol import Forecaster
    from lanecast.pipeline.opening import OpenedRun
    from lanecast.results import BacktestResult, ComparisonResult, ForecastResult

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
_ELSEWHERE = {
    "ConfigError": "lanecast.errors",
    "Forecaster": "lanecast.models.protocol",
    "Graph": "lanecast.causal.graph.graph",
    "LanecastError": "lanecast.errors",
    "OpenedRun": "lanecast.pipeline.opening",
    "Panel": "lanecast.data.panel",
    "PlanResult": "lanecast.decisions",
    "SchemaError": "lanecast.errors",
    "WhatIfResult": "lanecast.decisions",
}


def __getattr__(name: str) -> Any:
    """A public name from where it is defined (PEP 562); submodules need their own import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("lanecast")
    else:
        results = "lanecast.results" if name[0].isupper() else "lanecast.api"
        value = getattr(import_module(_ELSEWHERE.get(name, results)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
