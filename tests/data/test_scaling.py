"""Scaling: what it learns and from when, and that nothing is lost on the way back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.data.gather import Gatherer, WindowBatch
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scale, Scaler
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError, LeakageError

SPEC = WindowSpec(context=28, horizon=10, min_context=1)  # promo is known 7 ahead
UNTIL = 100
CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "scaler").glob("*.yaml"))
CHOICES = [
    {key: value for key, value in yaml.safe_load(path.read_text()).items() if key[0] != "_"}
    for path in CONFIGS
]
every_scaler = pytest.mark.parametrize("choice", CHOICES, ids=[path.stem for path in CONFIGS])


def batch_of(panel: Panel, *cutoffs: int) -> WindowBatch:
    return Gatherer(panel, SPEC)(windows_at(panel, cutoffs or (UNTIL,), SPEC))[0]


def with_values(panel: Panel, column: str, cells: slice | np.ndarray, value: float) -> Panel:
    values = panel.values.clone()
    values[cells, panel.schema.stored.index(column)] = value
    return replace(panel, values=values)


def cells_after(panel: Panel, step: int) -> np.ndarray:
    steps = np.concatenate(
        [start + np.arange(n) for start, n in zip(panel.start, np.diff(panel.offsets), strict=True)]
    )
    return np.flatnonzero(steps > step)


# --- time -----------------------------------------------------------------------------------------


@every_scaler
def test_statistics_see_nothing_after_until(panel: Panel, choice: dict[str, str]) -> None:
    poisoned = panel
    for name in panel.schema.stored:
        after = UNTIL - (panel.schema.delay_steps(name) if name in panel.schema.past else 0)
        poisoned = with_values(poisoned, name, cells_after(panel, after), 1e6)
    clean, dirty = (Scaler(**choice).fit(data, until=UNTIL) for data in (panel, poisoned))
    for name, value in clean.state_dict().items():
        assert torch.equal(value, dirty.state_dict()[name]), name
    assert clean.fitted_until == UNTIL


@every_scaler
def test_statistics_see_what_is_known_at_until(panel: Panel, choice: dict[str, str]) -> None:
    last = UNTIL - panel.schema.delay_steps("temperature")
    moved = with_values(panel, "temperature", np.array([last]), 1e4)
    clean, dirty = (Scaler(**choice).fit(data, until=UNTIL) for data in (panel, moved))
    assert not torch.equal(clean.means, dirty.means)


def test_an_earlier_window_is_refused(panel: Panel) -> None:
    scaler = Scaler().fit(panel, until=UNTIL)
    scaler.check(UNTIL)
    with pytest.raises(LeakageError, match="fitted until step 100; refit with until <= 99"):
        scaler.check(UNTIL - 1)
    with pytest.raises(LeakageError, match="never fitted"):
        Scaler().check(UNTIL)


def test_window_scale_ignores_targets_that_are_late(panel: Panel) -> None:
    columns = dict(panel.schema.columns)
    columns["y"] = replace(columns["y"], delay="P3D")
    late = replace(panel, schema=Schema(freq="D", columns=columns))
    poisoned = with_values(late, "y", cells_after(late, UNTIL - 3), 1e6)
    scales = [
        Scaler(method="standard").fit(data, until=UNTIL).transform(batch_of(data))[1]
        for data in (late, poisoned)
    ]
    assert torch.equal(scales[0].loc_B, scales[1].loc_B)
    assert torch.equal(scales[0].scale_B, scales[1].scale_B)


# --- the way there --------------------------------------------------------------------------------


def test_standard_window_has_mean_0_and_sd_1(panel: Panel) -> None:
    scaled, _ = Scaler(method="standard").fit(panel, until=UNTIL).transform(batch_of(panel))
    y_BL, seen_BL = scaled.past_BLP[..., 0], scaled.seen_BLP[..., 0]
    for y, seen in zip(y_BL, seen_BL, strict=True):
        assert y[seen].mean() == pytest.approx(0.0, abs=1e-5)
        assert y[seen].std(correction=0) == pytest.approx(1.0, abs=1e-5)


def test_robust_window_has_median_0_and_mean_absolute_1(panel: Panel) -> None:
    scaled, _ = Scaler(method="robust").fit(panel, until=UNTIL).transform(batch_of(panel))
    y_BL, seen_BL = scaled.past_BLP[..., 0], scaled.seen_BLP[..., 0]
    for y, seen in zip(y_BL, seen_BL, strict=True):
        assert y[seen].median() == pytest.approx(0.0, abs=1e-5)
        assert y[seen].abs().mean() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("method", ["standard", "robust", "mean_abs"])
def test_series_statistics_equal_a_loop(panel: Panel, method: str) -> None:
    scaler = Scaler(method=method, per="series").fit(panel, until=UNTIL)
    y_all = panel.column("y").double()
    for i in range(panel.num_series):
        y = y_all[panel.offsets[i] : panel.offsets[i + 1]][: UNTIL + 1 - panel.start[i]]
        y = y[torch.isfinite(y)]
        loc = {"standard": y.mean(), "robust": y.median(), "mean_abs": torch.tensor(0.0)}[method]
        spread = (y - loc).abs().mean() if method != "standard" else y.std(correction=0)
        assert scaler.series_loc[i + 1] == pytest.approx(float(loc), rel=1e-6)
        assert scaler.series_scale[i + 1] == pytest.approx(float(spread), rel=1e-6)


@every_scaler
def test_invisible_cells_stay_zero(panel: Panel, choice: dict[str, str]) -> None:
    scaled, _ = Scaler(**choice).fit(panel, until=UNTIL).transform(batch_of(panel, UNTIL, 110))
    for values, seen in (
        (scaled.past_BLP, scaled.seen_BLP),
        (scaled.future_BHK, scaled.future_seen_BHK),
    ):
        assert (~seen).any()
        assert (values[~seen] == 0).all()
        assert torch.isfinite(values).all()


def test_column_in_the_targets_unit_is_scaled_like_the_target(panel: Panel) -> None:
    scaler = Scaler(method="standard", link="log1p").fit(panel, until=UNTIL)
    batch = batch_of(panel)
    scaled, scale = scaler.transform(batch)
    at = panel.schema.known.index("scheduled")
    expected = scaler.scale_target(batch.future_BHK[..., at], scale)
    assert torch.equal(scaled.future_BHK[..., at], expected)


def test_own_columns_are_standardized_and_the_calendar_is_not(panel: Panel) -> None:
    scaler = Scaler().fit(panel, until=UNTIL)
    batch = batch_of(panel)
    scaled, _ = scaler.transform(batch)
    column = panel.column("temperature")
    known = np.setdiff1d(np.arange(panel.num_cells), cells_after(panel, UNTIL - 2))
    seen = batch.seen_BLP[..., 2]
    expected = (batch.past_BLP[..., 2] - column[known].mean()) / column[known].std(correction=0)
    assert torch.allclose(scaled.past_BLP[..., 2][seen], expected[seen], atol=1e-5)
    num = len(panel.schema.known)
    assert torch.equal(scaled.future_BHK[..., num:], batch.future_BHK[..., num:])


def test_statics_are_standardized(panel: Panel) -> None:
    scaled, _ = Scaler().fit(panel, until=UNTIL).transform(batch_of(panel, 110))
    assert scaled.static_BC.mean() == pytest.approx(0.0, abs=1e-6)
    assert scaled.static_BC.std(correction=0) == pytest.approx(1.0, abs=1e-6)


def test_transform_leaves_the_batch_as_it_was(panel: Panel) -> None:
    batch = batch_of(panel)
    before = batch.past_BLP.clone(), batch.future_BHK.clone()
    Scaler(link="log1p").fit(panel, until=UNTIL).transform(batch)
    assert torch.equal(batch.past_BLP, before[0])
    assert torch.equal(batch.future_BHK, before[1])


# --- and back -------------------------------------------------------------------------------------


@every_scaler
@settings(max_examples=30, deadline=None)
@given(
    y=st.lists(st.floats(0, 1e5, width=32), min_size=1, max_size=9),
    loc=st.floats(-3, 3),
    spread=st.floats(0.1, 50),
)
def test_inverse_undoes_the_scaling(
    choice: dict[str, str], y: list[float], loc: float, spread: float
) -> None:
    scaler = Scaler(**choice)
    scale = Scale(loc_B=torch.tensor([loc]).double(), scale_B=torch.tensor([spread]).double())
    y_BH = torch.tensor([y]).double()
    back = scaler.inverse(scaler.scale_target(y_BH, scale), scale)
    assert torch.allclose(back, y_BH, rtol=1e-9, atol=1e-9)


def test_inverse_keeps_the_order_of_quantiles_under_the_log_link(panel: Panel) -> None:
    scaler = Scaler(link="log1p").fit(panel, until=UNTIL)
    _, scale = scaler.transform(batch_of(panel))
    grid = torch.linspace(-50, 50, 99).expand(len(scale.loc_B), 10, 99)
    found = scaler.inverse(grid, scale)
    assert torch.isfinite(found).all()
    assert (found.diff(dim=-1) >= 0).all()


# --- edges ----------------------------------------------------------------------------------------


@every_scaler
def test_context_without_a_single_value_is_finite(panel: Panel, choice: dict[str, str]) -> None:
    scaler = Scaler(**choice).fit(panel, until=UNTIL)
    batch = batch_of(panel)
    empty = replace(
        batch,
        past_BLP=torch.zeros_like(batch.past_BLP),
        seen_BLP=torch.zeros_like(batch.seen_BLP),
    )
    scaled, scale = scaler.transform(empty)
    assert (scaled.past_BLP == 0).all()
    assert torch.isfinite(scale.loc_B).all()
    assert (scale.scale_B > 0).all()


@every_scaler
@pytest.mark.parametrize("value", [5.0, 0.1, 3e-9, 7e11])
def test_constant_series_are_scaled_by_a_share_of_the_usual_level(
    panel: Panel, choice: dict[str, str], value: float
) -> None:
    log = choice["link"] == "log1p"
    if log and value < 1:
        pytest.skip("log1p refuses it")
    flat = with_values(panel, "y", slice(None), value)
    scaler = Scaler(**choice).fit(flat, until=UNTIL)
    scaled, scale = scaler.transform(batch_of(flat))
    whole = scale.loc_B if choice["method"] in ("standard", "robust") else scale.scale_B
    if choice["method"] != "identity":
        expected = np.log1p(value) if log else value
        assert whole.tolist() == pytest.approx([expected] * len(whole), rel=1e-5)
    if choice["method"] in ("standard", "robust"):
        assert scaled.past_BLP[..., 0].abs().max() < 1e-5
        assert scale.scale_B.tolist() == pytest.approx([1.0 if log else value / 10] * len(whole))


EQUIVARIANT = [each for each in CHOICES if each["link"] == "identity" != each["method"]]


def in_units_of(panel: Panel, factor: float) -> Panel:
    # The target and the schedule, which is in its unit; a lane that is silent, one that is flat.
    values = panel.values.clone()
    values[panel.offsets[0] : panel.offsets[0] + 100, 0] = 0.0
    values[panel.offsets[1] : panel.offsets[1] + 100, 0] = 40.0
    for column in ("y", "scheduled"):
        values[:, panel.schema.stored.index(column)] *= factor
    return replace(panel, values=values)


@pytest.mark.parametrize("choice", EQUIVARIANT, ids=lambda choice: f"{choice['method']}")
@pytest.mark.parametrize("factor", [2.0**-30, 2.0**40, 2.0**-60])
def test_scaled_windows_are_equal_to_the_bit_in_any_unit(
    panel: Panel, choice: dict[str, str], factor: float
) -> None:
    answers = []
    for data in (in_units_of(panel, 1.0), in_units_of(panel, factor)):
        scaled, scale = Scaler(**choice).fit(data, until=UNTIL).transform(batch_of(data))
        answers.append((scaled, scale))
    (first, scale), (second, other) = answers
    assert torch.equal(first.past_BLP[..., 0], second.past_BLP[..., 0])
    assert torch.equal(first.known_past_BLK, second.known_past_BLK)
    assert torch.equal(first.future_BHK, second.future_BHK)
    assert torch.equal(scale.scale_B * factor, other.scale_B)
    assert torch.equal(scale.loc_B * factor, other.loc_B)


@pytest.mark.parametrize(
    ("factor", "size"), [(1e-9, "usually"), (1e-3, "usually"), (1e12, "up to")]
)
def test_log_scalers_refuse_a_target_far_from_their_unit(
    panel: Panel, factor: float, size: str
) -> None:
    with pytest.raises(ConfigError, match=rf"link=log1p counts in units of 1.*{size}.*identity"):
        Scaler(link="log1p").fit(in_units_of(panel, factor), until=UNTIL)


def test_statistics_of_a_scaler_without_unit_are_still_read(panel: Panel) -> None:
    scaler = Scaler().fit(panel, until=UNTIL)
    old = {name: value for name, value in scaler.state_dict().items() if name != "unit"}
    restored = Scaler().restore(scaler.facts(), old).bind(panel)
    silent = with_values(panel, "y", slice(None), 0.0)
    assert restored.transform(batch_of(silent))[1].scale_B.tolist() == [1.0] * 4


def test_column_that_is_never_seen_stays_zero(panel: Panel) -> None:
    empty = with_values(panel, "late", slice(None), float("nan"))
    scaled, _ = Scaler().fit(empty, until=UNTIL).transform(batch_of(empty))
    assert (scaled.past_BLP[..., 1] == 0).all()


def test_unseen_series_gets_the_pooled_statistics(panel: Panel) -> None:
    scaler = Scaler(method="standard", per="series").fit(panel.select([0, 1, 3]), until=UNTIL)
    _, scale = scaler.bind(panel).transform(batch_of(panel, 110))
    assert scale.loc_B[2] == scaler.series_loc[1:].median()
    assert scale.scale_B[2] == scaler.series_scale[1:].median()
    assert scale.loc_B[1] == scaler.series_loc[2]


def test_series_that_has_not_begun_gets_the_pooled_statistics(panel: Panel) -> None:
    """Series 2 starts at step 90: a fit until 80 knows nothing of it."""
    scaler = Scaler(method="standard", per="series").fit(panel, until=80)
    others = Scaler(method="standard", per="series").fit(panel.select([0, 1, 3]), until=80)
    assert scaler.series_loc[0] == others.series_loc[0]
    assert scaler.series_loc[3] == others.series_loc[0]
    assert scaler.series_scale[3] == others.series_scale[0]


def test_scaler_per_series_must_be_bound(panel: Panel) -> None:
    scaler = Scaler(per="series")
    scaler.restore(
        Scaler(per="series").fit(panel, until=UNTIL).facts(),
        Scaler(per="series").fit(panel, until=UNTIL).state_dict(),
    )
    with pytest.raises(LeakageError, match="not bound"):
        scaler.transform(batch_of(panel))


@every_scaler
def test_restore_gives_the_same_scales(panel: Panel, choice: dict[str, str]) -> None:
    fitted = Scaler(**choice).fit(panel, until=UNTIL)
    again = Scaler(**choice).restore(fitted.facts(), fitted.state_dict()).bind(panel)
    one, two = (scaler.transform(batch_of(panel)) for scaler in (fitted, again))
    assert torch.equal(one[0].past_BLP, two[0].past_BLP)
    assert torch.equal(one[1].scale_B, two[1].scale_B)
    assert again.fitted_until == UNTIL


def test_restore_refuses_the_statistics_of_another_scaler(panel: Panel) -> None:
    fitted = Scaler(method="standard").fit(panel, until=UNTIL)
    with pytest.raises(CheckpointError, match=r"'standard'.*'robust'.*run="):
        Scaler(method="robust").restore(fitted.facts(), fitted.state_dict())
    with pytest.raises(CheckpointError, match="no scaler statistic 'means'"):
        Scaler(method="standard").restore(fitted.facts(), {})


def test_log_link_refuses_negative_targets(panel: Panel) -> None:
    negative = with_values(panel, "y", np.array([3]), -4.0)
    with pytest.raises(ConfigError, match=r"log1p .*smallest is -4; choose"):
        Scaler(link="log1p").fit(negative, until=UNTIL)
    Scaler(link="log1p").fit(with_values(panel, "y", np.array([110]), -4.0), until=UNTIL)


@pytest.mark.parametrize("wrong", [{"method": "minmax"}, {"per": "panel"}, {"link": "log"}])
def test_unknown_choice_is_refused_by_name(wrong: dict[str, str]) -> None:
    (key,) = wrong
    with pytest.raises(ConfigError, match=rf"scaler\.{key}='{wrong[key]}' is not one of"):
        Scaler(**wrong)


@every_scaler
def test_looking_at_ragged_windows_alone_changes_nothing(panel: Panel, choice: dict) -> None:
    """Exact parity: masks of every window, or of those that lack something."""
    scaler = Scaler(**choice).fit(panel, until=UNTIL)
    batch = batch_of(panel, 93, 100, 104)
    assert batch.ragged_R is None or len(batch.ragged_R)
    some = replace(batch, ragged_R=torch.arange(len(batch.series_B)))
    every = replace(batch, ragged_R=None)
    (one, scale), (two, same) = scaler.transform(some), scaler.transform(every)
    for name in ("past_BLP", "known_past_BLK", "future_BHK", "static_BC"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name
    assert torch.equal(scale.loc_B, same.loc_B)
    assert torch.equal(scale.scale_B, same.scale_B)
