"""Parameters: refused by name where they cannot be, and read back from their table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.errors import PlanError
from lanecast.planning.contracts import Scenarios
from lanecast.planning.defaults import default_parameters
from lanecast.planning.parameter_table import parameter_frame, parameters_from
from lanecast.planning.parameters import Parameters
from small_plans import small_network, small_volumes


def with_lanes(parameters: Parameters, **changes: Any) -> Parameters:
    return replace(parameters, lanes=replace(parameters.lanes, **changes))


def with_sites(parameters: Parameters, **changes: Any) -> Parameters:
    return replace(parameters, sites=replace(parameters.sites, **changes))


def at(value: np.ndarray, place: int, other: float) -> np.ndarray:
    found = value.copy()
    found[place] = other
    return found


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cube_pkg_per_trailer_L", 0.0, r"lane 'B>C': cube_pkg_per_trailer is 0; it must be > 0"),
        ("cube_pkg_per_trailer_L", -5.0, r"lane 'B>C': cube_pkg_per_trailer is -5"),
        ("contract_usd_per_trailer_L", np.nan, r"lane 'B>C': contract_usd_per_trailer is nan"),
        ("adhoc_multiplier_L", 0.9, r"lane 'B>C': adhoc_multiplier is 0.9; below 1"),
        ("roll_usd_per_pkg_day_L", -0.1, r"lane 'B>C': roll_usd_per_pkg_day is -0.1"),
    ],
)
def test_a_bad_lane_is_refused_by_name(field, value, words):
    parameters = small_network()
    with pytest.raises(PlanError, match=words):
        with_lanes(parameters, **{field: at(getattr(parameters.lanes, field), 2, value)})


def test_a_bad_site_or_rule_is_refused_by_name():
    parameters = small_network()
    sites = parameters.sites
    with pytest.raises(PlanError, match="site 'B': heads_min is above heads_max"):
        with_sites(parameters, heads_min_S=at(sites.heads_min_S, 1, 1e6))
    with pytest.raises(PlanError, match=r"site 'A': arrival_share .* adds up to 1.1"):
        with_sites(parameters, arrival_share_SK=at(sites.arrival_share_SK, 0, np.array([0.6, 0.5])))
    with pytest.raises(PlanError, match="rule wage_usd_per_hour is -1"):
        replace(parameters, rules=replace(parameters.rules, wage_usd_per_hour=-1.0))
    with pytest.raises(PlanError, match="days_on is 9"):
        replace(parameters, rules=replace(parameters.rules, days_on=9))
    with pytest.raises(PlanError, match="shift_hours"):
        replace(parameters, rules=replace(parameters.rules, shift_hours=30.0))


def test_names_stand_once_and_columns_have_one_value_each():
    parameters = small_network()
    with pytest.raises(PlanError, match="lane 'A>B' stands twice"):
        with_lanes(parameters, name_L=np.array(["A>B", "A>B", *parameters.lanes.name_L[2:]]))
    with pytest.raises(PlanError, match="transit_days_L has 3 values for 7 lanes"):
        with_lanes(parameters, transit_days_L=np.ones(3, dtype=np.int64))


def test_a_route_must_lead_from_origin_to_end():
    parameters = small_network()
    with pytest.raises(PlanError, match=r"lane 'A>B': its route B>C does not lead"):
        with_lanes(parameters, route=((2,), *parameters.lanes.route[1:]))
    with pytest.raises(PlanError, match="needs lane 'A>X'"):
        small_network(via={"A>C": "X"})


def test_lanes_that_carry_others_cannot_be_left_out():
    with pytest.raises(PlanError, match="a route takes lane 'A>H', which has no forecast"):
        small_network().restricted(np.array([0, 1, 2]))


def test_stages_follow_routes_and_alternatives():
    stages = small_network().stages
    through = np.flatnonzero((stages.lane_J == 1) & ~stages.rerouted_J)  # A>C through H
    assert stages.carrier_J[through].tolist() == [3, 4]  # A>H, H>C
    assert stages.next_J[through].tolist() == [through[1], -1]
    assert stages.first_J[through].tolist() == [True, False]
    assert set(stages.lane_J[stages.rerouted_J]) == {0, 2}


def test_a_table_gives_the_same_parameters_back(tmp_path):
    parameters = small_network(rich=True)
    order = np.argsort(parameters.lanes.name_L)
    parameters = parameters.restricted(order)
    frame = parameter_frame(parameters)
    frame.to_csv(tmp_path / "parameters.csv", index=False)
    again = parameters_from(pd.read_csv(tmp_path / "parameters.csv", dtype=str))
    assert again.fingerprint == parameters.fingerprint


@pytest.mark.parametrize(
    ("kind", "name", "parameter", "value", "words"),
    [
        ("lane", "A>B", "cube_pkg_per_trailer", "many", "is 'many', which is no number"),
        ("lane", "A>B", "origin", "Z", "its origin 'Z' is no site"),
        ("lane", "A>B", "route", "A>Q + Q>B", "its route takes 'A>Q', which is no lane"),
        ("lane", "A>B", "cube", "100", "'cube' is no parameter"),
        ("truck", "A>B", "cube", "100", "kind 'truck'"),
    ],
)
def test_a_bad_row_of_a_table_is_refused_by_name(kind, name, parameter, value, words):
    frame = parameter_frame(small_network())
    rows = (frame["kind"] == kind) & (frame["name"] == name) & (frame["parameter"] == parameter)
    if rows.any():
        frame.loc[rows, "value"] = value
    else:
        frame.loc[len(frame)] = [kind, name, parameter, value]
    with pytest.raises(PlanError, match=words):
        parameters_from(frame)


def test_a_missing_or_double_row_of_a_table_is_refused_by_name():
    frame = parameter_frame(small_network())
    row = frame[(frame["name"] == "A>B") & (frame["parameter"] == "adhoc_multiplier")]
    double = pd.concat([frame, row])
    with pytest.raises(PlanError, match="lane 'A>B' has adhoc_multiplier twice"):
        parameters_from(double)
    lacking = frame[~((frame["name"] == "H") & (frame["parameter"] == "rate_pkg_per_hour"))]
    with pytest.raises(PlanError, match="site 'H' has no rate_pkg_per_hour"):
        parameters_from(lacking)
    with pytest.raises(PlanError, match="no column 'value'"):
        parameters_from(frame.drop(columns="value"))


def test_a_price_is_decided_by_the_lane_alone():
    both = default_parameters(["A>B", "C>D"], np.array([100.0, 100.0]))
    one = default_parameters(["C>D"], np.array([100.0]))
    assert both.lanes.contract_usd_per_trailer_L[1] == one.lanes.contract_usd_per_trailer_L[0]


def test_default_parameters_refuse_names_without_ends_and_volumes_that_are_none():
    with pytest.raises(PlanError, match="lane 'AB' is not origin>destination"):
        default_parameters(["AB"], np.array([1.0]))
    with pytest.raises(PlanError, match="one finite volume"):
        default_parameters(["A>B"], np.array([np.nan]))


def test_volumes_must_be_those_of_the_parameters():
    parameters = small_network()
    volumes = small_volumes(parameters)

    def refused(words: str, **changes: Any) -> None:
        with pytest.raises(PlanError, match=words):
            replace(volumes, **changes).require(parameters)

    refused("volumes are in parcels, parameters are priced in packages", unit="parcels")
    less = {"lanes": volumes.lanes[1:], "volume_WLT": volumes.volume_WLT[:, 1:]}
    refused(r"no volume for lane 'A>B' \(1 lanes lack one\)", **less)
    refused("in another order", lanes=volumes.lanes[::-1])
    refused("no volume for lane", lanes=np.array([*volumes.lanes[:-1], "X>Y"]))


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "is nan"), (-3.0, "is -3"), (np.inf, "is inf")]
)
def test_a_bad_volume_is_refused_by_place(value, words):
    parameters = small_network()
    volumes = small_volumes(parameters)
    volume_WLT = volumes.volume_WLT.copy()
    volume_WLT[2, 1, 3] = value
    with pytest.raises(PlanError, match=rf"lane 'A>C' on 2024-03-07 in sample 2 {words}"):
        replace(volumes, volume_WLT=volume_WLT)


def test_shapes_and_probabilities_must_fit():
    parameters = small_network()
    volumes = small_volumes(parameters)
    with pytest.raises(PlanError, match="7 lanes x 4 days"):
        replace(volumes, days=volumes.days[:4])
    with pytest.raises(PlanError, match="add up to 1"):
        Scenarios(
            volume_WLT=volumes.volume_WLT, lanes=volumes.lanes, days=volumes.days,
            probability_W=np.full(6, 0.2),
        )  # fmt: skip
