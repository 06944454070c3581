"""Where the parameters of a plan come from: a stated default set, or a table of your own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex
from lanecast.errors import PlanError
from lanecast.planning.defaults import default_parameters
from lanecast.planning.parameters import Parameters

if TYPE_CHECKING:
    import pandas as pd


class PricedNetwork(Protocol):
    """What ``conf/network/*.yaml`` builds."""

    @property
    def unit(self) -> str:
        """That of volumes it is priced in."""
        ...

    def parameters(self, panel: Panel, lanes: np.ndarray, *, as_of: int) -> Parameters:
        """Parameters of ``lanes`` in that order; bounds may look at volumes known at ``as_of``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultNetwork:
    """Invented prices and rates (`default_parameters`), bounds from the mean of recent volumes.

    ``history_days``: how many days up to ``as_of`` that mean is taken over.
    """

    unit: str
    history_days: int = 56
    options: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self, panel: Panel, lanes: np.ndarray, *, as_of: int) -> Parameters:
        """The default set for these lanes."""
        mean_L = mean_volume(panel, lanes, as_of=as_of, days=self.history_days)
        return default_parameters([str(name) for name in lanes], mean_L, **self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableNetwork:
    """Parameters from a CSV or Parquet table (`lanecast.planning.parameter_table`)."""

    unit: str
    path: str

    def parameters(self, panel: Panel, lanes: np.ndarray, *, as_of: int) -> Parameters:
        """Those of the table, for lanes with a forecast; PlanError where it lacks one."""
        import pandas as pd

        if not Path(self.path).is_file():
            raise PlanError(f"network.path={self.path} does not exist")
        read: Any = pd.read_parquet if self.path.endswith(".parquet") else pd.read_csv
        table = read(self.path) if read is pd.read_parquet else read(self.path, dtype=str)
        network = FrameNetwork(unit=self.unit, table=table, source=self.path)
        return network.parameters(panel, lanes, as_of=as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameNetwork:
    """Parameters from such a table in memory; ``source`` names it in errors."""

    unit: str
    table: pd.DataFrame
    source: str = "the table of parameters"

    def parameters(self, panel: Panel, lanes: np.ndarray, *, as_of: int) -> Parameters:  # noqa: ARG002
        """Those of the table, for lanes with a forecast; PlanError where it lacks one."""
        from lanecast.planning.parameter_table import parameters_from

        whole = parameters_from(self.table)
        if missing := sorted(set(map(str, lanes)) - set(whole.lanes.name_L.tolist())):
            raise PlanError(
                f"{self.source} has no lane {missing[0]!r} ({len(missing)} are missing)"
            )
        place = {name: at for at, name in enumerate(whole.lanes.name_L.tolist())}
        return whole.restricted(np.array([place[str(name)] for name in lanes]))


def mean_volume(panel: Panel, lanes: np.ndarray, *, as_of: int, days: int) -> np.ndarray:
    """Mean visible target of each lane over the ``days`` steps up to ``as_of``; 0 where none is."""
    number = {str(name): at for at, name in enumerate(panel.series)}
    if unknown := [str(name) for name in lanes if str(name) not in number]:
        raise PlanError(f"lane {unknown[0]!r} of the forecast is no series of the panel")
    series = np.array([number[str(name)] for name in lanes])
    at = WindowIndex(series_W=series, cutoff_W=np.full(len(series), as_of))
    seen_LT = visible.visible(panel, at, TARGET, np.arange(1 - days, 1))
    known_LT = np.isfinite(seen_LT)
    total_L = np.where(known_LT, seen_LT, 0.0).sum(axis=1)
    return np.asarray(total_L / np.maximum(known_LT.sum(axis=1), 1), dtype=np.float64)
