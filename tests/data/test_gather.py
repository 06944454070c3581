"""The gather against a loop, and the claim that matters: nothing invisible is in a batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.data.gather import BY_WINDOW, Gatherer
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex, WindowSpec

SPEC = WindowSpec(context=10, horizon=5)
TENSORS = BY_WINDOW


def index_of(*pairs):
    series, cutoff = np.array(pairs).T
    return WindowIndex(series_W=series, cutoff_W=cutoff)


def visible(schema, name, step, cutoff):
    """The rule, as DESIGN states it."""
    if name in schema.past:
        return step + schema.delay_steps(name) <= cutoff
    lead = schema.lead_steps(name)
    return lead is None or step - lead <= cutoff


def value_at(panel, name, series, step):
    """One cell, or nan outside of its series."""
    if not panel.start[series] <= step < panel.end[series]:
        return np.nan
    cell = panel.offsets[series] + step - panel.start[series]
    return float(panel.column(name)[cell])


def loop(panel, names, series, cutoff, steps):
    """Values and their mask, cell by cell."""
    values, seen = [], []
    for step in steps:
        row = [
            value_at(panel, name, series, step)
            if visible(panel.schema, name, step, cutoff)
            else np.nan
            for name in names
        ]
        values.append(np.nan_to_num(row))
        seen.append(np.isfinite(row))
    return np.array(values), np.array(seen)


PAIRS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-2, 126)), min_size=1, max_size=6, unique=True
)


@settings(max_examples=25, deadline=None)
@given(chosen=PAIRS, context=st.integers(3, 30), horizon=st.integers(1, 12))
def test_gather_equals_a_loop(future_panel, chosen, context, horizon):
    panel, schema = future_panel, future_panel.schema
    batch, label = Gatherer(panel, WindowSpec(context=context, horizon=horizon))(index_of(*chosen))
    num_known = len(schema.known)
    for row, (series, cutoff) in enumerate(chosen):
        before = range(cutoff - context + 1, cutoff + 1)
        after = range(cutoff + 1, cutoff + horizon + 1)
        past, seen = loop(panel, schema.past, series, cutoff, before)
        known_past, _ = loop(panel, schema.known, series, cutoff, before)
        known, known_seen = loop(panel, schema.known, series, cutoff, after)
        np.testing.assert_array_equal(batch.past_BLP[row], past.astype(np.float32))
        np.testing.assert_array_equal(batch.seen_BLP[row], seen)
        np.testing.assert_array_equal(
            batch.known_past_BLK[row, :, :num_known], known_past.astype("f")
        )
        np.testing.assert_array_equal(batch.future_BHK[row, :, :num_known], known.astype("f"))
        np.testing.assert_array_equal(batch.future_seen_BHK[row, :, :num_known], known_seen)
        answer = np.array([value_at(panel, "y", series, step) for step in after])
        np.testing.assert_array_equal(label.y_BH[row], np.nan_to_num(answer).astype("f"))
        np.testing.assert_array_equal(label.seen_BH[row], np.isfinite(answer))


durations = st.one_of(st.none(), st.integers(0, 6).map(lambda days: f"P{days}D"))


@st.composite
def panels(draw, base):
    """``base`` with random delays, leads and holes."""
    columns = {
        "y": {"role": "target", "delay": draw(durations)},
        "late": {"role": "observed", "delay": draw(durations)},
        "temperature": {"role": "observed", "delay": draw(durations)},
        "scheduled": {"role": "known_future", "lead": draw(durations)},
        "promo": {"role": "known_future", "lead": draw(durations)},
        "size": {"role": "static"},
    }
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    holes = torch.from_numpy(rng.random(base.values.shape) < draw(st.floats(0, 0.5)))
    schema = Schema.from_config({"freq": "D", "columns": columns})
    return replace(base, schema=schema, values=base.values.masked_fill(holes, torch.nan))


def poisoned(panel, cutoff, *, where):
    """``panel`` with every cell changed whose visibility at ``cutoff`` is ``where``."""
    values = panel.values.clone()
    for series in range(panel.num_series):
        for step in range(panel.start[series], panel.end[series]):
            cell = panel.offsets[series] + step - panel.start[series]
            for column, name in enumerate(panel.schema.stored):
                if visible(panel.schema, name, step, cutoff) is where:
                    old = values[cell, column]
                    values[cell, column] = 1e6 if torch.isnan(old) else -7 * old - 1e6
    return replace(panel, values=values)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), cutoff=st.integers(12, 38))
def test_a_batch_holds_nothing_that_is_not_visible_at_its_cutoff(make_panel, data, cutoff):
    panel = data.draw(panels(make_panel(steps=40, future=4)))
    index = index_of(*[(series, cutoff) for series in range(4)])
    clean, _ = Gatherer(panel, SPEC)(index)
    dirty, _ = Gatherer(poisoned(panel, cutoff, where=False), SPEC)(index)
    for name in TENSORS:
        assert torch.equal(getattr(clean, name), getattr(dirty, name)), name


def test_a_batch_changes_with_what_is_visible(panel):
    index = index_of((0, 60), (3, 60))
    clean, _ = Gatherer(panel, SPEC)(index)
    dirty, _ = Gatherer(poisoned(panel, 60, where=True), SPEC)(index)
    for name in ("past_BLP", "known_past_BLK", "future_BHK"):
        assert not torch.equal(getattr(clean, name), getattr(dirty, name)), name


def test_a_batch_has_no_label(panel):
    batch, label = Gatherer(panel, SPEC)(index_of((0, 60)))
    assert not any("y" in name.split("_")[0] for name in TENSORS)
    assert batch.past_BLP.shape == (1, SPEC.context, 3)
    assert label.y_BH.shape == (1, SPEC.horizon)


def test_a_short_history_is_clamped_on_the_left_and_masked(panel):
    batch, _ = Gatherer(panel, SPEC)(index_of((2, 92)))  # series 2 begins at step 90
    assert batch.seen_BLP[0, :, 0].tolist() == [False] * 7 + [True] * 3
    assert batch.past_BLP[0, :7].abs().sum() == 0
    assert batch.known_past_BLK[0, :7, :2].abs().sum() == 0


def test_a_window_before_its_series_is_all_masked(panel):
    batch, label = Gatherer(panel, SPEC)(index_of((2, 50)))
    assert not batch.seen_BLP.any()
    assert not label.seen_BH.any()


def test_neighbors_in_the_store_never_leak_into_each_other(panel):
    batch, label = Gatherer(panel, SPEC)(index_of((0, 119), (1, 2)))
    assert not label.seen_BH[0].any()  # series 1 follows in the store
    assert batch.seen_BLP[1, :, 0].tolist() == [False] * 7 + [True] * 3


def test_gaps_are_masked_not_zero(panel):
    batch, _ = Gatherer(panel, SPEC)(index_of((3, 45)))  # steps 40 to 44 are missing
    assert batch.seen_BLP[0, :, 0].tolist() == [True] * 4 + [False] * 5 + [True]


def test_the_calendar_follows_the_step_of_every_window(panel):
    batch, _ = Gatherer(panel, SPEC)(index_of((0, 60), (3, 61)))
    for row, cutoff in enumerate((60, 61)):
        steps = torch.arange(cutoff + 1, cutoff + 1 + SPEC.horizon)
        assert batch.future_BHK[row, :, 2:].argmax(-1).tolist() == (steps % 7).tolist()
    assert batch.future_seen_BHK[..., 2:].all()


def test_statics_and_numbers_of_the_windows_travel_along(panel):
    batch, _ = Gatherer(panel, SPEC)(index_of((3, 60), (1, 61)))
    assert batch.static_BC.tolist() == [[3.0], [1.0]]
    assert batch.series_B.tolist() == [3, 1]
    assert batch.cutoff_B.tolist() == [60, 61]


def test_a_panel_without_covariates_has_empty_axes(plain_panel):
    batch, _ = Gatherer(plain_panel, SPEC)(index_of((0, 60)))
    assert batch.past_BLP.shape == (1, 10, 1)
    assert batch.static_BC.shape == (1, 0)
    assert batch.future_BHK.shape == (1, 5, 7)


def test_values_are_copied_so_that_a_batch_cannot_write_to_the_panel(panel):
    batch, _ = Gatherer(panel, SPEC)(index_of((0, 60)))
    before = panel.fingerprint
    batch.past_BLP.fill_(9.0)
    assert replace(panel).fingerprint == before


def test_a_batch_moves_as_a_whole(panel):
    batch, _ = Gatherer(panel, SPEC)(index_of((0, 60)))
    moved = batch.to(torch.device("meta"))
    assert {getattr(moved, name).device.type for name in TENSORS} == {"meta"}


@pytest.mark.parametrize("order", [[2, 0, 1], [0, 0, 2]])
def test_windows_come_in_the_order_asked_for(panel, order):
    chosen = [(0, 60), (1, 61), (3, 62)]
    every, _ = Gatherer(panel, SPEC)(index_of(*chosen))
    some, _ = Gatherer(panel, SPEC)(index_of(*[chosen[row] for row in order]))
    assert torch.equal(some.past_BLP, every.past_BLP[order])


@settings(max_examples=30, deadline=None)
@given(data=st.data(), cutoff=st.integers(0, 38))
def test_runs_of_rows_equal_a_read_cell_by_cell(make_panel, data, cutoff):
    """Exact parity of the two ways, for windows inside, at the edges and with gaps, and delays."""
    panel = data.draw(panels(make_panel(steps=40, future=4)))
    gatherer = Gatherer(panel, SPEC)
    cutoffs = data.draw(st.lists(st.integers(0, cutoff), min_size=1, max_size=6))
    index = index_of(*[(series, each) for series in range(4) for each in cutoffs])
    fast, label = gatherer(index)
    slow, answer = gatherer.gather(
        torch.from_numpy(index.series_W), torch.from_numpy(index.cutoff_W)
    )
    for name in BY_WINDOW:
        assert torch.equal(getattr(fast, name), getattr(slow, name)), name
    assert torch.equal(label.y_BH, answer.y_BH)
    assert torch.equal(label.seen_BH, answer.seen_BH)
    if fast.ragged_R is not None:
        whole = set(range(len(index))) - set(fast.ragged_R.tolist())
        assert all(fast.seen_BLP[row].all() and fast.future_seen_BHK[row].all() for row in whole)
