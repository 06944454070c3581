"""The gate: may one row take another's place, by the intervals of a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lanecast.errors import ConfigError, WorseError
from lanecast.evaluation.significance import CALLED
from lanecast.report.table import Comparison
from lanecast.runs.contents import replaced
from lanecast.runs.folder import plain


def judge(comparison: Comparison, path: Path, *, allow_no_claim: bool = False) -> None:
    """Write ``verdict.json``; WorseError if a row is worse than the reference.

    A gate takes a comparison of ``each_row``: intervals that hold for all rows together keep a
    table from claiming too much, and would open a gate too easily.  A row that allows no claim (too
    few fits or independent windows) fails too, unless allowed: a gate that cannot tell must not
    open.
    """
    name = next(column for column in map(str, comparison.table) if column.endswith("_difference"))
    rows = [row for row in comparison.table.to_dict("records") if row["verdict"]]
    if not rows:
        raise ConfigError("fail_if_worse_than= names the only row there is; add runs to judge")
    failing = [row for row in rows if row["verdict"] == "worse"]
    unclear = [row for row in rows if row["verdict"] not in CALLED]
    failing += [] if allow_no_claim else unclear
    reasons = [_reason(row, name) for row in failing]
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


def _reason(row: Mapping[Any, Any], name: str) -> str:
    interval = f"{row['difference_low']:+.5f} to {row['difference_high']:+.5f}"
    return (
        f"{row['model']} {row['hash']}: {row['verdict']} ({name} {row[name]:+.5f},"
        f" interval {interval})"
    )
