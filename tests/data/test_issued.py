"""Forecasts as issued: a window reads those of its own cutoff, never a later issue."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lanecast.data.gather import Gatherer
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.models.deep.inputs import Inputs

SPEC = WindowSpec(context=10, horizon=4)
AHEAD = 6
AT = WindowIndex(series_W=np.array([0, 3, 2, 1]), cutoff_W=np.array([60, 44, 110, 5]))


def issuing(panel, seed=0):
    generator = torch.Generator().manual_seed(seed)
    issued = torch.rand(panel.num_cells, AHEAD, 2, generator=generator)
    return replace(panel, issued=issued, issued_names=("rain", "load"))


@pytest.fixture
def held(panel):
    return issuing(panel)


def cells(panel, at=AT):
    return panel.offsets[at.series_W] + at.cutoff_W - panel.start[at.series_W]


def read(panel, at=AT):
    return Gatherer(panel, SPEC)(at)[0]


def test_issued_columns_stand_last_among_the_known(held):
    assert held.known_names[-2:] == ("rain", "load")
    assert read(held).future_BHK.shape == (4, 4, len(held.known_names))


def test_a_window_reads_what_was_issued_at_its_cutoff(held):
    found = read(held)
    assert torch.equal(found.future_BHK[..., -2:], held.issued[cells(held)][:, : SPEC.horizon])
    assert found.future_seen_BHK[..., -2:].all()


def test_later_and_earlier_issues_change_nothing(held):
    others = torch.ones(held.num_cells, dtype=torch.bool)
    others[cells(held)] = False
    spoiled = held.issued.clone()
    spoiled[others] = 1e6
    one, two = read(held), read(replace(held, issued=spoiled))
    assert torch.equal(one.future_BHK, two.future_BHK)
    own = held.issued.clone()
    own[~others] = 1e6
    assert not torch.equal(one.future_BHK, read(replace(held, issued=own)).future_BHK)


def test_over_the_context_nothing_was_issued(held):
    found = read(held)
    assert not found.known_past_seen_BLK[..., -2:].any()
    assert (found.known_past_BLK[..., -2:] == 0).all()


def test_a_missing_issue_is_0_and_not_seen(held):
    issued = held.issued.clone()
    issued[cells(held)[1], 2, 0] = float("nan")
    found = read(replace(held, issued=issued))
    assert not found.future_seen_BHK[1, 2, -2]
    assert found.future_BHK[1, 2, -2] == 0
    assert found.future_seen_BHK[1, 2, -1]


def test_a_cutoff_outside_of_its_series_has_no_issue(held):
    early = WindowIndex(series_W=np.array([2]), cutoff_W=np.array([80]))
    assert held.start[2] > 80
    assert not read(held, early).future_seen_BHK[..., -2:].any()


def test_issues_follow_their_cells_when_series_are_chosen_or_history_is_cut(held):
    chosen = held.select([3, 0])
    at = WindowIndex(series_W=np.array([1, 0]), cutoff_W=AT.cutoff_W[:2])
    whole = read(held).future_BHK[:2]
    assert torch.equal(read(chosen, at).future_BHK, whole)
    cut = held.since(30)
    assert len(cut.issued) == cut.num_cells
    assert torch.equal(read(cut).future_BHK[:3], read(held).future_BHK[:3])


def test_the_fingerprint_knows_what_was_issued(panel, held):
    prints = {one.fingerprint for one in (panel, held, issuing(panel, seed=1))}
    assert len(prints) == 3
    assert replace(held, issued_names=("rain", "wind")).fingerprint not in prints


def test_a_network_without_known_future_reads_no_issue(held):
    batch = read(held)
    without = Inputs(known_future=False).bind(held)(batch)
    assert without.future_BHK.shape[-1] == len(held.calendar_names)
    assert torch.equal(Inputs().bind(held)(batch).future_BHK, batch.future_BHK)
    fewer = Inputs(calendar=["weekday_0"]).bind(held)(batch)
    assert torch.equal(fewer.future_BHK[..., -2:], batch.future_BHK[..., -2:])
