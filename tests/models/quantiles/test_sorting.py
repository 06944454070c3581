"""Rows of few values are sorted by exchanges, of many by numpy; elsewhere torch sorts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from lanecast.models.quantiles import sorting
from lanecast.models.quantiles.sorting import FEW, in_order


@pytest.mark.parametrize("size", range(1, 13))
def test_every_row_of_zeros_and_ones_is_sorted(size):
    """Exchanges that sort all of these sort everything (the 0-1 principle, Knuth 5.3.4)."""
    rows = torch.tensor(list(product([0.0, 1.0], repeat=size)))
    assert torch.equal(in_order(rows), rows.sort(dim=-1).values)


@pytest.mark.parametrize("size", [FEW - 1, FEW, FEW + 1, 39])
@pytest.mark.parametrize("shape", [(), (1,), (200,), (70, 14)])
def test_long_rows_of_any_shape_are_sorted(size, shape):
    torch.manual_seed(0)
    rows = torch.randn(*shape, size)
    assert torch.equal(in_order(rows), rows.sort(dim=-1).values)


def test_what_it_is_given_stays_as_it_is():
    torch.manual_seed(0)
    for rows in (torch.randn(1, 1, 5), torch.randn(9, 5, 4).transpose(1, 2), torch.randn(7, 1)):
        kept = rows.clone()
        in_order(rows)
        assert torch.equal(rows, kept)


def test_exchanges_are_few(monkeypatch):
    """Batcher's are 37 of 11 values, 63 of 16; neighbours alone would take 55 and 120."""
    assert [len(sorting._pairs(size)) for size in (2, 3, 4, 11, 16)] == [1, 3, 5, 37, 63]
    monkeypatch.setattr(np, "sort", None)
    rows = torch.randn(3, FEW)
    assert torch.equal(in_order(rows), rows.sort(dim=-1).values)


def test_gradients_and_other_precisions_go_through_torch():
    rows = torch.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    (in_order(rows) * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert rows.grad is not None
    assert rows.grad.tolist() == [[100.0, 1.0, 10.0]]
    for dtype in (torch.float64, torch.bfloat16):
        assert in_order(rows.detach().to(dtype)).dtype == dtype


@pytest.mark.parametrize("size", [4, 11, FEW, FEW + 1])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_value_that_is_no_number_is_not_lost(size, place):
    """A diverged network's row stays not finite, so that its forecast is refused."""
    rows = torch.arange(2.0 * size).flip(0).reshape(2, size)
    rows[0, place] = float("nan")
    found = in_order(rows)
    assert found[0].isnan().sum() == (size if size <= FEW else 1)  # exchanges hand it on to all
    assert torch.equal(found[1], rows[1].flip(0))
