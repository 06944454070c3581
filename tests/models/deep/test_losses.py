"""Losses: zero only for the truth, equal to a loop, and quantiles that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lanecast.errors import ConfigError
from lanecast.models.deep.losses import Loss, MultiQuantile, Parametric, Point

LEVELS = (0.05, 0.25, 0.5, 0.9)
LOSSES: dict[str, Loss] = {
    "quantiles": MultiQuantile(levels=LEVELS),
    **{kind: Point(kind=kind) for kind in ("mae", "mse", "huber")},
    **{
        family: Parametric(family=family, levels=LEVELS)
        for family in ("normal", "laplace", "student_t")
    },
}
SCIPY = {
    "normal": scipy.stats.norm(),
    "laplace": scipy.stats.laplace(),
    "student_t": scipy.stats.t(5.0),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
every_family = pytest.mark.parametrize("family", SCIPY)


def raw_of(loss: Loss, seed: int = 0) -> Tensor:
    return torch.randn(5, 3, loss.outputs, generator=torch.Generator().manual_seed(seed))


def target(seed: int = 1) -> Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))


@every_loss
def test_shapes(loss: Loss) -> None:
    raw, y = raw_of(loss), target()
    assert loss.pointwise(raw, y).shape == (5, 3)
    assert loss.point(raw).shape == (5, 3)
    assert loss(raw, y, torch.ones(5, 3)).shape == ()
    grid = loss.grid(raw)
    assert (grid is None) == (not loss.levels)
    if grid is not None:
        assert grid.shape == (5, 3, len(loss.levels))


@pytest.mark.parametrize("name", ["quantiles", "mae", "mse", "huber"])
@settings(max_examples=30, deadline=None)
@given(y=st.floats(-100, 100, width=32), e=st.floats(-50, 50, width=32), at=st.integers(0, 3))
def test_loss_is_zero_iff_every_output_is_exact(name: str, y: float, e: float, at: int) -> None:
    loss = LOSSES[name]
    y_BH = torch.full((1, 1), y).double()
    raw = torch.full((1, 1, loss.outputs), y).double()
    assert loss.pointwise(raw, y_BH) == 0
    raw[0, 0, at % loss.outputs] += e
    assert (loss.pointwise(raw, y_BH) > 0) == (abs(e) > 1e-6) or abs(e) <= 1e-6


def test_pinball_equals_a_loop() -> None:
    loss, y = MultiQuantile(levels=LEVELS), target()
    raw = raw_of(loss)
    found = loss.pointwise(raw, y)
    for b in range(5):
        for h in range(3):
            terms = []
            for q, level in enumerate(LEVELS):
                e = float(y[b, h] - raw[b, h, q])
                terms.append(level * e if e > 0 else (level - 1) * e)
            assert found[b, h] == pytest.approx(np.mean(terms), rel=1e-5)


def test_pinball_is_least_at_the_quantile_of_the_sample() -> None:
    y = torch.arange(1.0, 101.0)[:, None]
    loss = MultiQuantile(levels=(0.5, 0.9))
    tried = torch.arange(1.0, 101.0)
    found = [loss.pointwise(torch.tensor([50.0, q]).expand(100, 1, 2), y).mean() for q in tried]
    assert tried[int(torch.stack(found).argmin())] == pytest.approx(90.0, abs=1.0)


@every_loss
def test_masked_labels_weigh_nothing(loss: Loss) -> None:
    raw, y = raw_of(loss), target()
    weight = torch.ones(5, 3)
    weight[1:, 2] = 0
    changed = y.clone()
    changed[1:, 2] = 1e6
    assert torch.equal(loss(raw, y, weight), loss(raw, changed, weight))
    kept = weight.bool()
    assert loss(raw, y, weight) == pytest.approx(float(loss.pointwise(raw, y)[kept].mean()))


@every_loss
def test_masked_outputs_get_no_gradient(loss: Loss) -> None:
    raw = raw_of(loss).requires_grad_()
    weight = torch.ones(5, 3)
    weight[2] = 0
    loss(raw, target(), weight).backward()
    assert raw.grad is not None
    assert (raw.grad[2] == 0).all()
    assert (raw.grad[0] != 0).any()


@every_loss
def test_batch_without_a_single_label_costs_nothing(loss: Loss) -> None:
    assert loss(raw_of(loss), target(), torch.zeros(5, 3)) == 0


@every_loss
def test_weights_count_by_their_ratio(loss: Loss) -> None:
    raw, y = raw_of(loss), target()
    weight = torch.rand(5, 3, generator=torch.Generator().manual_seed(2))
    assert loss(raw, y, weight) == pytest.approx(float(loss(raw, y, 7 * weight)), rel=1e-5)


@every_loss
def test_quantiles_never_cross_and_the_median_is_the_point(loss: Loss) -> None:
    raw = 10 * raw_of(loss, seed=3)
    grid = loss.grid(raw)
    if grid is None:
        pytest.skip("a point loss has no quantiles")
    assert (grid.diff(dim=-1) >= 0).all()
    assert torch.allclose(grid[..., LEVELS.index(0.5)], loss.point(raw), atol=1e-6)


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_quantiles_come_in_torchs_own_order(layout: str) -> None:
    """Sorted by torch only where a gradient is asked."""
    loss = MultiQuantile(levels=LEVELS)
    raw = torch.randn(9, 5, 4) if layout == "rows" else torch.randn(9, 4, 5).transpose(1, 2)
    raw[4, 1, 0] = raw[4, 1, 2]
    expected = raw.sort(dim=-1).values
    torch.testing.assert_close(loss.grid(raw), expected, rtol=0, atol=0)
    asked = raw.clone().requires_grad_()
    torch.testing.assert_close(loss.grid(asked), expected, rtol=0, atol=0)
    assert loss.grid(asked).requires_grad


@every_family
def test_quantiles_of_a_family_match_scipy(family: str) -> None:
    loss = LOSSES[family]
    raw = raw_of(loss)
    spread = np.log1p(np.exp(raw[..., 1].numpy())) + 1e-3
    expected = raw[..., :1].numpy() + spread[..., None] * SCIPY[family].ppf(LEVELS)
    grid = loss.grid(raw)
    assert grid is not None
    np.testing.assert_allclose(grid.numpy(), expected, rtol=1e-5, atol=1e-5)


@every_family
def test_likelihood_of_a_family_matches_scipy(family: str) -> None:
    loss, y = LOSSES[family], target()
    raw = raw_of(loss)
    spread = np.log1p(np.exp(raw[..., 1].numpy())) + 1e-3
    z = (y.numpy() - raw[..., 0].numpy()) / spread
    expected = np.log(spread) - SCIPY[family].logpdf(z)
    np.testing.assert_allclose(loss.pointwise(raw, y).numpy(), expected, rtol=1e-4, atol=1e-5)


@every_family
def test_likelihood_is_finite_for_wild_outputs(family: str) -> None:
    loss = LOSSES[family]
    raw = torch.tensor([[[0.0, -200.0], [1e4, 200.0], [-1e4, 0.0]]])
    assert torch.isfinite(loss.pointwise(raw, torch.zeros(1, 3))).all()


@every_loss
def test_shift_moves_locations_and_keeps_spreads(loss: Loss) -> None:
    raw, anchor = raw_of(loss), target(seed=4)
    moved = loss.shift(raw, anchor)
    assert torch.allclose(loss.point(moved), loss.point(raw) + anchor, atol=1e-6)
    grid, shifted = loss.grid(raw), loss.grid(moved)
    if grid is not None and shifted is not None:
        assert torch.allclose(shifted, grid + anchor[..., None], atol=1e-5)


@every_loss
def test_shift_by_the_target_leaves_the_rest_to_learn(loss: Loss) -> None:
    raw, y = raw_of(loss), target()
    one = loss.pointwise(loss.shift(raw, y), 2 * y)
    assert torch.allclose(one, loss.pointwise(raw, y), atol=1e-5)


@pytest.mark.parametrize("levels", [(0.1, 0.9), (0.5, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0), ()])
def test_quantile_levels_must_rise_within_0_and_1_and_hold_the_median(
    levels: tuple[float, ...],
) -> None:
    with pytest.raises(ConfigError, match=r"loss\.levels=.* contain 0\.5"):
        MultiQuantile(levels=levels)


@pytest.mark.parametrize("levels", [(0.9, 0.5), (0.0, 0.5), (0.5, 0.5)])
def test_levels_of_a_family_are_checked_too(levels: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match=r"loss\.levels"):
        Parametric(family="normal", levels=levels)


def test_unknown_kind_or_family_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"loss\.kind='mape' is not one of mae, mse, huber"):
        Point(kind="mape")
    with pytest.raises(ConfigError, match=r"loss\.family='cauchy' is not one of"):
        Parametric(family="cauchy", levels=LEVELS)
