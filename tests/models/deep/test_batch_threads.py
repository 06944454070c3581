"""Batches side by side: the same forecasts, the threads given back, errors raised."""

import numpy as np
import pytest
import torch

from lanecast.data.windows import windows_at
from lanecast.models.deep import inference
from lanecast.models.deep.batch_threads import each_batch
from small_models import LEVELS, NETWORKS, SPEC, small


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_forecasts_are_those_of_batches_one_by_one(panel, monkeypatch):
    model = small(NETWORKS["nhits"]).fit(panel, until=100)
    monkeypatch.setattr(inference, "BATCH", 8)
    at = windows_at(panel, range(100, 110), SPEC)
    torch.set_num_threads(1)
    alone = model.predict(panel, at=at, quantiles=LEVELS)
    torch.set_num_threads(2)
    beside = model._inference(panel).quantiles(at, model._calibrated(), LEVELS)[1]
    torch.set_num_threads(1)
    one = model._inference(panel).quantiles(at, model._calibrated(), LEVELS)[1]
    assert len(at) > 8
    assert np.array_equal(beside, one)
    assert alone.quantiles_WHQ.shape == beside.shape


def test_an_error_of_a_batch_is_raised_and_the_threads_come_back():
    def work(batch):
        if batch == 3:
            raise ValueError("batch 3")

    with pytest.raises(ValueError, match="batch 3"):
        each_batch(work, range(6), parallel=True)
    assert torch.get_num_threads() == 2
