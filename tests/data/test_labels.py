import numpy as np
import pytest

from lanecast.data.gather import Gatherer
from lanecast.data.labels import labels
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at


@pytest.mark.parametrize("cutoffs", [(80, 94), (110, 118)])
def test_labels_equal_those_of_the_gatherer(panel, cutoffs):
    spec = WindowSpec(context=28, horizon=14)
    index = windows_at(panel, cutoffs, spec)
    y_WH, seen_WH = labels(panel, index, 14)
    _, label = Gatherer(panel, spec)(index)
    np.testing.assert_array_equal(y_WH, label.y_BH.numpy())
    np.testing.assert_array_equal(seen_WH, label.seen_BH.numpy())


def test_labels_outside_the_series_are_not_seen(panel):
    index = WindowIndex(series_W=np.array([2, 0]), cutoff_W=np.array([70, 119]))
    _, seen_WH = labels(panel, index, 14)
    assert not seen_WH.any()


def test_labels_of_whole_runs_are_those_beside_one_that_is_cut(panel):
    """A window that leaves its series makes all of them take the other way."""
    whole = windows_at(panel, range(40, 60), WindowSpec(context=28, horizon=14))
    cut = WindowIndex(series_W=np.array([0]), cutoff_W=np.array([119]))
    both = WindowIndex(
        series_W=np.concatenate([whole.series_W, cut.series_W]),
        cutoff_W=np.concatenate([whole.cutoff_W, cut.cutoff_W]),
    )
    for alone, beside in zip(labels(panel, whole, 14), labels(panel, both, 14), strict=True):
        np.testing.assert_array_equal(alone, beside[:-1])
    assert labels(panel, whole, 14)[1].any()
    assert not labels(panel, whole, 14)[1].all()  # the panel has gaps there


def test_labels_leave_the_panel_as_it_is(panel):
    before = panel.values.clone()
    y_WH, _ = labels(
        panel, windows_at(panel, range(40, 60), WindowSpec(context=28, horizon=14)), 14
    )
    y_WH += 1.0
    np.testing.assert_array_equal(panel.values.numpy(), before.numpy())
