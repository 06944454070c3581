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
    for name in ("BLOCK", "SPAN", "SERIES"):
        monkeypatch.setattr(moments, name, block)
    blocks = list(moments.series_blocks(panel))
    assert blocks[0][0] == 0
    assert blocks[-1][1] == panel.num_series
    found = Scaler(method=method, per="series").fit(panel, until=90)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=1e-6, atol=1e-6)
    assert torch.equal(found.series_loc, whole.series_loc)
    assert torch.equal(found.series_scale, whole.series_scale)


def test_lower_medians_of_runs_of_any_length():
    rng = np.random.default_rng(3)
    count = rng.integers(1, 9, 40)
    values = torch.from_numpy(rng.normal(size=count.sum()))
    parts = torch.split(values, count.tolist())
    found = moments.lower_medians(values, torch.from_numpy(count))
    assert found.tolist() == [float(part.median()) for part in parts]
    assert len(moments.lower_medians(values[:0], torch.zeros(0, dtype=torch.long))) == 0


@pytest.mark.parametrize("block", [5, 64])
def test_a_column_that_is_known_late_or_never_counts_alike_in_blocks(panel, monkeypatch, block):
    for until in (-1, 3, 40):
        whole = moments.column_moments(panel, until=until)
        monkeypatch.setattr(moments, "BLOCK", block)
        monkeypatch.setattr(moments, "SPAN", block)
        for found, wanted in zip(moments.column_moments(panel, until=until), whole, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9)
        monkeypatch.undo()
