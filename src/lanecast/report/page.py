"""The reviewer pack: one HTML file that needs no server and no network.

Tables are written here, so that they can be read without scripts; charts are drawn by
``review/page.js`` from the data that stands in the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from lanecast.errors import RunFolderError
from lanecast.report.pack import AXES
from lanecast.report.plans import plan_section

TITLES = {
    "wape": "WAPE",
    "bias": "Bias",
    "mase": "MASE",
    "wql": "WQL",
    "coverage_80": "Covers 80 %",
    "coverage_90": "Covers 90 %",
    "plan_regret": "Plan regret",
}
Row = Mapping[str, Any]


def write_page(
    payload: Mapping[str, Any], path: Path, *, plans: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write ``review.html``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(payload, plans), encoding="utf-8")
    except OSError as err:
        raise RunFolderError(
            f"the review cannot be written to {path}: {err}; choose another folder with out="
        ) from err


def page(payload: Mapping[str, Any], plans: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole page; ``plans`` are those of `lanecast.report.plans`."""
    rows = payload["rows"]
    parts = [
        _section("leaderboard", "Leaderboard", leaderboard(payload)),
        _section("differences", "Paired differences", _differences(rows)),
        _section("slices", "By horizon and slice", _slices(rows)),
        _section("cutoffs", "By cutoff", _chart("cutoffs", "WAPE by cutoff") + _cutoffs(rows)),
        _section("forecasts", "Forecasts", _fan_controls(payload)),
        _section("reliability", "Reliability", _chart("reliability", RELIABLE) + _reliable(rows)),
        *(_section("plans", "Plans", one) for one in [plan_section(plans)] if plans),
        _section("curves", "Learning curves", _curve_controls(payload)),
        _section("configs", "What differs between two configurations", _diff_controls(rows)),
        _section("runs", "Runs", _runs(payload["runs"])),
        _section("notes", "How to read this", _list(payload["notes"])),
    ]
    data = json.dumps(payload, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    shown = {key: name for key, name in NAVIGATION.items() if key != "plans" or plans}
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name in shown.items())
    return SHELL.format(
        css=_asset("page.css"), js=_asset("page.js"), data=data, links=links, body="".join(parts)
    )


