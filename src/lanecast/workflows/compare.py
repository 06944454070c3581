"""The verb *compare*: one table of many runs, a page for reviewers, and a verdict for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.config.foreign import check_facts
from lanecast.errors import ConfigError
from lanecast.promote.gate import judge
from lanecast.report.table import Comparison, compare
from lanecast.runs.folder import read_record
from lanecast.runs.reading import CompletedRun, common_folder

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(cfg: DictConfig) -> Comparison:
    """Compare, write next to the runs, print, judge."""
    from omegaconf import OmegaConf

    from lanecast.report.rendering import show, write

    if OmegaConf.is_missing(cfg, "runs"):
        raise ConfigError("runs= is missing; give a folder or a pattern: runs='runs/demo/*'")
    options: Any = OmegaConf.to_container(cfg, resolve=True)
    reference = options["fail_if_worse_than"]
    baseline = options["baseline"] if reference is None else named(reference)
    comparison = compare(
        options["runs"],
        factors=options["factors"] or {},
        metrics=options["metrics"],
        baseline=baseline,
        confidence=options["confidence"],
        each_row=reference is not None,
    )
    out = Path(options["out"]) if options["out"] else common_folder(options["runs"])
    write(comparison, out)
    if options["page"]:
        from lanecast.report.pack import payload
        from lanecast.report.page import write_page
        from lanecast.report.plans import plan_pictures

        plans = plan_pictures(options["plans"]) if options.get("plans") else []
        write_page(payload(comparison, comparison.runs), out / "review.html", plans=plans)
    show(comparison, out, page=options["page"])
    if reference is not None:
        judge(comparison, out / "verdict.json", allow_no_claim=options["allow_no_claim"])
    return comparison


def named(reference: str) -> str:
    """A model's name or config hash as it is; of a run folder, its config hash."""
    folder = Path(str(reference))
    if not folder.is_dir():
        return str(reference)
    record = read_record(folder)
    check_facts(record, folder)
    return CompletedRun(folder=folder, record=record).config_hash
