"""The folders of YAML that a command looks through: one's own first, then lanecast's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lanecast.config.composing import packaged_conf
from lanecast.errors import ConfigError

NAMING = ("--config-dir", "-cd")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfFolders:
    """``main`` is searched before lanecast's own; ``named`` if a person named it on the command.

    One that was found ``by_itself``, such as ./conf, may say what is computed, and never whom to
    trust or what Hydra itself runs.  That of a script lies beside code that a person started.
    """

    main: Path
    named: bool = False
    by_itself: bool = False

    @classmethod
    def of_command(cls) -> ConfFolders:
        """./conf of the working folder, where there is one."""
        beside = Path.cwd() / "conf"
        is_there = beside.is_dir()
        return cls(main=beside if is_there else packaged_conf(), by_itself=is_there)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All folders, in the order of the search."""
        return tuple(dict.fromkeys((self.main, packaged_conf())))

    @property
    def is_own(self) -> bool:
        """Whether ``main`` is another folder than the one that comes with lanecast."""
        return len(self.paths) > 1

    def file(self, name: str) -> Path | None:
        """The first file of that name: ``train.yaml``, ``model/nhits.yaml``."""
        return next((path / name for path in self.paths if (path / name).is_file()), None)

    def root(self, name: str) -> Path:
        """The file that configures a verb."""
        file = self.file(f"{name}.yaml")
        if file is None:
            raise ConfigError(f"there is no {name}.yaml in {' or '.join(map(shown, self.paths))}")
        return file

    def has_group(self, group: str) -> bool:
        """Whether any folder holds that group: ``model``, ``hydra/launcher``."""
        return any((path / group).is_dir() for path in self.paths)

    def groups(self) -> list[str]:
        """Every group of every folder."""
        return sorted(
            {
                folder.relative_to(path).as_posix()
                for path in self.paths
                for folder in path.rglob("*")
                if folder.is_dir()
            }
        )

    def options(self, group: str) -> list[str]:
        """The choices of a group, without the parts of choices that start with ``_``."""
        files = (file for path in self.paths for file in (path / group).glob("*.yaml"))
        return sorted({file.stem for file in files if file.stem[0] != "_"})

    def missing(self, group: str, choice: str, hint: str) -> str:
        """Which folders lack a choice, what is near, and where one of one's own would go."""
        name = f"{group}/{choice}.yaml"
        looked = f"{shown(self.main)} or in lanecast's own" if self.is_own else "lanecast's own"
        home = shown(self.main) if self.is_own else "./conf"
        return (
            f"there is no {name} in {looked}; {f'{hint} ' if hint else ''}"
            f"yours would be {home}/{name}, or <folder>/{name} with --config-dir <folder>"
        )


def without_named(argv: Sequence[str], default: ConfFolders) -> tuple[list[str], ConfFolders]:
    """The arguments without ``--config-dir``, and the folders it asks for."""
    kept: list[str] = []
    folders, rest = default, list(argv)
    while rest:
        text = rest.pop(0)
        option, equals, value = text.partition("=")
        if option not in NAMING:
            kept.append(text)
            continue
        if not equals and not rest:
            raise ConfigError(f"{option} names no folder; write {option} my_conf")
        folder = Path(value if equals else rest.pop(0)).expanduser()
        if not folder.is_dir():
            raise ConfigError(f"{option} {folder}: there is no such folder")
        folders = ConfFolders(main=folder.absolute(), named=True)
    return kept, folders


def shown(path: Path) -> str:
    """A path as short as it can be said: relative to the working folder where it lies in it."""
    try:
        return f"./{path.relative_to(Path.cwd())}"
    except ValueError:
        return os.fspath(path)
