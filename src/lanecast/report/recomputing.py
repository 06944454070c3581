"""Scores made anew from the forecasts that a run kept: a record that says otherwise is left out.

Only the columns that the headline needs are read, one part of the table after the other.
Axes: ``N`` rows of a part, ``C`` cutoffs, ``Q`` quantile levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lanecast.errors import RunFolderError
from lanecast.evaluation.metrics import Terms, point_terms, quantile_terms, ratios
from lanecast.runs.reading import CompletedRun

FORECASTS, ACTUALS = "forecasts.parquet", "actuals.parquet"
HEADLINE = "wape"
POINT = ("wape", "bias", "mae", "mse", "rmse")
SPREAD = ("wql", "coverage_80", "coverage_90")  # read more columns: only where asked for
CLOSE = 1e-5  # relative: sums of single-precision cells in another order


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Runs that their forecasts do not refute; ``warnings`` name the others."""

    runs: tuple[CompletedRun, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def agreeing(runs: Sequence[CompletedRun], metrics: Sequence[str] = ()) -> Agreement:
    """Recompute the headline of every run, and the first of ``metrics`` where forecasts allow it.

    RunFolderError where no run is left.
    """
    kept, wrong, silent = [], [], 0
    for run in runs:
        if not run.scored or not run.folder.is_dir():
            kept.append(run)
        elif not all((run.folder / name).is_file() for name in (FORECASTS, ACTUALS)):
            kept.append(run)
            silent += 1
        elif differences := disagreements(run, metrics):
            wrong.append(
                f"Left out: {run.folder}: its record disagrees with its {FORECASTS}:"
                f" {'; '.join(differences)}; repeat the run."
            )
        else:
            kept.append(run)
    if wrong and not kept:
        raise RunFolderError("no run can be compared\n  " + "\n  ".join(wrong))
    unchecked = (
        f"{silent} of {len(runs)} runs keep no forecasts (keep.forecasts=true): their scores stand"
        " as recorded."
    )
    notes = (unchecked,) if silent else ()
    return Agreement(runs=tuple(kept), warnings=tuple(wrong), notes=notes)


def disagreements(run: CompletedRun, metrics: Sequence[str] = ()) -> list[str]:
    """What the record says otherwise than its forecasts: over all cells, and by cutoff."""
    names = [HEADLINE, *(name for name in metrics[:1] if name in (*POINT, *SPREAD))]
    recorded = run.record.get("scores") or {}
    names = [name for name in dict.fromkeys(names) if name in recorded]
    try:
        times, sums_C = sums_by_cutoff(run.folder, spread=bool(set(names) & set(SPREAD)))
    except (OSError, ValueError, KeyError, IndexError) as err:  # pyarrow's errors are ValueErrors
        return [f"it cannot be read ({err})"]
    overall = ratios({name: term.sum() for name, term in sums_C.items()})
    values = {name: float(overall[name]) for name in names if name in overall}
    differences = [
        f"{name} is {value:.6g} and not {recorded[name]!r}"
        for name, value in values.items()
        if not _same(recorded[name], value)
    ]
    measure = str((run.record.get("objective") or {}).get("name", ""))
    objective = (run.record.get("objective") or {}).get("value")
    name = measure.removeprefix("test/")
    if name != measure and name in values and not _same(objective, values[name]):
        differences.append(f"objective {measure} is {values[name]:.6g} and not {objective!r}")
    return differences + _by_cutoff(run.record.get("by_cutoff") or [], times, sums_C, names)


def _by_cutoff(
    rows: Sequence[Mapping[str, Any]], times: pd.DatetimeIndex, sums_C: Terms, names: Sequence[str]
) -> list[str]:
    """The same cutoff by cutoff, since differences are paired there."""
    recorded = {pd.Timestamp(str(row["cutoff"])): row for row in rows}
    if sorted(recorded) != list(times):
        return [f"it holds {len(times)} cutoffs, the record {len(recorded)}, or others"]
    columns: Terms = ratios(sums_C) | {"sum_abs_y": sums_C["abs_y"], "num_cells": sums_C["cells"]}
    return [
        f"{name} at {time:%F} is {columns[name][at]:.6g} and not {recorded[time][name]!r}"
        for name in (*names, "sum_abs_y", "num_cells")
        for at, time in enumerate(times)
        if name in columns and name in recorded[time]
        if not _same(recorded[time][name], float(columns[name][at]))
    ][:3]


def sums_by_cutoff(folder: Path, *, spread: bool) -> tuple[pd.DatetimeIndex, Terms]:
    """Cutoffs in order and what each adds to the sums of `RATIOS`, [C]."""
    import pyarrow.parquet as pq

    actual = _Actuals.read(folder / ACTUALS)
    file = pq.ParquetFile(folder / FORECASTS, read_dictionary=["unique_id"])
    schema: list[str] = file.schema_arrow.names
    model = schema[3]
    levels = [name for name in schema if name.startswith(f"{model}-q")] if spread else []
    sums: dict[int, dict[str, float]] = {}
    for number in range(file.num_row_groups):
        part = file.read_row_group(number, columns=["unique_id", "ds", "cutoff", model, *levels])
        y_N = actual.at(part)
        seen_N = np.isfinite(y_N)
        terms = point_terms(y_N, seen_N, part[model].to_numpy())
        if levels:
            grid_NQ = np.stack([part[name].to_numpy() for name in levels], axis=1)
            taus = [float(name.removeprefix(f"{model}-q")) for name in levels]
            terms |= quantile_terms(y_N, seen_N, grid_NQ, taus)
        cutoffs, which_N = np.unique(_times(part, "cutoff"), return_inverse=True)
        for name, term in terms.items():
            added = np.bincount(which_N, weights=term, minlength=len(cutoffs))
            for cutoff, value in zip(cutoffs.tolist(), added.tolist(), strict=True):
                of_cutoff = sums.setdefault(cutoff, {})
                of_cutoff[name] = of_cutoff.get(name, 0.0) + value
    order = sorted(sums)
    terms_C = {name: np.array([sums[at][name] for at in order]) for name in sums[order[0]]}
    return pd.to_datetime(order, unit="ns"), terms_C


@dataclass(frozen=True, slots=True)
class _Actuals:
    """What happened, sorted by series and time: ``code`` of a series is its place in ``names``."""

    names: pd.Index
    code_N: np.ndarray
    time_N: np.ndarray
    y_N: np.ndarray

    @classmethod
    def read(cls, path: Path) -> _Actuals:
        import pyarrow.parquet as pq

        columns = ["unique_id", "ds", "y"]
        table = pq.read_table(path, columns=columns, read_dictionary=["unique_id"])
        names = pd.Index(table["unique_id"].unique().to_pylist()).sort_values()
        code_N, time_N = _codes(table, names), _times(table, "ds")
        order = np.lexsort((time_N, code_N))
        y_N = table["y"].to_numpy()
        return cls(names, code_N[order], time_N[order], y_N[order])

    def at(self, part: Any) -> np.ndarray:
        """Actuals of the rows of a table; nan where there is none."""
        code_N, time_N = _codes(part, self.names), _times(part, "ds")
        times = np.unique(self.time_N)  # series and time as one number, in the order of the table
        key_N = self.code_N * len(times) + np.searchsorted(times, self.time_N)
        place_N = np.searchsorted(times, time_N).clip(max=len(times) - 1)
        row_N = np.searchsorted(key_N, code_N * len(times) + place_N).clip(max=len(key_N) - 1)
        same_N = (self.code_N[row_N] == code_N) & (self.time_N[row_N] == time_N)
        return np.where(same_N, self.y_N[row_N], math.nan)


def _codes(table: Any, names: pd.Index) -> np.ndarray:
    """Place in ``names`` of each row's series; -1 for one that is not there."""
    column = table["unique_id"].unify_dictionaries().combine_chunks()
    if hasattr(column, "chunks"):  # an empty table, or an older pyarrow
        column = column.chunk(0)
    place = names.get_indexer(column.dictionary.to_pylist())
    codes: np.ndarray = place[column.indices.to_numpy(zero_copy_only=False)]
    return codes


def _times(table: Any, name: str) -> np.ndarray:
    """Nanoseconds since 1970."""
    times = pd.DatetimeIndex(table[name].to_pandas())
    return np.asarray(times.as_unit("ns").asi8)


def _same(recorded: Any, value: float) -> bool:
    if recorded is None or not isinstance(recorded, (int, float)):
        return recorded is None and math.isnan(value)
    return math.isclose(recorded, value, rel_tol=CLOSE, abs_tol=1e-7)
