"""A panel as the layer reads it: holes are filled from the past, and only holes are."""

import numpy as np
import torch

from lanecast.causal.scm.prepared import cut
from lanecast.data.views import with_values
from lanecast.data.windows import WindowIndex
from small_worlds import LATE, STARTS, STEPS, at, layer, panel, steps

STEP = 120
NODES = 5


def node(name):
    return layer().node(name)


def cell(series, step):
    return int(panel().offsets[series] + step - panel().start[series])


def prepared(on=None):
    return layer().prepare(on or panel())


def test_what_is_seen_is_kept_and_every_hole_after_the_lag_is_filled():
    found = prepared()
    seen = found.seen_NTX
    assert torch.equal(found.whole_NTX[seen], found.x_NTX[seen])
    started = torch.arange(STEPS) >= torch.from_numpy(panel().start)[:, None] + layer().wiring.lag
    holes = ~seen & started[..., None]
    assert holes.any()
    assert (found.whole_NTX[holes] != 0).all()
    assert (found.x_NTX[holes] == 0).all()


def test_nothing_is_made_up_before_a_series_begins():
    found = prepared()
    for series, start in STARTS.items():
        assert (found.whole_NTX[series, :start] == 0).all()
        assert not found.seen_NTX[series, :start].any()


def test_a_hole_is_filled_with_the_mean_of_its_mechanism_on_what_came_before():
    hole = panel().column("y").numpy().copy()
    hole[cell(0, STEP)] = np.nan
    found = prepared(with_values(panel(), {"y": hole}))
    mu, _, _ = layer().mechanisms.teacher(found.whole_NTX, found.context.whole(STEPS))
    wanted = mu[0, STEP - layer().wiring.lag, node("orders")]
    assert torch.allclose(found.whole_NTX[0, STEP, node("orders")], wanted, atol=1e-5)


def test_a_hole_is_filled_from_the_past_alone():
    hole = panel().column("y").numpy().copy()
    hole[cell(0, STEP)] = np.nan
    columns = {name: panel().column(name).numpy().copy() for name in panel().schema.stored}
    columns["y"] = hole
    later = steps(panel()) > STEP
    for values in columns.values():
        values[later] = 12.0
    one = prepared(with_values(panel(), {"y": hole}))
    two = prepared(with_values(panel(), columns))
    assert torch.equal(one.whole_NTX[:, : STEP + 1], two.whole_NTX[:, : STEP + 1])


def test_a_preparation_is_made_once_for_a_panel():
    assert prepared() is prepared()
    assert prepared(with_values(panel(), {})) is not prepared()


def window(cutoff, **options):
    one = WindowIndex(series_W=np.array([0, LATE]), cutoff_W=np.full(2, cutoff, np.int64))
    return cut(prepared(), one, horizon=4, lag=layer().wiring.lag, **options)


def test_a_window_holds_the_steps_around_its_cutoff():
    found = window(140)
    assert found.back == layer().wiring.lag + 3  # weather is three days late
    assert found.start == layer().wiring.lag
    first = 140 + 1 - found.back
    settled = slice(0, found.back - 3)
    whole = prepared().whole_NTX[[0, LATE], first : 141 + 4]
    assert torch.equal(found.x_WTX[:, settled], whole[:, settled])
    assert found.clamp_WTJ[:, settled].all()
    assert found.x_WTX.shape == (2, found.back + 4, NODES)


def test_filler_stands_in_hidden_cells_and_nowhere_else():
    plain, filled = window(140), window(140, filler=9.0)
    assert torch.equal(plain.clamp_WTJ, filled.clamp_WTJ)
    assert (filled.x_WTX[~filled.clamp_WTJ] == 9.0).all()
    assert (plain.x_WTX[~plain.clamp_WTJ] == 0.0).all()
    known = plain.clamp_WTJ
    assert torch.equal(plain.x_WTX[known], filled.x_WTX[known])


def test_a_history_of_ones_own_stands_in_for_the_panels():
    history = torch.full_like(prepared().whole_NTX, 0.5)
    found = window(140, history_NTX=history)
    assert (found.x_WTX[found.clamp_WTJ] == 0.5).all()


def test_a_window_at_the_edge_of_the_grid_is_padded_with_nothing():
    found = cut(prepared(), at(4), horizon=2, lag=layer().wiring.lag)
    missing = found.back - 5
    assert missing > 0
    assert (found.x_WTX[:, :missing] == 0).all()
    assert (found.context_WTF[:, :missing] == 0).all()
