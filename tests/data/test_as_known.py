"""A panel as known at a step: a view of the same store, in which nothing of later is found."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.data.gather import Gatherer
from lanecast.data.hierarchy import Structure
from lanecast.data.moments import column_moments
from lanecast.data.panel import name_keys
from lanecast.data.visibility import visible
from lanecast.data.visibility.as_known import as_known
from lanecast.data.windows import WindowIndex, WindowSpec, training_windows, windows_at
from small_tables import load, long_table, schema

SPEC = WindowSpec(context=7, horizon=3, min_context=2)
DECLARED = schema(
    late={"role": "observed", "delay": "P1D"},
    price={"role": "known_future"},
    kind={"role": "static"},
    size={"role": "static"},
)


def lanes(*, born=("m",), days=40, until=25):
    """Two lanes, and others that are born the day after ``until``."""
    frame = long_table(days=days, ids=("b", "n"), late=1.0, price=2.0)
    frame["kind"], frame["size"] = frame["unique_id"], 3
    dates = frame["ds"].unique()
    for number, name in enumerate(born):
        rows = pd.DataFrame({"unique_id": name, "ds": dates[until + 1 :], "y": 9e6, "late": 1e6})
        rows = rows.assign(price=7.0, kind=f"new{number}", size=2.5)
        frame = pd.concat([frame, rows])
    return load(frame.reset_index(drop=True), DECLARED)


def test_a_view_copies_no_value():
    panel = lanes()
    views = [as_known(panel, step, ahead=3) for step in range(10, 30)]
    assert all(view.store.data_ptr() == panel.values.data_ptr() for view in views)
    assert all(view.presence is panel.presence for view in views)
    assert not any("values" in vars(view) for view in views)


def test_what_is_born_later_is_absent_with_its_static_levels():
    view, plain = as_known(lanes(born=("a", "m", "z")), 25), as_known(lanes(born=()), 25)
    assert list(view.series) == ["b", "n"]
    assert view.static_names == plain.static_names == ("kind=b", "kind=n", "size")
    assert torch.equal(view.statics, plain.statics)
    assert view.attributes["size"].tolist() == [3, 3]  # 2.5 elsewhere made them floats
    assert list(as_known(lanes(), 26).series) == ["b", "m", "n"]


def test_statics_are_encoded_as_a_fit_knows_them():
    view = as_known(lanes(), 26, static_names=("kind=b", "kind=n", "size"))
    assert view.statics[:, :2].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert view.counts["unknown_static_levels"] == 1


def test_more_levels_than_are_encoded_are_not_counted_before_they_exist():
    many = lanes(born=tuple(f"q{number}" for number in range(70)))
    assert "kind=b" not in many.static_names
    assert as_known(many, 25).static_names == ("kind=b", "kind=n", "size")


def test_packed_values_end_with_what_is_known_and_hide_the_rest():
    view = as_known(lanes(), 25, ahead=3)
    assert view.end.tolist() == [29, 29]
    values = view.values.numpy().reshape(2, 29, 3)
    assert np.isnan(values[:, 26:, :2]).all()  # target and late
    assert np.isnan(values[:, 25, 1]).all()  # published a day later
    assert np.isfinite(values[:, :25]).all()
    assert (values[:, :, 2] == 2.0).all()
    assert view.packed is view.packed
    assert torch.equal(view.packed.values.nan_to_num(), view.values.nan_to_num())


@pytest.mark.parametrize("returns", [True, False])
def test_a_series_ends_alike_whether_rows_follow_or_not(returns):
    frame = long_table(days=40, ids=("a", "b"))
    dates = frame["ds"].unique()
    silent = (frame["unique_id"] == "a") & (frame["ds"] > dates[20])
    frame = frame[~(silent & (frame["ds"] < dates[30]))] if returns else frame[~silent]
    view = as_known(load(frame), 25)
    assert view.end.tolist() == [21, 26]
    windows = training_windows(view, until=25, spec=SPEC)
    assert windows.decode(np.array([len(windows) - 1])).cutoff_W.tolist() == [22]


def test_readers_of_the_store_read_what_packed_ones_do():
    panel = lanes(born=("a", "m", "z"))
    view = as_known(panel, 25, ahead=3)
    packed, at = view.packed, windows_at(view, [12, 25], SPEC)
    back = np.arange(-30, 4)
    for name in ("y", "late", "price"):
        first, second = (visible.visible(of, at, name, back) for of in (view, packed))
        assert np.array_equal(first, second, equal_nan=True)
    batches = [Gatherer(of, SPEC)(at)[0] for of in (view, packed)]
    for name in ("past_BLP", "seen_BLP", "future_BHK", "future_seen_BHK", "known_past_BLK"):
        assert torch.equal(*(getattr(batch, name) for batch in batches)), name
    for first, second in zip(*(column_moments(of, until=25) for of in (view, packed)), strict=True):
        assert torch.equal(first, second)


def test_moments_in_blocks_are_those_of_the_packed_panel(monkeypatch):
    from lanecast.data import moments

    monkeypatch.setattr(moments, "BLOCK", 4)
    monkeypatch.setattr(moments, "SPAN", 10)
    view = as_known(lanes(born=("a", "m", "z")), 25)
    for first, second in zip(
        *(column_moments(of, until=25) for of in (view, view.packed)), strict=True
    ):
        assert torch.equal(first, second)


def test_a_view_of_a_view_knows_no_more_than_the_earlier_one():
    panel = lanes()
    twice = as_known(as_known(panel, 30), 25, ahead=3)
    once = as_known(panel, 25)
    assert list(twice.series) == list(once.series)
    assert sorted(twice.yet_to_begin) == ["m"]
    assert twice.last_step == once.last_step == 25


def test_a_replaced_view_is_a_panel_of_its_own():
    view = as_known(lanes(), 25)
    other = replace(view, statics=view.statics * 2)
    assert torch.equal(other.values.nan_to_num(), view.values.nan_to_num())
    assert other.store is other.values
    assert other.select([1]).num_cells == 26


def test_a_summing_matrix_may_name_what_has_not_begun(tmp_path):
    matrix = pd.DataFrame({"node": ["all", "old", "new"], "b": [1, 1, 0], "m": [1, 0, 1],
                           "n": [1, 1, 0]})  # fmt: skip
    matrix.to_parquet(tmp_path / "sums.parquet")
    structure = Structure(table=str(tmp_path / "sums.parquet"))
    assert structure.of(lanes()).names == ("all", "old", "new", "b", "m", "n")
    known = structure.of(as_known(lanes(), 25))
    assert known.names == ("all", "old", "b", "n")
    assert known.aggregate(np.array([1.0, 2.0])).tolist() == [3, 3, 1, 2]


def test_noise_is_a_function_of_name_and_time_alone():
    panel, fewer = lanes(), load(long_table(days=30, ids=("n",)).iloc[5:].reset_index(drop=True))
    at = WindowIndex(series_W=np.array([2, 0]), cutoff_W=np.array([20, 20]))
    names, times = panel.noise_keys(at.series_W, at.cutoff_W)
    alone = fewer.noise_keys(np.array([0]), np.array([15]))  # the same day of a shorter table
    assert (names[0], times[0]) == (alone[0][0], alone[1][0])
    assert names[0] != names[1]
    assert name_keys(["n"]).tolist() == [names[0]]
    assert as_known(panel, 25).keys[1] == names[0]
