"""What midmile-do asks, of whom, and on which worlds.  Frozen: a change is a new version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lanecast.interventions import Intervention
from lanecast.twin.catalogue import FLOW, PRICE, PROMO
from lanecast.twin.world import VERSION as WORLD

VERSION = 1
FACTUAL = ("factual", "as_known")
DO: dict[str, tuple[Intervention, ...]] = {
    "do_off": PROMO["promo_off"],
    "do_on": PROMO["promo_on"],
    "do_random": PROMO["promo_random_30"],
    "do_delayed": PROMO["promo_8_14"],  # none in the first week, all of the second
    "do_price": PRICE["price_up_10"],
    "do_capacity": FLOW["capacity_down_30"],  # moves no orders: a negative control
}
AXES = (*FACTUAL, *DO)
GOAL_AXES = ("do_off", "do_on", "do_delayed")
COVERED = GOAL_AXES  # where intervals are held against realized draws
INTERVAL = (0.1, 0.9)
NOT_IDENTIFIED = "not_identified"
ORACLE = "oracle"  # knows every equation; its error is the floor


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One entrant on one world; the seed is the world's and the network's."""

    policy: str
    seed: int
    network: str
    coupling: str

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.policy}-seed{self.seed}-{self.network}-{self.coupling}"

    @property
    def entrant(self) -> str:
        """Of its row."""
        return f"{self.network}/{self.coupling}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPlan:
    """How a run of the benchmark is sized; everything that can change a number is here.

    ``overrides`` are of every cell's config, ``samples`` the futures of an entrant that leaves
    choices open: by ``network/coupling``, by network, or ``default``.
    """

    preset: str
    confounded_price: bool
    branches: int
    paths: int
    path_cutoffs: tuple[int, ...]
    overrides: tuple[str, ...]
    samples: Mapping[str, int]

    def samples_of(self, cell: Cell) -> int:
        """Futures drawn for one entrant."""
        for key in (cell.entrant, cell.coupling, cell.network, "default"):
            if key in self.samples:
                return int(self.samples[key])
        raise KeyError("default")

    def overrides_of(self, cell: Cell) -> list[str]:
        """The Hydra overrides that make an entrant's config."""
        committed = cell.policy == "committed"
        confounded = ["+dag.bidirected=[[orders,price]]"] if self.confounded_price else []
        return [
            "experiment=midmile_do",
            f"data={'midmile_committed' if committed else 'midmile'}",
            f"dag={'midmile_committed' if committed else 'midmile'}",
            f"model={cell.network}",
            f"coupling={cell.coupling}",
            f"coupling.policy_samples={self.samples_of(cell)}",
            f"data.source.preset={self.preset}",
            f"data.source.policy={cell.policy}",
            f"data.source.seed={cell.seed}",
            f"data.source.confounded_price={str(self.confounded_price).lower()}",
            *confounded,
            f"seed={cell.seed}",
            "trainer.threads=1",
            "trainer.progress=false",
            "paths.output=.",
            *self.overrides,
        ]

    def facts(self) -> dict[str, Any]:
        """What a finished cell must have been made with, beside its config."""
        return {
            "version": VERSION,
            "world_version": WORLD,
            "branches": self.branches,
            "paths": self.paths,
            "path_cutoffs": list(self.path_cutoffs),
        }
