"""Pictures of plans for the review page: one per plan run, inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lanecast.errors import ConfigError
from lanecast.runs.folder import read_record

MOST = 6  # pictures in a page; each is about 0.2 MB


def plan_pictures(patterns: str | Sequence[str]) -> list[dict[str, Any]]:
    """Plan runs that a pattern names, the newest last, with their picture and totals.

    ConfigError if none of them holds a picture.
    """
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    folders = sorted(
        {path.parent for pattern in wanted for path in Path().glob(f"{pattern}/plan.png")}
    )
    folders += [Path(pattern) for pattern in wanted if (Path(pattern) / "plan.png").is_file()]
    if not folders:
        raise ConfigError(
            f"plans={patterns}: no folder there holds a plan.png; plan.py leaves one in its run"
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


def plan_section(plans: Sequence[Mapping[str, Any]]) -> str:
    """The pictures with what they show, in words."""
    parts = []
    for plan in plans:
        scores, words = plan["scores"], []
        if "cost_of_action_usd" in scores:
            words.append(f"the action costs {scores['cost_of_action_usd']:,.0f} USD")
            words.append(f"{scores['more_trailers']:+,.1f} trailers")
        elif "expected_usd" in scores:
            words.append(f"expected cost {scores['expected_usd']:,.0f} USD")
        if "plan_regret" in scores:
            words.append(f"{scores['plan_regret']:.2%} more than with perfect information")
        effect = ", ".join(words) or "a plan"
        alt = f"Capacity against volumes by lane and site, and the expected cost: {effect}"
        parts.append(
            f'<figure><img src="{plan["picture"]}" alt="{escape(alt)}" style="max-width:100%">'
            f"<figcaption>{escape(plan['folder'])}: {escape(effect)}; paths of"
            f" {escape(plan['source'])}</figcaption></figure>"
        )
    return "".join(parts)
