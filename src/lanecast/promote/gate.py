"""The gate: may one row take another's place, by the intervals of a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, WorseError
from lanecast.report.table import Comparison
from lanecast.runs.contents import replaced
from lanecast.runs.folder import plain

if TYPE_CHECKING:
    pass


def judge(comparison: Comparison, path: Path, *, allow_no_claim: bool = False) -> None:
    """Write ``verdict.json``; WorseError if a row is worse than the reference.

    Worse here is an interval wholly above 0, row by row: the half level and Holm's correction,
    which keep a table from claiming too much, would open a gate too easily.  A row that allows no
    claim (fewer than three seeds on a side) fails too, unless allowed: a gate that cannot tell must
    not open.
    """
    name = next(column for column in map(str, comparison.table) if column.endswith("_difference"))
    rows = [row for row in comparison.table.to_dict("records") if row["verdict"]]
    if not rows:
        raise ConfigError("fail_if_worse_than= names the only row there is; add runs to judge")
    known = ("better", "worse", "no difference")
    failing = [row for row in rows if row["verdict"] in known and row["difference_low"] > 0]
    unclear = [row for row in rows if row["verdict"] not in known]
    failing += [] if allow_no_claim else unclear
    reasons = [_reason(row, name, worse=row["verdict"] in known) for row in failing]
    keys = ("model", "hash", name, "difference_low", "difference_high", "difference_p", "verdict")
    verdict = {
        "verdict": "fail" if failing else "pass",
        "reference": rows[0]["baseline"],
        "metric": name.removesuffix("_difference"),
        "reasons": reasons,
        "rows": [{key: row[key] for key in (*keys, "runs")} for row in rows],
    }
    with replaced(path) as draft:
        draft.write_text(json.dumps(plain(verdict), indent=1) + "\n", encoding="utf-8")
    if failing:
        raise WorseError(
            f"{len(failing)} of {len(rows)} rows fail; see {path}: {'; '.join(reasons)}"
        )


def _reason(row: Mapping[Any, Any], name: str, *, worse: bool) -> str:
    interval = f"{row['difference_low']:+.5f} to {row['difference_high']:+.5f}"
    verdict = "worse" if worse else row["verdict"]
    return f"{row['model']} {row['hash']}: {verdict} ({name} {row[name]:+.5f}, interval {interval})"
