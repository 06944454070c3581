"""The house in one place: which room may import which, for the test, CONTRIBUTING and the docs.

A room is a folder or file directly under ``src/lanecast/``; ``data.ingest`` and ``models.testing``
are rooms of their own inside theirs.  Imports for types count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "lanecast"
INNER = ("data.ingest", "models.testing")  # rooms within rooms

GROUND = frozenset({"errors", "seeding", "interventions"})
_VALUES = GROUND | {"config", "sources", "twin", "data", "data.ingest", "causal", "models"}
_JUDGED = _VALUES | {"whatif", "evaluation", "planning", "pipeline", "runs", "report", "audits"}
_ALL = _JUDGED | {"deploy", "explore", "monitor", "promote"}

# Data flows one way: a room imports only what its row names.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "seeding": frozenset(),
    "interventions": frozenset({"errors"}),
    "config": frozenset({"errors"}),
    "sources": frozenset({"errors"}),
    "twin": GROUND | {"sources"},
    "data": frozenset({"errors"}),
    "data.ingest": frozenset({"errors", "config", "sources", "data"}),
    "runs": frozenset({"errors", "seeding", "config"}),
    "causal": GROUND | {"config", "data"},
    "models": frozenset({"errors", "seeding", "config", "data"}),
    "models.testing": frozenset({"errors", "seeding", "config", "data", "models"}),
    "evaluation": frozenset({"errors", "data"}),
    "planning": frozenset({"errors", "data"}),
    "whatif": GROUND | {"config", "data", "causal", "models", "evaluation"},
    "pipeline": GROUND
    | {"config", "data", "data.ingest", "causal", "models", "evaluation", "whatif", "runs"},
    "monitor": frozenset({"errors", "data", "data.ingest", "evaluation", "planning", "runs"}),
    "report": frozenset({"errors", "data", "causal", "evaluation", "planning", "whatif", "runs"}),
    "audits": GROUND | {"sources", "data", "data.ingest", "causal", "models", "whatif", "pipeline"},
    "explore": frozenset({"errors", "data", "evaluation", "report"}),
    "deploy": frozenset(
        {"errors", "config", "data", "data.ingest", "causal", "models", "whatif", "pipeline"}
    )
    | {"runs"},
    "promote": frozenset(
        {"errors", "evaluation", "planning", "report", "runs", "monitor", "deploy"}
    ),
    "workflows": _ALL,
    "benchmarks": _ALL | {"workflows"},
    "api": _ALL | {"workflows"},
    "agents": frozenset({"errors", "runs", "report", "workflows", "api"}),
    # workflows by name alone, when they are called; of __init__ the version
    "cli": frozenset({"errors", "config", "runs", "__init__"}),
    "__main__": frozenset({"cli"}),
    "testing": frozenset({"models.testing"}),
    # The public list: for types; each name is loaded when it is asked for.
    "__init__": frozenset({"errors", "data", "causal", "models", "pipeline", "api"}),
}


def name_of(path: Path) -> str:
    """``lanecast.data.panel`` of a file of the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("lanecast", *parts)).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room a module lives in."""
    inside = module.partition(".")[2]
    for room in INNER:
        if f"{inside}.".startswith(f"{room}."):
            return room
    return inside.partition(".")[0] or "__init__"


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every module a file imports, at any depth and for types too, with its line."""
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield node.lineno, submodule if submodule in MODULES else str(node.module)
