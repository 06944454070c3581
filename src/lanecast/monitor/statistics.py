"""Statistics of a window of data, each near constant over time where nothing is wrong.

Axes: ``N`` series, ``T`` steps: first those of the base that the newest are held against.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lanecast.data.schema import TARGET, Schema

# One series' delays or backlog may have an episode that the reference never saw.
OBSERVED_EDGE = 0.95
DENSE = 0.5  # share of cells with something in them, for a column to have a level
FREE = 0.2  # share of series off the ends of a scale, for its standing still to mean anything
RUNS = (3, 5, 8)  # newest steps over which a column may stand still


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Steps: of the base, of the delivery, of a season, and the largest shift looked for."""

    base: int = 28
    steps: int = 28
    season: int = 7
    shift: int = 3
    level: int = 7  # newest steps whose level is held against the base

    @property
    def total(self) -> int:
        """Steps of a window."""
        return self.base + self.steps


def of_window(grid: Mapping[str, np.ndarray], schema: Schema, shape: Shape) -> dict[str, float]:
    """``check/subject`` -> value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=RuntimeWarning)  # columns of NaN alone
        statistics: dict[str, float] = {}
        for name in schema.stored:
            delay = schema.delay_steps(name) if name in schema.past else 0
            known_NT = target_unit(grid, schema) if name in schema.past else None
            statistics |= freshness(grid[name], name, delay, known_NT)
            edge = OBSERVED_EDGE if name in schema.observed else 1.0
            busy_N = busier(grid[TARGET], shape)
            statistics |= unit(grid[name], name, busy_N, edge=edge, shape=shape)
        statistics |= alignment(grid, schema, shape)
        statistics |= identity(grid, schema, shape)
        statistics |= censoring(grid[TARGET], target_unit(grid, schema), shape)
    return {name: float(value) for name, value in statistics.items() if np.isfinite(value)}


def target_unit(grid: Mapping[str, np.ndarray], schema: Schema) -> np.ndarray | None:
    """The first known column in the target's unit, such as a schedule."""
    for name in schema.known:
        if schema.columns[name].scale == "target":
            return grid[name]
    return None


def freshness(
    x_NT: np.ndarray, name: str, delay: int, plan_NT: np.ndarray | None
) -> dict[str, float]:
    """Share of series whose newest values are missing, or the same as before.

    With a plan in the target's unit, also the share of those whose plan moved all the while.
    """
    known_NT = x_NT[:, : x_NT.shape[1] - delay] if delay else x_NT
    still_NT = (known_NT[:, 1:] == known_NT[:, :-1]) | ~np.isfinite(known_NT[:, 1:])
    # A clear day's visibility, a day without delays: the ends of a scale repeat by nature.
    ends = np.nanmin(known_NT), np.nanmax(known_NT)
    free_N = ~np.isin(known_NT[:, -1], ends)
    if free_N.mean() < FREE:
        return {}
    still_NT = still_NT[free_N]
    shares = {f"freshness/{name}/{run}": still_NT[:, -run:].all(axis=1).mean() for run in RUNS}
    if plan_NT is not None:
        moved_NT = np.diff(plan_NT, axis=1)[free_N, : still_NT.shape[1]] != 0
        for run in RUNS:
            alone_N = still_NT[:, -run:].all(axis=1) & moved_NT[:, -run:].any(axis=1)
            shares[f"freshness/{name}/{run}/plan moves"] = alone_N.mean()
    return shares


def busier(y_NT: np.ndarray, shape: Shape) -> np.ndarray:
    """Whether a series belongs to the busier half of the base, [N]."""
    volume_N = np.nan_to_num(np.nanmean(y_NT[:, : shape.base], axis=1))
    return volume_N >= np.median(volume_N)


def unit(
    x_NT: np.ndarray, name: str, busy_N: np.ndarray, *, edge: float, shape: Shape
) -> dict[str, float]:
    """Log ratio of the newest level to that of the base: median of the series, and the extremes.

    Extremes are those of the busier half; ``edge`` is the quantile that counts as one.  A column
    that is mostly 0, such as a storm, has no level that could be held against anything.
    """
    if (np.nan_to_num(x_NT[:, : shape.base]) != 0).mean() < DENSE:
        return {}
    base_N = np.nanmean(np.abs(x_NT[:, : shape.base]), axis=1)
    new_N = np.nanmean(np.abs(x_NT[:, -shape.level :]), axis=1)
    floor = 0.2 * np.nanmean(base_N)
    ratio_N = np.log((new_N + floor) / (base_N + floor))
    extremes = "unit" if edge == 1.0 else "unit_of_some"
    ratios = {f"unit/{name}/all": np.nanmedian(ratio_N)}
    return {
        **ratios,
        f"{extremes}/{name}/highest": np.nanquantile(ratio_N[busy_N], edge),
        f"{extremes}/{name}/lowest": np.nanquantile(ratio_N[busy_N], 1 - edge),
    }


