"""Hierarchy sums: what a site reports must be what its lanes report together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from lanecast.data.schema import ID, TARGET, TIME
from lanecast.errors import ConfigError
from lanecast.monitor.profile import Finding

TOLERANCE = 1e-6  # of the larger of both sides


def check_sums(
    frame: pd.DataFrame, parents: Mapping[str, Sequence[str]], *, column: str = TARGET
) -> list[Finding]:
    """One finding per parent that is not the sum of its children wherever all of them report."""
    wide = frame.pivot(index=TIME, columns=ID, values=column)
    named = {name for parent, children in parents.items() for name in (parent, *children)}
    if unknown := sorted(named - set(wide.columns)):
        raise ConfigError(
            f"the hierarchy names series {unknown[0]!r}, which the table lacks; correct its id, or"
            " leave it out of the hierarchy"
        )
    findings = []
    for parent, children in parents.items():
        total = wide[list(children)].sum(axis=1, min_count=len(children))
        gap = (total - wide[parent]).abs() / pd.concat([total, wide[parent]], axis=1).abs().max(
            axis=1
        ).clip(lower=1.0)
        wrong = gap[gap > TOLERANCE]
        if len(wrong):
            findings.append(
                Finding(
                    check="sums",
                    subject=f"series {parent!r}",
                    place=f"is off its {len(children)} children by {wrong.max():.2%} at most, on"
                    f" {len(wrong)} steps from {wrong.index[0]:%F}",
                    way_out="load the level that is incomplete again, or correct the hierarchy",
                )
            )
    return findings
