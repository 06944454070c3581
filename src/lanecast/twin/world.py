"""The key of a world: two worlds with the same key are the same to the last bit.

Days are 0-based; ``WARM`` days before day 0 fill the pipeline and are never shown.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from lanecast.errors import ConfigError

WARM = 14  # days simulated before day 0; also how far ahead a committed promo is decided
VERSION = 2  # part of the key: raise it when an equation changes


class PromoPolicy(StrEnum):
    """How promotions come about (equation 5)."""

    REACTIVE = "reactive"  # answers yesterday's order residual
    RANDOMIZED = "randomized"  # answers the calendar alone
    COMMITTED = "committed"  # answers the residual of 14 days ago; known from then on


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Size, seed and switches of a synthetic middle mile.

    ``confounded_price`` switches on both terms of equation 4 that tie the price to other nodes:
    the discount of a promotion and the answer to the latent level.  Without it the price is a
    treatment of its own.  ``tail`` is the share of small, zero-inflated lanes.
    """

    lanes: int
    days: int
    seed: int = 1
    policy: str = PromoPolicy.REACTIVE
    confounded_price: bool = False
    counts: bool = True
    storms: bool = True
    capacity_censoring: bool = True
    breaks: bool = True
    tail: float = 0.1
    start: str = "2023-01-01"

    def __post_init__(self) -> None:
        """Refuse a world that cannot be."""
        if self.lanes < 1 or self.days < 1:
            raise ConfigError(
                f"midmile: lanes={self.lanes} and days={self.days} must be at least 1"
            )
        if self.policy not in tuple(PromoPolicy):
            raise ConfigError(
                f"midmile: policy={self.policy!r} is not one of {', '.join(PromoPolicy)}"
            )
        object.__setattr__(self, "policy", PromoPolicy(self.policy).value)
        if not 0 <= self.tail <= 1:
            raise ConfigError(f"midmile: tail={self.tail} is a share of the lanes, from 0 to 1")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"midmile: seed={self.seed} must lie in 0..2**63-1")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> World:
        """A world of a named size; ``changes`` are other fields."""
        if name not in PRESETS:
            raise ConfigError(f"midmile: preset={name!r} is not one of {', '.join(PRESETS)}")
        try:
            return replace(PRESETS[name], **changes)
        except TypeError as err:
            raise ConfigError(f"midmile: preset {name}: {err}") from err

    @property
    def key(self) -> dict[str, Any]:
        """Everything that decides the numbers, as plain values."""
        return {"generator": "midmile", "version": VERSION, **asdict(self)}

    @property
    def hash(self) -> str:
        """Eight hex digits of the key."""
        text = json.dumps(self.key, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


PRESETS: dict[str, World] = {
    "tiny": World(lanes=40, days=200),
    "small": World(lanes=200, days=500),
    "city": World(lanes=2_000, days=730),
    "national": World(lanes=50_000, days=730),
    "internet": World(lanes=1_000_000, days=730),
}
