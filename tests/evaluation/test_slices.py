from dataclasses import replace

import numpy as np
import pytest
import torch

from lanecast.data.windows import WindowSpec, windows_at
from lanecast.evaluation.slices import age_slice, horizon_groups, size_slice


@pytest.mark.parametrize(
    ("horizon", "freq", "names"),
    [
        (14, "D", ["h01-07", "h08-14"]),
        (28, "D", ["h01-07", "h08-14", "h15-21", "h22-28"]),
        (24, "h", ["h01-08", "h09-16", "h17-24"]),
        (7, "D", ["h01-02", "h03-05", "h06-07"]),
        (96, "15min", ["h01-32", "h33-64", "h65-96"]),
        (1, "D", ["h01"]),
        (2, "D", ["h01", "h02"]),
        (720, "h", ["h001-240", "h241-480", "h481-720"]),
    ],
)
def test_horizon_groups_are_weeks_or_thirds(horizon, freq, names):
    assert list(horizon_groups(horizon, freq)) == names


@pytest.mark.parametrize("horizon", range(1, 60))
def test_horizon_groups_cover_every_step_once(horizon):
    covered = [
        step for low, high in horizon_groups(horizon, "D").values() for step in range(low, high)
    ]
    assert covered == list(range(horizon))


def levels_panel(make_panel, levels):
    panel = make_panel(covariates=False, lengths=(120,) * len(levels))
    values = torch.tensor(levels, dtype=torch.float32).repeat_interleave(120)[:, None]
    return replace(panel, values=values)


def test_size_classes_split_the_volume_at_80_and_95_percent(make_panel, spec):
    panel = levels_panel(make_panel, [1.0, 50.0, 4.0, 30.0, 15.0])
    part = size_slice(panel, windows_at(panel, [80, 94], spec), spec)
    named = [part.names[number] for number in part.class_W]
    one = ["size_small", "size_large", "size_small", "size_large", "size_medium"]
    assert named == one * 2


def test_size_is_decided_at_each_cutoff_from_its_own_past(make_panel, spec):
    panel = levels_panel(make_panel, [100.0, 1.0])
    values = panel.values.clone()
    values[90:120], values[210:240] = 1.0, 100.0
    changed = replace(panel, values=values)
    part = size_slice(changed, windows_at(changed, [89, 118], spec), spec)
    assert [part.names[number] for number in part.class_W] == [
        "size_large", "size_small", "size_small", "size_large",
    ]  # fmt: skip


def test_size_of_series_without_volume_is_small(make_panel, spec):
    panel = levels_panel(make_panel, [0.0, 0.0])
    assert set(size_slice(panel, windows_at(panel, [80], spec), spec).class_W) == {2}


def test_age_classes_change_at_90_and_365_days(make_panel):
    panel = make_panel(covariates=False, steps=500, lengths=(500,))
    spec = WindowSpec(context=28, horizon=14)
    index = windows_at(panel, [88, 89, 363, 364], spec)
    part = age_slice(panel, index, spec)
    assert [part.names[number] for number in part.class_W] == [
        "age_new", "age_young", "age_young", "age_old",
    ]  # fmt: skip


def test_size_class_is_one_per_window(panel, spec):
    index = windows_at(panel, [80, 94, 110], spec)
    part = size_slice(panel, index, spec)
    assert part.class_W.shape == (len(index),)
    assert np.isin(part.class_W, range(len(part.names))).all()
