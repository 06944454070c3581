"""The yardstick of a table: the best of its plain rows, which anything worth its trouble beats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lanecast.runs.reading import CompletedRun

MISSING = (
    "No plain row is among these runs, so that nothing in the table is ahead of anything: add"
    " model=seasonal_naive,trailing_median_56,trailing_mean_56,event_median."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainYardstick:
    """A row by its config hash, and the sentence that stands below the table."""

    config_hash: str | None
    note: str


def yardstick_of(
    rows: Sequence[Mapping[str, Any]], groups: Mapping[str, Sequence[CompletedRun]], metric: str
) -> PlainYardstick:
    """The plain row with the least ``metric``, a loss; no hash where there is none."""
    plain_rows = [row for row in rows if groups[row["hash"]][0].is_plain]
    plain = [row for row in plain_rows if not math.isnan(row[metric])]
    if not plain:
        undefined = (
            f"No plain row has a {metric}, so that nothing in the table is ahead of anything."
        )
        return PlainYardstick(config_hash=None, note=undefined if plain_rows else MISSING)
    best = min(plain, key=lambda row: (row[metric], row["hash"]))
    others = "the only plain row" if len(plain) == 1 else f"the best of {len(plain)} plain rows"
    return PlainYardstick(
        config_hash=best["hash"],
        note=(
            f"Yardstick: {best['model']} {best['hash'][:8]} ({metric} {best[metric]:.4f}), {others}"
            f" by {metric}. A row is ahead only if it is better than this one with its interval."
        ),
    )
