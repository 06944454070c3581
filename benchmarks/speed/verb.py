"""The verb *benchmark*: one table of what we cost beside the floor and beside neuralforecast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.table import KEY, Row, machine_facts, markdown, merged
from lanecast.errors import ConfigError, LanecastError
from lanecast.pipeline.building import plain_config

if TYPE_CHECKING:
    from omegaconf import DictConfig

FIGURES = ("train_step", "backtest", "prepare", "startup", "sweep", "seeds", "roofline")


def run(cfg: DictConfig) -> float:
    """Measure what ``cfg`` lists; the result is the number of rows.

    Rows are written one by one into ``table.csv`` and ``table.md`` of ``cfg.out``, in the place of
    older ones of the same case, so that Ctrl-C loses nothing and runs add up to one table.
    """
    from benchmarks.speed.rows import rows as measured
    from benchmarks.speed.rows import setting_of

    if unknown := set(cfg.figures) - set(FIGURES):
        raise ConfigError(f"figures={sorted(unknown)} are unknown; choose from {list(FIGURES)}")
    hardware = setting_of(cfg, cfg.networks[0]).hardware
    hardware.set_threads()
    out = Path(str(cfg.out))
    out.mkdir(parents=True, exist_ok=True)
    facts = machine_facts(hardware.device())
    print(facts)
    rows: list[Row] = []
    for row in measured(cfg):
        rows.append(row)
        table = merged(out / "table.csv", rows)
        table.to_csv(out / "table.csv", index=False)
        (out / "table.md").write_text(f"{facts}\n\n{markdown(table)}\n")
        print(markdown(table.tail(0), [row]), flush=True)
    print(f"{out / 'table.csv'}, {out / 'table.md'}")
    if cfg.guard.check:
        if slower := grown(rows, plain_config(cfg.guard.ratios), margin=float(cfg.guard.margin)):
            raise LanecastError("slower than the committed figures:\n" + "\n".join(slower))
        print(f"within {cfg.guard.margin:.0%} of the committed figures")
    return float(len(rows))


def grown(rows: Sequence[Row], committed: dict[str, Any], *, margin: float) -> list[str]:
    """Rows at fp32 whose ratio to the floor exceeds the committed one by more than the margin."""
    lines = []
    for row in rows:
        if row["precision"] != "fp32":
            continue
        name = " ".join(str(row[key]) for key in KEY if key != "precision")
        if name not in committed:
            raise ConfigError(f"there is no committed figure of {name!r}; add it to guard.ratios")
        ratio = float(row["ratio_to_floor"])
        if not ratio <= committed[name] * (1 + margin):
            lines.append(f"{name}: {ratio:.3f} times the floor, committed {committed[name]}")
    return lines
