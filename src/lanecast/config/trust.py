"""Whose classes a config may name: lanecast's own, and those of packages that a person trusts.

What a job trusts is a value in the scope of that job (`trusting`).  The command sets it from what
the person at it said; nothing that a config holds can widen it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from lanecast.errors import ConfigError

ALLOWED_TARGETS = ("lanecast.", "torch.optim.")

_trusted: ContextVar[tuple[str, ...]] = ContextVar("lanecast_trusted", default=())


def trusted() -> tuple[str, ...]:
    """The prefixes beyond `ALLOWED_TARGETS` that hold in this scope; hand them to a worker."""
    return _trusted.get()


@contextmanager
def trusting(prefixes: Iterable[str]) -> Iterator[None]:
    """Let ``_target_`` name classes under these prefixes (``mypackage.``) inside the block."""
    before = _trusted.set(normal_prefixes(prefixes))
    try:
        yield
    finally:
        _trusted.reset(before)


def normal_prefixes(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Sorted prefixes, each with its last dot: ``mypackage`` trusts no ``mypackage_of_others``."""
    return tuple(sorted({_normal(prefix) for prefix in prefixes}))


def may_name(target: object) -> bool:
    """Whether a config may name this class in this scope."""
    return isinstance(target, str) and f"{target}.".startswith((*ALLOWED_TARGETS, *trusted()))


def refusal(path: str, target: object) -> str:
    """Why ``path`` may not be built, and how to trust the package that it names."""
    names = ", ".join((*ALLOWED_TARGETS, *trusted()))
    text = f"{path}={target!r} may not be built from a config; allowed are names under {names}"
    if not isinstance(target, str) or not _is_prefix(target):
        return text
    package = f"{target.partition('.')[0]}."
    return (
        f"{text}; if you trust that package, say so yourself: trust=[{package}] on the command"
        f" line, LANECAST_TRUST={package} in the environment, or --config-dir with a folder whose"
        " trust.yaml names it"
    )


def _normal(prefix: object) -> str:
    text = str(prefix).strip()
    if not _is_prefix(text):
        raise ConfigError(
            f"trust={text!r} is no package; name one, or a module of it: trust=[mypackage.]"
        )
    return f"{text.removesuffix('.')}."


def _is_prefix(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\.?", text, re.ASCII) is not None
