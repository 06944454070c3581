"""The verb *falsify*: hold the declared graph against the data, of a run or before there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError
from lanecast.pipeline.building import plain_config

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.causal.falsification.tests import Falsification

SHOWN = 20  # contradictions that are printed


def run(cfg: DictConfig) -> None:
    """Test ``cfg.dag`` on ``cfg.data``, print what is contradicted; with ``run=``, record it."""
    from lanecast.causal.falsification.tests import falsify
    from lanecast.causal.graph.graph import Graph
    from lanecast.causal.scm.fitting import FitBudget
    from lanecast.data.cutoffs import cutoff_step
    from lanecast.data.ingest.loading import load_panel
    from lanecast.data.schema import Schema

    if not cfg.get("dag"):
        raise ConfigError("falsify tests a causal graph: choose dag=<name>, or run=<folder>")
    graph = Graph.from_config(plain_config(cfg.dag))
    schema = Schema.from_config(plain_config(cfg.data.schema))
    graph.check(schema, context=int(cfg.windows.context), attributes=schema.static)
    panel = load_panel(cfg.data)
    until = panel.last_step
    if cfg.cutoff is not None:
        until = cutoff_step(panel, cfg.cutoff, key="cutoff")
    result = falsify(
        graph,
        panel,
        until=until,
        share=float(cfg.share),
        alpha=float(cfg.alpha),
        floor=float(cfg.floor),
        budget=FitBudget(**plain_config(cfg.coupling.mechanisms)),
        seed=int(cfg.seed),
    )
    print("\n".join(lines(result)))
    if cfg.get("run") is not None:
        _keep(result, Path(str(cfg.run)))


def lines(result: Falsification) -> list[str]:
    """The verdict, the strongest contradictions, and what could not be tested."""
    rows = [result.verdict]
    rows += [f"  {row}" for row in result.contradicted[:SHOWN]]
    reasons = {name: n for name, n in result.counts.items() if name.startswith("untested: ")}
    rows += [f"  {count} {reason}" for reason, count in reasons.items()]
    if result.contradicted:
        rows.append(
            "An edge named here is missing, or something hidden moves both ends; which of the two"
            " is for those who know the network to say."
        )
    return rows


def _keep(result: Falsification, folder: Path) -> None:
    """falsification.csv in the run folder, the verdict in its record."""
    import pandas as pd

    from lanecast.runs.folder import read_record, write_record

    facts = result.to_record()
    rows: list[dict[str, Any]] = facts.pop("rows")
    pd.DataFrame(rows).to_csv(folder / "falsification.csv", index=False, float_format="%.6g")
    record = read_record(folder)
    record["falsification"] = {key: value for key, value in facts.items() if key != "untested"}
    write_record(folder, record)
