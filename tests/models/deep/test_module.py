"""The one LightningModule: what it weighs, and that its validation metrics are what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lanecast.data.datamodule import Batch, whole
from lanecast.data.gather import Gatherer, Label
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.windows import split, windows_at
from lanecast.models.deep.anchors import Anchor, KnownColumnAnchor, NoAnchor
from lanecast.models.deep.inputs import Inputs
from lanecast.models.deep.losses import MultiQuantile
from lanecast.models.deep.module import ForecastModule
from lanecast.models.deep.networks.base import Linear
from small_models import LEVELS, SPEC, Notes, plan, shape_of, small

UNTIL = 100


def module_of(
    panel: Panel, *, anchor: Anchor | None = None, link: str = "identity", **changes: Any
) -> ForecastModule:
    torch.manual_seed(0)
    anchor = anchor or NoAnchor()
    anchor.bind(panel)
    return ForecastModule(
        network=Linear(shape=shape_of(panel)),
        loss=MultiQuantile(levels=LEVELS),
        scaler=Scaler(link=link).fit(panel, until=UNTIL),
        anchor=anchor,
        selection=Inputs().bind(panel),
        plan=plan(**changes),
        total_steps=4,
    ).eval()


def batch_of(panel: Panel, cutoff: int = UNTIL) -> Batch:
    return Gatherer(panel, SPEC)(whole(panel, np.array([cutoff])))


def test_missing_label_weighs_nothing(panel: Panel) -> None:
    module, (windows, label) = module_of(panel), batch_of(panel)
    seen = label.seen_BH.clone()
    seen[1, 3:] = False
    one = Label(y_BH=label.y_BH, seen_BH=seen)
    two = Label(y_BH=label.y_BH.masked_fill(~seen, 1e6), seen_BH=seen)
    output = module(windows)
    assert module.loss_of(output, (windows, one)) == module.loss_of(output, (windows, two))


@pytest.mark.parametrize("link", ["identity", "log1p"])
def test_weight_counts_windows_by_their_size(panel: Panel, link: str) -> None:
    """With weight 0 all windows count alike; with 1 a series ten times as large ten times."""
    windows, label = batch_of(panel)
    alike = module_of(panel, link=link, weight=0.0)
    with torch.inference_mode():
        output = alike(windows)
    y = alike.scaler.scale_target(label.y_BH, output.scale)
    each = alike.loss.pointwise(output.raw_BHm, y).mean(dim=1)
    assert alike.loss_of(output, (windows, label)) == pytest.approx(float(each.mean()), rel=1e-5)
    sized = module_of(panel, link=link, weight=1.0)
    size = windows.past_BLP[..., 0].sum(dim=1) / windows.seen_BLP[..., 0].sum(dim=1) + 1.0
    size = output.scale.scale_B if link == "identity" else size
    expected = float((each * size).sum() / size.sum())
    assert sized.loss_of(output, (windows, label)) == pytest.approx(expected, rel=1e-5)


def test_anchor_is_taken_off_what_is_read_and_put_back(panel: Panel) -> None:
    module = module_of(panel, anchor=KnownColumnAnchor(column="scheduled"))
    for weight in module.network.parameters():
        torch.nn.init.zeros_(weight)
    windows, _ = batch_of(panel)
    output = module(windows)
    point = module.scaler.inverse(module.loss.point(output.raw_BHm), output.scale)
    column = windows.future_BHK[..., panel.schema.known.index("scheduled")]
    assert torch.allclose(point, column, rtol=1e-4)


def test_network_reads_zero_deviation_where_the_target_is_not_visible(panel: Panel) -> None:
    module = module_of(panel, anchor=KnownColumnAnchor(column="scheduled"))
    read: list[torch.Tensor] = []
    module.network.register_forward_pre_hook(lambda _, given: read.append(given[0].past_BLP))
    windows, _ = batch_of(panel, 92)  # the third series has three steps behind it
    module(windows)
    assert (read[0][..., 0][~windows.seen_BLP[..., 0]] == 0).all()
    assert (read[0][..., 0][windows.seen_BLP[..., 0]] != 0).any()


def test_validation_metrics_equal_those_of_the_forecasts(panel: Panel, tmp_path: Path) -> None:
    """WAPE, WQL and MSE of the last validation, recomputed from predictions in one go."""
    notes = Notes(tmp_path)
    model = small(max_steps=2, val_every=2).fit(panel, until=UNTIL, reporter=notes)
    spans = split(until=UNTIL, horizon=7, val_steps=14, val_stride=1)
    at = windows_at(panel, spans.val_cutoffs, SPEC)
    _, label = Gatherer(panel, SPEC)(at)
    model.fitted_until = 0  # the windows it was validated on lie before the end of its fit
    found = model.predict(replace_non_negative(panel), at=at, quantiles=LEVELS)
    y, seen = label.y_BH.numpy(), label.seen_BH.numpy()
    e = np.where(seen, y - found.point_WH, 0.0)
    assert found.quantiles_WHQ is not None
    q = y[..., None] - found.quantiles_WHQ
    pinball = np.where(seen, np.maximum(LEVELS * q, (np.array(LEVELS) - 1) * q).mean(axis=-1), 0.0)
    assert notes.curve("val/wape")[-1] == pytest.approx(np.abs(e).sum() / y.sum(), rel=1e-4)
    assert notes.curve("val/wql")[-1] == pytest.approx(2 * pinball.sum() / y.sum(), rel=1e-4)
    assert notes.curve("val/mse")[-1] == pytest.approx((e**2).sum() / seen.sum(), rel=1e-4)


def replace_non_negative(panel: Panel) -> Panel:
    """The panel without the declaration that would clip forecasts at 0."""
    columns = dict(panel.schema.columns)
    columns["y"] = replace(columns["y"], non_negative=False)
    return replace(panel, schema=replace(panel.schema, columns=columns))


def test_training_loss_is_the_mean_over_the_steps_of_an_epoch(panel: Panel, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"max_steps": 4, "val_steps": 0}
    each, pairs = Notes(tmp_path / "a"), Notes(tmp_path / "b")
    small(val_every=1, **changes).fit(panel, until=UNTIL, reporter=each)
    small(val_every=2, **changes).fit(panel, until=UNTIL, reporter=pairs)
    steps = np.array(each.curve("train/loss"))
    assert pairs.curve("train/loss") == pytest.approx(steps.reshape(2, 2).mean(axis=1), rel=1e-6)
    assert [step for step, _ in pairs.rows] == [2, 4]


def test_nothing_to_validate_on_is_not_a_perfect_score(panel: Panel, tmp_path: Path) -> None:
    """A validation span in which every target is 0 has no WAPE."""
    values = panel.values.clone()
    values[:, 0] = torch.where(torch.isfinite(values[:, 0]), 0.0, values[:, 0])
    notes = Notes(tmp_path)
    small(objective="val/loss").fit(replace(panel, values=values), until=UNTIL, reporter=notes)
    assert np.isnan(notes.curve("val/wape")).all()
    assert np.isfinite(notes.curve("val/loss")).all()
