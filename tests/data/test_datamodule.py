"""The datamodule: which windows are trained on, in which order, and by whom."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.data import datamodule
from lanecast.data.datamodule import ForecastDataModule, Sampler, whole
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import Split, WindowSpec, split, windows_at
from lanecast.errors import SchemaError

SPEC = WindowSpec(context=28, horizon=7, min_context=7)


def data_of(panel: Panel, spans: Split | None = None, **options: Any) -> ForecastDataModule:
    spans = spans or split(until=110, horizon=7, val_steps=14, val_stride=1)
    values: dict[str, Any] = {"batch_size": 16, "steps_per_epoch": 3, "seed": 5, **options}
    return ForecastDataModule(panel, spec=SPEC, split=spans, **values)


def as_rank(data: ForecastDataModule, rank: int, world: int, **state: int) -> ForecastDataModule:
    state = {"global_step": 0, "current_epoch": 0, "max_steps": -1, **state}
    trainer = SimpleNamespace(global_rank=rank, world_size=world, **state)
    data.trainer = trainer  # type: ignore[assignment]
    return data


def pairs(batch: Any) -> list[tuple[int, int]]:
    windows, _ = batch
    return list(zip(windows.series_B.tolist(), windows.cutoff_B.tolist(), strict=True))


# --- sampler --------------------------------------------------------------------------------------


def test_every_window_comes_once_per_round() -> None:
    sampler = Sampler(num_windows=37, seed=1)
    for number in range(3):
        assert sorted(sampler.rows(37 * number, 37)) == list(range(37))
    assert list(sampler.rows(0, 37)) != list(sampler.rows(37, 37))


@settings(max_examples=40, deadline=None)
@given(
    num=st.integers(1, 50),
    chunks=st.lists(st.integers(1, 120), min_size=1, max_size=8),
    permuted=st.sampled_from([10, 1 << 22]),
)
def test_rows_do_not_depend_on_how_they_are_asked_for(
    num: int, chunks: list[int], permuted: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datamodule, "_PERMUTED_UP_TO", permuted)
        whole_order = Sampler(num_windows=num, seed=3).rows(0, sum(chunks))
        sampler, first, parts = Sampler(num_windows=num, seed=3), 0, []
        for count in chunks:
            parts.append(sampler.rows(first, count))
            first += count
    assert np.array_equal(np.concatenate(parts), whole_order)
    assert (whole_order >= 0).all()
    assert (whole_order < num).all()


def test_seeds_order_windows_differently() -> None:
    one, two = (Sampler(num_windows=100, seed=seed).rows(0, 100) for seed in (1, 2))
    assert not np.array_equal(one, two)


# --- training batches -----------------------------------------------------------------------------


def test_training_labels_end_before_the_first_validation_origin(panel: Panel) -> None:
    data = data_of(panel)
    first_origin = min(data.split.val_cutoffs) + 1
    windows = data.train_windows.decode(np.arange(len(data.train_windows)))
    assert (windows.cutoff_W + SPEC.horizon).max() == first_origin - 1


@pytest.mark.parametrize("whole_cutoffs", [False, True])
def test_no_label_is_later_than_what_is_known_when_the_target_is_late(
    panel: Panel, whole_cutoffs: bool
) -> None:
    columns = dict(panel.schema.columns)
    columns["y"] = replace(columns["y"], delay="P3D")
    late = replace(panel, schema=Schema(freq="D", columns=columns))
    spans = split(until=110, horizon=7, val_steps=0, val_stride=1, delay=3)
    data = data_of(late, spans, whole_cutoffs=whole_cutoffs)
    cutoffs = {cutoff for step in range(40) for _, cutoff in pairs(data.train_batch(step))}
    assert max(cutoffs) == 110 - 3 - SPEC.horizon


def test_ranks_take_disjoint_shares_that_together_are_complete(panel: Panel) -> None:
    alone = data_of(panel, batch_size=8)
    shares = [as_rank(data_of(panel, batch_size=8), rank, 2) for rank in (0, 1)]
    total = len(alone.train_windows)
    seen = []
    for step in range(total // 8):
        parts = [pairs(share.train_batch(step)) for share in shares]
        assert parts[0] + parts[1] == pairs(alone.train_batch(step))
        seen += parts[0] + parts[1]
    assert len(set(seen)) == len(seen) == total // 8 * 8


@pytest.mark.parametrize(("batch_size", "sizes"), [(8, [3, 3, 2]), (1, [1, 1, 1])])
def test_no_rank_goes_without(panel: Panel, batch_size: int, sizes: list[int]) -> None:
    ranks = [as_rank(data_of(panel, batch_size=batch_size), rank, 3) for rank in range(3)]
    assert [len(pairs(data.train_batch(0))) for data in ranks] == sizes


def test_epochs_continue_the_order(panel: Panel) -> None:
    data = data_of(panel)
    second = as_rank(data, 0, 1, global_step=3, current_epoch=1).train_dataloader()
    assert [pairs(batch) for batch in second] == [pairs(data.train_batch(k)) for k in (3, 4, 5)]


def test_a_fit_resumed_within_an_epoch_goes_on_at_its_step(panel: Panel) -> None:
    data = as_rank(data_of(panel), 0, 1, global_step=4, current_epoch=1)
    rest = [pairs(batch) for batch in data.train_dataloader()]
    assert rest == [pairs(data.train_batch(k)) for k in (4, 5)]


def test_last_epoch_ends_with_the_budget(panel: Panel) -> None:
    data = as_rank(data_of(panel), 0, 1, global_step=3, current_epoch=1, max_steps=5)
    assert len(data.train_dataloader()) == 2


def test_whole_cutoffs_hold_every_series_in_panel_order(panel: Panel) -> None:
    data = data_of(panel, whole_cutoffs=True)
    windows, label = data.train_batch(0)
    num = panel.num_series
    assert windows.series_B.tolist() == list(range(num)) * (16 // num)
    cutoffs = windows.cutoff_B.view(-1, num)
    assert (cutoffs == cutoffs[:, :1]).all()
    assert label.y_BH.shape == (16, SPEC.horizon)


def test_whole_cutoffs_mask_a_series_that_has_not_begun(panel: Panel) -> None:
    data = data_of(panel, whole_cutoffs=True)
    windows, label = data.gatherer(whole(panel, np.array([60])))
    assert not windows.seen_BLP[2].any()
    assert not label.seen_BH[2].any()
    assert windows.seen_BLP[0].any()


def test_no_training_window_is_refused_with_the_date(panel: Panel) -> None:
    with pytest.raises(SchemaError, match=r"no training window.*7 \+ 7 steps.*2024-01-11"):
        data_of(panel, Split(train_until=10, val_cutoffs=(), until=10))


def test_no_validation_window_is_refused_with_the_date(panel: Panel) -> None:
    with pytest.raises(SchemaError, match=r"no validation window.*7 targets.*from 2026-"):
        data_of(panel, Split(train_until=110, val_cutoffs=(800, 801), until=810))


# --- validation -----------------------------------------------------------------------------------


def test_validation_windows_come_in_order_and_completely(panel: Panel) -> None:
    data = data_of(panel, eval_batch_size=5)
    found = [pair for batch in data.val_dataloader() for pair in pairs(batch)]
    expected = windows_at(panel, data.split.val_cutoffs, SPEC)
    assert found == list(zip(expected.series_W.tolist(), expected.cutoff_W.tolist(), strict=True))
    assert [cutoff for _, cutoff in found] == sorted(cutoff for _, cutoff in found)


def test_ranks_share_the_validation_windows(panel: Panel) -> None:
    everything = [
        pair
        for batch in data_of(panel, eval_batch_size=5).val_dataloader()
        for pair in pairs(batch)
    ]
    shares = [
        pair
        for rank in (0, 1)
        for batch in as_rank(data_of(panel, eval_batch_size=5), rank, 2).val_dataloader()
        for pair in pairs(batch)
    ]
    assert sorted(shares) == sorted(everything)


def test_whole_cutoffs_are_validated_whole(panel: Panel) -> None:
    data = data_of(panel, whole_cutoffs=True, eval_batch_size=6)
    for windows, _ in data.val_dataloader():
        assert windows.series_B.tolist() == list(range(panel.num_series))


def test_nothing_held_out_gives_no_validation(panel: Panel) -> None:
    spans = split(until=110, horizon=7, val_steps=0, val_stride=1)
    assert len(data_of(panel, spans).val_dataloader()) == 0


def test_a_batch_lies_where_the_panel_lies(panel: Panel) -> None:
    data = data_of(panel)
    batch = data.train_batch(0)
    assert data.transfer_batch_to_device(batch, torch.device("meta"), 0) is batch
