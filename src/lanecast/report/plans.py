"""Pictures of plans for the review page: one per plan run, inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lanecast.errors import ConfigError
from lanecast.runs.folder import read_record

MOST = 6  # pictures in a page; each is about 0.2 MB


def plan_pictures(patterns: str | Sequence[str]) -> list[dict[str, Any]]:
    """Plan runs that a pattern names, the newest last, with their picture and totals.

    ConfigError if none of them holds a picture.
    """
    listed = [patterns] if isinstance(patterns, str) else list(patterns)
    folders = sorted({path.parent for name in listed for path in Path().glob(f"{name}/plan.png")})
    folders += [Path(name) for name in listed if (Path(name) / "plan.png").is_file()]
    if not folders:
        raise ConfigError(
            f"plans={patterns}: no folder there holds a plan.png; the verb plan leaves one"
        )
    pictures = []
    for folder in list(dict.fromkeys(folders))[-MOST:]:
        record = read_record(folder)
        picture = base64.b64encode((folder / "plan.png").read_bytes()).decode()
        pictures.append(
            {
                "folder": str(folder),
                "scores": record.get("scores") or {},
                "source": str((record.get("plan") or {}).get("source")),
                "picture": f"data:image/png;base64,{picture}",
            }
        )
    return pictures


def with_words(plans: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each plan with what its picture shows, in words."""
    return [{**plan, "words": _words(plan["scores"])} for plan in plans]


def _words(scores: Mapping[str, float]) -> str:
    words = []
    if "cost_of_action_usd" in scores:
        words.append(f"the action costs {scores['cost_of_action_usd']:,.0f} USD")
        words.append(f"{scores['more_trailers']:+,.1f} trailers")
    elif "expected_usd" in scores:
        words.append(f"expected cost {scores['expected_usd']:,.0f} USD")
    if "plan_regret" in scores:
        words.append(f"{scores['plan_regret']:.2%} more than with perfect information")
    return ", ".join(words) or "a plan"
