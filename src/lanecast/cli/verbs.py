"""The words of the command: what each does, its root config, and the function that does it.

To add a verb: a row here, ``conf/<root>.yaml``, and a script of one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Verb:
    """``conf/<root>.yaml`` configures ``run``: a function of the config, or ``module:function``."""

    root: str
    run: str | Callable[..., Any]
    line: str


HEADINGS: Mapping[str, Mapping[str, Verb]] = {
    "Forecast": {
        "train": Verb("train", "lanecast.workflows.train:run", "fit one model; a run folder"),
        "backtest": Verb(
            "backtest", "lanecast.workflows.backtest:run", "forecast past days again, and score"
        ),
        "forecast": Verb(
            "forecast", "lanecast.workflows.forecast:run", "forecast on from the last row"
        ),
        "compare": Verb(
            "compare", "lanecast.workflows.compare:run", "many runs as one table and one page"
        ),
        "export": Verb(
            "export", "lanecast.workflows.export:run", "a trained network as a program to serve"
        ),
    },
    "Ask what if": {
        "scenario": Verb(
            "scenario", "lanecast.workflows.scenario:run", "what would an action change?"
        ),
        "explain": Verb(
            "explain", "lanecast.workflows.explain:run", "why did a forecast move, or miss?"
        ),
        "audit": Verb("audit", "lanecast.workflows.audit:run", "what may a run be asked?"),
        "falsify": Verb(
            "falsify", "lanecast.workflows.falsify:run", "hold a causal graph against the data"
        ),
    },
    "Plan": {
        "plan": Verb("plan", "lanecast.workflows.plan:run", "trailers and heads for a forecast"),
        "replan": Verb("replan", "lanecast.workflows.replan:run", "how often to plan again?"),
    },
    "Data": {
        "check": Verb(
            "check", "lanecast.workflows.check:run", "all faults of a table and config at once"
        ),
        "prepare": Verb(
            "prepare", "lanecast.workflows.prepare:run", "tables larger than memory, as a store"
        ),
        "generate": Verb(
            "generate", "lanecast.workflows.generate:run", "a synthetic network to try things on"
        ),
        "probe": Verb(
            "probe", "lanecast.workflows.probe:run", "does a forecast see what was not known?"
        ),
    },
    "House": {
        "models": Verb("models", "lanecast.workflows.models:run", "every model, and what it reads"),
        "runs": Verb("runs", "lanecast.workflows.runs:run", "list run folders, delete some"),
        "record": Verb(
            "record", "lanecast.workflows.record:run", "write down an experiment from its runs"
        ),
        "midmile-do": Verb(
            "midmile_do", "lanecast.benchmarks.midmile_do.run:run", "the what-if benchmark"
        ),
    },
}
VERBS: Mapping[str, Verb] = {
    name: verb for rows in HEADINGS.values() for name, verb in rows.items()
}
