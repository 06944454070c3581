"""No choice of conf/, and no pair of them, lets anything move a forecast that was not known.

Rows hold every pair of model, hierarchy, coupling, calibration, refit and count that goes together.
One part runs alone by ``-k <model>``.
"""

from __future__ import annotations

from itertools import combinations

import pytest

from covering import DIAGONAL, FACTORS, INVALID, ROWS, refused, subject_of
from lanecast.audits.leakage import probe
from lanecast.errors import ConfigError
from pairwise import Row, pairs_of


def name_of(row: Row) -> str:
    return "-".join(row.values())


def clean(row: Row, *, bisect: bool) -> None:
    verdict = probe(subject_of(row), controls=False, bisect=bisect)
    assert verdict.movers == (), f"{row}: {verdict.lines()}"
    assert verdict.told == "clean", f"{row}: {verdict.told}"


@pytest.mark.parametrize("row", DIAGONAL, ids=name_of)
def test_every_choice_is_clean_and_its_twin_moves(row):
    clean(row, bisect=False)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_every_pair_of_choices_is_clean_and_its_twin_moves(row):
    clean(row, bisect=True)


def test_the_rows_hold_every_pair_that_goes_together_and_the_diagonal_every_choice():
    held = {frozenset(pair) for row in ROWS for pair in combinations(row.items(), 2)}
    every = {frozenset(pair) for pair in pairs_of(FACTORS)}
    assert every - held == {frozenset(pair) for pair in INVALID}
    assert not any(refused(row) for row in (*ROWS, *DIAGONAL))
    choices = {(factor, value) for factor, values in FACTORS.items() for value in values}
    assert {choice for row in DIAGONAL for choice in row.items()} == choices


@pytest.mark.parametrize("pair", INVALID, ids=str)
def test_a_pair_that_does_not_go_together_is_refused_for_its_reason(pair):
    first = {factor: values[0] for factor, values in FACTORS.items()}
    plain = {**first, "hierarchy": "as_is", "coupling": "none", "calibration": "none"}
    with pytest.raises(ConfigError, match=INVALID[pair]):
        subject_of({**plain, **dict(pair)})
