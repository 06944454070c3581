"""Cases of the benchmark: synthetic panels by size, with and without covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from lanecast.data.panel import Panel
from lanecast.data.schema import Column, Role, Schema
from lanecast.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedCase:
    """Series x steps, and whether 4 observed, 4 known_future and 2 static columns come along."""

    series: int
    steps: int
    covariates: bool

    @classmethod
    def of(cls, text: str) -> SpeedCase:
        """From ``1000x1000`` or ``1000x1000+`` (with covariates)."""
        series, _, steps = text.removesuffix("+").partition("x")
        if not (series.isdigit() and steps.isdigit()):
            raise ConfigError(
                f"case {text!r} is not written as 1000x1000, or 1000x1000+ with covariates"
            )
        return cls(series=int(series), steps=int(steps), covariates=text.endswith("+"))

    @property
    def size(self) -> str:
        """``1000x1000``."""
        return f"{self.series}x{self.steps}"

    def panel(self) -> Panel:
        """The panel of this case."""
        return synthetic_panel(
            num_series=self.series, num_steps=self.steps, covariates=self.covariates
        )


def synthetic_panel(*, num_series: int, num_steps: int, covariates: bool) -> Panel:
    """Daily random series; with covariates 4 observed, 4 known_future and 2 static columns."""
    rng = np.random.default_rng(1)
    each = 4 if covariates else 0
    columns = {"y": Column(role=Role.TARGET)}
    columns |= {f"observed_{i}": Column(role=Role.OBSERVED) for i in range(each)}
    columns |= {f"known_{i}": Column(role=Role.KNOWN_FUTURE) for i in range(each)}
    statics = 2 if covariates else 0
    columns |= {f"static_{i}": Column(role=Role.STATIC) for i in range(statics)}
    values = rng.normal(10.0, 1.0, (num_series * num_steps, 1 + 2 * each))
    return Panel(
        schema=Schema(freq="D", columns=columns),
        series=np.array([f"series_{i}" for i in range(num_series)], dtype=object),
        offsets=np.arange(num_series + 1, dtype=np.int64) * num_steps,
        start=np.zeros(num_series, dtype=np.int64),
        times=pd.date_range("2020-01-01", periods=num_steps, freq="D").to_numpy("datetime64[ns]"),
        values=torch.from_numpy(values).float(),
        calendar=torch.zeros(num_steps, 0),
        statics=torch.from_numpy(rng.normal(size=(num_series, statics))).float(),
        static_names=tuple(f"static_{i}" for i in range(statics)),
    )
