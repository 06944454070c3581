"""A picture of the declared graph: layers by generation, lags on the edges, no graphviz."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.causal.graph.graph import Edge, Graph, Node, NodeKind
from lanecast.report.canvas import canvas
from lanecast.report.figures import BLACK, BLUE, VERMILION
from lanecast.report.graph_layout import Layout, Spot, label_spots, laid_out, sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The rest of Okabe and Ito's colors.
COLORS = {
    NodeKind.EXOGENOUS: "#56B4E9",
    NodeKind.TREATMENT: "#E69F00",
    NodeKind.ENDOGENOUS: "#009E73",
    NodeKind.LATENT: "#999999",
}
STYLES: dict[str, dict[str, Any]] = {
    "causes": {"color": BLACK, "linewidth": 1.1},
    "may cause (optional)": {"color": BLACK, "linewidth": 1.1, "linestyle": (0, (5, 3))},
    "policy looks at": {"color": BLUE, "linewidth": 1.1, "linestyle": (0, (6, 2, 1, 2))},
    "hidden common cause": {"color": VERMILION, "linewidth": 1.4, "linestyle": (0, (1, 2))},
}
HIDDEN = "hidden common cause"
LOOP = 0.36  # height of the loop of a node's own lags


def graph_figure(graph: Graph, path: Path) -> Path:
    """Draw the graph and write it to ``path``, whose suffix says the format."""
    edges = [edge for edge in graph.causal if edge.source != edge.target]
    layout = laid_out(graph, [*((e.source, e.target) for e in edges), *graph.bidirected])
    x, y = np.array(list(layout.spots.values())).T
    half = np.array([layout.tall[name] for name in layout.spots]) / 2
    left, right = x.min() - layout.wide / 2 - 0.3, x.max() + layout.wide / 2 + 0.3
    right = max(right, left + 7.5)  # room for the legend
    along = np.concatenate([y, *(sample(curve)[:, 1] for curve in layout.curves)])
    bottom = min((y - half).min(), along.min()) - 1.2
    top = max((y + half).max() + LOOP, along.max()) + 0.6
    with canvas(path, (right - left, top - bottom)) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(left, right), ylim=(bottom, top))
        axes.set_axis_off()
        _draw_edges(axes, edges, layout)
        for edge in graph.causal:
            if edge.source == edge.target:
                _draw_loop(axes, edge, layout)
        for name, spot in layout.spots.items():
            size = layout.wide, layout.tall[name]
            _draw_node(axes, graph.nodes[name], spot, size, target=name == graph.target)
        _draw_words(axes, graph, (left, top))
    return path


def lag_label(edge: Edge) -> str:
    """Lags of an edge in short, runs joined, with sign and join: ``0-3``, ``0 (-)``."""
    breaks = [0, *(n + 1 for n, (a, b) in enumerate(pairwise(edge.lags)) if b != a + 1)]
    runs = [edge.lags[a:b] for a, b in pairwise([*breaks, len(edge.lags)])]
    text = ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)
    if edge.sign is not None:
        text += " (+)" if edge.sign == "positive" else " (-)"
    return text if edge.aggregate is None else f"{text} {edge.aggregate}"


def style_of(edge: Edge) -> str:
    """The entry of the legend that an edge belongs to."""
    if edge.policy:
        return "policy looks at"
    return "may cause (optional)" if edge.optional else "causes"


def _draw_edges(axes: Axes, edges: Sequence[Edge], layout: Layout) -> None:
    styles = [style_of(edge) for edge in edges]
    styles += [HIDDEN] * (len(layout.curves) - len(edges))
    for curve, style in zip(layout.curves, styles, strict=True):
        _draw_curve(axes, curve, style)
    texts = [lag_label(edge) for edge in edges]
    sizes = [(0.16 + 0.075 * len(text), 0.2) for text in texts]
    spots = label_spots(layout.curves, sizes)
    for text, spot, style in zip(texts, spots, styles, strict=False):
        _draw_label(axes, text, spot, STYLES[style]["color"])


def _draw_curve(axes: Axes, curve: np.ndarray, style: str) -> None:
    """Bezier pieces in the style of the legend, with an arrowhead at the end, or at both."""
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Line

    points = [curve[0, 0], *(point for piece in curve for point in piece[1:])]
    codes = [Line.MOVETO, *[Line.CURVE4] * (len(points) - 1)]
    axes.add_patch(PathPatch(Line(points, codes), fill=False, zorder=2, **STYLES[style]))
    ends = [(curve[-1, 3], curve[-1, 2])] + [(curve[0, 0], curve[0, 1])] * (style == HIDDEN)
    for tip, behind in ends:
        along = (tip - behind) / np.linalg.norm(tip - behind)
        across = np.array([-along[1], along[0]])
        corners = [tip, *(tip - 0.13 * along + side * 0.05 * across for side in (-1, 1))]
        axes.add_patch(Polygon(corners, color=STYLES[style]["color"], linewidth=0, zorder=2))


def _draw_loop(axes: Axes, edge: Edge, layout: Layout) -> None:
    x, y = layout.spots[edge.source]
    y += layout.tall[edge.source] / 2
    high = y + LOOP * 4 / 3  # a cubic reaches three quarters of its handles
    curve = np.array([[(x - 0.22, y), (x - 0.34, high), (x + 0.34, high), (x + 0.22, y)]])
    _draw_curve(axes, curve, style_of(edge))
    _draw_label(axes, lag_label(edge), (x, y + LOOP), STYLES[style_of(edge)]["color"])


def _draw_label(axes: Axes, text: str, spot: Spot, color: Any) -> None:
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    axes.text(*spot, text, ha="center", va="center", fontsize=8, color=color, bbox=box, zorder=4)


def _draw_node(axes: Axes, node: Node, spot: Spot, size: Spot, *, target: bool) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import FancyBboxPatch

    color = COLORS[node.kind]
    pale = 0.65 + 0.35 * np.array(to_rgb(color))
    box = FancyBboxPatch(
        (spot[0] - size[0] / 2, spot[1] - size[1] / 2),
        *size,
        boxstyle="round,pad=0,rounding_size=0.1",
        facecolor=tuple(pale),
        edgecolor=BLACK if target else color,
        linewidth=2.2 if target else 1.4,
        linestyle="--" if node.latent else "-",
        zorder=3,
    )
    axes.add_patch(box)
    below = "context of all" if node.calendar else node.level
    axes.text(
        *(spot[0], spot[1] + (0.07 if below else 0.0)),
        node.name,
        ha="center",
        va="center",
        fontsize=10,
        weight="bold" if target else "normal",
        zorder=5,
    )
    if below:
        place = (spot[0], spot[1] - 0.11)
        axes.text(*place, below, ha="center", va="center", fontsize=7, color="0.3", zorder=5)


def _draw_words(axes: Axes, graph: Graph, corner: Spot) -> None:
    """Title, legend, and what must not exist."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    title = f"causal graph {graph.dag_hash}: numbers on edges are lags in steps"
    axes.text(corner[0] + 0.3, corner[1] - 0.15, title, va="top", fontsize=11)
    kinds = {node.kind for node in graph.nodes.values()}
    styles = {style_of(edge) for edge in graph.causal} | ({HIDDEN} if graph.bidirected else set())
    handles: list[Any] = [
        Patch(facecolor=color, label=str(kind), alpha=0.6)
        for kind, color in COLORS.items()
        if kind in kinds
    ]
    handles.append(Patch(facecolor="white", edgecolor=BLACK, linewidth=2, label="target"))
    handles += [
        Line2D([], [], label=name, **style) for name, style in STYLES.items() if name in styles
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(corner[0] + 0.2, axes.get_ylim()[0] + 0.05),
        bbox_transform=axes.transData,
        ncols=4,
        fontsize=8,
        frameon=False,
        handlelength=2.6,
    )
    if forbidden := [f"{e.source} -> {e.target}" for e in graph.edges if e.forbidden]:
        place = (corner[0] + 0.3, axes.get_ylim()[0] + 0.72)
        text = f"declared not to exist: {', '.join(forbidden)}"
        axes.text(*place, text, va="bottom", fontsize=8, color="0.3")