def alignment(grid: Mapping[str, np.ndarray], schema: Schema, shape: Shape) -> dict[str, float]:
    """How much better a shifted column fits its own season of the base, and the target."""
    gaps: dict[str, float] = {}
    for name in schema.stored:
        x_NT = grid[name]
        season_NT = _phases(x_NT[:, : shape.base], shape)
        gaps |= _gaps(x_NT, season_NT, f"alignment/{name}/season", shape)
        if name != TARGET:
            gaps |= _gaps(grid[TARGET], x_NT, f"alignment/{TARGET}/{name}", shape)
    return gaps


def _phases(base_NT: np.ndarray, shape: Shape) -> np.ndarray:
    """The mean of each phase of the season, over the whole window."""
    steps, phase = np.arange(shape.total), np.arange(base_NT.shape[1]) % shape.season
    mean_NP = np.stack(
        [np.nanmean(base_NT[:, phase == number], axis=1) for number in range(shape.season)], axis=1
    )
    return mean_NP[:, steps % shape.season]


def _gaps(a_NT: np.ndarray, b_NT: np.ndarray, name: str, shape: Shape) -> dict[str, float]:
    inner = np.arange(shape.base + shape.shift, shape.total - shape.shift)
    lags = range(-shape.shift, shape.shift + 1)
    a_NT = a_NT[:, inner]
    r_LN = np.stack([_correlation(a_NT, b_NT[:, inner - lag]) for lag in lags])
    if not np.isfinite(r_LN).any():
        return {}
    others = [at for at, lag in enumerate(lags) if lag]
    r_L = np.nanmean(r_LN, axis=1)
    gap_N = np.nanmax(r_LN[others], axis=0) - r_LN[shape.shift]
    return {
        name: np.nanmax(r_L[others]) - r_L[shape.shift],
        f"{name}/upper": np.nanquantile(gap_N, 0.9),
    }


def _correlation(a_NT: np.ndarray, b_NT: np.ndarray) -> np.ndarray:
    both = np.isfinite(a_NT) & np.isfinite(b_NT)
    a_NT, b_NT = np.where(both, a_NT, np.nan), np.where(both, b_NT, np.nan)
    size_N = np.sqrt(np.nansum(a_NT**2, axis=1) * np.nansum(b_NT**2, axis=1))
    a_NT = a_NT - np.nanmean(a_NT, axis=1, keepdims=True)
    b_NT = b_NT - np.nanmean(b_NT, axis=1, keepdims=True)
    scale_N = np.sqrt(np.nansum(a_NT**2, axis=1) * np.nansum(b_NT**2, axis=1))
    return np.where(scale_N > 1e-12 * size_N, np.nansum(a_NT * b_NT, axis=1) / scale_N, np.nan)


def identity(grid: Mapping[str, np.ndarray], schema: Schema, shape: Shape) -> dict[str, float]:
    """By how much another series fits a series' levels better than its own past, at the most."""
    parts = []
    for name in (TARGET, *schema.known):
        x_NT = np.abs(grid[name])
        base_N = np.nanmean(x_NT[:, : shape.base], axis=1)
        new_N = np.nanmean(x_NT[:, -shape.steps :], axis=1)
        floor = 0.1 * np.nanmean(base_N) or 1.0
        parts.append((np.log(base_N + floor), np.log(new_N + floor)))
    base_NX, new_NX = (np.nan_to_num(np.stack(part, axis=1)) for part in zip(*parts, strict=True))
    drift_X = np.median(new_NX - base_NX, axis=0)
    distance_NN = np.abs(new_NX[:, None] - drift_X - base_NX[None]).mean(axis=-1)
    own_N = np.diag(distance_NN)
    gain_N = own_N - distance_NN.min(axis=1)
    return {"identity/worst": gain_N.max(), "identity/own": np.quantile(own_N, 0.95)}


def censoring(y_NT: np.ndarray, plan_NT: np.ndarray | None, shape: Shape) -> dict[str, float]:
    """Share of the newest targets at the highest of their series; of plans above that highest."""
    new_NT = y_NT[:, -shape.steps :]
    busy_N = busier(y_NT, shape)
    top_N = np.nanmax(new_NT, axis=1)
    tied_N = (new_NT >= top_N[:, None] * (1 - 1e-6)).sum(axis=1) / shape.steps
    shares = {
        "censoring/ties": tied_N[busy_N].mean(),
        "censoring/ties/upper": np.quantile(tied_N[busy_N], 0.8),
    }
    if plan_NT is not None:
        above_N = (plan_NT[:, -shape.steps :] > top_N[:, None]).mean(axis=1)
        shares["censoring/plans above"] = above_N[busy_N].mean()
        shares["censoring/plans above/upper"] = np.quantile(above_N[busy_N], 0.8)
    return shares
