"""Rows of choices in which every valid pair stands at least once (greedy, the same each time)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

Choice = tuple[str, str]  # (factor, value)
Row = dict[str, str]


def pairs_of(factors: Mapping[str, Sequence[str]]) -> list[tuple[Choice, Choice]]:
    """Every pair of values of two factors."""
    return [
        ((first, a), (second, b))
        for first, second in combinations(factors, 2)
        for a in factors[first]
        for b in factors[second]
    ]


def covering_rows(
    factors: Mapping[str, Sequence[str]], refused: Callable[[Row], str | None]
) -> tuple[list[Row], dict[tuple[Choice, Choice], str]]:
    """Rows that hold every pair, and why some pairs stand in none.

    ``refused`` gives the reason for which choices, of some or all factors, do not go together.
    """
    invalid, open_pairs = {}, {}
    for pair in pairs_of(factors):
        if reason := refused(dict(pair)):
            invalid[pair] = reason
        else:
            open_pairs[frozenset(pair)] = pair
    rows: list[Row] = []
    while open_pairs:
        start = next(iter(open_pairs.values()))
        row = _completed(dict(start), factors, refused, open_pairs)
        if row is None:
            invalid[start] = "no choice of the rest goes with both"
            del open_pairs[frozenset(start)]
            continue
        row = {factor: row[factor] for factor in factors}
        rows.append(row)
        for pair in combinations(row.items(), 2):
            open_pairs.pop(frozenset(pair), None)
    return rows, invalid


def diagonal_rows(
    factors: Mapping[str, Sequence[str]], refused: Callable[[Row], str | None]
) -> list[Row]:
    """Few rows that hold every single choice."""
    left = {frozenset([(factor, value)]): (factor, value)
            for factor, values in factors.items() for value in values}  # fmt: skip
    rows = []
    while left:
        factor, value = next(iter(left.values()))
        row = _completed({factor: value}, factors, refused, left)
        assert row is not None, f"{factor}={value} goes with nothing"
        rows.append({name: row[name] for name in factors})
        for choice in row.items():
            left.pop(frozenset([choice]), None)
    return rows


def _completed(
    row: Row,
    factors: Mapping[str, Sequence[str]],
    refused: Callable[[Row], str | None],
    wanted: Mapping[frozenset[Choice], object],
) -> Row | None:
    """The row with a value of every factor, the one that adds most of what is wanted first."""
    missing = [factor for factor in factors if factor not in row]
    if not missing:
        return row

    def gain(factor: str, value: str) -> int:
        new = (factor, value)
        return (frozenset([new]) in wanted) + sum(
            frozenset([new, old]) in wanted for old in row.items()
        )

    factor = missing[0]
    values = sorted(factors[factor], key=lambda value: -gain(factor, value))  # else the first one
    for value in values:
        tried = {**row, factor: value}
        if refused(tried) is None and (whole := _completed(tried, factors, refused, wanted)):
            return whole
    return None
