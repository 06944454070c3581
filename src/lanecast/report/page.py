"""The reviewer pack: one HTML file that needs no server and no network.

``review/page.html`` lays the tables out, so that they can be read without scripts; charts are drawn
by ``review/page.js`` from the data that stands in the page.  Whatever a run says is escaped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from lanecast.errors import RunFolderError
from lanecast.report.pack import AXES
from lanecast.report.plans import with_words
from lanecast.runs.contents import replaced

TITLES = {
    "wape": "WAPE",
    "bias": "Bias",
    "mase": "MASE",
    "wql": "WQL",
    "coverage_80": "Covers 80 %",
    "coverage_90": "Covers 90 %",
    "plan_regret": "Plan regret",
}
NAVIGATION = {
    "leaderboard": "Leaderboard",
    "differences": "Differences",
    "slices": "Slices",
    "cutoffs": "Cutoffs",
    "forecasts": "Forecasts",
    "reliability": "Reliability",
    "plans": "Plans",
    "curves": "Curves",
    "configs": "Configs",
    "runs": "Runs",
}
Row = Mapping[str, Any]


def write_page(
    payload: Mapping[str, Any], path: Path, *, plans: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write ``review.html``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as draft:
            draft.write_text(page(payload, plans), encoding="utf-8")
    except OSError as err:
        raise RunFolderError(
            f"the review cannot be written to {path}: {err}; choose another folder with out="
        ) from err


def page(payload: Mapping[str, Any], plans: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole page; ``plans`` are those of `lanecast.report.plans`."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "exact": repr,
        "rounded": lambda value, digits: f"{value:.{digits}f}",
        "title_of": lambda name: TITLES.get(name, name.replace("_", " ").capitalize()),
    }
    data = json.dumps(payload, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return environment.from_string(_asset("page.html")).render(
        css=Markup(_asset("page.css")),
        js=Markup(_asset("page.js")),
        data=Markup(data),
        navigation={key: name for key, name in NAVIGATION.items() if key != "plans" or plans},
        plans=with_words(plans),
        **_leaderboard(payload),
        **_details(payload),
        **_choices(payload),
    )


def _leaderboard(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Rows, the keys that tell them apart, the columns of each axis, and who is compared."""
    rows = payload["rows"]
    keys = [name for name in payload["shown"] if name in rows[0] and not _is_number(rows, name)]
    accuracy, calibration, _ = (
        [name for name in names if any(row.get(name) is not None for row in rows)]
        for names in AXES.values()
    )
    return {
        "rows": rows,
        "rule": payload["rule"],
        "keys": [name for name in keys if name not in ("hash", "verdict", "baseline")],
        "accuracy": accuracy,
        "calibration": calibration,
        "difference": next((key for key in rows[0] if key.endswith("_difference")), None),
    }


def _details(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of the tables below the leaderboard; each run, the first of a hash leads."""
    rows, seen, runs = payload["rows"], set(), []
    for run in payload["runs"]:
        runs.append({**run, "leads": run["hash"] not in seen})
        seen.add(run["hash"])
    parts = [
        part for row in rows for part, by in row["slices"].items() if by.get("wape") is not None
    ]
    reliable: Sequence[Any] = next((row["reliability"] for row in rows if row["reliability"]), [])
    return {
        "parts": list(dict.fromkeys(parts)),
        "cutoffs": [row["cutoff"][:10] for row in rows[0]["cutoffs"]],
        "levels": [f"{level:g}" for level, _ in reliable],
        "runs": runs,
        "notes": payload["notes"],
    }


def _choices(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the selectors offer, as (value, text)."""
    fans = payload["fans"]
    curves = sorted({name for run in payload["runs"] for name in run["curves"]})
    curves.sort(key=lambda name: (not name.startswith("val/"), name))
    return {
        "choices": [(row["hash"], f"{row['model']} {row['hash']}") for row in payload["rows"]],
        "fans": fans,
        "lanes": [(lane, lane) for lane in fans["lanes"]] if fans else [],
        "fan_cutoffs": [(day, day[:10]) for day in reversed(fans["cutoffs"])] if fans else [],
        "curves": [(name, name) for name in curves],
    }


def _is_number(rows: Sequence[Row], name: str) -> bool:
    values = [row[name] for row in rows if row[name] is not None]
    return any(isinstance(value, float) and math.isfinite(value) for value in values) or (
        name in TITLES or name == "num_runs" or name.endswith(("_sd", "_difference"))
    )


def _asset(name: str) -> str:
    return (files("lanecast.report") / "review" / name).read_text(encoding="utf-8")
