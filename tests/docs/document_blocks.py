"""Fenced code of the documents, and the jobs that a command line in it asks for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = re.compile(r"<!-- not run: .+ -->")
USER_FILE = re.compile(r"(?:# @package \S+\n)?# (conf/\S+\.yaml)\n")


@dataclass(frozen=True)
class Block:
    """One fence: ``runs`` is false where a comment ``<!-- not run: reason -->`` precedes it."""

    document: Path
    line: int
    language: str
    text: str
    runs: bool

    @property
    def place(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def user_file(self) -> str | None:
        """The file of a reader's own that a YAML block shows, named in its first comment."""
        named = USER_FILE.match(self.text)
        return named[1] if named and self.language == "yaml" else None


def blocks_of(document: Path) -> list[Block]:
    tokens = [None, *MarkdownIt().parse(document.read_text())]
    return [
        Block(
            document=document,
            line=token.map[0] + 1,
            language=token.info.split(" ")[0],
            text=token.content,
            runs=not (before and before.type == "html_block" and NOT_RUN.search(before.content)),
        )
        for before, token in pairwise(tokens)
        if token and token.type == "fence"
    ]


def all_blocks(language: str) -> list[Block]:
    return [b for document in DOCUMENTS for b in blocks_of(document) if b.language == language]


def command_lines(text: str) -> Iterator[list[str]]:
    """Words of each command, with ``NAME="..."`` put in and ``<placeholders>`` filled."""
    variables: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"\$(\w+)", lambda name: variables[name[1]], line)
        if assigned := re.fullmatch(r"(\w+)=\"(.*)\"", line):
            variables[assigned[1]] = assigned[2]
        elif words := shlex.split(re.sub(r"<[^<>]+>", "placeholder", line), comments=True):
            yield words


def jobs(arguments: Sequence[str]) -> list[list[str]]:
    """Overrides of a sweep's jobs: as few as have each value of each key at least once."""
    overrides = OverridesParser.create().parse_overrides(list(arguments))
    values = [_values(override) for override in overrides]
    count = max((len(texts) for texts in values), default=1)
    return [[texts[job % len(texts)] for texts in values] for job in range(count)]


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    key, sweep = override.get_key_element(), override.value()
    if isinstance(sweep, IntervalSweep):
        return [f"{key}={sweep.start}"]
    return [f"{key}={text}" for text in override.sweep_string_iterator()]
