"""Cells as tables: means over seeds with standard errors, the goals, and what to print."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lanecast.benchmarks.midmile_do.protocol import AXES, GOAL_AXES, ORACLE, Cell

COLUMNS = ("network", "coupling", "policy", "axis", "wape", "se", "bias", "badge")
KEYS = ["network", "coupling", "policy"]

Results = Mapping[Cell, Mapping[str, Any]]


def long_table(results: Results) -> pd.DataFrame:
    """One row per entrant, policy and axis: `COLUMNS`; empty wape where nothing identifies it."""
    rows = []
    for cell, scores in results.items():
        for axis, row in scores["rows"].items():
            rows.append({**_keys(cell), "axis": axis, "seed": cell.seed, **row})
    return _by_seed(pd.DataFrame(rows), [*KEYS, "axis"])[list(COLUMNS)]


def coverage_table(results: Results) -> pd.DataFrame:
    """Share of realized draws under do inside the entrant's 80 % interval."""
    rows = [
        {**_keys(cell), "axis": axis, "seed": cell.seed, "coverage": share}
        for cell, scores in results.items()
        for axis, share in scores["coverage"].items()
        if share is not None
    ]
    if not rows:
        return pd.DataFrame(columns=[*KEYS, "axis", "coverage", "se"])
    group = pd.DataFrame(rows).groupby([*KEYS, "axis"], sort=False)["coverage"]
    return group.agg(coverage="mean", se=_se).reset_index()


def moved_table(results: Results) -> pd.DataFrame:
    """How far a promotion on days 8-14 moves the forecast of days 1-7: the largest change in
    parcels over all windows and seeds, and the mean change as a share of the mean forecast.
    """
    rows = [
        {**_keys(cell), **scores["moved_before"]}
        for cell, scores in results.items()
        if _moved(scores)
    ]
    if not rows:
        return pd.DataFrame(columns=[*KEYS, "largest", "mean_share"])
    group = pd.DataFrame(rows).groupby(KEYS, sort=False)
    return group.agg(largest=("largest", "max"), mean_share=("mean_share", "mean")).reset_index()


def write(results: Results, folder: Path) -> dict[str, pd.DataFrame]:
    """table.csv, coverage.csv and moved.csv."""
    tables = {
        "table": long_table(results),
        "coverage": coverage_table(results),
        "moved": moved_table(results),
    }
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
    return tables


def goal_lines(table: pd.DataFrame, coverage: pd.DataFrame) -> list[str]:
    """Mean do-WAPE over off, on and delayed of each entrant beside `none`, `no_future`, floor."""
    lines = []
    for policy, part in _parts(table, "policy"):
        means = {
            pair: float(rows.loc[rows["axis"].isin(GOAL_AXES), "wape"].mean())
            for pair, rows in _entrants(part)
        }
        known = part[part["axis"] == "as_known"].set_index(["network", "coupling"])["wape"]
        floor = means.pop((ORACLE, ORACLE), math.nan)
        for (network, coupling), value in means.items():
            none = means.get((network, "none"), math.nan)
            blind = means.get((network, "no_future"), math.nan)
            covered = _of(coverage, policy, network, coupling)["coverage"].mean()
            lines.append(
                f"{policy:<11}{network + '/' + coupling:<20} do-WAPE {value:.4f}"
                f"  excess {value - floor:.4f}  / none {value / none:.2f}"
                f"  / no_future {value / blind:.2f}"
                f"  as known / best {known[(network, coupling)] / known.min():.3f}"
                f"  80 % covers {100 * covered:.1f} %"
            )
    return lines


def wide_lines(table: pd.DataFrame, moved: pd.DataFrame) -> list[str]:
    """The table as it is printed: WAPE by axis with standard errors, bias, badge."""
    lines = []
    for policy, part in _parts(table, "policy"):
        lines += ["", f"policy {policy}: WAPE (se) by axis, bias over do_off, do_on, do_delayed"]
        head = f"{'entrant':<20}" + "".join(f"{axis:>15}" for axis in AXES)
        lines.append(f"{head}{'bias':>8}{'moved 1-7':>11}  badge")
        for (network, coupling), rows in _entrants(part):
            by_axis = {str(row["axis"]): row for row in rows.to_dict("records")}
            cells = "".join(f"{_text(by_axis.get(axis)):>15}" for axis in AXES)
            bias = 100 * rows.loc[rows["axis"].isin(GOAL_AXES), "bias"].mean()
            early = _of(moved, policy, network, coupling)["mean_share"].tolist()
            share = f"{100 * early[0]:.2f} %" if early else ""
            badge = rows["badge"].iloc[0]
            name = f"{network}/{coupling}"
            lines.append(f"{name:<20}{cells}{bias:>7.1f}%{share:>11}  {badge}")
    return lines


def _parts(frame: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    """Rows by value of a column, in order of appearance."""
    return [(str(value), frame[frame[column] == value]) for value in frame[column].unique()]


def _entrants(frame: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Rows by network and coupling."""
    return [
        ((network, coupling), rows)
        for network, part in _parts(frame, "network")
        for coupling, rows in _parts(part, "coupling")
    ]


def _of(frame: pd.DataFrame, policy: str, network: str, coupling: str) -> pd.DataFrame:
    chosen = (frame["policy"] == policy) & (frame["network"] == network)
    return frame[chosen & (frame["coupling"] == coupling)]


def _by_seed(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    group = frame.groupby(list(keys), sort=False)
    return group.agg(
        wape=("wape", "mean"), se=("wape", _se), bias=("bias", "mean"), badge=("badge", "first")
    ).reset_index()


def _se(values: pd.Series) -> float:
    """Standard error of the mean over seeds; nan for one seed."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _text(row: Mapping[Any, Any] | None) -> str:
    if row is None:
        return "-"
    wape, se = float(row["wape"]), float(row["se"])
    if math.isnan(wape):
        return str(row["badge"])
    return f"{wape:.4f}" + ("" if math.isnan(se) else f" ({se:.4f})")


def _keys(cell: Cell) -> dict[str, str]:
    return {"network": cell.network, "coupling": cell.coupling, "policy": cell.policy}


def _moved(scores: Mapping[str, Any]) -> bool:
    return bool(scores["moved_before"])
