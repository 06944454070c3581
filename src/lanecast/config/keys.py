"""A key or name that is not there: the message, with the nearest that are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def near(name: str, valid: Sequence[str]) -> str:
    """``did you mean a or b?``, or the valid names if there are few, or nothing."""
    close = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"valid names: {', '.join(sorted(valid))}" if 0 < len(valid) <= 20 else ""


def unknown_key(
    key: str, config: Mapping[str, Any], *, groups: Sequence[str], where: str = "the config"
) -> str:
    """Say that ``key`` is not in ``config``, with the nearest keys and groups."""
    paths = [path for path in key_paths(config) if path not in groups]
    parent, _, last = key.rpartition(".")
    siblings = [path.rpartition(".")[2] for path in paths if path.rpartition(".")[0] == parent]
    close = difflib.get_close_matches(last, siblings, n=3, cutoff=0.5)
    if parent and close:
        hint = f"did you mean {' or '.join(f'{parent}.{name}' for name in close)}?"
    elif parent and siblings:
        leaf = [path for path in paths if path.rpartition(".")[2] == last]
        hint = near(key, [*leaf, *groups]) if leaf else f"{parent} has: {', '.join(siblings)}"
    else:
        candidates = [*groups, *paths]
        # Short names drown among long dotted paths: roots and groups are looked at first.
        roots = [path for path in candidates if path.count(".") == key.count(".")]
        close = difflib.get_close_matches(key, roots, n=3, cutoff=0.5)
        hint = near(key, roots if close else candidates)
    return f"there is no key {key!r} in {where}; {hint or 'see --cfg job for all keys'}"


def key_paths(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every dotted key of a config, parents before children."""
    for key, value in config.items():
        path = f"{prefix}{key}"
        yield path
        if isinstance(value, Mapping):
            yield from key_paths(value, f"{path}.")
