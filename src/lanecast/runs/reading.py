"""Run folders as the tables see them: found by pattern and read from record.json."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanecast.config import config_hash
from lanecast.config.foreign import check_facts, refuse_reaching
from lanecast.config.identity import named_as_today
from lanecast.errors import ConfigError, RunFolderError
from lanecast.runs.contents import FILES, damages, edited, is_parquet
from lanecast.runs.folder import RECORD, read_record
from lanecast.runs.semantics import semantics_of

SHOWN = ("forecasts.parquet", "actuals.parquet", "metrics.csv")  # files that comparing reads

# Models that a spreadsheet could be: the best of them is the yardstick of a table.
PLAIN_ROWS = frozenset(
    {
        "lanecast.models.classical.naive.SeasonalNaive",
        "lanecast.models.classical.plain.EventMedian",
        "lanecast.models.classical.plain.PhaseMedian",
        "lanecast.models.classical.plain.TrailingMean",
        "lanecast.models.classical.plain.TrailingMedian",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRun:
    """One completed run, as its record tells it."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The model as the command line chose it: ``nhits``."""
        return str(self.record["choices"]["model"])

    @property
    def is_plain(self) -> bool:
        """Whether its model is one of `PLAIN_ROWS`, under the name of today or its first."""
        model = named_as_today(self.record["config"].get("model"))
        return isinstance(model, Mapping) and model.get("_target_") in PLAIN_ROWS

    @property
    def config_hash(self) -> str:
        """Hash of the resolved config without the seed: equal for repetitions of one experiment.

        A backtest of a trained run (``run=``) names it with its seed, which is taken out here.
        """
        config = self.record["config"]
        if not (trained := config.get("evaluates")):
            return str(self.record["config_hash"])
        refuse_reaching(config, where=str(self.folder))
        return config_hash({**config, "evaluates": str(trained).partition("/seed")[0]})

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.record["seed"])

    @property
    def semantics(self) -> int:
        """Version of the rules it was made under."""
        return semantics_of(self.record)

    @property
    def scored(self) -> str | None:
        """Hash of the labels it was scored on; None for a run that has not been backtested."""
        return self.record.get("scored")

    @property
    def values(self) -> dict[str, float]:
        """Every number of the record that a table can show; a null is nan."""
        numbers = {**(self.record.get("counts") or {}), **(self.record.get("scores") or {})}
        if objective := self.record.get("objective"):
            numbers["objective"] = objective["value"]
        numbers["leakage"] = (self.record.get("futures") or {}).get("leakage_wape_points")
        timings = self.record.get("timings") or {}
        # `total` is what the verb measured, `seconds` the life of the whole run.
        numbers["seconds"] = timings.get("total", timings.get("seconds"))
        return {name: math.nan if value is None else value for name, value in numbers.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSet:
    """Runs that count, and the others with the reason why they do not."""

    runs: tuple[CompletedRun, ...]
    skipped: tuple[tuple[Path, str], ...]
    warnings: tuple[str, ...] = ()  # what whoever reads a table of them must know first


def read_runs(patterns: str | Sequence[str]) -> RunSet:
    """Every run below the folders that match; of a run repeated with its seed the newest counts."""
    runs: dict[tuple[str, int], CompletedRun] = {}
    skipped, warnings = [], []
    for path in sorted(set(_records(patterns)), key=lambda path: path.stat().st_mtime):
        try:
            run = CompletedRun(folder=path.parent, record=read_record(path.parent))
            check_facts(run.record, path.parent)
            key = _checked_key(run)
        except (ConfigError, RunFolderError) as err:
            skipped.append((path.parent, str(err)))
            warnings.append(f"Left out as damaged: {err}.")
            continue
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            reason = f"its {RECORD} is not one of ours ({err!r})"
            skipped.append((path.parent, reason))
            warnings.append(f"Left out as damaged: {path.parent}: {reason}.")
            continue
        if (status := run.record.get("status")) != "completed":
            skipped.append((run.folder, f"its status is {status}"))
            continue
        if damage := next(_damages(run), None):
            skipped.append((run.folder, damage))
            warnings.append(f"Left out as damaged: {damage}.")
            continue
        if line := edited(run.folder, run.record):
            warnings.append(f"{line}; repeat the run.")
        if key in runs:
            skipped.append((runs[key].folder, f"repeated later by {run.folder}"))
        runs[key] = run
    if not runs:
        reasons = "".join(f"\n  {folder}: {reason}" for folder, reason in skipped)
        raise RunFolderError(
            f"no completed run matches runs={patterns}; look at the runs that were left out, or"
            f" repeat them{reasons}"
        )
    return RunSet(runs=tuple(runs.values()), skipped=tuple(skipped), warnings=tuple(warnings))


def _checked_key(run: CompletedRun) -> tuple[str, int]:
    """Hash and seed of a run; an error where a field that tables read holds something else."""
    _ = run.model, run.semantics
    for name, value in run.values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} is {value!r}")
    rows = run.record.get("by_cutoff") or []
    if not all(isinstance(row, Mapping) and "cutoff" in row for row in rows):
        raise TypeError("by_cutoff holds no rows of cutoffs")
    return run.config_hash, run.seed


def _damages(run: CompletedRun) -> Iterator[str]:
    """What is wrong with the files that a table or a page is made of; they may be absent."""
    yield from damages(run.folder, run.record, *SHOWN, missing=False)
    if FILES in run.record:
        return
    for path in (run.folder / name for name in SHOWN if name.endswith(".parquet")):
        if path.is_file() and not is_parquet(path):
            yield f"{path} is no whole Parquet file"


def common_folder(patterns: str | Sequence[str]) -> Path:
    """The deepest folder that contains every match: what comes before the first wildcard."""
    fixed = []
    for pattern in _listed(patterns):
        parts = Path(pattern).parts
        plain = [part for part in parts if not glob.has_magic(part)]
        kept = len(plain) if len(plain) == len(parts) else _first_magic(parts)
        fixed.append(str(Path(*parts[:kept])))
    folder = Path(os.path.commonpath(fixed))
    return folder.parent if folder.name == RECORD else folder


def _first_magic(parts: Sequence[str]) -> int:
    return next(at for at, part in enumerate(parts) if glob.has_magic(part))


def _listed(patterns: str | Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _records(patterns: str | Sequence[str]) -> Iterator[Path]:
    for pattern in _listed(patterns):
        is_run, walked = False, set[Path]()
        for path in map(Path, glob.iglob(pattern, recursive=True)):
            if not walked.isdisjoint(path.parents):  # ** names a folder and all that is in it
                continue
            walked.add(path)
            inside = [path] if path.name == RECORD else path.rglob(RECORD)
            for record in inside:
                # A folder keeps earlier failures of the same run as `previous-<n>`.
                if not record.parent.name.startswith("previous-"):
                    is_run = True
                    yield record
        if not is_run:
            raise RunFolderError(f"runs={pattern} matches no {RECORD}; {_holds(pattern)}")


def _holds(pattern: str) -> str:
    """What there is instead: the folders in the deepest part of the pattern that exists."""
    base = common_folder(pattern)
    while not base.is_dir():
        base = base.parent
    near = sorted(path.name for path in base.iterdir() if path.is_dir() and path.name[0] != ".")
    return f"{base} holds {', '.join(near) or 'no folder'}; choose among them"
