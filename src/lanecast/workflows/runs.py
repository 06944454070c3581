"""The verb *runs*: list run folders with what they hold and weigh, and delete those one names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError, RunFolderError
from lanecast.runs.contents import edited
from lanecast.runs.folder import short
from lanecast.runs.shelf import UNREADABLE, Entry, delete, entries

if TYPE_CHECKING:
    from omegaconf import DictConfig

STATUSES = ("completed", "failed", "interrupted", "running", UNREADABLE)
MATCHED = ("status", "verb", "name", "seed", "folder")  # keys that hold patterns
CHOSEN = ("model", "data")  # groups of conf/, whose choice is meant
HEADS = ("folder", "verb", "model", "data", "status", "objective", "seed", "started", "MB")
ORDERS: Mapping[str, Callable[[Entry], Any]] = {
    "started": lambda entry: entry.started,
    "size": lambda entry: -entry.bytes,
    "folder": lambda entry: entry.folder,
    "objective": lambda entry: (_objective(entry) is None, (_objective(entry) or ("", 0.0))[1]),
}
Filter = Callable[[Entry], bool]
AGE = re.compile(r"P?(?:(\d+)W)?(?:(\d+)D)?(?:T?(?:(\d+)H)?(?:(\d+)M)?)?", re.IGNORECASE)


def run(cfg: DictConfig) -> int:
    """Print the runs that match, and delete them where asked; the result is their number."""
    root, filters, order = Path(str(cfg.root)), _filters(cfg), _order(cfg)
    listed = [entry for entry in entries(root) if all(keeps(entry) for keeps in filters)]
    listed.sort(key=order)
    if not listed:
        print(f"no run below {root}{' matches' if filters else ''}")
        return 0
    if cfg.delete and not filters and not cfg.all:
        raise ConfigError(
            f"delete=true names no run: it would delete all {_told(listed)} below {root}; add a"
            " filter (status=failed, name=my-sweep, older_than=P30D), or all=true"
        )
    print("\n".join(table(listed)))
    if cfg.delete:
        _delete(listed, root)
    return len(listed)


def table(listed: Sequence[Entry]) -> list[str]:
    """One line a run below a head, and how much they are together."""
    rows = [HEADS, *(_row(entry) for entry in listed)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if head in ("seed", "MB") else cell.ljust(width)
            for head, cell, width in zip(HEADS, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    doubtful = [line for entry in listed if (line := edited(entry.folder, entry.record))]
    return [*lines, *doubtful, _told(listed)]


def _row(entry: Entry) -> tuple[str, ...]:
    objective = _objective(entry)
    return (
        short(entry.folder.absolute()),
        *(entry.fact(name) for name in ("verb", "model", "data")),
        entry.status,
        "" if objective is None else f"{objective[0]} {objective[1]:.5g}",
        entry.fact("seed"),
        entry.started.astimezone().strftime("%Y-%m-%d %H:%M"),
        _megabytes(entry.bytes),
    )


def _objective(entry: Entry) -> tuple[str, float] | None:
    objective = entry.record.get("objective") or {}
    value = objective.get("value")
    return None if value is None else (str(objective.get("name")), float(value))


def _told(listed: Sequence[Entry]) -> str:
    runs = "1 run" if len(listed) == 1 else f"{len(listed)} runs"
    return f"{runs}, {_megabytes(sum(entry.bytes for entry in listed))} MB"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"


def _delete(listed: Sequence[Entry], root: Path) -> None:
    """Delete each, say so, and fail at the end where one had to stay."""
    gone, kept = [], []
    for entry in listed:
        try:
            delete(entry, root=root)
        except RunFolderError as refused:
            kept.append(str(refused))
            continue
        gone.append(entry)
        print(f"deleted {short(entry.folder.absolute())}")
    print(f"deleted {_told(gone)}, which is free now")
    if kept:
        raise RunFolderError(f"{len(kept)} of {len(listed)} stay: {'; '.join(kept)}")


def _filters(cfg: DictConfig) -> list[Filter]:
    """What a run must be to be listed, all of it."""
    from lanecast.config import invocation

    choices = invocation().choices
    filters = [_matching(name, _patterns(cfg[name])) for name in MATCHED if cfg[name] is not None]
    filters += [_matching(name, [choices[name]]) for name in CHOSEN if name in choices]
    unknown = set(_patterns(cfg.status or [])) - set(STATUSES)
    if unknown:
        raise ConfigError(f"status={sorted(unknown)[0]} is none of {', '.join(STATUSES)}")
    now = datetime.now(UTC)
    if cfg.older_than is not None:
        latest = now - _age(cfg.older_than, "older_than")
        filters.append(lambda entry: entry.started < latest)
    if cfg.newer_than is not None:
        earliest = now - _age(cfg.newer_than, "newer_than")
        filters.append(lambda entry: entry.started >= earliest)
    return filters


def _matching(name: str, patterns: Sequence[str]) -> Filter:
    def matches(entry: Entry) -> bool:
        values = {"status": entry.status, "folder": str(entry.folder)}
        value = values[name] if name in values else entry.fact(name)
        return any(fnmatchcase(value, pattern) for pattern in patterns)

    return matches


def _patterns(wanted: Any) -> list[str]:
    several = isinstance(wanted, Sequence) and not isinstance(wanted, str)
    return [str(pattern) for pattern in (wanted if several else [wanted])]


def _age(text: object, key: str) -> timedelta:
    match = AGE.fullmatch(str(text))
    if match is None or not any(match.groups()):
        raise ConfigError(
            f"{key}={text} is not an ISO duration of weeks, days, hours and minutes; write"
            f" {key}=P30D or {key}=PT12H"
        )
    weeks, days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)


def _order(cfg: DictConfig) -> Callable[[Entry], Any]:
    if cfg.sort not in ORDERS:
        raise ConfigError(f"sort={cfg.sort} is none of {', '.join(ORDERS)}")
    return ORDERS[str(cfg.sort)]
