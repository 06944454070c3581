"""A scenario in one picture: both arms with their intervals above, the difference below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.data.panel import Panel
from lanecast.data.visibility import visible
from lanecast.report.canvas import canvas
from lanecast.report.figures import BLACK, BLUE, VERMILION, step_name, times_of
from lanecast.whatif.answers import Arms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND = 80  # percent of the paths that the shades hold
GREEN = "#009E73"
SIZE = (10.5, 5.6)  # inches


def scenario_figure(panel: Panel, arms: Arms, path: Path, **words: Any) -> Path:
    """Write the picture of one node to ``path``; ``words`` as of `draw_scenario`."""
    with canvas(path, SIZE, layout="constrained") as figure:
        draw_scenario(figure, panel, arms, **words)
    return path


def draw_scenario(
    figure: Figure,
    panel: Panel,
    arms: Arms,
    *,
    title: str,
    node: str,
    column: str,
    unit: str,
    acted: np.ndarray,
    window: int | None = None,
) -> None:
    """Draw one series, the most affected by default, and the sum over all series of one node.

    ``acted`` [H] marks the steps of the action, which are shaded; ``column`` holds the history;
    ``window`` is the row of the series.
    """
    worst = int(np.abs(arms.difference_SWH.mean(axis=0).sum(axis=1)).argmax())
    row = worst if window is None else window
    total = Arms(
        at=arms.at[:1],
        baseline_SWH=arms.baseline_SWH.sum(axis=1, keepdims=True, dtype=np.float64),
        scenario_SWH=arms.scenario_SWH.sum(axis=1, keepdims=True, dtype=np.float64),
    )
    horizon, cutoff = len(acted), int(arms.at.cutoff_W.max())
    past_WT = visible.visible(panel, arms.at, column, np.arange(1 - 2 * horizon, 1))
    name = str(panel.series[arms.at.series_W[row]])
    grid = figure.subplots(2, 2, sharex=True, height_ratios=[1.6, 1.0])
    pairs = [
        (f"{name}, the most affected" if row == worst else name, arms.rows(np.array([row])),
         past_WT[row]),
        (f"sum over {len(arms.at)} series", total, np.where(
            np.isfinite(past_WT).any(axis=0), np.nansum(past_WT, axis=0), np.nan
        )),
    ]  # fmt: skip
    for number, (words, shown, past_T) in enumerate(pairs):
        upper, lower = grid[0, number], grid[1, number]
        _draw_arms(upper, panel, shown, past_T, cutoff)
        _draw_difference(lower, panel, shown, cutoff)
        upper.set_title(words, loc="left", fontsize=10)
        for axes in (upper, lower):
            _dress(axes, panel, acted, cutoff)
    grid[0, 0].set_ylabel(f"{node}, {unit} per {step_name(panel.schema.freq)}")
    grid[1, 0].set_ylabel("scenario - baseline")
    _legend(grid[0, 1], grid[1, 1])
    figure.autofmt_xdate(rotation=0, ha="center")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)


def _draw_arms(axes: Axes, panel: Panel, arms: Arms, past_T: np.ndarray, cutoff: int) -> None:
    horizon = arms.baseline_SWH.shape[-1]
    ahead = times_of(panel, range(cutoff + 1, cutoff + horizon + 1))
    back = times_of(panel, range(cutoff + 1 - len(past_T), cutoff + 1))
    axes.plot(back, past_T, color=BLACK, linewidth=1.1, label="history")
    both = {"baseline": (arms.baseline_SWH, BLUE), "scenario": (arms.scenario_SWH, VERMILION)}
    for label, (paths_SWH, color) in both.items():
        low, high = _band(paths_SWH[:, 0])
        axes.fill_between(ahead, low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(ahead, paths_SWH[:, 0].mean(axis=0), color=color, linewidth=1.8, label=label)


def _draw_difference(axes: Axes, panel: Panel, arms: Arms, cutoff: int) -> None:
    difference_SH = arms.difference_SWH[:, 0]
    ahead = times_of(panel, range(cutoff + 1, cutoff + difference_SH.shape[-1] + 1))
    low, high = _band(difference_SH)
    axes.axhline(0.0, color="0.5", linewidth=0.8)
    axes.fill_between(ahead, low, high, color=GREEN, alpha=0.25, linewidth=0)
    axes.plot(
        ahead, difference_SH.mean(axis=0), "o-", color=GREEN, linewidth=1.6, ms=3.5, label="effect"
    )


def _band(paths_SH: np.ndarray) -> np.ndarray:
    tail = (1 - BAND / 100) / 2
    return np.asarray(np.quantile(paths_SH, (tail, 1 - tail), axis=0))


def _dress(axes: Axes, panel: Panel, acted: np.ndarray, cutoff: int) -> None:
    """Cutoff, steps of the action, spines and grid."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    edge = times_of(panel, [cutoff])[0]
    axes.axvline(edge, color="0.5", linewidth=0.8, linestyle=":")
    half = (times_of(panel, [cutoff + 1])[0] - edge) / 2
    steps = np.flatnonzero(acted)
    for run in np.split(steps, np.flatnonzero(np.diff(steps) > 1) + 1):
        if len(run):
            first, last = times_of(panel, [cutoff + 1 + int(run[0]), cutoff + 1 + int(run[-1])])
            axes.axvspan(first - half, last + half, color="0.93", linewidth=0, zorder=0)
    locator = AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def _legend(upper: Axes, lower: Axes) -> None:
    """What lines and shades mean, beside the right column."""
    from matplotlib.patches import Patch

    place: dict[str, Any] = {
        "loc": "upper left",
        "bbox_to_anchor": (1.0, 1.0),
        "frameon": False,
        "fontsize": 9,
    }
    handles, names = upper.get_legend_handles_labels()
    handles += [Patch(color="0.8"), Patch(color="0.93")]
    upper.legend(handles=handles, labels=[*names, f"{BAND} % of paths", "action"], **place)
    lower.legend(**place)
