"""A small package of somebody else: one model, and a folder of YAML that names it."""

from __future__ import annotations

from pathlib import Path

MODULE = '''\
"""The mean of what is visible, and intervals as wide as its own past errors."""

import json
from statistics import NormalDist

import numpy as np

from lanecast.data.visibility import visible
from lanecast.data.forecasts import Forecasts
from lanecast.data.schema import Role
from lanecast.errors import CheckpointError
from lanecast.models.protocol import Capabilities, Forecaster


class TheirModel(Forecaster):
    """Keeps the protocol and imports nothing but lanecast and numpy."""

    def __init__(self, *, windows, name="their_model", width=1.0):
        self.windows, self.name, self.width = windows, name, width
        self.fitted_until = None
        self.spread = None

    def describe(self):
        return Capabilities(
            windows=self.windows, uses=frozenset({Role.TARGET}), quantiles="residuals"
        )

    def fit(self, panel, *, until, reporter=None):
        at = visible.rolling_origins(
            panel, until=until, spec=self.windows, per_series=20, stride=7
        )
        errors_WH = visible.labels(panel, at, self.windows) - self._level(panel, at)
        self.spread = float(np.nanstd(errors_WH)) * self.width
        self.fitted_until = until
        return self

    def predict(self, panel, *, at, quantiles=None, samples=None, seed=0):
        visible.refuse_early(self.name, self.fitted_until, panel, at)
        point_WH = np.repeat(self._level(panel, at), self.windows.horizon, axis=1)
        levels = tuple(quantiles or ())
        offsets_Q = self.spread * np.array([NormalDist().inv_cdf(level) for level in levels])
        noise_SWH = np.random.default_rng(seed).normal(
            0, self.spread, (samples or 0, *point_WH.shape)
        )
        return Forecasts(
            index=at,
            point_WH=point_WH,
            levels=levels,
            quantiles_WHQ=np.maximum(point_WH[..., None] + offsets_Q, 0) if levels else None,
            samples_SWH=np.maximum(point_WH + noise_SWH, 0) if samples else None,
        )

    def _level(self, panel, at):
        return np.nanmean(visible.context(panel, at, self.windows), axis=1, keepdims=True)

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        state = {"width": self.width, "until": self.fitted_until, "spread": self.spread}
        (folder / "their_model.json").write_text(json.dumps(state))

    def load(self, folder):
        state = json.loads((folder / "their_model.json").read_text())
        if state["width"] != self.width:
            raise CheckpointError(f"{folder} was saved with width={state['width']}")
        self.fitted_until, self.spread = state["until"], state["spread"]
        return self
'''
MODEL = """\
# The mean of what is visible.
_target_: their_package.models.TheirModel
name: their_model
windows: ${windows}
width: 1.0
"""


def write_their_package(folder: Path) -> Path:
    """Write ``their_package`` and ``conf`` into a folder; it belongs on the path."""
    package = folder / "their_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Theirs."""\n')
    (package / "models.py").write_text(MODULE)
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "conf" / "model" / "their_model.yaml").write_text(MODEL)
    return folder
