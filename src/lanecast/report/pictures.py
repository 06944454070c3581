"""Pictures that a run keeps in its folder and hands to the mirror; none of them can fail it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lanecast.causal.graph.graph import Graph
    from lanecast.runs.record import Run


def keep_picture(folder: Run, name: str, draw: Callable[[Path], object]) -> None:
    """Let ``draw`` write ``<name>.png`` into the run folder; a warning where it cannot."""
    if not folder.leads:
        return
    path = folder.folder / f"{name}.png"
    if picture_or_warning(path, draw, folder.warn):
        folder.image(name, path)


def picture_or_warning(
    path: Path, draw: Callable[[Path], object], warn: Callable[[str], None]
) -> bool:
    """Whether ``draw`` wrote the picture; else ``warn`` is told why, and no part of it is left.

    Numbers are worth more than their picture: whatever goes wrong here ends no run.
    """
    try:
        draw(path)
    except Exception as failure:
        path.unlink(missing_ok=True)
        warn(f"no picture {path.name} ({type(failure).__name__}: {failure})")
        return False
    return True


def keep_graph_picture(graph: Graph | None, folder: Run) -> None:
    """Draw the graph that a model is coupled to as ``dag.png``; nothing where it has none."""
    if graph is None:
        return
    from lanecast.report.graph_figure import graph_figure

    keep_picture(folder, "dag", lambda path: graph_figure(graph, path))
