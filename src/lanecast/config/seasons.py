"""The usual season of a frequency: what a season that is not set follows.

Frequencies are pandas aliases; they are read here without pandas, so that a config resolves at
once.
"""

from __future__ import annotations

import re
from typing import Any

SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "min": 60, "t": 60, "s": 1}
PART = re.compile(r"(\d*)(min|[wdhts])(?:-[a-z]{3})?", re.IGNORECASE)


def usual_season(freq: str) -> int:
    """A day of shorter steps, a week of days, a year of weeks; else no season (1 step)."""
    parts = PART.findall(freq)
    if PART.sub("", freq) or not parts:
        return 1
    length = sum(int(count or 1) * SECONDS[unit.lower()] for count, unit in parts)
    if 0 < length < SECONDS["d"]:
        return SECONDS["d"] // length
    return {SECONDS["d"]: 7, SECONDS["w"]: 52}.get(length, 1)


def season_of(season: int | None, freq: str) -> int:
    """A season in steps as it was set, or the usual one of the frequency."""
    return usual_season(freq) if season is None else season


def season_of_data(_root_: Any) -> int | None:
    """The resolver ``${usual_season:}``: the season of ``data.schema.freq``; None without data."""
    data = _root_.get("data")
    freq = None if data is None else (data.get("schema") or {}).get("freq")
    return None if freq is None else usual_season(str(freq))