RELIABLE = "Share of outcomes at or below each quantile; a calibrated model lies on the diagonal"
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
SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lanecast review</title>
<link rel="icon" href="data:,">
<style>{css}</style>
</head>
<body>
<a class="skip" href="#leaderboard">Skip to the leaderboard</a>
<header><h1>lanecast review</h1><nav aria-label="Sections"><ul>{links}</ul></nav></header>
<main>{body}</main>
<script type="application/json" id="data">{data}</script>
<script>{js}</script>
</body>
</html>
"""


def leaderboard(payload: Mapping[str, Any]) -> str:
    """One line per configuration on four axes; every number leads to its runs."""
    rows = payload["rows"]
    keys = [name for name in payload["shown"] if name in rows[0] and not _is_number(rows, name)]
    keys = [name for name in keys if name not in ("hash", "verdict", "baseline")]
    groups = {
        axis: [name for name in names if any(row.get(name) is not None for row in rows)]
        for axis, names in AXES.items()
    }
    head = "".join(f'<th scope="col" rowspan="2">{escape(_title(name))}</th>' for name in keys)
    accuracy, calibration, plan = (groups[axis] for axis in AXES)
    head += _group("Accuracy as known", len(accuracy)) + _group("Validity under do", 2)
    head += _group("Calibration", len(calibration)) + _group("Plan cost", max(len(plan), 1))
    head += '<th scope="col" rowspan="2">Runs</th>'
    unmeasured: list[str | None] = [None]
    names = [*accuracy, *unmeasured, *unmeasured, *calibration, *(plan or unmeasured)]
    num, titles = ' class="num"', ["Badge", "Leakage, WAPE points", "Plan regret"]
    second = "".join(
        f'<th scope="col"{"" if at == len(accuracy) else num}>'
        f"{escape(_title(name) if name else titles.pop(0))}</th>"
        for at, name in enumerate(names)
    )
    lines = []
    for row in rows:
        link = f"#row-{row['hash']}"
        cells = [_key_cell(row, name, link, first=at == 0) for at, name in enumerate(keys)]
        cells += [_number(row, name, link) for name in accuracy]
        cells.append(f"<td>{escape(str(row['badge'] or 'not audited'))}</td>")
        cells.append(_number(row, "leakage", link, digits=2))
        cells += [_number(row, name, link) for name in calibration]
        cells += [_number(row, name, link) for name in plan or ["plan_regret"]]
        cells.append(_number(row, "num_runs", link, digits=0))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    caption = "Means over seeds, best first. Every number leads to the runs behind it."
    return _table(caption, f"<tr>{head}</tr><tr>{second}</tr>", lines)


def _key_cell(row: Row, name: str, link: str, *, first: bool) -> str:
    text = escape("" if row[name] is None else str(row[name]))
    if first:
        return f'<th scope="row"><a href="{link}">{text}</a></th>'
    return f"<td>{text}</td>"


def _number(row: Row, name: str, link: str, *, digits: int = 4) -> str:
    value = row.get(name)
    if value is None:
        return '<td class="num none">not measured</td>'
    tag = f'data-column="{name}" data-hash="{row["hash"]}" data-value="{value!r}"'
    return f'<td class="num" {tag}><a href="{link}">{value:.{digits}f}</a></td>'


def _differences(rows: Sequence[Row]) -> str:
    name = next((key for key in rows[0] if key.endswith("_difference")), None)
    if name is None:
        return "<p>No baseline was named; add baseline=&lt;model or config hash&gt;.</p>"
    lines = []
    for row in rows:
        if row[name] is None:
            continue
        link = f"#row-{row['hash']}"
        cells = [f'<th scope="row"><a href="{link}">{escape(row["model"])}</a></th>']
        cells.append(f"<td><code>{row['hash']}</code></td><td><code>{row['baseline']}</code></td>")
        cells += [_number(row, key, link) for key in (name, "difference_low", "difference_high")]
        cells.append(_number(row, "difference_p", link))
        cells.append(f"<td>{escape(str(row['verdict']))}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    heads = [
        "Model",
        "Config",
        "Baseline",
        f"{_title(name.removesuffix('_difference'))} difference",
    ]
    heads += ["Low", "High", "Adjusted p", "Verdict"]
    return _table("Row minus baseline, with its interval.", _head(heads), lines)


def _slices(rows: Sequence[Row]) -> str:
    measured = [
        part for row in rows for part, by in row["slices"].items() if by.get("wape") is not None
    ]
    parts, found = list(dict.fromkeys(measured)), []
    for metric in ("wape", "coverage_80"):
        lines = []
        for row in rows:
            cells = [_plain_number(row["slices"].get(part, {}).get(metric)) for part in parts]
            head = f'<th scope="row"><a href="#row-{row["hash"]}">{escape(row["model"])}</a></th>'
            lines.append(f"<tr>{head}<td><code>{row['hash']}</code></td>{''.join(cells)}</tr>")
        heads = _head(["Model", "Config", *parts], numbers_from=2)
        found.append(_table(f"{_title(metric)} by slice.", heads, lines))
    return "".join(found)


def _cutoffs(rows: Sequence[Row]) -> str:
    cutoffs = [row["cutoff"] for row in rows[0]["cutoffs"]]
    lines = [
        f'<tr><th scope="row"><a href="#row-{row["hash"]}">{escape(row["model"])}</a></th>'
        + "".join(_plain_number(one["wape"]) for one in row["cutoffs"])
        + "</tr>"
        for row in rows
    ]
    heads = _head(["Model", *(cutoff[:10] for cutoff in cutoffs)], numbers_from=1)
    return _details("The numbers", _table("WAPE by cutoff.", heads, lines))


def _reliable(rows: Sequence[Row]) -> str:
    levels = [
        level for level, _ in next((row["reliability"] for row in rows if row["reliability"]), [])
    ]
    lines = [
        f'<tr><th scope="row"><a href="#row-{row["hash"]}">{escape(row["model"])}</a></th>'
        + "".join(_plain_number(share) for _, share in row["reliability"])
        + "</tr>"
        for row in rows
        if row["reliability"]
    ]
    if not lines:
        return "<p>None of the runs recorded its reliability.</p>"
    heads = _head(["Model", *(f"{level:g}" for level in levels)], numbers_from=1)
    return _details("The numbers", _table("Share at or below each quantile.", heads, lines))


def _fan_controls(payload: Mapping[str, Any]) -> str:
    fans = payload["fans"]
    if not fans:
        return "<p>None of the runs kept its forecasts (keep.forecasts=true).</p>"
    models = [(row["hash"], f"{row['model']} {row['hash']}") for row in payload["rows"]]
    controls = _select("fan-model", "Configuration", models)
    controls += _select("fan-lane", "Series", [(lane, lane) for lane in fans["lanes"]])
    cutoffs = [(cutoff, cutoff[:10]) for cutoff in reversed(fans["cutoffs"])]
    controls += _select("fan-cutoff", "Cutoff", cutoffs)
    return f'<div class="controls">{controls}</div>' + _chart("fan", "Forecast with its intervals")


def _curve_controls(payload: Mapping[str, Any]) -> str:
    names = sorted({name for run in payload["runs"] for name in run["curves"]})
    if not names:
        return "<p>None of the runs has a curve.</p>"
    names.sort(key=lambda name: (not name.startswith("val/"), name))
    select = _select("curve-name", "Metric", [(name, name) for name in names])
    return f'<div class="controls">{select}</div>' + _chart("curve", "Learning curves")


def _diff_controls(rows: Sequence[Row]) -> str:
    choices = [(row["hash"], f"{row['model']} {row['hash']}") for row in rows]
    controls = _select("diff-one", "First", choices)
    controls += _select("diff-two", "Second", choices[1:] + choices[:1])
    return f'<div class="controls">{controls}</div><div id="diff" role="region" aria-live="polite" aria-label="Differences"></div>'  # noqa: E501


def _runs(runs: Sequence[Row]) -> str:
    lines, seen = [], set()
    for run in runs:
        anchor = "" if run["hash"] in seen else f' id="row-{run["hash"]}"'
        seen.add(run["hash"])
        warnings = _list(run["warnings"]) if run["warnings"] else "none"
        cells = [run["model"], run["hash"], run["seed"], run["data"], run["dag"] or "none"]
        cells += [run["git"], run["wandb"] or "none"]
        told = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
        folder = f"<td><code>{escape(run['folder'])}</code></td>"
        name = f'<th scope="row" id="run-{run["id"]}">{run["id"]}</th>'
        lines.append(f"<tr{anchor}>{name}{told}{folder}<td>{warnings}</td></tr>")
    heads = ["Run", "Model", "Config hash", "Seed", "Data", "DAG", "Commit", "W&B id", "Folder"]
    return _table("Every run, with what identifies it.", _head([*heads, "Warnings"]), lines)


def _section(key: str, title: str, body: str) -> str:
    head = f'<h2 id="{key}" tabindex="-1">{title}</h2>'
    return f'<section aria-labelledby="{key}">{head}{body}</section>'


def _table(caption: str, head: str, lines: Iterable[str]) -> str:
    table = f"<table><caption>{escape(caption)}</caption><thead>{head}</thead>"
    label = escape(caption, quote=True)
    body = f"<tbody>{''.join(lines)}</tbody></table>"
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{table}{body}</div>'
    )


def _head(names: Sequence[str], *, numbers_from: int | None = None) -> str:
    cells = [
        f'<th scope="col"{_num(at, numbers_from)}>{escape(name)}</th>'
        for at, name in enumerate(names)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _num(at: int, numbers_from: int | None) -> str:
    return ' class="num"' if numbers_from is not None and at >= numbers_from else ""


def _group(title: str, width: int) -> str:
    return f'<th scope="colgroup" colspan="{width}">{title}</th>' if width else ""


def _plain_number(value: float | None) -> str:
    return f'<td class="num">{"" if value is None else f"{value:.4f}"}</td>'


def _chart(key: str, label: str) -> str:
    return f'<figure><div class="chart" id="chart-{key}" role="img" aria-label="{escape(label)}"></div><figcaption id="told-{key}" aria-live="polite">{escape(label)}</figcaption></figure>'  # noqa: E501


def _select(key: str, label: str, choices: Sequence[tuple[str, str]]) -> str:
    options = "".join(
        f'<option value="{escape(value, quote=True)}">{escape(text)}</option>'
        for value, text in choices
    )
    return f'<label for="{key}">{label}</label><select id="{key}">{options}</select>'


def _details(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>{body}</details>"


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(str(item))}</li>" for item in items) + "</ul>"


def _title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " ").capitalize())


def _is_number(rows: Sequence[Row], name: str) -> bool:
    values = [row[name] for row in rows if row[name] is not None]
    return any(isinstance(value, float) and math.isfinite(value) for value in values) or (
        name in TITLES or name == "num_runs" or name.endswith(("_sd", "_difference"))
    )


def _asset(name: str) -> str:
    return (files("lanecast.report") / "review" / name).read_text(encoding="utf-8")
