"""A graph's picture: written where it should be, and nothing on top of anything else."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.image import imread

from lanecast.causal.graph.graph import Edge, Graph
from lanecast.errors import RunFolderError
from lanecast.report.graph_figure import graph_figure, lag_label
from lanecast.report.graph_layout import label_spots, laid_out, sample
from small_graphs import LEVELS, declared, small

RICH = small(
    nodes={"mood": {"kind": "latent"}},
    edges=[
        {"from": "mood", "to": "orders", "lags": [0]},
        {"from": "weather", "to": "backlog", "lags": [0, 2]},
        {"from": "backlog", "to": "orders", "lags": [1]},
        {"from": "backlog", "to": "weather", "lags": [1], "forbidden": True},
    ],
    bidirected=[["orders", "price"], ["backlog", "promo"]],
)
GRAPHS = {"small": small(), "rich": RICH, "levels": Graph.from_config(declared(LEVELS))}
PAIRS = {
    name: [*((e.source, e.target) for e in g.causal if e.source != e.target), *g.bidirected]
    for name, g in GRAPHS.items()
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_picture_is_written(name, tmp_path):
    path = graph_figure(GRAPHS[name], tmp_path / "new" / "graph.png")
    image = imread(path)[..., :3]
    assert 0.02 < (image < 0.9).any(axis=-1).mean() < 0.6


def test_a_picture_is_the_same_again(tmp_path):
    one = graph_figure(RICH, tmp_path / "one.png").read_bytes()
    assert one == graph_figure(RICH, tmp_path / "two.png").read_bytes()


def test_a_picture_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="file"):
        graph_figure(small(), tmp_path / "file" / "graph.png")


@pytest.mark.parametrize("name", GRAPHS)
def test_boxes_do_not_overlap(name):
    layout = laid_out(GRAPHS[name], PAIRS[name])
    for one, other in combinations(layout.spots, 2):
        (x1, y1), (x2, y2) = layout.spots[one], layout.spots[other]
        apart = abs(y1 - y2) >= (layout.tall[one] + layout.tall[other]) / 2 + 0.3
        assert abs(x1 - x2) >= layout.wide + 1 or apart, f"{one} on {other}"


@pytest.mark.parametrize("name", GRAPHS)
def test_no_edge_runs_through_a_box(name):
    layout = laid_out(GRAPHS[name], PAIRS[name])
    for curve in layout.curves:
        x, y = sample(curve).T
        for box, (left, low) in layout.spots.items():
            inside = np.abs(x - left) < layout.wide / 2 - 0.02
            inside &= np.abs(y - low) < layout.tall[box] / 2
            assert not inside.any(), box


@pytest.mark.parametrize("name", GRAPHS)
def test_an_edge_goes_from_its_source_to_its_target(name):
    layout = laid_out(GRAPHS[name], PAIRS[name])
    for curve, (source, target) in zip(layout.curves, PAIRS[name], strict=True):
        for end, box in ((curve[0, 0], source), (curve[-1, 3], target)):
            assert abs(end[0] - layout.spots[box][0]) == pytest.approx(layout.wide / 2)


@pytest.mark.parametrize("name", GRAPHS)
def test_labels_do_not_overlap(name):
    layout = laid_out(GRAPHS[name], PAIRS[name])
    sizes = [(0.4, 0.2)] * len(layout.curves)
    spots = np.array(label_spots(layout.curves, sizes))
    for one, other in combinations(spots, 2):
        assert (np.abs(one - other) > sizes[0]).any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lags": (0,)}, "0"),
        ({"lags": (1, 2, 3, 7)}, "1-3, 7"),
        ({"lags": (0, 2), "sign": "negative"}, "0, 2 (-)"),
        ({"lags": (1, 2), "aggregate": "sum_by_dest"}, "1-2 sum_by_dest"),
    ],
)
def test_lags_are_told_in_short(options, text):
    assert lag_label(Edge(source="a", target="b", **options)) == text
