"""The flat store: offsets, prefix counts, fingerprint, times."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.errors import SchemaError


def test_series_own_their_cells(panel):
    assert panel.num_series == 4
    assert panel.num_cells == len(panel.values) == 390
    assert panel.end.tolist() == [120, 120, 120, 120]
    assert panel.start.tolist() == [0, 0, 90, 0]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_prefix_counts_equal_a_count_by_hand(panel, data):
    series = data.draw(st.integers(0, panel.num_series - 1))
    first = data.draw(st.integers(-20, 140))
    last = data.draw(st.integers(first - 2, 150))
    counted = 0
    for step in range(first, last + 1):
        if panel.start[series] <= step < panel.end[series]:
            cell = panel.offsets[series] + step - panel.start[series]
            counted += bool(torch.isfinite(panel.values[cell, 0]))
    got = panel.count_targets(np.array([series]), np.array([first]), np.array([last]))
    assert got.tolist() == [counted]


def test_last_step_is_the_last_target_not_the_last_row(panel, future_panel):
    assert panel.last_step == future_panel.last_step == 119
    assert future_panel.end.max() == 134


def test_a_panel_without_targets_is_refused(panel):
    values = panel.values.clone()
    values[:, 0] = torch.nan
    with pytest.raises(SchemaError, match="no target value at all"):
        _ = replace(panel, values=values).last_step


def test_times_and_steps_are_inverse(panel):
    assert panel.step_of("2024-01-31") == 30
    assert panel.time_of(30) == pd.Timestamp("2024-01-31")


def test_times_go_on_beyond_the_grid(panel):
    last = len(panel.times) - 1
    assert panel.time_of(last + 3) == panel.time_of(last) + pd.Timedelta(days=3)


@pytest.mark.parametrize("time", ["2023-12-31", "2024-01-01 12:00", "2030-01-01"])
def test_a_time_off_the_grid_is_refused(panel, time):
    with pytest.raises(SchemaError, match=r"not a step of this panel.*2024-01-01.*choose a time"):
        panel.step_of(time)


def test_fingerprint_is_of_content_and_schema(make_panel):
    first, again, other = make_panel(), make_panel(), make_panel(seed=1)
    assert first.fingerprint == again.fingerprint
    assert (
        len({first.fingerprint, other.fingerprint, make_panel(covariates=False).fingerprint}) == 3
    )
    schema = replace(first.schema, absent="zero")
    assert replace(first, schema=schema).fingerprint != first.fingerprint


def test_fingerprint_sees_one_changed_cell(panel):
    values = panel.values.clone()
    values[17, 1] += 1
    assert replace(panel, values=values).fingerprint != panel.fingerprint


def test_known_names_end_with_the_calendar(panel):
    assert panel.known_names[:3] == ("scheduled", "promo", "weekday_0")


def test_select_keeps_whole_series_in_the_order_given(panel):
    chosen = panel.select([2, 0])
    assert chosen.series.tolist() == ["A>D", "A>B"]
    assert chosen.start.tolist() == [90, 0]
    assert chosen.statics.tolist() == [[2.0], [0.0]]
    expected = torch.cat([panel.values[240:270], panel.values[:120]])
    torch.testing.assert_close(chosen.values, expected, equal_nan=True)


def test_select_of_nothing_is_an_empty_panel(panel):
    assert panel.select([]).num_cells == 0


def test_since_drops_earlier_cells_and_keeps_the_grid(panel):
    later = panel.since(100)
    assert later.start.tolist() == [100] * 4
    assert later.end.tolist() == panel.end.tolist()
    torch.testing.assert_close(later.values[:20], panel.values[100:120], equal_nan=True)
    assert later.time_of(100) == panel.time_of(100)


def test_since_leaves_a_later_start_alone(panel):
    assert panel.since(50).start.tolist() == [50, 50, 90, 50]
