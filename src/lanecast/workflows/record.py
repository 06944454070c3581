"""Experiments: a question, the runs that answer it, and a check that the three files agree.

``experiments/<yyyy-mm>-<slug>/`` holds ``README.md`` (question, one scientific factor, what was
fixed, command, table, verdict), ``results.csv`` (one row per run) and ``config.yaml`` (of the first
run, as composed).  The table stands between two markers and is written from the results, so that a
record can be renewed without touching what a person wrote.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lanecast.config.foreign import check_links
from lanecast.config.recipe import slug
from lanecast.errors import ConfigError, RunFolderError
from lanecast.report.rendering import markdown_lines
from lanecast.report.table import Comparison, compare
from lanecast.runs.contents import check_files, readable, replaced
from lanecast.runs.reading import CompletedRun

if TYPE_CHECKING:
    from omegaconf import DictConfig

MONTH = re.compile(r"\d{4}-\d{2}")
PLAIN = re.compile(r"[\w.,=\[\]{}:/+~@ -]*", re.ASCII)  # of an override that a shell reads as it is
BEGIN, END = "<!-- table -->", "<!-- /table -->"
INDEX_HEAD = "# Experiments\n\nOne question each; written by `scripts/record.py`, newest first.\n\n"
TEMPLATE = """\
# {question}

**Scientific factor:** {factor}
**Nuisance:** {nuisance}
**Fixed:** {fixed}

```
{command}
```

{begin}
{table}
{end}

**Verdict.** {verdict}

`config.yaml` is the config of the first run as composed, `results.csv` has one row per run.
"""


def run(cfg: DictConfig) -> Path:
    """Write or renew one record, then the index."""
    from omegaconf import OmegaConf

    options: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)
    root = Path(options["out"])
    if options["index_only"]:
        if not root.is_dir():
            raise ConfigError(f"there is no folder {root} to list; set out=<folder of records>")
        write_index(root)
        check_records(root)
        return root
    for key in ("runs", "slug"):
        if options[key] == "???":
            raise ConfigError(f"{key}= is missing; see lanecast record --help")
    comparison = compare(
        options["runs"],
        factors=options["factors"] or {},
        metrics=options["metrics"],
        baseline=options["baseline"],
    )
    for warning in comparison.warnings:
        print(warning)
    month = options["month"] or started(comparison.runs)
    if MONTH.fullmatch(str(month)) is None:
        raise ConfigError(f"month={month!r} is no month of a year; give month=<yyyy-mm>")
    folder = root / f"{month}-{slug(options['slug'], key='slug')}"
    prose = {key: options[key] for key in ("question", "factor", "nuisance", "fixed", "verdict")}
    write_record(folder, comparison, prose=prose)
    write_index(root)
    print(f"Written: {folder}; index: {root / 'README.md'}")
    check_records(root)
    return folder


def write_record(folder: Path, comparison: Comparison, *, prose: Mapping[str, str | None]) -> None:
    """Write the three files; of an existing README only the table, and what ``prose`` gives."""
    first = comparison.runs[0]
    composed = first.folder / ".hydra" / "config.yaml"
    if not composed.is_file():
        raise RunFolderError(f"{first.folder} keeps no .hydra/config.yaml; repeat the run")
    check_links(first.folder)
    check_files(first.folder, first.record, ".hydra/config.yaml")
    config = composed.read_text(encoding="utf-8")
    # Where it was run is nobody's business.
    config = re.sub(r"(?m)^(  runs:) .*$", r"\1 runs", config)
    rule = ["", comparison.rule] if comparison.rule else []
    table = "\n".join([*markdown_lines(comparison), *rule])
    readme = folder / "README.md"
    if readme.is_file():
        text = with_table(readme.read_text(encoding="utf-8"), table, where=readme)
    else:
        missing = [key for key in ("question", "factor", "fixed", "verdict") if not prose[key]]
        if missing:
            raise ConfigError(
                f"a new record needs {', '.join(f'{key}=' for key in missing)} on the command line"
            )
        words = {key: value or "none" for key, value in prose.items()}
        text = TEMPLATE.format(
            **words, command=commands(comparison.runs), table=table, begin=BEGIN, end=END
        )
    files = {
        "results.csv": comparison.by_run.to_csv(index=False),
        "config.yaml": config,
        "README.md": text,
    }
    if folder.is_dir():  # the README last: until then `check_records` tells that it is older
        for name, content in files.items():
            _write(folder / name, content)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replaced(folder) as draft:
        draft.mkdir()
        for name, content in files.items():
            (draft / name).write_text(content, encoding="utf-8")


def _write(path: Path, text: str) -> None:
    with replaced(path) as draft:
        draft.write_text(text, encoding="utf-8")


def with_table(text: str, table: str, *, where: Path) -> str:
    """The text with what stands between the markers replaced."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ConfigError(
            f"{where} has no {BEGIN} ... {END} to put the table into; add the markers"
        )
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def commands(runs: Sequence[CompletedRun]) -> str:
    """One command for each set of overrides, seeds joined."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        kept = [
            text if PLAIN.fullmatch(text) else shlex.quote(" ".join(text.split()))
            for text in map(str, run.record.get("overrides", []))
            if text.partition("=")[0] not in ("seed", "paths.runs", "skip_finished", "take_over")
        ]
        seeds.setdefault((str(run.record.get("verb")), " ".join(kept)), []).append(run.seed)
    return "\n".join(
        f"python scripts/{verb}.py -m {overrides} seed={','.join(map(str, sorted(set(numbers))))}"
        for (verb, overrides), numbers in seeds.items()
    )


def started(runs: Sequence[CompletedRun]) -> str:
    """Year and month in which the last of the runs started, by their records."""
    times = [str((run.record.get("timings") or {}).get("started", "")) for run in runs]
    if not (last := max(times)):
        raise ConfigError("the records tell no start; give month=<yyyy-mm>")
    return last[:7]


def write_index(root: Path) -> None:
    """Write ``experiments/README.md``: question and verdict of each record."""
    _write(root / "README.md", index_text(root))


def index_text(root: Path) -> str:
    """What the index must say."""
    lines = ["| experiment | question | verdict |", "| --- | --- | --- |"]
    for folder in sorted(
        (path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")),
        reverse=True,
    ):
        text = _readme(folder)
        question = text.splitlines()[0].lstrip("# ")
        lines.append(
            f"| [{folder.name}]({folder.name}/README.md) | {question} | {verdict_of(text)} |"
        )
    return INDEX_HEAD + "\n".join(lines) + "\n"


def _readme(folder: Path) -> str:
    """Text of a record; RunFolderError where it is gone, empty or no text."""
    path = folder / "README.md"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as broken:
        raise RunFolderError(
            f"{path} cannot be read ({broken}); put it back from a copy, or remove the folder and"
            " record it anew"
        ) from broken
    if not text.strip():
        raise RunFolderError(
            f"{path} is empty; put it back from a copy, or remove the folder and record it anew"
        )
    return text


def verdict_of(text: str) -> str:
    """First sentence of the verdict, on one line."""
    match = re.search(r"\*\*Verdict[.:]?\*\*[.:]?\s*(.+?[.!])(?:\s|$)", text, flags=re.DOTALL)
    return " ".join(match[1].split()).replace("|", "/") if match else "none yet"


def check_records(root: Path) -> None:
    """ConfigError where a number of some record's README is not that of its results."""
    folders = sorted(path.parent for path in root.glob("*/results.csv"))
    wrong = [line for folder in folders for line in disagreements(folder)]
    if wrong:
        raise ConfigError(
            f"{'; '.join(wrong)}; renew what stands between the markers: record.py runs=<its runs>"
            " slug=<its slug>"
        )


