"""The verb *benchmark*: one table of what we cost beside the floor and beside neuralforecast."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, LanecastError
from lanecast.verbs import plain_config

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from lanecast.checks.bench.cases import Case
    from lanecast.checks.bench.rounds import Figure
    from lanecast.checks.bench.steps import Setting

KEY = ["case", "covariates", "network", "windows", "precision", "figure"]
FIGURES = ("train_step", "backtest", "prepare", "startup", "sweep")
Row = dict[str, Any]


def run(cfg: DictConfig) -> float:
    """Measure what ``cfg`` lists; the result is the number of rows.

    Rows are written one by one into ``table.csv`` and ``table.md`` of ``cfg.out``, in the place of
    older ones of the same case, so that Ctrl-C loses nothing and runs add up to one table.
    """
    if unknown := set(cfg.figures) - set(FIGURES):
        raise ConfigError(f"figures={sorted(unknown)} are unknown; choose from {list(FIGURES)}")
    setting_of(cfg, cfg.networks[0]).hardware.set_threads()
    out = Path(str(cfg.out))
    out.mkdir(parents=True, exist_ok=True)
    facts = machine_facts()
    print(facts)
    rows: list[Row] = []
    for row in _rows(cfg):
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
    """Rows whose ratio to the floor exceeds the committed one by more than the margin."""
    told = []
    for row in rows:
        name = " ".join(str(row[key]) for key in KEY if key != "precision")
        if name not in committed:
            raise ConfigError(f"there is no committed figure of {name!r}; add it to guard.ratios")
        ratio = float(row["ratio_to_floor"])
        if not ratio <= committed[name] * (1 + margin):
            told.append(f"{name}: {ratio:.3f} times the floor, committed {committed[name]}")
    return told


def _rows(cfg: DictConfig) -> Iterator[Row]:
    from lanecast.checks.bench.cases import Case

    wanted = list(cfg.figures)
    if "startup" in wanted:
        yield from _startup_rows(int(cfg.slow_rounds))
    if "train_step" in wanted:
        for network in cfg.networks:
            for text in plain_config(cfg.cases)[network]:
                yield from _step_rows(cfg, Case.of(text), network)
    if "backtest" in wanted:
        for network in cfg.networks:
            for entry in plain_config(cfg.backtests).get(network, []):
                yield from _backtest_rows(cfg, Case.of(entry["case"]), network, entry["windows"])
    if "prepare" in wanted:
        from lanecast.checks.bench.preparing import prepare_rows

        yield from prepare_rows([Case.of(text) for text in cfg.prepared], int(cfg.slow_rounds))
    if "sweep" in wanted:
        from lanecast.checks.bench.sweeping import sweep_rows

        yield from sweep_rows()


def setting_of(cfg: DictConfig, network: str) -> Setting:
    """What is timed for one network of ``cfg.networks``: its own model config, all else shared."""
    from lanecast.checks.bench.steps import Setting
    from lanecast.config import composed_roots, conf_folder, instantiate, resolved_config

    asked = [f"model={network}", "paths.output=.", "optim=adamw_fused"]
    (whole,) = composed_roots(conf_folder(), "backtest", [asked])
    plain = resolved_config(whole)
    own = plain_config(cfg.get("settings", {})).get(network, {})
    optim = instantiate(plain["optim"])
    declared = plain["model"]["network"]
    return Setting(
        network=instantiate(declared),
        loss=instantiate(plain["loss"]),
        scaler=instantiate(plain["scaler"]),
        windows=instantiate(plain["windows"]),
        optim=replace(optim, batch_size=int(own.get("batch_size", cfg.batch_size))),
        hardware=replace(instantiate(plain["trainer"]), progress=False, threads=int(cfg.threads)),
        steps=int(own.get("steps", cfg.steps)),
        warmup=int(own.get("warmup", cfg.warmup)),
        name=str(declared["name"]),
        options=declared["options"],
    )


def _step_rows(cfg: DictConfig, case: Case, network: str) -> Iterator[Row]:
    from lanecast.checks.bench import steps
    from lanecast.checks.bench.incumbent import Incumbent
    from lanecast.checks.bench.rounds import figure, interleaved

    setting, panel = setting_of(cfg, network), case.panel()
    theirs = Incumbent(panel, setting).step()
    floor, ours = steps.floor_of(panel, setting), steps.ours_of(panel, setting)
    rounds = int(cfg.rounds if setting.name == "NHITS" else cfg.slow_rounds)
    found = figure(interleaved(floor=floor, ours=ours, neuralforecast=theirs, rounds=rounds))
    windows = setting.optim.batch_size
    yield _row(case, network, windows, "train_step", found)
    if has_bf16():
        mixed = replace(setting, hardware=replace(setting.hardware, precision="bf16-mixed"))
        ours = steps.ours_of(panel, mixed)
        found = figure(interleaved(floor=floor, ours=ours, neuralforecast=None, rounds=rounds))
        yield _row(case, network, windows, "train_step", found, precision="bf16-mixed")


def _backtest_rows(
    cfg: DictConfig, case: Case, network: str, windows: Sequence[int]
) -> Iterator[Row]:
    from lanecast.checks.bench.backtests import Backtest
    from lanecast.checks.bench.incumbent import Incumbent
    from lanecast.checks.bench.rounds import figure, interleaved

    setting, panel = setting_of(cfg, network), case.panel()
    incumbent = Incumbent(panel, setting)
    for number in windows:
        asked = Backtest.of(panel, setting, windows=number, stride=1)
        theirs = incumbent.backtest(windows=number, stride=1)
        clocks = {"floor": asked.floor(), "ours": asked.ours, "neuralforecast": theirs}
        for clock in clocks.values():
            clock()  # once before it counts
        found = figure(interleaved(**clocks, rounds=int(cfg.slow_rounds)))
        yield _row(case, network, number, "backtest", found)


def _startup_rows(rounds: int) -> Iterator[Row]:
    from lanecast.checks.bench import startup
    from lanecast.checks.bench.rounds import figure, interleaved

    for command in startup.COMMANDS:
        found = figure(
            interleaved(
                floor=startup.floor(),
                ours=startup.ours(command),
                neuralforecast=startup.neuralforecast(),
                rounds=rounds,
            )
        )
        yield {
            "case": command, "covariates": "", "network": "", "windows": "", "precision": "",
            "figure": "startup", **asdict(found),
        }  # fmt: skip


def _row(
    case: Case, network: str, windows: int, name: str, found: Figure, precision: str = "fp32"
) -> Row:
    return {
        "case": case.size,
        "covariates": "4+4+2" if case.covariates else "none",
        "network": network,
        "windows": windows,
        "precision": precision,
        "figure": name,
        **asdict(found),
    }


def merged(path: Path, rows: Sequence[Row]) -> pd.DataFrame:
    """The table with these rows in the place of older ones of the same key."""
    import pandas as pd

    new = pd.DataFrame(rows).astype(dict.fromkeys(KEY, str))
    if not path.is_file():
        return new
    old = pd.read_csv(path, dtype=dict.fromkeys(KEY, str), keep_default_na=False, na_values=["nan"])
    both = pd.concat([old, new], ignore_index=True)
    return both.drop_duplicates(KEY, keep="last").reset_index(drop=True)


def markdown(table: pd.DataFrame, rows: Sequence[Row] = ()) -> str:
    """The table as Markdown; without ``rows`` with its head."""
    names = list(table.columns)
    shown = rows or table.to_dict("records")
    lines = [] if rows else ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in shown:
        cells = (f"{row[name]:.4g}" if isinstance(row[name], float) else str(row[name])
                 for name in names)  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def has_bf16() -> bool:
    """Whether this processor computes in bf16; elsewhere torch emulates it, slower than fp32."""
    path = Path("/proc/cpuinfo")
    flags = path.read_text() if path.is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def machine_facts() -> str:
    """The processor, its cores, threads and versions, in one line."""
    from importlib.metadata import version

    import torch

    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "?")
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "neuralforecast", "numpy"))
    return (
        f"{name} ({platform.machine()}), {os.cpu_count()} cores, {torch.get_num_threads()} threads,"
        f" bf16 {'yes' if has_bf16() else 'no (its rows are left out)'}; {packages}"
    )
