"""A stated, invented set of parameters, for networks whose prices and rates nobody has published.

Axes: ``L`` lanes, ``S`` sites, ``K`` shifts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.parameters import Lanes, Parameters, Rules, Sites


def default_parameters(
    lanes: Sequence[str],
    mean_pkg_per_day: np.ndarray,
    *,
    cube_pkg_per_trailer: float = 1500.0,
    contract_usd: Sequence[float] = (600.0, 2400.0),
    adhoc_multiplier: Sequence[float] = (1.4, 2.0),
    adhoc_max_share: float = 1.0,
    transit_days: int = 1,
    roll_usd_per_pkg_day: float = 0.9,
    reroute_usd_per_pkg: float = 0.5,
    backlog_usd_per_pkg_day: float = 0.35,
    rate_pkg_per_hour: Sequence[float] = (100.0, 180.0),
    arrival_share: Sequence[float] = (1.0,),
    headroom: float = 3.0,
    rules: Mapping[str, Any] | None = None,
    separator: str = ">",
    via: Mapping[str, str] | None = None,
    alternatives: Mapping[str, str] | None = None,
) -> Parameters:
    """A stated, invented set of parameters for lanes named ``origin>destination``.

    Values in a range are drawn per lane or site from its name, so that a lane has the same price
    whatever stands beside it.  Bounds are ``headroom`` times what the mean volume needs.
    ``via`` and ``alternatives`` send a lane through a site (``{"A>C": "B"}``).
    """
    ends = [_ends(name, separator) for name in lanes]
    names = sorted({site for pair in ends for site in pair})
    place = {name: at for at, name in enumerate(names)}
    mean_L = _volumes(lanes, mean_pkg_per_day)
    cube_L = np.full(len(lanes), float(cube_pkg_per_trailer))
    destination_L = np.array([place[end] for _, end in ends], dtype=np.int64)
    need_L = np.ceil(headroom * mean_L / cube_L) + 1.0
    inflow_S = np.bincount(destination_L, weights=headroom * mean_L, minlength=len(names))
    rules_ = Rules(**dict(rules or {}))
    sites = _sites(names, inflow_S, rate_pkg_per_hour, arrival_share, rules_)
    doors_S = np.bincount(destination_L, weights=2 * need_L, minlength=len(names))
    left_S = np.full(len(names), float(backlog_usd_per_pkg_day))
    return Parameters(
        lanes=Lanes(
            name_L=np.array(lanes, dtype=str),
            origin_L=np.array([place[start] for start, _ in ends], dtype=np.int64),
            destination_L=destination_L,
            cube_pkg_per_trailer_L=cube_L,
            contract_usd_per_trailer_L=_drawn(lanes, contract_usd, "contract"),
            contract_max_trailers_per_day_L=need_L,
            adhoc_multiplier_L=_drawn(lanes, adhoc_multiplier, "adhoc"),
            adhoc_max_trailers_per_day_L=np.ceil(adhoc_max_share * need_L),
            transit_days_L=np.full(len(lanes), int(transit_days), dtype=np.int64),
            roll_usd_per_pkg_day_L=np.full(len(lanes), float(roll_usd_per_pkg_day)),
            reroute_usd_per_pkg_L=np.full(len(lanes), float(reroute_usd_per_pkg)),
            route=_paths(lanes, via, separator, own=True),
            alternative=_paths(lanes, alternatives, separator, own=False),
        ),
        sites=replace(sites, doors_trailers_per_day_S=doors_S, backlog_usd_per_pkg_day_S=left_S),
        rules=rules_,
    )


def _volumes(lanes: Sequence[str], mean_pkg_per_day: np.ndarray) -> np.ndarray:
    mean_L = np.asarray(mean_pkg_per_day, dtype=np.float64)
    if mean_L.shape != (len(lanes),) or not np.all(np.isfinite(mean_L) & (mean_L >= 0)):
        raise PlanError("mean_pkg_per_day must hold one finite volume >= 0 for every lane")
    return mean_L


def _sites(
    names: Sequence[str],
    inflow_S: np.ndarray,
    rate_pkg_per_hour: Sequence[float],
    arrival_share: Sequence[float],
    rules: Rules,
) -> Sites:
    """Sites that can sort so much a day in one shift; doors and backlog are still open."""
    rate_S = _drawn(names, rate_pkg_per_hour, "rate")
    heads_S = np.ceil(inflow_S / (rate_S * rules.shift_hours)) + 1.0
    return Sites(
        name_S=np.array(names, dtype=str),
        rate_pkg_per_hour_S=rate_S,
        sort_max_pkg_per_shift_S=heads_S * rate_S * rules.shift_hours * 1.25,
        heads_min_S=np.zeros(len(names)),
        heads_max_S=heads_S,
        doors_trailers_per_day_S=np.full(len(names), np.inf),
        backlog_usd_per_pkg_day_S=np.zeros(len(names)),
        arrival_share_SK=np.tile(np.asarray(arrival_share, dtype=np.float64), (len(names), 1)),
    )


def _paths(
    lanes: Sequence[str], through: Mapping[str, str] | None, separator: str, *, own: bool
) -> tuple[tuple[int, ...], ...]:
    """Lanes that carry each lane's packages: two legs where it goes through a site, else itself
    (``own``) or none."""
    number = {name: at for at, name in enumerate(lanes)}
    paths: list[tuple[int, ...]] = [(at,) if own else () for at in range(len(lanes))]
    for name, hub in (through or {}).items():
        start, end = _ends(name, separator)
        legs = [f"{start}{separator}{hub}", f"{hub}{separator}{end}"]
        for leg in (name, *legs):
            if leg not in number:
                raise PlanError(f"the path of {name!r} through {hub!r} needs lane {leg!r}")
        paths[number[name]] = tuple(number[leg] for leg in legs)
    return tuple(paths)


def _ends(name: str, separator: str) -> tuple[str, str]:
    parts = str(name).split(separator)
    if len(parts) != 2 or not all(parts):
        raise PlanError(
            f"lane {name!r} is not origin{separator}destination; name lanes by both ends, or set"
            " separator="
        )
    return parts[0], parts[1]


def _drawn(names: Sequence[str], between: Sequence[float], salt: str) -> np.ndarray:
    """One value per name, uniform between the ends, decided by the name alone."""
    digests = (hashlib.sha256(f"{salt}:{name}".encode()).digest() for name in names)
    share = np.array([int.from_bytes(d[:8], "big") / 2**64 for d in digests])
    low, high = (float(x) for x in between)
    return low + (high - low) * share
