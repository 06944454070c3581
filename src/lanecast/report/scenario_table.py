"""The answer to a scenario as tables: by series, and summed over groups of series.

A point is the mean of the sample paths, so that ``difference`` is ``scenario`` less ``baseline``
and sums add up; an interval holds so much of the paths, and that of a sum is taken of summed paths.
Axes: ``S`` samples, ``W`` windows, ``G`` groups, ``H`` horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lanecast.causal.attribution.sensitivity import Band
from lanecast.causal.graph.graph import Graph, NodeKind
from lanecast.data.panel import Panel
from lanecast.data.schema import ID, TIME, step_length
from lanecast.data.windows import WindowIndex
from lanecast.whatif.answers import Arms

TOTAL = "total"  # the level that sums all series


def node_table(
    nodes: Mapping[str, Arms], panel: Panel, *, intervals: Sequence[float]
) -> pd.DataFrame:
    """``unique_id, ds, cutoff, node, baseline, scenario, difference`` and their ``-lo-``, ``-hi-``.

    ``intervals`` are in percent: 80 gives ``baseline-lo-80``.
    """
    parts = []
    for name, arms in nodes.items():
        horizon = arms.baseline_SWH.shape[-1]
        ids = np.repeat(panel.series[arms.at.series_W], horizon)
        keys = {ID: ids, **_times(panel, int(arms.at.cutoff_W.max()), len(arms.at), horizon)}
        parts.append(pd.DataFrame({**keys, "node": name, **_columns(arms, intervals)}))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def sample_table(arms: Arms, panel: Panel) -> pd.DataFrame:
    """``unique_id, ds, cutoff, sample, baseline, scenario``: the paths of one node, both arms.

    Rows of one ``sample`` are one joint path, with the same noise in both arms.
    """
    samples, windows, horizon = arms.baseline_SWH.shape
    ids = np.repeat(panel.series[arms.at.series_W], horizon)
    keys = {ID: ids, **_times(panel, int(arms.at.cutoff_W.max()), windows, horizon)}
    frame = pd.DataFrame(keys)
    frame = frame.loc[np.tile(frame.index, samples)].reset_index(drop=True)
    return frame.assign(
        sample=np.repeat(np.arange(samples), len(ids)),
        baseline=arms.baseline_SWH.reshape(-1),
        scenario=arms.scenario_SWH.reshape(-1),
    )


def band_table(band: Band, panel: Panel, at: WindowIndex) -> pd.DataFrame:
    """``unique_id, ds, cutoff, low, middle, high`` of a target whose effect is only bounded."""
    windows, horizon = band.low_WH.shape
    return pd.DataFrame(
        {
            ID: np.repeat(panel.series[at.series_W], horizon),
            **_times(panel, int(at.cutoff_W.max()), windows, horizon),
            "low": band.low_WH.ravel(),
            "middle": band.middle_WH.ravel(),
            "high": band.high_WH.ravel(),
        }
    )


def level_table(
    summed: Mapping[tuple[str, str], Mapping[str, Arms]],
    panel: Panel,
    *,
    intervals: Sequence[float],
) -> pd.DataFrame:
    """As `node_table` with ``level, group`` in the place of ``unique_id``; from `level_sums`."""
    parts = []
    for (level, group), nodes in summed.items():
        for name, arms in nodes.items():
            horizon = arms.baseline_SWH.shape[-1]
            keys = _times(panel, int(arms.at.cutoff_W.max()), 1, horizon)
            row = {"level": level, "group": group, **keys, "node": name}
            parts.append(pd.DataFrame({**row, **_columns(arms, intervals)}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def level_sums(
    nodes: Mapping[str, Arms], panel: Panel, graph: Graph, *, levels: Sequence[str]
) -> dict[tuple[str, str], dict[str, Arms]]:
    """Paths of the `extensive` nodes summed over each group of each level; level, group -> node."""
    sums: dict[tuple[str, str], dict[str, Arms]] = {}
    for level in levels:
        for name in extensive(graph):
            if name not in nodes or not len(nodes[name].at):
                continue
            arms = nodes[name]
            group_W = np.full(len(arms.at), TOTAL)
            if level != TOTAL:
                group_W = panel.attributes[level][arms.at.series_W].astype(str)
            for group in np.unique(group_W):
                chosen = np.flatnonzero(group_W == group)
                sums.setdefault((level, str(group)), {})[name] = _sum(arms.rows(chosen))
    return sums


def extensive(graph: Graph) -> tuple[str, ...]:
    """Nodes that can be summed over series: the target, and endogenous volumes (link log1p)."""
    nodes = graph.nodes
    return tuple(
        name
        for name in graph.order
        if name == graph.target
        or (nodes[name].kind is NodeKind.ENDOGENOUS and nodes[name].link == "log1p")
    )


def effects(nodes: Mapping[str, Arms]) -> dict[str, dict[str, float]]:
    """Mean over series and steps of each node, in both arms, and the relative difference."""
    by_node = {}
    for name, arms in nodes.items():
        baseline = float(arms.baseline_SWH.mean(dtype=np.float64))
        scenario = float(arms.scenario_SWH.mean(dtype=np.float64))
        relative = (scenario - baseline) / abs(baseline) if baseline else float("nan")
        by_node[name] = {"baseline": baseline, "scenario": scenario, "relative": relative}
    return by_node


def summary(effect: Mapping[str, Mapping[str, float]], *, name: str, badge: str) -> list[str]:
    """The effects as lines to print."""
    lines = [f"scenario {name} ({badge}), means over series and steps:"]
    for node, means in effect.items():
        lines.append(
            f"  {node:<12} {means['baseline']:>12.4g} -> {means['scenario']:<12.4g}"
            f" {100 * means['relative']:+7.2f} %"
        )
    return lines


def main_node(nodes: Mapping[str, Arms], graph: Graph) -> str:
    """The target where it moves, else the volume that moves most for its size."""
    if nodes[graph.target].difference_SWH.any():
        return graph.target
    volumes = [name for name in extensive(graph) if name in nodes]
    return max(volumes, key=lambda name: _moved_share(nodes[name]))


def _moved_share(arms: Arms) -> float:
    base = float(np.abs(arms.baseline_SWH).sum())
    return float(np.abs(arms.difference_SWH).sum()) / base if base else 0.0


def _sum(arms: Arms) -> Arms:
    return Arms(
        at=arms.at[:1],
        baseline_SWH=arms.baseline_SWH.sum(axis=1, keepdims=True, dtype=np.float64),
        scenario_SWH=arms.scenario_SWH.sum(axis=1, keepdims=True, dtype=np.float64),
    )


def _times(panel: Panel, cutoff: int, windows: int, horizon: int) -> dict[str, np.ndarray]:
    length = step_length(panel.schema.freq).to_timedelta64()
    steps = panel.times[0] + (cutoff + np.arange(1, horizon + 1)) * length
    return {
        TIME: np.tile(steps, windows),
        "cutoff": np.full(windows * horizon, panel.times[0] + cutoff * length),
    }


def _columns(arms: Arms, intervals: Sequence[float]) -> dict[str, np.ndarray]:
    values = {
        "baseline": arms.baseline_SWH,
        "scenario": arms.scenario_SWH,
        "difference": arms.difference_SWH,
    }
    columns = {name: paths.mean(axis=0, dtype=np.float64).ravel() for name, paths in values.items()}
    for percent in intervals:
        tail = (1 - percent / 100) / 2
        for name, paths in values.items():
            low, high = np.quantile(paths, (tail, 1 - tail), axis=0)
            columns[f"{name}-lo-{percent:g}"] = low.ravel()
            columns[f"{name}-hi-{percent:g}"] = high.ravel()
    return columns
