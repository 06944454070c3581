"""Runs of several versions of semantics in one table: averaged apart, and told."""

from __future__ import annotations

from collections.abc import Sequence

from lanecast.runs.reading import CompletedRun
from lanecast.runs.semantics import SEMANTICS


def newest_of_each(
    runs: Sequence[CompletedRun],
) -> tuple[list[CompletedRun], list[tuple[CompletedRun, int]]]:
    """Of each experiment the runs of its newest version; and the others, with that version.

    Seeds of one experiment are averaged, and must have been made under the same rules.
    """
    newest: dict[str, int] = {}
    for run in runs:
        newest[run.config_hash] = max(newest.get(run.config_hash, 0), run.semantics)
    kept = [run for run in runs if run.semantics == newest[run.config_hash]]
    older = [(run, newest[run.config_hash]) for run in runs if run not in kept]
    return kept, older


def versions_line(runs: Sequence[CompletedRun]) -> str | None:
    """What a table of these runs says of their versions; None where all are of today's."""
    names: dict[int, list[str]] = {}
    for run in runs:
        names.setdefault(run.semantics, []).append(f"{run.model} {run.config_hash[:8]}")
    if set(names) <= {SEMANTICS}:
        return None
    others = "; ".join(
        f"semantics {version}: {', '.join(sorted(set(rows)))}"
        for version, rows in sorted(names.items())
        if version != SEMANTICS
    )
    mixed = " Rows of different versions are not paired with one another." if len(names) > 1 else ""
    return (
        f"Not made under today's rules for noise, statics and absence (semantics {SEMANTICS}):"
        f" {others}; repeat those runs to compare them with new ones.{mixed}"
    )
