"""A comparison of runs for people: Markdown, a printed table, and the CSV behind them."""

from __future__ import annotations

import math
import re
import shutil
import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanecast.errors import RunFolderError
from lanecast.report.table import Comparison
from lanecast.runs.contents import replaced

SHORT = {"coverage": "cover", "difference": "diff", "seconds": "sec"}  # words of printed heads
REFERENCES = ("hash", "baseline")  # printed where there is room, always in the files
WRITTEN = ("compare.csv", "compare_runs.csv", "compare.md", "review.html", "verdict.json")
PAGE = 100  # columns of a printed table that no terminal bounds
GAP, BAR = "  ", " | "


def write(comparison: Comparison, folder: Path) -> None:
    """Write ``compare.csv``, ``compare_runs.csv`` (one row per run) and ``compare.md``."""
    lines = [f"**{warning}**\n" for warning in comparison.warnings]
    lines += markdown_lines(comparison)
    lines += ["", *(f"- {note}" for note in comparison.notes), "", "Runs of each row:", ""]
    rows = zip(comparison.table["hash"], comparison.table["runs"], strict=True)
    lines += [f"- `{config_hash[:8]}`: {names}" for config_hash, names in rows]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in WRITTEN:
            if (folder / name).is_symlink():  # runs may be a stranger's, and a link lead anywhere
                (folder / name).unlink()
        for name, text in (
            ("compare.csv", comparison.table.to_csv(index=False)),
            ("compare_runs.csv", comparison.by_run.to_csv(index=False)),
            ("compare.md", "\n".join(["# Comparison", "", *lines, ""])),
        ):
            with replaced(folder / name) as draft:
                draft.write_text(text, encoding="utf-8")
    except OSError as err:
        raise RunFolderError(
            f"the table cannot be written to {folder}: {err}; choose another folder with out="
        ) from err


def markdown_lines(comparison: Comparison) -> list[str]:
    """The table with the full names of its columns, for a file."""
    columns = _columns(comparison)
    return _markdown(columns, heads=[column.name for column in columns])


def show(comparison: Comparison, folder: Path, *, page: bool = False) -> None:
    """Print the table, its notes and where it was written."""
    if sys.stdout.isatty():
        lines = terminal_lines(comparison, room=shutil.get_terminal_size().columns)
    else:
        lines = plain_lines(comparison)
    written = f"Written: {folder / 'compare.csv'}, compare_runs.csv, compare.md"
    written += ", review.html" if page else ""
    print("\n".join([*comparison.warnings, *lines, "", *comparison.notes, written]))


def plain_lines(comparison: Comparison) -> list[str]:
    """An aligned Markdown table, for a pipe or a README."""
    columns = _bounded(_columns(comparison), room=PAGE, gap=len(BAR))
    return _markdown(columns, heads=[" ".join(column.head) for column in columns])


def terminal_lines(comparison: Comparison, *, room: int) -> list[str]:
    """Aligned columns that never wrap: what does not fit follows below, the first ones repeated."""
    columns = _bounded(_columns(comparison), room=room, gap=len(GAP))
    lines: list[str] = []
    for block in _blocks(columns, num_keys=comparison.num_keys, room=room):
        height = max(len(column.head) for column in block)
        heads = [("",) * (height - len(column.head)) + column.head for column in block]
        cells = [*zip(*heads, strict=True), *zip(*(column.cells for column in block), strict=True)]
        lines += ["", *(GAP.join(_padded(row, block)).rstrip() for row in cells)]
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column as text; ``head`` is its name in short, one word to a line."""

    name: str
    head: tuple[str, ...]
    cells: tuple[str, ...]
    right: bool

    @property
    def width(self) -> int:
        return max(map(len, (*self.head, *self.cells)))


def _columns(comparison: Comparison) -> list[_Column]:
    rows = comparison.table.astype(object).to_dict("records")
    return [
        _Column(
            name=name,
            head=tuple(SHORT.get(word, word) for word in re.split("[_/]", name)),
            cells=tuple(_cell(row, name) for row in rows),
            right=comparison.table[name].dtype.kind in "if",
        )
        for name in comparison.shown
    ]


def _bounded(columns: list[_Column], *, room: int, gap: int) -> list[_Column]:
    """Without the `REFERENCES` where the table would be wider than ``room``."""
    if sum(column.width + gap for column in columns) <= room:
        return columns
    return [column for column in columns if column.name not in REFERENCES]


def _blocks(columns: list[_Column], *, num_keys: int, room: int) -> Iterator[list[_Column]]:
    keys, block = columns[:num_keys], columns[:num_keys]
    for column in columns[num_keys:]:
        wide = sum(shown.width + len(GAP) for shown in block) + column.width > room
        if wide and len(block) > num_keys:
            yield block
            block = keys
        block = [*block, column]
    yield block


def _markdown(columns: list[_Column], *, heads: Sequence[str]) -> list[str]:
    both = list(zip(heads, columns, strict=True))
    widths = [max(len(head), column.width, 4) for head, column in both]
    rules = ["---:" if column.right else "---" for column in columns]
    rules = [rule.rjust(width, "-") for rule, width in zip(rules, widths, strict=True)]
    rows = [heads, rules, *zip(*(column.cells for column in columns), strict=True)]
    return [f"| {BAR.join(_padded(row, columns, widths))} |" for row in rows]


def _padded(
    row: Sequence[str], columns: list[_Column], widths: Sequence[int] | None = None
) -> list[str]:
    wide = widths or [column.width for column in columns]
    return [
        text.rjust(width) if column.right else text.ljust(width)
        for text, width, column in zip(row, wide, columns, strict=True)
    ]


def _cell(row: Mapping[Hashable, Any], column: str) -> str:
    text = _text(column, row[column])
    if not column.endswith("_difference") or math.isnan(row["difference_low"]):
        return text
    return f"{text} +-{(row['difference_high'] - row['difference_low']) / 2:.4f}"


def _text(column: str, value: Any) -> str:
    if column in REFERENCES:
        return str(value)[:8]
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if math.isnan(value):
        return ""
    if column == "seconds":
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1000 else f"{value:.4f}"
