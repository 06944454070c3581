"""Any forecaster with quantiles that keep what they promise: conformal shifts, learned online.

Scores come from two places, both out of sample.  A second fit of the same model that ends
``steps`` earlier gives the first ones.  From the fit's end on, the model itself is asked every
``stride`` steps, and its scores count at a cutoff once their labels are known there.  A forecast
therefore depends on the panel as known at its cutoff and on nothing that was asked before.

The point forecast is left as it is, and no quantile crosses it.  Sample paths move with their
quantiles, each value by the shift at its place in the distribution, so that joint paths stay joint.

Axes: ``W`` windows, ``H`` horizon, ``Q`` levels, ``S`` samples, ``E`` scores, ``G`` groups.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.visibility import visible
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError
from lanecast.models.calibration.conformal import ConformalScores, Method, shifts
from lanecast.models.classical.residuals import window_levels
from lanecast.models.protocol import Capabilities, Forecaster, Reporter
from lanecast.models.quantiles.finishing import finish
from lanecast.models.quantiles.grids import LEVELS, around, at_levels
from lanecast.models.wrapping import Wrapping, longer

SPREAD = (LEVELS.index(0.1), LEVELS.index(0.9))
LEVEL_SHARE = 0.1  # of a window's volume, added to its spread, which can be 0


class CalibratedForecaster(Wrapping):
    """The inner forecaster with other quantiles and paths.

    ``by``: ``class`` (series of like volume) or ``series``.  With too few scores a series takes the
    shift of its class, and a class that of all.
    """

    def __init__(
        self,
        *,
        inner: Any,
        method: Method,
        windows: WindowSpec,
        by: str = "class",
        classes: int = 4,
        parts: int = 2,
        steps: int = 84,
        stride: int = 7,
    ) -> None:
        if by not in ("class", "series"):
            raise ConfigError(f"calibration.by={by!r} is not one of class, series")
        if min(classes, stride) < 1 or not 1 <= parts <= windows.horizon:
            raise ConfigError(
                f"calibration.classes={classes} and stride={stride} must be at least 1,"
                f" parts={parts} between 1 and the horizon, {windows.horizon}; set them so"
            )
        if 0 < steps <= windows.horizon:
            raise ConfigError(
                f"calibration.steps={steps} holds no whole horizon of {windows.horizon} steps;"
                " raise it, or set it to 0 to start without scores"
            )
        self.inner: Forecaster = inner
        self.method, self.windows, self.by = method, windows, by
        self.classes, self.parts, self.steps, self.stride = classes, parts, steps, stride
        self.name = inner.name
        self.fitted_until: int | None = None
        self._edges = np.zeros(classes - 1)
        self._least_level = 1.0
        self._first: ConformalScores = _none()
        self._first_series: list[str] = []
        self._twin: Forecaster | None = None

    @property
    def wrapped(self) -> Mapping[str, Forecaster]:
        """The inner forecaster; its twin is known by its scores alone."""
        return {"inner": self.inner}

    def describe(self) -> Capabilities:
        """As the inner forecaster; what shifts learned without an action say of one is nothing."""
        return replace(super().describe(), quantiles="conformal", calibrated_on="past scores")

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Fit the model, then a copy that ends earlier, whose misses are the first scores."""
        twin = self.inner.clone()
        self.inner.fit(panel, until=until, reporter=reporter)
        cutoffs = self._first_cutoffs(panel, until)
        self._twin = twin.fit(panel, until=until - self.steps) if cutoffs else None
        return self._learn(panel, cutoffs, until=until)

    def with_horizon(self, horizon: int) -> Self:
        """An unfitted copy, calibrated as this one."""
        return type(self)(
            inner=self.inner.with_horizon(horizon),
            method=self.method,
            windows=longer(self.windows, horizon),
            by=self.by,
            classes=self.classes,
            parts=self.parts,
            steps=self.steps,
            stride=self.stride,
        )

    def as_of(self, panel: Panel, *, until: int) -> Self | None:
        """With the inner forecaster of then, and those first scores that were known then."""
        inner = self.inner.as_of(panel, until=until)
        if inner is None or self.fitted_until is None or (self.steps and self._twin is None):
            return None
        other = copy.copy(self)
        other.inner = inner
        known = until - panel.schema.delay_steps(TARGET)
        cutoffs = [at for at in self._first_cutoffs(panel, self.fitted_until) if at < known]
        return other._learn(panel, cutoffs, until=until)

    def _learn(self, panel: Panel, cutoffs: Sequence[int], *, until: int) -> Self:
        """Classes of volume, and the twin's scores at ``cutoffs`` as they are known ``until``."""
        at = windows_at(panel, cutoffs or [until], self.windows)
        level_W = self._levels(panel, at)
        shares = np.arange(1, self.classes) / self.classes
        self._edges = np.quantile(level_W, shares) if len(at) else np.zeros(self.classes - 1)
        self._least_level = 1e-3 * float(level_W.mean()) if level_W.any() else 1.0
        self._first, self._first_series = _none(), []
        if cutoffs and self._twin is not None:
            self._first, series_E = self._scores(self._twin, panel, at, until=until)
            self._first_series = [str(panel.series[number]) for number in series_E]
        self.fitted_until = until
        return self

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Forecasts:
        """Forecast, with every quantile moved by what its group missed up to each cutoff."""
        base = self.inner.predict(
            panel, at=at, quantiles=LEVELS, samples=samples, seed=seed, **options
        )
        if not len(at) or (quantiles is None and samples is None):
            return Forecasts(index=at, point_WH=base.point_WH)
        assert base.quantiles_WHQ is not None
        old_WHQ = base.quantiles_WHQ.astype(np.float64)
        new_WHQ = self._moved(panel, at, base, old_WHQ, seed=seed, options=options)
        paths = base.samples_SWH
        return finish(
            panel=panel,
            at=at,
            point_WH=base.point_WH,
            levels=tuple(quantiles or ()),
            quantiles_WHQ=at_levels(new_WHQ, LEVELS, quantiles) if quantiles else None,
            samples_SWH=None if paths is None else moved_paths(paths, old_WHQ, new_WHQ),
        )

    def save(self, folder: Path) -> None:
        """Write the inner model, the first scores and the classes, without pickles."""
        folder.mkdir(parents=True, exist_ok=True)
        super().save(folder)
        np.savez(
            folder / "scores.npz",
            score=self._first.score_EQ,
            group=self._first.group_E,
            cutoff=self._first.cutoff_E,
            known=self._first.known_E,
            series=np.array(self._first_series, dtype=str),
            edges=self._edges,
        )
        facts = {"fitted_until": self.fitted_until, "least_level": self._least_level}
        (folder / "calibration.json").write_text(json.dumps(facts | self._shape()))

    def load(self, folder: Path) -> Self:
        """Take up what `save` wrote; CheckpointError if it was calibrated in another way."""
        try:
            facts = json.loads((folder / "calibration.json").read_text())
        except FileNotFoundError:
            raise CheckpointError(
                f"{folder} holds no calibrated model; load it with calibration=none, or train it"
                " again with a calibration"
            ) from None
        if (saved := {key: facts[key] for key in self._shape()}) != self._shape():
            raise CheckpointError(
                f"{folder} was calibrated with {saved}, not {self._shape()}; take the run's config"
            )
        super().load(folder)
        self.fitted_until, self._least_level = facts["fitted_until"], facts["least_level"]
        with np.load(folder / "scores.npz", allow_pickle=False) as file:
            self._first = ConformalScores(
                score_EQ=file["score"],
                group_E=file["group"],
                cutoff_E=file["cutoff"],
                known_E=file["known"],
            )
            self._first_series = [str(name) for name in file["series"]]
            self._edges = file["edges"]
        return self

    def _shape(self) -> dict[str, Any]:
        return {"by": self.by, "classes": self.classes, "parts": self.parts}

    def _first_cutoffs(self, panel: Panel, until: int) -> list[int]:
        last = until - panel.schema.delay_steps(TARGET)
        return list(range(until - self.steps, last, self.stride)) if self.steps else []

    def _moved(
        self,
        panel: Panel,
        at: WindowIndex,
        base: Forecasts,
        old_WHQ: np.ndarray,
        *,
        seed: int,
        options: dict[str, Any],
    ) -> np.ndarray:
        assert self.fitted_until is not None
        last = int(at.cutoff_W.max())
        online = list(range(self.fitted_until, last, self.stride))
        scores, series_E = self._first, self._known_numbers(panel)
        if online:
            windows = windows_at(panel, online, self.windows)
            more, series = self._scores(
                self.inner, panel, windows, until=last, seed=seed, options=options
            )
            scores, series_E = scores.joined(more), np.concatenate([series_E, series])
        scores, family_G = self._grouped(scores, series_E, panel.num_series)
        shift_by_cutoff = shifts(
            scores,
            LEVELS,
            method=self.method,
            family_G=family_G,
            # The last cutoff is on the grid or not by its own place, whether a later one is asked.
            grid=sorted(
                {
                    *np.unique(self._first.cutoff_E).tolist(),
                    *range(self.fitted_until, last + 1, self.stride),
                }
            ),
            cutoffs=np.unique(at.cutoff_W).tolist(),
        )
        level_W = self._levels(panel, at)
        group_WH = self._groups(level_W)
        if self.by == "series":
            group_WH = self._series_groups(group_WH, at.series_W[:, None])
        cutoffs, which_W = np.unique(at.cutoff_W, return_inverse=True)
        shift_CGQ = np.stack([shift_by_cutoff[int(cutoff)] for cutoff in cutoffs])
        move_WHQ = shift_CGQ[which_W[:, None], group_WH] * self._spread(old_WHQ, level_W)[..., None]
        return around(base.point_WH, old_WHQ + move_WHQ, LEVELS)

    def _scores(
        self,
        model: Forecaster,
        panel: Panel,
        at: WindowIndex,
        *,
        until: int,
        seed: int = 0,
        options: dict[str, Any] | None = None,
    ) -> tuple[ConformalScores, np.ndarray]:
        """Scores of the windows whose labels are known at ``until``, and their series, [E]."""
        if not len(at):
            return _none(), np.zeros(0, dtype=np.int64)
        forecasts = model.predict(panel, at=at, quantiles=LEVELS, seed=seed, **(options or {}))
        assert forecasts.quantiles_WHQ is not None
        grid_WHQ = forecasts.quantiles_WHQ.astype(np.float64)
        y_WH, seen_WH = labels(panel, at, self.windows.horizon)
        ahead_H = np.arange(1, self.windows.horizon + 1)
        known_WH = at.cutoff_W[:, None] + ahead_H + panel.schema.delay_steps(TARGET)
        level_W = self._levels(panel, at)
        score_WHQ = (y_WH[..., None] - grid_WHQ) / self._spread(grid_WHQ, level_W)[..., None]
        use_WH = seen_WH & (known_WH <= until)
        scores = ConformalScores(
            score_EQ=score_WHQ[use_WH],
            group_E=self._groups(level_W)[use_WH],
            cutoff_E=np.broadcast_to(at.cutoff_W[:, None], use_WH.shape)[use_WH],
            known_E=known_WH[use_WH],
        )
        return scores, np.broadcast_to(at.series_W[:, None], use_WH.shape)[use_WH]

    def _levels(self, panel: Panel, at: WindowIndex) -> np.ndarray:
        """Mean |y| that each window sees in its context, [W]."""
        back = np.arange(1 - self.windows.context, 1)
        return window_levels(visible.visible(panel, at, TARGET, back))

    def _spread(self, grid_WHQ: np.ndarray, level_W: np.ndarray) -> np.ndarray:
        """What a score is measured in, [W, H]; positive also where all quantiles are equal."""
        wide = grid_WHQ[..., SPREAD[1]] - grid_WHQ[..., SPREAD[0]]
        spread: np.ndarray = wide + (LEVEL_SHARE * level_W + self._least_level)[:, None]
        return spread

    def _groups(self, level_W: np.ndarray) -> np.ndarray:
        """Class by horizon part of each cell, [W, H]."""
        part_H = np.arange(self.windows.horizon) * self.parts // self.windows.horizon
        class_W = np.searchsorted(self._edges, level_W, side="right")
        groups: np.ndarray = class_W[:, None] * self.parts + part_H
        return groups

    def _series_groups(self, group: np.ndarray, series: np.ndarray) -> np.ndarray:
        numbers: np.ndarray = series * (self.classes * self.parts) + group
        return numbers

    def _grouped(
        self, scores: ConformalScores, series_E: np.ndarray, num_series: int
    ) -> tuple[ConformalScores, np.ndarray]:
        """The scores in the groups of ``by``, and the family of each group, [G]."""
        group_G = np.arange(self.classes * self.parts)
        if self.by == "class":
            return scores, group_G % self.parts
        kept = series_E >= 0  # a series that this panel lacks still counts nowhere else
        chosen = scores[kept]
        group_E = self._series_groups(chosen.group_E, series_E[kept])
        renamed = ConformalScores(
            score_EQ=chosen.score_EQ,
            group_E=group_E,
            cutoff_E=chosen.cutoff_E,
            known_E=chosen.known_E,
        )
        return renamed, np.tile(group_G, num_series)

    def _known_numbers(self, panel: Panel) -> np.ndarray:
        number = {str(name): at for at, name in enumerate(panel.series)}
        numbers = [number.get(name, -1) for name in self._first_series]
        return np.array(numbers, dtype=np.int64)


