"""Nodes above the lanes as a panel: what is summed, what is averaged, what is missing."""

from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.hierarchy import lane_hierarchy
from lanecast.data.nodes import SEVERAL, node_panel


@pytest.fixture(scope="module")
def lanes(panel):
    """The shared panel with ends: A>B and A>C leave A, the short and the gappy lane leave Z."""
    ends = {
        "origin": np.array(["A", "A", "Z", "Z"], dtype=object),
        "country": np.array(["NL"] * 4, dtype=object),
    }
    return replace(panel, attributes={**panel.attributes, **ends})


@pytest.fixture(scope="module")
def nodes(lanes):
    return node_panel(lanes, lane_hierarchy(lanes, [[], ["origin"]]))


def whole(panel, name, series):
    """A column of one series over the first 120 steps, NaN outside its rows."""
    found = np.full(120, np.nan)
    row = list(panel.series).index(series)
    low, high = panel.offsets[row], panel.offsets[row + 1]
    found[panel.start[row] : panel.start[row] + high - low] = panel.column(name)[low:high]
    return found


def test_a_node_sums_the_targets_of_its_lanes(lanes, nodes):
    assert list(nodes.series) == ["total", "origin=A", "origin=Z"]
    expected = whole(lanes, "y", "A>B") + whole(lanes, "y", "A>C")
    np.testing.assert_allclose(whole(nodes, "y", "origin=A"), expected)


def test_a_lane_adds_nothing_before_its_first_row(lanes, nodes):
    first = lanes.start[2]
    np.testing.assert_allclose(
        whole(nodes, "y", "origin=Z")[:first], whole(lanes, "y", "A>E")[:first]
    )


def test_a_missing_target_makes_the_sums_above_it_missing(lanes, nodes):
    gap = np.isnan(whole(lanes, "y", "A>E"))
    assert gap.sum() == 5
    assert np.isnan(whole(nodes, "y", "total"))[gap].all()
    assert not np.isnan(whole(nodes, "y", "origin=A")).any()


def test_columns_in_units_of_the_target_are_summed_and_flags_averaged(lanes, nodes):
    one, two = (whole(lanes, "scheduled", name) for name in ("A>B", "A>C"))
    np.testing.assert_allclose(whole(nodes, "scheduled", "origin=A"), one + two, rtol=1e-6)
    one, two = (whole(lanes, "promo", name) for name in ("A>B", "A>C"))
    np.testing.assert_allclose(whole(nodes, "promo", "origin=A"), (one + two) / 2)


def test_attributes_are_those_that_all_lanes_share(nodes):
    assert list(nodes.attributes["country"]) == ["NL"] * 3
    assert list(nodes.attributes["origin"]) == [SEVERAL, "A", "Z"]


def test_encoded_statics_are_means_over_the_lanes(nodes):
    np.testing.assert_allclose(nodes.statics[:, 0], [1.5, 0.5, 2.5])
