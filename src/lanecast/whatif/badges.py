"""What a model may be asked: associational < horizon-causal < do-valid under DAG <hash>."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lanecast.errors import ScenarioError
from lanecast.whatif.coupled import ASSOCIATIONAL, HORIZON_CAUSAL

__all__ = ["ASSOCIATIONAL", "HORIZON_CAUSAL", "is_do_valid", "lesser", "refuse_lesser"]


def rank(badge: str) -> int:
    """0 associational, 1 horizon-causal, 2 valid under do."""
    return 2 if badge.startswith("do-valid") else int(badge == HORIZON_CAUSAL)


def is_do_valid(badge: str) -> bool:
    """Whether the model may say what an action does."""
    return rank(badge) == 2


def lesser(promised: str, audit: Mapping[str, Any] | None) -> str:
    """The lesser of what the construction promises and what an audit measured."""
    measured = promised if audit is None else str(audit["badge"])
    return min(promised, measured, key=rank)


def refuse_lesser(badge: str, mode: str, *, subject: str, audited: bool) -> None:
    """ScenarioError for a badge below do-valid; ``subject`` names the model that has it."""
    if is_do_valid(badge):
        return
    raise ScenarioError(
        f"{subject} is {badge} by {'its audit' if audited else 'construction'} (coupling={mode}):"
        " asked about an action, it mixes what the action does with what led to it; train with"
        " coupling=delta, or set allow_associational=true, which the output then carries"
    )
