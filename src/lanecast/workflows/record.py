"""Experiments: a question, the runs that answer it, and a check that the three files agree.

``experiments/<yyyy-mm>-<slug>/`` holds ``README.md`` (question, one scientific factor, what was
fixed, command, table, verdict), ``results.csv`` (one row per run) and ``config.yaml`` (of the first
run, as composed).  The table stands between two markers and is written from the results, so that a
record can be renewed without touching what a person wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lanecast.errors import ConfigError, RunFolderError
from lanecast.report.rendering import markdown_lines
from lanecast.report.table import Comparison, compare
from lanecast.runs.reading import CompletedRun

if TYPE_CHECKING:
    from omegaconf import DictConfig

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
    month = options["month"] or started(comparison.runs)
    folder = root / f"{month}-{options['slug']}"
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
    folder.mkdir(parents=True, exist_ok=True)
    comparison.by_run.to_csv(folder / "results.csv", index=False)
    text = composed.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(  runs:) .*$", r"\1 runs", text)  # where it was run is nobody's business
    (folder / "config.yaml").write_text(text, encoding="utf-8")
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
    readme.write_text(text, encoding="utf-8")


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
            text
            for text in run.record.get("overrides", [])
            if text.partition("=")[0] not in ("seed", "paths.runs", "skip_finished")
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
    (root / "README.md").write_text(index_text(root), encoding="utf-8")


def index_text(root: Path) -> str:
    """What the index must say."""
    lines = ["| experiment | question | verdict |", "| --- | --- | --- |"]
    for folder in sorted(
        (folder_of_record for folder_of_record in root.iterdir() if folder_of_record.is_dir()),
        reverse=True,
    ):
        text = (folder / "README.md").read_text(encoding="utf-8")
        question = text.splitlines()[0].lstrip("# ")
        lines.append(
            f"| [{folder.name}]({folder.name}/README.md) | {question} | {verdict_of(text)} |"
        )
    return INDEX_HEAD + "\n".join(lines) + "\n"


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
    text = (folder / "README.md").read_text(encoding="utf-8")
    if BEGIN not in text:
        return []
    results = pd.read_csv(folder / "results.csv", dtype={"hash": str})
    lines = text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    lines = [line for line in lines if line.startswith("|")]  # below it: how a verdict is made
    heads = _cells(lines[0])
    differences = []
    for line in lines[2:]:
        row = dict(zip(heads, _cells(line), strict=True))
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
