"""The verb *mutation*: how many defects the checks catch, and how often they cry wolf."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.config import composed_roots, packaged_conf
from lanecast.errors import ConfigError
from lanecast.pipeline.building import plain_config

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from benchmarks.mutation.running import Mutant, MutationCase


def run(cfg: DictConfig) -> float:
    """Score the mutants and the clean runs, write score.json; the result is the score."""
    import pandas as pd

    from benchmarks.mutation.running import mutants_of

    started, conf, out = time.perf_counter(), packaged_conf(), Path(str(cfg.out))
    sets = plain_config(cfg.sets)
    open_case = opener(conf, sets)
    blind = {_key(mutant): str(group["reason"]) for group in plain_list(cfg.blind)
             for mutant in mutants_of([group])}  # fmt: skip
    every = mutants_of(plain_list(cfg.mutants))
    if not every:
        raise ConfigError("mutation needs at least one mutant; see benchmarks/conf/mutation.yaml")
    cases = {
        data: open_case(data, int(cfg.seed), None) for data in {mutant.data for mutant in every}
    }
    rows = [_row(mutant, cases[mutant.data], blind.get(_key(mutant))) for mutant in every]
    alarms = list(_clean(cfg, open_case))
    counted = [row for row in rows if row["blind"] is None]
    score = sum(bool(row["caught_by"]) for row in counted) / max(1, len(counted))
    wrong = sum(bool(row["alarms"]) for row in alarms)
    summary = {
        "score": score,
        "false_alarm_rate": wrong / len(alarms) if alarms else None,
        "mutants": len(rows),
        "blind_by_design": len(rows) - len(counted),
        "clean_runs": len(alarms),
        "false_alarms": wrong,
        "seed": int(cfg.seed),
        "seconds": round(time.perf_counter() - started, 1),
        "rows": rows,
        "clean": alarms,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "score.json").write_text(json.dumps(summary, indent=1) + "\n")
    table = pd.DataFrame(counted).assign(caught=[bool(row["caught_by"]) for row in counted])
    by = table.groupby(["defect", "data"])["caught"].agg(["sum", "size"])
    print(by.to_string())
    for row in counted:
        if not row["caught_by"]:
            print("missed:", " ".join(str(row[name]) for name in _shown()))
    for row in alarms:
        if row["alarms"]:
            print("false alarm:", row["data"], row["run"], "; ".join(row["alarms"]))
    print(f"score {score:.3f} of {len(counted)} mutants, {wrong} false alarms in {len(alarms)}")
    print(f"{out / 'score.json'}: {summary['seconds']} s")
    return score


def opener(conf: Path, sets: Mapping[str, Any]) -> Callable[[str, int, str | None], MutationCase]:
    """``open_case(data, seed, until)``; each table is read once."""
    from functools import lru_cache

    from benchmarks.mutation.running import case_of
    from lanecast.data.ingest.loading import read_tables
    from lanecast.monitor.statistics import Shape
    from lanecast.sources import SourceTable

    @lru_cache(maxsize=4)
    def table_of(data: str, seed: int) -> tuple[dict[str, Any], SourceTable]:
        overrides = [f"data={data}", "paths.output=.", *sets[data].get("overrides", [])]
        if sets[data].get("seeded"):
            overrides.append(f"data.source.seed={seed}")
        (cfg,) = composed_roots(conf, "backtest", [overrides])
        config = {**plain_config(cfg.data), "keep": None}
        return config, read_tables(config)[0]

    def open_case(data: str, seed: int, until: str | None) -> MutationCase:
        config, table = table_of(data, seed if sets[data].get("seeded") else 0)
        shape = Shape(**(sets[data].get("shape") or {}))
        return case_of(config, table, until=until or sets[data]["until"], shape=shape)

    return open_case


def plain_list(node: Any) -> list[Mapping[str, Any]]:
    """A list of groups as plain mappings."""
    return [plain_config(group) for group in node]


def _clean(
    cfg: DictConfig, open_case: Callable[[str, int, str | None], MutationCase]
) -> Iterator[dict[str, Any]]:
    """Half of the clean runs are other worlds, half other splits of the flights."""
    import pandas as pd

    first, last = (pd.Timestamp(day) for day in cfg.clean_flights)
    half = int(cfg.clean) // 2
    for number in range(int(cfg.clean) - half):
        seed = int(cfg.seed) * 1000 + number
        findings = open_case("midmile", seed, None).clean()
        yield {
            "data": "midmile",
            "run": f"seed {seed}",
            "alarms": [str(finding) for finding in findings],
        }
    for number in range(half):
        until = first + ((last - first) * number / max(1, half - 1)).floor("D")
        findings = open_case("flights", 0, str(until)).clean()
        yield {
            "data": "flights",
            "run": f"until {until:%F}",
            "alarms": [str(finding) for finding in findings],
        }


def _row(mutant: Mutant, case: MutationCase, blind: str | None) -> dict[str, Any]:
    return {**asdict(mutant), "caught_by": case.caught(mutant), "blind": blind}


def _key(mutant: Mutant) -> tuple[Any, ...]:
    return tuple(asdict(mutant).values())


def _shown() -> tuple[str, ...]:
    return ("defect", "data", "column", "severity", "place")
