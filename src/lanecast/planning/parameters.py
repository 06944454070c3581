"""What a plan costs and what bounds it: one table, units in the names, checked before any solve.

Axes: ``L`` lanes, ``S`` sites, ``K`` shifts of a day, ``T`` days, ``W`` scenarios, ``J`` stages (a
lane's packages on one of the lanes of their route).  Money is in US dollars, volume in packages.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from lanecast.errors import PlanError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Lanes with trailers of their own, and the packages that are to move from origin to end.

    ``route[l]`` are the lanes whose trailers carry lane ``l``'s packages, in order: itself, or a
    path through sort centers; ``alternative[l]`` is a second path that recourse may take at
    ``reroute_usd_per_pkg``, empty where there is none.
    """

    name_L: np.ndarray
    origin_L: np.ndarray
    destination_L: np.ndarray
    cube_pkg_per_trailer_L: np.ndarray
    contract_usd_per_trailer_L: np.ndarray
    contract_max_trailers_per_day_L: np.ndarray
    adhoc_multiplier_L: np.ndarray
    adhoc_max_trailers_per_day_L: np.ndarray
    transit_days_L: np.ndarray
    roll_usd_per_pkg_day_L: np.ndarray
    reroute_usd_per_pkg_L: np.ndarray
    route: tuple[tuple[int, ...], ...]
    alternative: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Sort centers: heads per shift, what they sort, and the trailers their doors take in a day."""

    name_S: np.ndarray
    rate_pkg_per_hour_S: np.ndarray
    sort_max_pkg_per_shift_S: np.ndarray
    heads_min_S: np.ndarray
    heads_max_S: np.ndarray
    doors_trailers_per_day_S: np.ndarray
    backlog_usd_per_pkg_day_S: np.ndarray
    arrival_share_SK: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds everywhere.  ``days_on``: a head works that many days in a row of every week (a
    start pattern, paid as a whole); None lets heads differ freely from day to day."""

    shift_hours: float = 8.0
    wage_usd_per_hour: float = 24.0
    overtime_multiplier: float = 1.5
    overtime_max_share: float = 0.25
    final_multiplier: float = 3.0
    fleet_max_trailers_per_day: float = float("inf")
    days_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Legs of every route and alternative, flattened: stage ``j`` carries packages of lane
    ``lane_J[j]`` in trailers of lane ``carrier_J[j]``; ``next_J`` is the stage after it, or -1;
    ``first_J`` marks those where the lane's own packages enter, ``rerouted_J`` alternatives."""

    lane_J: np.ndarray
    carrier_J: np.ndarray
    next_J: np.ndarray
    first_J: np.ndarray
    rerouted_J: np.ndarray

    def __len__(self) -> int:
        return len(self.lane_J)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Everything a plan is made of, apart from the volumes."""

    lanes: Lanes
    sites: Sites
    rules: Rules = Rules()

    def __post_init__(self) -> None:
        _check(self)

    @property
    def num_lanes(self) -> int:
        """Lanes of the table."""
        return len(self.lanes.name_L)

    @property
    def num_sites(self) -> int:
        """Sites of the table."""
        return len(self.sites.name_S)

    @property
    def num_shifts(self) -> int:
        """Shifts of a day."""
        return self.sites.arrival_share_SK.shape[1]

    @property
    def stages(self) -> Stages:
        """The legs of every route, see `Stages`."""
        rows: list[tuple[int, int, int, bool, bool]] = []
        for lane in range(self.num_lanes):
            for path, other in (
                (self.lanes.route[lane], False),
                (self.lanes.alternative[lane], True),
            ):
                for place, carrier in enumerate(path):
                    last = place == len(path) - 1
                    rows.append((lane, carrier, -1 if last else len(rows) + 1, place == 0, other))
        lane_J, carrier_J, next_J, first_J, rerouted_J = (
            np.array(x) for x in zip(*rows, strict=True)
        )
        return Stages(
            lane_J=lane_J,
            carrier_J=carrier_J,
            next_J=next_J,
            first_J=first_J,
            rerouted_J=rerouted_J,
        )

    @property
    def fingerprint(self) -> str:
        """Hash of every value: what ties a plan to its parameters."""
        digest = hashlib.sha256()
        for part in (self.lanes, self.sites, self.rules):
            for field in fields(part):
                value = getattr(part, field.name)
                plain = value.tolist() if isinstance(value, np.ndarray) else value
                digest.update(f"{field.name}={plain!r};".encode())
        return digest.hexdigest()[:16]

    def restricted(self, lanes: np.ndarray) -> Self:
        """The lanes of that order alone, with the sites they touch; their routes must be inside."""
        place = {int(lane): at for at, lane in enumerate(lanes)}
        kept = np.unique(np.r_[self.lanes.origin_L[lanes], self.lanes.destination_L[lanes]])
        site = {int(s): at for at, s in enumerate(kept)}
        own: dict[str, Any] = {}
        for field in fields(Lanes):
            value = getattr(self.lanes, field.name)
            if field.name in ("route", "alternative"):
                gone = [k for lane in lanes for k in value[lane] if k not in place]
                if gone:
                    name = str(self.lanes.name_L[gone[0]])
                    raise PlanError(f"a {field.name} takes lane {name!r}, which has no forecast")
                own[field.name] = tuple(tuple(place[k] for k in value[lane]) for lane in lanes)
            elif field.name in ("origin_L", "destination_L"):
                own[field.name] = np.array([site[int(s)] for s in value[lanes]], dtype=np.int64)
            else:
                own[field.name] = value[lanes]
        sites = {field.name: getattr(self.sites, field.name)[kept] for field in fields(Sites)}
        return type(self)(lanes=Lanes(**own), sites=Sites(**sites), rules=self.rules)


def _check(parameters: Parameters) -> None:
    """Refuse what cannot be planned with, naming the parameter and the lane, site or rule."""
    lanes, sites, rules = parameters.lanes, parameters.sites, parameters.rules
    _check_part(lanes, lanes.name_L, "lane", positive={"cube_pkg_per_trailer_L"})
    _check_part(sites, sites.name_S, "site", positive={"rate_pkg_per_hour_S"})
    for name in ("origin_L", "destination_L"):
        site_L = getattr(lanes, name)
        if (bad := np.flatnonzero((site_L < 0) | (site_L >= len(sites.name_S)))).size:
            raise PlanError(
                f"lane {str(lanes.name_L[bad[0]])!r}: {name[:-2]} is not a site of the table"
            )
    if (bad := np.flatnonzero(lanes.adhoc_multiplier_L < 1)).size:
        raise PlanError(
            f"lane {str(lanes.name_L[bad[0]])!r}: adhoc_multiplier is"
            f" {lanes.adhoc_multiplier_L[bad[0]]:g}; below 1 an ad-hoc trailer would be cheaper"
            " than a contracted one, and no plan would contract any"
        )
    if (bad := np.flatnonzero(sites.heads_min_S > sites.heads_max_S)).size:
        raise PlanError(f"site {str(sites.name_S[bad[0]])!r}: heads_min is above heads_max")
    share_S = sites.arrival_share_SK.sum(axis=1)
    if (bad := np.flatnonzero(np.abs(share_S - 1) > 1e-9)).size:
        raise PlanError(
            f"site {str(sites.name_S[bad[0]])!r}: arrival_share over the shifts adds up to"
            f" {share_S[bad[0]]:g}, not 1"
        )
    _check_routes(lanes)
    for field in fields(Rules):
        value = getattr(rules, field.name)
        if field.name != "days_on" and not value >= 0:
            raise PlanError(f"rule {field.name} is {value!r}; it must be a number >= 0")
    if rules.shift_hours <= 0 or rules.shift_hours > 24:
        raise PlanError(f"rule shift_hours is {rules.shift_hours!r}; a shift has up to 24 hours")
    if rules.days_on is not None and not 1 <= rules.days_on <= 7:
        raise PlanError(
            f"rule days_on is {rules.days_on!r}; a start pattern covers 1 to 7 days of a week"
        )


def _check_part(part: Any, names: np.ndarray, kind: str, positive: set[str]) -> None:
    if not len(names):
        raise PlanError(f"the table has no {kind}")
    unique, counts = np.unique(names, return_counts=True)
    if counts.max() > 1:
        raise PlanError(f"{kind} {str(unique[counts.argmax()])!r} stands twice in the table")
    for field in fields(part):
        value = getattr(part, field.name)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "if":
            continue
        if value.shape[0] != len(names):
            raise PlanError(f"{field.name} has {value.shape[0]} values for {len(names)} {kind}s")
        low = value <= 0 if field.name in positive else value < 0
        bad = np.flatnonzero((np.isnan(value) | low).reshape(len(names), -1).any(axis=1))
        if bad.size:
            worth = np.ravel(value[bad[0]])[0]
            bound = "> 0" if field.name in positive else ">= 0"
            raise PlanError(
                f"{kind} {str(names[bad[0]])!r}: {field.name[:-2]} is {worth:g}; it must be {bound}"
            )


def _check_routes(lanes: Lanes) -> None:
    for lane, name in enumerate(lanes.name_L):
        for kind, path in (("route", lanes.route[lane]), ("alternative", lanes.alternative[lane])):
            if not path and kind == "alternative":
                continue
            ends = [(lanes.origin_L[k], lanes.destination_L[k]) for k in path]
            joined = all(a[1] == b[0] for a, b in itertools.pairwise(ends))
            whole = (
                path
                and ends[0][0] == lanes.origin_L[lane]
                and ends[-1][1] == lanes.destination_L[lane]
            )
            if not (joined and whole):
                legs = " + ".join(str(lanes.name_L[k]) for k in path)
                raise PlanError(
                    f"lane {str(name)!r}: its {kind} {legs or 'is empty'} does not lead from its"
                    " origin to its end"
                )
