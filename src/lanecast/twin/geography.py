"""Sites and lanes: who ships to whom (gravity), how much (Dirichlet shares), traits of lanes.

Axes: ``N`` lanes in the order of their names, ``F`` fulfillment centers, ``D`` delivery stations,
``E`` regions.  Prices are in currency per parcel, volumes in parcels per day.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lanecast.twin.noise import Shock, Stream
from lanecast.twin.world import World

MEAN_VOLUME = 400.0  # parcels a day on a mean lane
CONCENTRATION = 3.0  # of the Dirichlet shares; larger means more even


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTraits:
    """Traits of some lanes of a network; ``log_base`` holds volume times share (equation 8)."""

    first: int
    origin_N: np.ndarray
    dest_N: np.ndarray
    region_N: np.ndarray
    kind_N: np.ndarray
    log_base_N: np.ndarray
    season_N: np.ndarray  # loading on the yearly wave
    event_N: np.ndarray  # loading on peaks
    promo_N: np.ndarray  # beta of equation 6
    price_N: np.ndarray  # p0
    elasticity_N: np.ndarray  # eps of equation 6
    shape_N: np.ndarray  # of the Gamma factor: variance m + m^2 / shape
    zeros_N: np.ndarray  # probability of a day without orders

    def __len__(self) -> int:
        """Number of lanes."""
        return len(self.origin_N)

    def part(self, first: int, last: int) -> LaneTraits:
        """Lanes ``first .. last - 1``."""
        cut = {name: getattr(self, name)[first:last] for name in self.__slots__ if name != "first"}
        return LaneTraits(first=self.first + first, **cut)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinNetwork:
    """All lanes, the names of sites, and the region of each site."""

    lanes: LaneTraits
    origins_F: np.ndarray
    dests_D: np.ndarray
    region_D: np.ndarray
    regions_E: np.ndarray

    def names(self, lanes: LaneTraits | None = None) -> np.ndarray:
        """Names ``origin>dest`` of the lanes, sorted as text."""
        chosen = self.lanes if lanes is None else lanes
        origin_N, dest_N = self.origins_F[chosen.origin_N], self.dests_D[chosen.dest_N]
        return np.array([f"{a}>{b}" for a, b in zip(origin_N, dest_N, strict=True)], dtype=object)


@lru_cache(maxsize=4)
def network_of(world: World) -> TwinNetwork:
    """The network of a world; its size, seed and tail alone decide it."""
    rng = Stream(world.seed).at(Shock.STATIC)
    num_F, num_D, num_E = _sizes(world.lanes)
    place_F2, place_D2 = rng.random((num_F, 2)), rng.random((num_D, 2))
    mass_F, mass_D = rng.normal(0, 0.6, num_F), rng.normal(0, 0.4, num_D)
    apart_FD = np.hypot(
        place_F2[:, None, 0] - place_D2[None, :, 0], place_F2[:, None, 1] - place_D2[None, :, 1]
    )
    gravity_P = (mass_F[:, None] + mass_D[None, :] - 1.5 * apart_FD).ravel()
    nearest_P = np.argpartition(-gravity_P, world.lanes - 1)[: world.lanes]
    pair_N = np.sort(nearest_P)
    origin_N, dest_N = np.divmod(pair_N, num_D)
    region_D = np.minimum((place_D2[:, 0] * num_E).astype(np.int32), num_E - 1)
    lanes = _traits(world, rng, origin_N, dest_N, gravity_P[pair_N], region_D)
    return TwinNetwork(
        lanes=lanes,
        origins_F=_numbered("F", num_F),
        dests_D=_numbered("D", num_D),
        region_D=region_D,
        regions_E=_numbered("R", num_E),
    )


def _sizes(lanes: int) -> tuple[int, int, int]:
    """Fulfillment centers, delivery stations, regions; about twice as many pairs as lanes."""
    num_F = max(1, round(0.45 * lanes**0.5))
    num_D = max(1, -(-2 * lanes // num_F))
    return num_F, num_D, min(16, max(2, round(lanes**0.3)))


def _traits(
    world: World,
    rng: np.random.Generator,
    origin_N: np.ndarray,
    dest_N: np.ndarray,
    gravity_N: np.ndarray,
    region_D: np.ndarray,
) -> LaneTraits:
    num_N = len(origin_N)

    def drawn(mean: float, sd: float) -> np.ndarray:
        return (mean + sd * np.clip(rng.standard_normal(num_N), -3, 3)).astype(np.float32)

    weight_N = np.exp(gravity_N - gravity_N.mean())
    share_N = rng.gamma(CONCENTRATION * weight_N) + 0.05
    share_N /= np.bincount(origin_N, weights=share_N)[origin_N]
    count_F = np.bincount(origin_N)
    volume_F = MEAN_VOLUME * count_F * np.exp(rng.normal(-0.08, 0.4, len(count_F)))
    tail_N = rng.random(num_N) < world.tail
    small_N = np.where(tail_N, np.exp(rng.uniform(np.log(0.004), np.log(0.03), num_N)), 1.0)
    return LaneTraits(
        first=0,
        origin_N=origin_N.astype(np.int32),
        dest_N=dest_N.astype(np.int32),
        region_N=region_D[dest_N],
        kind_N=rng.integers(0, 3, num_N, dtype=np.int8),
        log_base_N=np.log(volume_F[origin_N] * share_N * small_N).astype(np.float32),
        season_N=drawn(0.12, 0.04),
        event_N=drawn(1.0, 0.15),
        promo_N=drawn(0.35, 0.03),
        price_N=np.exp(drawn(2.0, 0.3)),
        elasticity_N=drawn(1.2, 0.1),
        shape_N=np.where(tail_N, 5.0, 200.0).astype(np.float32),
        zeros_N=np.where(tail_N, 0.3, 0.0).astype(np.float32),
    )


def _numbered(letter: str, count: int) -> np.ndarray:
    width = max(2, len(str(count - 1)))
    return np.array([f"{letter}{number:0{width}d}" for number in range(count)], dtype=object)