def disagreements(folder: Path) -> list[str]:
    """Numbers of the README's marked table that its results do not give; empty if all agree."""
    text = _readme(folder)
    if BEGIN not in text:
        return []
    with readable(folder / "results.csv"):
        results = pd.read_csv(folder / "results.csv", dtype={"hash": str})
        results["hash"] = results["hash"].astype(str)
    lines = text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    lines = [line for line in lines if line.startswith("|")]  # below it: how a verdict is made
    heads = _cells(lines[0]) if lines else []
    rows = [_cells(line) for line in lines[2:]]
    if "hash" not in heads or any(len(cells) != len(heads) for cells in rows):
        return [f"{folder.name}: what stands between the markers of README.md is no table"]
    differences = []
    for cells in rows:
        row = dict(zip(heads, cells, strict=True))
        runs_of_row = results[results["hash"].str.startswith(row["hash"])]
        if runs_of_row.empty:
            differences.append(f"{folder.name}: no run of results.csv has the hash {row['hash']}")
            continue
        if int(row.get("num_runs", len(runs_of_row)) or 0) != len(runs_of_row):
            differences.append(
                f"{folder.name}: {row['hash']} has {len(runs_of_row)} runs, not {row['num_runs']}"
            )
        for name in heads:
            if name not in runs_of_row or runs_of_row[name].dtype.kind != "f" or not row[name]:
                continue
            value, printed = float(runs_of_row[name].mean()), row[name]
            digits = len(printed.partition(".")[2])
            if abs(value - float(printed)) > 0.51 * 10.0**-digits:
                differences.append(
                    f"{folder.name}: {name} of {row['hash']} is {value:.{digits}f} in results.csv"
                    f" and {printed} in README.md"
                )
    return differences


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
