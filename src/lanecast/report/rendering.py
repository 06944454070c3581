"""A comparison of runs for people: Markdown, a printed table, and the CSV behind them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lanecast.errors import RunFolderError
from lanecast.report.table import Comparison


def write(comparison: Comparison, folder: Path) -> None:
    """Write ``compare.csv``, ``compare_runs.csv`` (one row per run) and ``compare.md``."""
    lines = [_line(comparison.shown), _line(["---"] * len(comparison.shown))]
    lines += [_line(cells) for cells in _cells(comparison)]
    lines += ["", *(f"- {note}" for note in comparison.notes), "", "Runs of each row:", ""]
    rows = zip(comparison.table["hash"], comparison.table["runs"], strict=True)
    lines += [f"- `{config_hash[:8]}`: {names}" for config_hash, names in rows]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        comparison.table.to_csv(folder / "compare.csv", index=False)
        comparison.by_run.to_csv(folder / "compare_runs.csv", index=False)
        (folder / "compare.md").write_text("\n".join(["# Comparison", "", *lines, ""]))
    except OSError as err:
        raise RunFolderError(
            f"the table cannot be written to {folder}: {err}; choose another folder with out="
        ) from err


def show(comparison: Comparison, folder: Path) -> None:
    """Print the table, its notes and where it was written."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in comparison.shown:
        numeric = pd.api.types.is_numeric_dtype(comparison.table[name])
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for cells in _cells(comparison):
        table.add_row(*cells)
    console = Console()
    console.print(table)
    for note in comparison.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"Written: {folder / 'compare.csv'}, compare_runs.csv, compare.md",
        markup=False,
        soft_wrap=True,
    )


def _cells(comparison: Comparison) -> list[list[str]]:
    rows = comparison.table.astype(object).to_dict("records")
    return [[_cell(row, name) for name in comparison.shown] for row in rows]


def _cell(row: Mapping[Hashable, Any], column: str) -> str:
    text = _text(column, row[column])
    if not column.endswith("_difference") or math.isnan(row["difference_low"]):
        return text
    bounds = (_text(name, row[name]) for name in ("difference_low", "difference_high"))
    return f"{text} [{', '.join(bounds)}]"


def _text(column: str, value: Any) -> str:
    if column in ("hash", "baseline"):
        return str(value)[:8]
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if math.isnan(value):
        return ""
    return f"{value:.1f}" if column == "seconds" or abs(value) >= 1000 else f"{value:.4f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
