"""Views: other roles, values and futures of the same panel, and nothing else of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lanecast.data.gather import Gatherer
from lanecast.data.schema import Column, Role
from lanecast.data.views import cells_of, unfolded, with_roles, with_target, with_values
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import SchemaError

SPEC = WindowSpec(context=10, horizon=5)


def windows(*pairs):
    series, cutoff = np.array(pairs).T
    return WindowIndex(series_W=series, cutoff_W=cutoff)


def test_values_move_with_their_columns_to_the_place_of_their_new_role(panel):
    plan = replace(panel.schema.columns["late"], role=Role.KNOWN_FUTURE)
    view = with_roles(panel, {"late": plan})
    assert view.schema.past == ("y", "temperature")
    assert set(view.schema.known) == {"late", "scheduled", "promo"}
    for name in panel.schema.stored:
        assert torch.equal(view.column(name).nan_to_num(-1), panel.column(name).nan_to_num(-1))


def test_a_column_that_is_left_out_is_gone_from_schema_and_values(panel):
    view = with_roles(panel, {"late": None, "promo": None})
    assert view.values.shape == (panel.num_cells, len(panel.schema.stored) - 2)
    assert not {"late", "promo"} & set(view.schema.columns)
    assert set(panel.schema.stored) >= {"late", "promo"}  # the panel itself is as it was
    assert view.fingerprint != panel.fingerprint


def test_a_column_that_is_not_there_is_refused_by_name(panel):
    with pytest.raises(SchemaError, match="no column 'lateness' to declare anew"):
        with_roles(panel, {"lateness": Column(role=Role.OBSERVED)})
    with pytest.raises(SchemaError, match=r"stores no column 'lateness'; it has \['y', 'late'"):
        with_values(panel, {"lateness": np.zeros(panel.num_cells)})


def test_other_values_leave_the_other_columns_and_the_panel_alone(panel):
    before = panel.values.clone()
    doubled = 2 * panel.column("y").numpy()
    view = with_values(panel, {"y": doubled})
    assert torch.equal(view.column("y").nan_to_num(-1), torch.from_numpy(doubled).nan_to_num(-1))
    assert torch.equal(view.column("late").nan_to_num(-1), panel.column("late").nan_to_num(-1))
    assert torch.equal(panel.values.nan_to_num(-1), before.nan_to_num(-1))


def test_counts_of_present_targets_follow_the_new_values(panel):
    assert panel.last_step > 0
    with pytest.raises(SchemaError, match="no target value"):
        assert with_values(panel, {"y": np.full(panel.num_cells, np.nan)}).last_step


def test_series_without_any_target_are_left_out_and_a_full_panel_is_itself(panel):
    assert with_target(panel) is panel
    y = panel.column("y").numpy().copy()
    y[panel.offsets[1] : panel.offsets[2]] = np.nan
    view = with_target(with_values(panel, {"y": y}))
    assert view.series.tolist() == [panel.series[k] for k in (0, 2, 3)]
    assert view.attributes["size"].tolist() == [0, 2, 3]
    rows = slice(panel.offsets[2], panel.offsets[3])
    mine = slice(view.offsets[1], view.offsets[2])
    assert torch.equal(view.column("promo")[mine], panel.column("promo")[rows])


def test_cells_are_clamped_into_their_series_and_say_so(panel):
    ahead = np.arange(-2, 3)
    cell, inside = cells_of(panel, windows((2, 90), (0, 118)), ahead)
    assert panel.start[2] == 90
    low, last = panel.offsets[2], panel.offsets[1] - 1
    assert cell[0].tolist() == [low, low, low, low + 1, low + 2]
    assert inside[0].tolist() == [False, False, True, True, True]
    assert cell[1].tolist() == [last - 3, last - 2, last - 1, last, last]
    assert inside[1].tolist() == [True, True, True, True, False]


PAIRS = ((0, 60), (3, 41), (2, 110), (1, 119), (0, 4), (0, 61))


def batch(panel, at):
    return Gatherer(panel, SPEC)(at)


def opened(panel, **options):
    return unfolded(panel, windows(*PAIRS), history=20, horizon=5, **options)


def test_an_unfolded_window_reads_what_it_reads_in_the_panel(panel):
    view, at = opened(panel, futures={})
    one, two = batch(panel, windows(*PAIRS))[0], batch(view, at)[0]
    for name in ("past_BLP", "seen_BLP", "known_past_BLK", "future_BHK", "future_seen_BHK"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name
    assert torch.equal(one.static_BC, two.static_BC)
    assert view.series.tolist() == [panel.series[series] for series, _ in PAIRS]


def test_an_unfolded_window_holds_no_answer(panel):
    assert batch(panel, windows(*PAIRS))[1].seen_BH.any()
    view, at = opened(panel, futures={})
    assert not batch(view, at)[1].seen_BH.any()


def test_each_window_has_its_own_future_of_a_column(panel):
    promo = np.arange(30, dtype=np.float32).reshape(6, 5)
    promo[2, 3] = np.nan
    view, at = opened(panel, futures={"promo": promo})
    found, column = batch(view, at)[0], panel.known_names.index("promo")
    seen = found.future_seen_BHK[..., column]
    assert torch.equal(seen, torch.from_numpy(np.isfinite(promo)))
    assert np.array_equal(found.future_BHK[..., column], np.nan_to_num(promo))
    other = panel.known_names.index("scheduled")
    plain = batch(panel, windows(*PAIRS))[0]
    assert torch.equal(found.future_BHK[..., other], plain.future_BHK[..., other])


def with_issues(panel):
    """Each cell issues its own number, plus hundredths for the steps ahead."""
    cell = torch.arange(panel.num_cells)[:, None, None].float()
    issued = cell + torch.arange(1, 6)[None, :, None] / 100
    return replace(panel, issued=issued, issued_names=("plan",))


def test_an_unfolded_window_reads_the_forecasts_issued_at_its_cutoff(panel):
    held = with_issues(panel)
    view, at = opened(held, futures={})
    one, two = batch(held, windows(*PAIRS))[0], batch(view, at)[0]
    assert torch.equal(one.future_BHK, two.future_BHK)
    assert torch.equal(one.future_seen_BHK, two.future_seen_BHK)


def test_nothing_was_issued_where_the_series_has_no_cell(panel):
    held = with_issues(panel)
    beyond = windows((0, 122), (2, 80))  # after the last cell, and before the first
    view, at = unfolded(held, beyond, history=20, horizon=5, futures={})
    column = held.known_names.index("plan")
    for found in (batch(held, beyond)[0], batch(view, at)[0]):
        assert not found.future_seen_BHK[..., column].any()
