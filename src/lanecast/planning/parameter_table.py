"""Parameters as one table of your own: ``kind, name, parameter, value``, units in the parameter.

``kind`` is lane, site or rule.  A lane's ``origin`` and ``destination`` name sites; ``route`` and
``alternative`` name lanes, joined by `` + `` (a route left out is the lane itself).  A site's
``arrival_share_shift_1 ...`` say how its arrivals spread over the shifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.parameters import Lanes, Parameters, Rules, Sites

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("kind", "name", "parameter", "value")
NUMBERS = {
    "lane": tuple(
        field.name[:-2]
        for field in fields(Lanes)
        if field.name not in ("name_L", "origin_L", "destination_L", "route", "alternative")
    ),
    "site": tuple(
        field.name[:-2]
        for field in fields(Sites)
        if field.name not in ("name_S", "arrival_share_SK")
    ),
    "rule": tuple(field.name for field in fields(Rules)),
}
PLACES = ("origin", "destination", "route", "alternative")
SHARE = "arrival_share_shift_"


def parameter_frame(parameters: Parameters) -> pd.DataFrame:
    """The table of parameters; `parameters_from` reads it back to the same fingerprint."""
    import pandas as pd

    lanes, sites, rows = parameters.lanes, parameters.sites, []
    for at, lane in enumerate(lanes.name_L):
        values: dict[str, Any] = {
            "origin": sites.name_S[lanes.origin_L[at]],
            "destination": sites.name_S[lanes.destination_L[at]],
            "route": " + ".join(lanes.name_L[list(lanes.route[at])]),
            "alternative": " + ".join(lanes.name_L[list(lanes.alternative[at])]),
        }
        values |= {name: repr(getattr(lanes, f"{name}_L")[at].item()) for name in NUMBERS["lane"]}
        rows += [("lane", lane, name, value) for name, value in values.items() if value != ""]
    for at, site in enumerate(sites.name_S):
        values = {name: repr(getattr(sites, f"{name}_S")[at].item()) for name in NUMBERS["site"]}
        shares = enumerate(sites.arrival_share_SK[at], 1)
        values |= {f"{SHARE}{shift}": repr(share.item()) for shift, share in shares}
        rows += [("site", site, name, value) for name, value in values.items()]
    for name in NUMBERS["rule"]:
        if (value := getattr(parameters.rules, name)) is not None:
            rows.append(("rule", "", name, repr(value)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(str)


def parameters_from(frame: pd.DataFrame) -> Parameters:
    """Parameters of a table; PlanError names a row that is missing, double or unknown."""
    if absent := [name for name in COLUMNS if name not in frame]:
        raise PlanError(f"the table of parameters has no column {absent[0]!r}; it needs {COLUMNS}")
    frame = frame.fillna("").astype(dict.fromkeys(COLUMNS, str))
    double = frame.duplicated(["kind", "name", "parameter"])
    if double.any():
        kind, name, parameter, _ = frame[double].iloc[0][list(COLUMNS)]
        raise PlanError(f"{kind} {name!r} has {parameter} twice in the table of parameters")
    entries: dict[str, dict[str, dict[str, str]]] = {"lane": {}, "site": {}, "rule": {}}
    for kind, name, parameter, value in frame[list(COLUMNS)].itertuples(index=False):
        if kind not in entries:
            raise PlanError(f"kind {kind!r} of {name!r} is not lane, site or rule")
        allowed = (*NUMBERS[kind], *(PLACES if kind == "lane" else ()))
        if parameter not in allowed and not (kind == "site" and parameter.startswith(SHARE)):
            raise PlanError(f"{kind} {name!r}: {parameter!r} is no parameter; known: {allowed}")
        entries[kind].setdefault(name, {})[parameter] = value
    sites = _sites(entries["site"])
    rules: dict[str, Any] = {
        name: _number("rule", "", name, v) for name, v in entries["rule"].get("", {}).items()
    }
    if "days_on" in rules:
        rules["days_on"] = int(rules["days_on"])
    return Parameters(lanes=_lanes(entries["lane"], sites), sites=sites, rules=Rules(**rules))


def _lanes(entries: Mapping[str, Mapping[str, str]], sites: Sites) -> Lanes:
    names = sorted(entries)
    site, lane = ({str(n): i for i, n in enumerate(x)} for x in (sites.name_S, names))

    def place(name: str, end: str) -> int:
        value = _value("lane", name, end, entries[name])
        if value not in site:
            raise PlanError(f"lane {name!r}: its {end} {value!r} is no site of the table")
        return site[value]

    def path(name: str, parameter: str, default: tuple[int, ...]) -> tuple[int, ...]:
        if not (value := entries[name].get(parameter, "")):
            return default
        legs = [leg.strip() for leg in value.split(" + ")]
        if unknown := [leg for leg in legs if leg not in lane]:
            raise PlanError(
                f"lane {name!r}: its {parameter} takes {unknown[0]!r}, which is no lane"
            )
        return tuple(lane[leg] for leg in legs)

    numbers = {
        f"{parameter}_L": np.array(
            [_number("lane", n, parameter, _value("lane", n, parameter, entries[n])) for n in names]
        )
        for parameter in NUMBERS["lane"]
    }
    if (numbers["transit_days_L"] % 1).any():
        raise PlanError("transit_days must be whole days")
    numbers["transit_days_L"] = numbers["transit_days_L"].astype(np.int64)
    return Lanes(
        name_L=np.array(names, dtype=str),
        origin_L=np.array([place(name, "origin") for name in names], dtype=np.int64),
        destination_L=np.array([place(name, "destination") for name in names], dtype=np.int64),
        route=tuple(path(name, "route", (at,)) for at, name in enumerate(names)),
        alternative=tuple(path(name, "alternative", ()) for name in names),
        **numbers,
    )


def _sites(entries: Mapping[str, Mapping[str, str]]) -> Sites:
    names = sorted(entries)
    shifts = max(
        (sum(p.startswith(SHARE) for p in values) for values in entries.values()), default=0
    )
    shares = [f"{SHARE}{shift}" for shift in range(1, shifts + 1)]

    def column(parameter: str) -> list[float]:
        return [
            _number("site", n, parameter, _value("site", n, parameter, entries[n])) for n in names
        ]

    return Sites(
        name_S=np.array(names, dtype=str),
        arrival_share_SK=np.array([column(share) for share in shares]).T.reshape(
            len(names), shifts
        ),
        **{f"{parameter}_S": np.array(column(parameter)) for parameter in NUMBERS["site"]},
    )


def _value(kind: str, name: str, parameter: str, values: Mapping[str, str]) -> str:
    if parameter not in values:
        raise PlanError(f"{kind} {name!r} has no {parameter} in the table of parameters")
    return values[parameter]


def _number(kind: str, name: str, parameter: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise PlanError(f"{kind} {name!r}: {parameter} is {value!r}, which is no number") from None
