"""Statistics in blocks equal statistics at once."""

import numpy as np
import pytest
import torch

from lanecast.data import moments
from lanecast.data.scaling import Scaler


def test_steps_of_a_part_are_those_of_the_whole(panel):
    whole = moments.cell_steps(panel)
    for low, high in ((0, 5), (3, 200), (150, panel.num_cells)):
        assert np.array_equal(moments.cell_steps(panel, low, high), whole[low:high])


@pytest.mark.parametrize("method", ["robust", "standard", "mean_abs", "identity"])
@pytest.mark.parametrize("block", [7, 64, 200])
def test_a_scaler_fitted_in_blocks_is_the_same(panel, monkeypatch, method, block):
    whole = Scaler(method=method, per="series").fit(panel, until=90)
    monkeypatch.setattr(moments, "BLOCK", block)
    blocks = list(moments.series_blocks(panel))
    assert blocks[0][0] == 0
    assert blocks[-1][1] == panel.num_series
    found = Scaler(method=method, per="series").fit(panel, until=90)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=1e-6, atol=1e-6)
    assert torch.equal(found.series_loc, whole.series_loc)
    assert torch.equal(found.series_scale, whole.series_scale)
