"""Which windows exist: by hand, for every shape of series, and what a split may share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex, WindowSpec, split, training_windows, windows_at
from lanecast.errors import ConfigError, SchemaError

SPEC = WindowSpec(context=14, horizon=7, min_context=5)


def pairs(index):
    return list(zip(index.series_W.tolist(), index.cutoff_W.tolist(), strict=True))


def every(windows):
    return pairs(windows.decode(np.arange(len(windows))))


def training_by_hand(panel: Panel, until: int, spec: WindowSpec) -> set[tuple[int, int]]:
    """All cutoffs with min_context steps behind them and the whole label in the series, by then."""
    delay = panel.schema.delay_steps("y")
    return {
        (series, cutoff)
        for series in range(panel.num_series)
        for cutoff in range(panel.start[series] + spec.min_context - 1, panel.end[series])
        if cutoff + spec.horizon < panel.end[series] and cutoff + spec.horizon + delay <= until
    }


@settings(max_examples=50, deadline=None)
@given(
    until=st.integers(-5, 130),
    context=st.integers(1, 40),
    horizon=st.integers(1, 20),
    min_context=st.integers(1, 40),
)
def test_training_windows_equal_a_loop(panel, until, context, horizon, min_context):
    spec = WindowSpec(context=context, horizon=horizon, min_context=min(context, min_context))
    windows = training_windows(panel, until=until, spec=spec)
    assert len(every(windows)) == len(windows)
    assert set(every(windows)) == training_by_hand(panel, until, spec)


@pytest.mark.parametrize("stride", [2, 3, 7])
def test_a_stride_keeps_the_newest_window_of_every_series(panel, stride):
    spec = WindowSpec(context=14, horizon=7, train_stride=stride, min_context=5)
    found = every(training_windows(panel, until=110, spec=spec))
    assert {series: max(c for s, c in found if s == series) for series in range(4)} == {
        0: 103, 1: 103, 2: 103, 3: 103,
    }  # fmt: skip
    for series in range(4):
        assert set(np.diff([c for s, c in found if s == series])) == {stride}


def test_training_windows_of_a_series_that_is_too_short_are_none(make_panel):
    panel = make_panel(lengths=(60, 8))
    found = every(training_windows(panel, until=200, spec=SPEC))
    assert {series for series, _ in found} == {0}


def test_training_labels_are_known_at_the_end(panel):
    for _, cutoff in every(training_windows(panel, until=80, spec=SPEC)):
        assert cutoff + SPEC.horizon <= 80


@settings(max_examples=30, deadline=None)
@given(cutoff=st.integers(-3, 140))
def test_windows_at_equal_a_loop(panel, cutoff):
    expected = [
        series
        for series in range(panel.num_series)
        if panel.count_targets(np.array([series]), np.array([cutoff - 13]), np.array([cutoff]))[0]
        >= SPEC.min_context
    ]
    assert pairs(windows_at(panel, [cutoff], SPEC)) == [(series, cutoff) for series in expected]


def test_windows_come_cutoff_by_cutoff(panel):
    found = pairs(windows_at(panel, [70, 100], SPEC))
    assert found == [(0, 70), (1, 70), (3, 70), (0, 100), (1, 100), (2, 100), (3, 100)]


def test_windows_need_no_label(panel):
    assert len(windows_at(panel, [panel.last_step], SPEC)) == 4


@pytest.mark.parametrize("asked", [1, 5, 12])
def test_windows_at_do_not_depend_on_how_many_are_looked_at_in_one_go(panel, monkeypatch, asked):
    whole = pairs(windows_at(panel, range(60, 111, 5), SPEC))
    monkeypatch.setattr("lanecast.data.windows.ASKED", asked)
    assert pairs(windows_at(panel, range(60, 111, 5), SPEC)) == whole
    assert [cutoff for _, cutoff in whole] == sorted(cutoff for _, cutoff in whole)


def test_windows_at_no_cutoff_are_none(panel):
    assert len(windows_at(panel, [], SPEC)) == 0


def test_an_index_takes_slices_and_rows(panel):
    index = windows_at(panel, [70, 100], SPEC)
    assert isinstance(index[:2], WindowIndex)
    assert pairs(index[np.array([6, 0])]) == [(3, 100), (0, 70)]


@settings(max_examples=100, deadline=None)
@given(
    horizon=st.integers(1, 30),
    extra=st.integers(0, 60),
    stride=st.integers(1, 20),
    delay=st.integers(0, 5),
)
def test_splits_are_disjoint_and_embargoed(horizon, extra, stride, delay):
    until = 400
    cut = split(
        until=until, horizon=horizon, val_steps=horizon + extra, val_stride=stride, delay=delay
    )
    first_origin = cut.val_cutoffs[0] + 1
    last_training_label = cut.train_until - delay
    assert last_training_label < first_origin
    assert cut.val_cutoffs[-1] + horizon + delay == until
    assert all(np.diff(cut.val_cutoffs) == stride)
    assert first_origin >= until - delay - (horizon + extra) + 1


def test_a_split_without_validation_trains_on_everything():
    cut = split(until=90, horizon=7, val_steps=0, val_stride=1)
    assert (cut.train_until, cut.val_cutoffs) == (90, ())


def test_a_split_too_short_for_one_window_is_refused():
    with pytest.raises(ConfigError, match=r"val_steps=6 is shorter than windows.horizon=7"):
        split(until=90, horizon=7, val_steps=6, val_stride=1)


@pytest.mark.parametrize("name", ["context", "horizon", "train_stride", "min_context"])
@pytest.mark.parametrize("length", [0, -3])
def test_a_length_below_one_is_refused(name, length):
    lengths = {"context": 14, "horizon": 7, name: length}
    with pytest.raises(ConfigError, match=rf"windows\.{name}={length} must be at least 1"):
        WindowSpec(**lengths)


def test_more_min_context_than_context_is_refused():
    with pytest.raises(ConfigError, match=r"min_context=15 exceeds windows\.context=14"):
        WindowSpec(context=14, horizon=7, min_context=15)


def test_a_delay_as_long_as_the_context_is_refused(panel):
    with pytest.raises(SchemaError, match=r"'temperature' has a delay of 2.*raise windows.context"):
        WindowSpec(context=2, horizon=1).check_against(panel)


def test_a_context_longer_than_every_series_is_refused(panel):
    with pytest.raises(SchemaError, match=r"context=121.*longest has 120 steps.*lower windows"):
        WindowSpec(context=121, horizon=1).check_against(panel)


def test_a_context_that_some_series_fill_passes(panel):
    WindowSpec(context=120, horizon=7).check_against(panel)
