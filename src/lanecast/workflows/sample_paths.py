"""Sample paths and what then happened, as a run left them in its folder: what plans are made of."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lanecast.errors import ConfigError, PlanError
from lanecast.pipeline.machine import require_solver
from lanecast.planning.contracts import Scenarios
from lanecast.planning.planning import ARMS
from lanecast.planning.tables import scenarios_from
from lanecast.runs.contents import edited, read_frame
from lanecast.runs.folder import read_record

log = logging.getLogger(__name__)

SAMPLES, ACTUALS = "samples.parquet", "actuals.parquet"


def check_groups(**chosen: Any) -> None:
    """ConfigError unless every group is chosen and the solver of plans is installed."""
    for group, config in chosen.items():
        if not config:
            raise ConfigError(
                f"nothing says which {group}: choose {group}=<name>; --help lists them"
            )
    require_solver("plan")


@dataclass(frozen=True)
class SamplePaths:
    """The paths of one run folder; ``frame``: one row per series, step, cutoff and sample."""

    folder: Path
    record: dict[str, Any]
    frame: pd.DataFrame

    @classmethod
    def of(cls, folder: Path, *, samples: int) -> SamplePaths:
        """Read them; PlanError with the way to ``samples`` paths where the run left none."""
        record = read_record(folder)
        if not (folder / SAMPLES).is_file():
            scenario = record["verb"] == "scenario"
            setting = f"samples={samples}" if scenario else f"protocol.samples={samples}"
            raise PlanError(
                f"{folder} holds no {SAMPLES}; run it again with {setting} and keep.forecasts"
            )
        if line := edited(folder, record):
            log.warning(line)
        return cls(folder, record, read_frame(folder, SAMPLES, record))

    @property
    def cutoffs(self) -> np.ndarray:
        """The times that were forecast from, ascending."""
        return np.sort(self.frame["cutoff"].unique())

    @property
    def has_arms(self) -> bool:
        """Whether they answer a what-if question."""
        return bool(self.record["verb"] == "scenario")

    @cached_property
    def _by_cutoff(self) -> dict[Any, pd.DataFrame]:
        return dict(iter(self.frame.groupby("cutoff")))

    def at(self, cutoff: Any, *, days: int, unit: str, most: int | None = None) -> Scenarios:
        """The first ``days`` days of the model's paths from a cutoff, ``most`` of them at most."""
        rows = self._by_cutoff[pd.Timestamp(cutoff)]
        if most is not None:
            rows = rows[rows["sample"] < most]
        model = str(self.record["model"]["name"])
        return scenarios_from(rows, column=model, days=days, unit=unit, source=str(self.folder))

    def arms(self, *, days: int, unit: str) -> dict[str, Scenarios]:
        """Both arms of a what-if question."""
        return {
            arm: scenarios_from(
                self.frame, column=arm, days=days, unit=unit, source=str(self.folder)
            )
            for arm in ARMS
        }

    def happened(self, lanes: np.ndarray, days: np.ndarray) -> np.ndarray | None:
        """What came on each lane and day, [L, T], nan where nothing is recorded.

        None where the run kept no actual values.
        """
        if not (self.folder / ACTUALS).is_file():
            return None
        frame = read_frame(self.folder, ACTUALS, self.record)
        wide = frame.pivot(index="unique_id", columns="ds", values="y")
        wide.columns = pd.DatetimeIndex(wide.columns).values.astype("datetime64[D]")
        return wide.reindex(index=lanes, columns=days).to_numpy(dtype=np.float64)
