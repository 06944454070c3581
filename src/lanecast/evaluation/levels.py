"""Scores of every level of a hierarchy: lanes summed to sites, regions and the network.

Points of a node are the sums of its series' points.  Quantiles come from sums of joint sample
paths; without paths a level has no wql and no coverage, since quantiles do not add up.  A cell of a
node counts where all of its series are seen.  ``level/all`` pools the nodes of all levels: with a
grid of quantiles its wql is the scaled CRPS of Rangapuram et al. (2021).

Axes: ``M`` nodes, ``N`` series, ``W`` windows, ``H`` horizon, ``S`` samples, ``Q`` levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.hierarchy import Hierarchy
from lanecast.data.labels import labels
from lanecast.data.panel import Panel
from lanecast.evaluation.metrics import Terms, point_terms, quantile_terms, ratios

ALL = "all"
LEVEL_METRICS = ("wape", "bias", "wql", "coverage_80", "coverage_90")


def level_scores(forecasts: Forecasts, panel: Panel, hierarchy: Hierarchy) -> dict[str, float]:
    """``level/<name>/<metric>`` for every level and for all nodes together."""
    sums: dict[str, dict[str, float]] = {}
    for cutoff in np.unique(forecasts.index.cutoff_W).tolist():
        rows = np.flatnonzero(forecasts.index.cutoff_W == cutoff)
        part, terms_M = _node_terms(forecasts, rows, panel, hierarchy)
        for level, nodes in {**part.levels, ALL: np.arange(len(part.names))}.items():
            held = sums.setdefault(level, {})
            for name, term_M in terms_M.items():
                held[name] = held.get(name, 0.0) + float(term_M[nodes].sum())
    scores: dict[str, float] = {}
    for level, held in sums.items():
        metrics = ratios({name: np.asarray(value) for name, value in held.items()})
        scores |= {
            f"level/{level}/{name}": float(metrics[name])
            for name in LEVEL_METRICS
            if name in metrics
        }
    return scores


def level_lines(scores: Mapping[str, float]) -> Sequence[str]:
    """What the console tells: one line per level."""
    lines: dict[str, list[str]] = {}
    for key, value in scores.items():
        level, name = key.removeprefix("level/").rsplit("/", 1)
        if name in ("wape", "wql", "coverage_80"):
            lines.setdefault(level, []).append(f"{name} {value:.4f}")
    return [f"level {level}: {', '.join(texts)}" for level, texts in lines.items()]


def _node_terms(
    forecasts: Forecasts, rows: np.ndarray, panel: Panel, hierarchy: Hierarchy
) -> tuple[Hierarchy, Terms]:
    """What each node adds to the metrics of its level at one cutoff, [M]."""
    series = forecasts.index.series_W[rows]
    order = rows[np.argsort(series)]
    part, _ = hierarchy.kept(np.isin(np.arange(panel.num_series), series))
    y_NH, seen_NH = labels(panel, forecasts.index[order], forecasts.point_WH.shape[1])
    y_MH = part.aggregate(y_NH.astype(np.float64))
    seen_MH = part.aggregate((~seen_NH).astype(np.float64)) == 0
    point_MH = part.aggregate(forecasts.point_WH[order].astype(np.float64))
    terms = point_terms(y_MH, seen_MH, point_MH)
    paths = forecasts.samples_SWH
    if paths is not None and forecasts.levels:
        summed_MSH = part.aggregate(np.moveaxis(paths[:, order], 0, 1).astype(np.float64))
        grid_QMH = np.quantile(summed_MSH, forecasts.levels, axis=1)
        grid_MHQ = np.moveaxis(grid_QMH, 0, -1)
        terms |= quantile_terms(y_MH, seen_MH, grid_MHQ, forecasts.levels)
    return part, {name: term.sum(axis=1) for name, term in terms.items()}
