"""Counts and last targets from bits, against counts by hand."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from lanecast.data.presence import Presence


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.data())
def test_any_range_is_counted_and_its_last_cell_found(present, data):
    values = torch.tensor([1.0 if one else float("nan") for one in present])
    found = Presence.of(values)
    low = data.draw(st.integers(0, len(present)))
    stop = data.draw(st.integers(low, len(present)))
    inside = [cell for cell in range(low, stop) if present[cell]]
    edges = np.array([low, stop])
    assert np.diff(found.before(edges)).tolist() == [len(inside)]
    assert found.last(edges[:1], edges[1:]).tolist() == [inside[-1] if inside else -1]


def test_blocks_join_at_their_edges(monkeypatch):
    import lanecast.data.presence as module

    values = torch.arange(200.0).masked_fill(torch.arange(200) % 3 == 0, float("nan"))
    whole = Presence.of(values)
    monkeypatch.setattr(module, "_BLOCK", 16)
    assert np.array_equal(Presence.of(values).counts, whole.counts)
    assert np.array_equal(Presence.of(values).words, whole.words)


def test_infinity_is_no_target():
    assert Presence.of(torch.tensor([1.0, float("inf")])).before(np.array([2])).tolist() == [1]
