"""Pictures that a run keeps in its folder and hands to the mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lanecast.causal.graph.graph import Graph
    from lanecast.runs.record import Run


def keep_graph_picture(graph: Graph | None, folder: Run) -> None:
    """Draw the graph that a model is coupled to as ``dag.png``; nothing where it has none."""
    if graph is None or not folder.leads:
        return
    from lanecast.report.graph_figure import graph_figure

    try:
        path = graph_figure(graph, folder.folder / "dag.png")
    except ImportError as err:
        folder.warn(f"no picture of the graph ({err}); pip install lanecast[demo] has matplotlib")
        return
    folder.image("dag", path)
