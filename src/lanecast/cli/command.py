"""The command ``lanecast``, and the scripts that are one verb of it each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lanecast
from lanecast.cli.verbs import HEADINGS, VERBS, Verb

if TYPE_CHECKING:
    from lanecast.cli.folders import ConfFolders
    from lanecast.cli.help import Door

HELP = ("--help", "-h")
USAGE = """\
lanecast: deep-learning forecasts for middle-mile networks.

  lanecast <verb> [group=option] [key=value] ...
  lanecast <verb> --help
"""
EPILOG = """\
YAML of your own is looked for in ./conf, or in the folder that --config-dir names, before
lanecast's: ./conf/data/my_lanes.yaml is data=my_lanes."""


def main(verb: str | None = None, run: str | Callable[..., Any] | None = None) -> None:
    """Run the verb that stands first on the command line, or that a script gives.

    ``run`` is for a script whose verb is no word of the command: ``module:function``, or the
    function.  The command has ./conf for one's own YAML; a script the ``conf`` beside its folder.
    """
    words = sys.argv[1:]
    if verb is None:
        sys.exit(_command(words))
    from lanecast.cli.folders import ConfFolders

    script = Path(sys.argv[0]).resolve()
    folders = ConfFolders(main=script.parents[1] / "conf")
    row = VERBS[verb.replace("_", "-")] if run is None else Verb(verb, run, "")
    sys.exit(_start(row, words, folders=folders, door=_door(script)))


def overview() -> str:
    """Every verb under its heading, with what it does."""
    width = max(map(len, VERBS)) + 2
    lines = [USAGE]
    for heading, rows in HEADINGS.items():
        lines += [heading, *(f"  {name:<{width}}{row.line}" for name, row in rows.items()), ""]
    return "\n".join([*lines, EPILOG])


def _command(words: Sequence[str]) -> int:
    if not words or words[0] in (*HELP, "help"):
        _show(overview())
        return 0
    if words[0] == "--version":
        print(f"lanecast {lanecast.__version__}")
        return 0
    verb = VERBS.get(words[0].replace("_", "-"))
    if verb is None:
        print(f"error: {_unknown(words[0])}", file=sys.stderr)
        return 2
    from lanecast.cli.folders import ConfFolders

    return _start(verb, words[1:], folders=ConfFolders.of_command(), door=_of_command)


def _start(verb: Verb, words: Sequence[str], *, folders: ConfFolders, door: Door) -> int:
    from lanecast.cli.folders import without_named
    from lanecast.errors import ConfigError

    try:
        argv, folders = without_named(words, folders)
    except ConfigError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    if set(HELP) & set(argv):
        from lanecast.cli.help import help_text

        _show(help_text(folders, verb.root, door=door))
        return 0
    from lanecast.cli.entry import launch

    compare = door("compare")
    return launch(verb.run, argv, root=verb.root, folders=folders, compare=compare)


def _show(text: str) -> None:
    """Print for a reader who may stop reading: ``lanecast train --help | head``."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_command(verb: str) -> str:
    return f"lanecast {verb}"


def _door(script: Path) -> Door:
    """``python scripts/{verb}.py``, or ``python -m benchmarks.speed``."""

    def of_script(verb: str) -> str:
        if script.stem == "__main__":
            return f"python -m {script.parents[1].name}.{script.parent.name}"
        return f"python {script.parent.name}/{verb.replace('-', '_')}.py"

    return of_script


def _unknown(word: str) -> str:
    from lanecast.config.keys import near

    if "=" in word or word.startswith("-"):
        return f"{word!r} is no verb; the first word says what to do: lanecast train {word}"
    hint = near(word, list(VERBS)) or "lanecast --help lists them all"
    return f"there is no verb {word!r}; {hint}"
