"""What a reviewer needs of many runs, as plain data: the leaderboard and what stands behind it."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lanecast.report.table import Comparison
from lanecast.runs.contents import readable
from lanecast.runs.reading import CompletedRun

LANES = 8  # busiest series that can be looked at
CUTOFFS = 2  # latest cutoffs of each
CONTEXT = 28  # actual steps shown before a cutoff
MAX_POINTS = 200  # of a learning curve
BANDS = ((0.05, 0.95), (0.1, 0.9))
AXES = {
    "accuracy as known": ("wape", "bias", "mase"),
    "calibration": ("wql", "coverage_80", "coverage_90"),
    "plan cost": ("plan_regret",),
}
Plain = dict[str, Any]


def payload(comparison: Comparison, runs: Sequence[CompletedRun]) -> Plain:
    """Everything `lanecast.report.page` shows, ready for JSON; nan is null."""
    by_hash: dict[str, list[CompletedRun]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        by_hash.setdefault(run.config_hash, []).append(run)
    rows = [_row(row, by_hash[row["hash"]]) for row in comparison.table.to_dict("records")]
    kept = [by_hash[row["hash"]][0] for row in rows]
    return _plain(
        {
            "shown": list(comparison.shown),
            "notes": [*comparison.warnings, *comparison.notes],
            "rule": comparison.rule,
            "rows": rows,
            "runs": [
                _run(run) for hash_ in (row["hash"] for row in rows) for run in by_hash[hash_]
            ],
            "fans": fans(kept),
            "configs": {run.config_hash: flat(run.record["config"]) for run in kept},
        }
    )


def flat(config: Any, prefix: str = "") -> dict[str, str]:
    """A config by dotted path; a list is one value."""
    if isinstance(config, Mapping) and config:
        values: dict[str, str] = {}
        for key, value in config.items():
            values |= flat(value, f"{prefix}.{key}" if prefix else str(key))
        return values
    return {prefix: str(config)}


def _row(row: Mapping[Any, Any], members: Sequence[CompletedRun]) -> Plain:
    record = members[0].record
    return {
        **{str(key): value for key, value in row.items()},
        "badge": (record.get("audit") or {}).get("badge"),
        "do_validity": (record.get("model") or {}).get("do_validity"),
        "run_ids": [run_id(run) for run in members],
        "slices": _slices(members),
        "cutoffs": _cutoffs(members),
        "reliability": record.get("reliability") or [],
    }


def _run(run: CompletedRun) -> Plain:
    record = run.record
    git, mirror = record.get("git") or {}, record.get("wandb") or {}
    return {
        "id": run_id(run),
        "folder": str(run.folder),
        "model": run.model,
        "seed": run.seed,
        "hash": run.config_hash,
        "wape": run.values.get("wape"),
        "data": (record.get("data") or {}).get("fingerprint"),
        "dag": ((record.get("model") or {}).get("causal") or {}).get("dag_hash"),
        "git": f"{str(git.get('sha') or 'unknown')[:8]}{' (changed)' if git.get('dirty') else ''}",
        "wandb": mirror.get("id"),
        "warnings": list(record.get("warnings") or []),
        "probe": (record.get("probe") or {}).get("verdict"),
        "curves": curves(run.folder / "metrics.csv"),
    }


def run_id(run: CompletedRun) -> str:
    """Name of a run in the page: ``<config hash>-seed<k>``."""
    return f"{run.config_hash}-seed{run.seed}"


def _slices(members: Sequence[CompletedRun]) -> dict[str, dict[str, float | None]]:
    """Metric by slice, mean over seeds: ``{"h01-07": {"wape": ...}}``."""
    means: dict[str, dict[str, float | None]] = {}
    for name in members[0].values:
        metric, slash, part = name.partition("/")
        if slash and metric in ("wape", "bias", "wql", "coverage_80", "coverage_90"):
            means.setdefault(part, {})[metric] = _mean([run.values.get(name) for run in members])
    return means


def _cutoffs(members: Sequence[CompletedRun]) -> list[Plain]:
    tables = [run.record.get("by_cutoff") or [] for run in members]
    return [
        {
            "cutoff": str(rows[0]["cutoff"])[:16],
            **{name: _mean([row.get(name) for row in rows]) for name in ("wape", "bias", "wql")},
        }
        for rows in zip(*tables, strict=True)
    ]


def curves(path: Path) -> dict[str, list[list[float]]]:
    """Metrics logged more than once, by step; long ones are thinned."""
    if not path.is_file():
        return {}
    points: dict[str, list[list[float]]] = {}
    with readable(path), path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            points.setdefault(row["name"], []).append([int(row["step"]), float(row["value"])])
    thinned = {name: rows[:: -(-len(rows) // MAX_POINTS)] for name, rows in points.items()}
    return {name: rows for name, rows in thinned.items() if len(rows) > 1}


def fans(runs: Sequence[CompletedRun]) -> Plain:
    """Forecasts with their bands of the busiest series at the latest cutoffs, by config hash."""
    read = {run.config_hash: _forecasts(run) for run in runs}
    frames = {name: frame for name, frame in read.items() if frame is not None}
    if not frames:
        return {}
    first = next(iter(frames.values()))
    volume = first.groupby("unique_id")["point"].mean().sort_values(ascending=False)
    lanes = [str(name) for name in volume.index[:LANES]]
    cutoffs = sorted(first["cutoff"].unique())[-CUTOFFS:]
    fan: Plain = {
        "lanes": lanes,
        "cutoffs": [str(cutoff)[:16] for cutoff in cutoffs],
        "paths": {},
    }
    fan["actual"] = _actual(runs, lanes)
    for name, frame in frames.items():
        chosen = frame[frame["unique_id"].isin(lanes) & frame["cutoff"].isin(cutoffs)]
        for (lane, cutoff), rows in chosen.groupby(["unique_id", "cutoff"]):
            key = f"{name}|{lane}|{str(cutoff)[:16]}"
            fan["paths"][key] = {
                column: [_short(value) for value in rows[column]]
                for column in rows.columns
                if column not in ("unique_id", "ds", "cutoff")
            } | {"ds": [str(time)[:16] for time in rows["ds"]]}
    return fan


def _forecasts(run: CompletedRun) -> pd.DataFrame | None:
    path = run.folder / "forecasts.parquet"
    if not path.is_file():
        return None
    with readable(path):
        frame = pd.read_parquet(path)
    model = str(frame.columns[3])
    wanted = {model: "point"}
    for band in BANDS:
        wanted |= {f"{model}-q{level:g}": f"q{level:g}" for level in band}
    present = [name for name in wanted if name in frame]
    return frame[["unique_id", "ds", "cutoff", *present]].rename(columns=wanted)


def _actual(runs: Sequence[CompletedRun], lanes: Sequence[str]) -> Plain:
    for run in runs:
        path = run.folder / "actuals.parquet"
        if path.is_file():
            with readable(path):
                frame = pd.read_parquet(path)
            frame = frame[frame["unique_id"].isin(lanes)].sort_values("ds")
            return {
                str(lane): [
                    [str(time)[:16], _short(y)]
                    for time, y in zip(rows["ds"], rows["y"], strict=True)
                ]
                for lane, rows in frame.groupby("unique_id")
            }
    return {}


def _short(value: float) -> float | None:
    return None if value is None or math.isnan(value) else float(f"{value:.5g}")


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None and not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else None


def _plain(value: Any) -> Any:
    from lanecast.runs.folder import plain

    return plain(value)
