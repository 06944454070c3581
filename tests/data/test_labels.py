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
