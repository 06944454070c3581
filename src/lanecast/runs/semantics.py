"""Which rules a number was made under, where the same config came to mean another number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Raise it by one with a line below whenever an equal config hash gives other numbers on purpose.
# 1  until 2026-11: noise by position in a batch, statics scaled over all series of the panel,
#    ``absent: zero`` fills a lane up to the last row of the whole table.
# 2  2026-12: noise by (seed, series, cutoff, sample, step); panels, statics and absence as of the
#    cutoff; lanes open and close.
SEMANTICS = 2


def semantics_of(record: Mapping[str, Any]) -> int:
    """The version a record was made under; a record that does not say is of the first."""
    version = record.get("semantics", 1)
    return version if isinstance(version, int) else 1
