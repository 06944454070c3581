"""The number that a run is judged by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The one number a run is judged by, at the step where it was best."""

    name: str
    value: float
    step: int | None = None