def moved_paths(paths_SWH: np.ndarray, old_WHQ: np.ndarray, new_WHQ: np.ndarray) -> np.ndarray:
    """Each value moved by the shift of the quantiles around it, constant beyond them, [S, W, H]."""
    gap_WHQ = new_WHQ - old_WHQ
    last = old_WHQ.shape[-1] - 1
    moved_SWH = np.empty_like(paths_SWH)
    for number, path_WH in enumerate(paths_SWH):
        right = np.clip((old_WHQ < path_WH[..., None]).sum(axis=-1), 1, last)[..., None]
        low, high = (np.take_along_axis(old_WHQ, at, -1)[..., 0] for at in (right - 1, right))
        left_WH, right_WH = (
            np.take_along_axis(gap_WHQ, at, -1)[..., 0] for at in (right - 1, right)
        )
        wide = np.where(high > low, high - low, 1.0)
        share = np.clip((path_WH - low) / wide, 0.0, 1.0)
        moved_SWH[number] = path_WH + left_WH + share * (right_WH - left_WH)
    return moved_SWH


def _none() -> ConformalScores:
    nothing = np.zeros(0, dtype=np.int64)
    return ConformalScores(
        score_EQ=np.zeros((0, len(LEVELS))), group_E=nothing, cutoff_E=nothing, known_E=nothing
    )
