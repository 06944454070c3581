"""`lanecast.what_if` and `lanecast.plan`: both arms, trailers, heads and costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lanecast as lc
from lanecast.errors import PlanError, ScenarioError
from lanecast.planning.parameter_table import parameter_frame

Build = Callable[..., lc.Forecaster]
PROMO = {"node": "promo", "kind": "hard", "value": 1, "first": 1, "last": 7}
WINDOWS: dict[str, Any] = {"context": 28, "horizon": 14}


@pytest.fixture(scope="module")
def world() -> lc.Panel:
    """Eight lanes of the twin."""
    return lc.load("midmile", preset="tiny", lanes=8)


@pytest.fixture(scope="module")
def coupled(world: lc.Panel) -> lc.Forecaster:
    """A small model that is valid under do, given the graph."""
    model = lc.model(
        "seasonal_naive", **WINDOWS, graph="midmile", coupling="delta", mechanisms={"steps": 5}
    )
    return lc.fit(world, model)


@pytest.fixture(scope="module")
def answer(world: lc.Panel, coupled: lc.Forecaster) -> lc.WhatIfResult:
    return lc.what_if(world, coupled, do=[PROMO], samples=10)


def test_an_answer_has_both_arms_an_effect_and_a_badge(answer: lc.WhatIfResult) -> None:
    assert answer.badge.startswith("do-valid under DAG")
    assert answer.effect["promo"]["scenario"] > answer.effect["promo"]["baseline"]
    frame = answer.frame
    assert {"unique_id", "ds", "node", "baseline", "scenario", "difference-lo-80"} <= set(frame)
    assert set(frame["node"]) == set(answer.nodes)
    assert list(answer.samples)[-3:] == ["sample", "baseline", "scenario"]
    assert "was not audited" in answer.warnings[0]
    assert "scenario action (do-valid" in repr(answer)


def test_sums_are_by_static_columns(answer: lc.WhatIfResult, world: lc.Panel) -> None:
    assert set(answer.sums()["level"]) == {"total"}
    by_origin = answer.sums("origin")
    assert set(by_origin["group"]) == set(world.attributes["origin"])
    with pytest.raises(ScenarioError, match=r"'city' is no static column.*it has origin"):
        answer.sums("city")


def test_a_scenario_is_asked_by_its_name(world: lc.Panel, coupled: lc.Forecaster) -> None:
    named = lc.what_if(world, coupled, scenario="promo_on", samples=4)
    assert named.name == "promo_on"
    assert set(named.nodes) >= {"promo", "orders"}


def test_an_answer_draws_itself(answer: lc.WhatIfResult, world: lc.Panel) -> None:
    lane = str(world.series[1])
    figure = answer.plot(lane, node="orders")
    assert figure.axes[0].get_title("left").startswith(lane)
    with pytest.raises(ScenarioError, match="node 'late' is not in this answer"):
        answer.plot(node="late")
    with pytest.raises(ScenarioError, match="series 'X' is not in this answer"):
        answer.plot("X")


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        ({}, lc.ConfigError, "say what is done"),
        ({"scenario": "promo_onn"}, lc.ConfigError, "did you mean promo_on"),
        ({"scenario": "none"}, lc.ConfigError, "does nothing"),
        ({"do": [{"node": "promotion", "value": 1}]}, ScenarioError, "no such node"),
        ({"do": [PROMO | {"last": 15}]}, ScenarioError, "beyond the horizon of 14"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(
    world: lc.Panel, coupled: lc.Forecaster, question: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        lc.what_if(world, coupled, **question)


def test_a_lesser_badge_answers_only_where_it_is_allowed(world: lc.Panel) -> None:
    logged = lc.model(
        "seasonal_naive", **WINDOWS, graph="midmile", coupling="none", mechanisms={"steps": 5}
    )
    fitted = lc.fit(world, logged)
    with pytest.raises(ScenarioError, match="associational by construction"):
        lc.what_if(world, fitted, do=[PROMO], samples=4)
    allowed = lc.what_if(world, fitted, do=[PROMO], samples=4, allow_associational=True)
    assert allowed.badge == "associational"


def test_a_model_without_a_graph_says_how_to_get_one(world: lc.Panel, small: Build) -> None:
    with pytest.raises(ScenarioError, match=r'lc.model\("seasonal_naive", graph=..., coupling'):
        lc.what_if(world, small("seasonal_naive"), do=[PROMO])


def test_a_graph_is_a_name_a_mapping_or_itself() -> None:
    declared = {
        "nodes": {
            "promo": {"kind": "treatment", "policy_parents": []},
            "orders": {"kind": "endogenous", "column": "y", "link": "log1p"},
        },
        "edges": [{"from": "promo", "to": "orders", "lags": [0, 1]}],
    }
    own = lc.graph(declared)
    assert own.target == "orders"
    for graph in (own, declared, "midmile"):
        described = lc.model("linear", graph=graph).describe().graph
        expected = lc.graph(graph) if isinstance(graph, str) else own
        assert described.dag_hash == expected.dag_hash
    with pytest.raises(lc.ConfigError, match="did you mean midmile"):
        lc.graph("midmil")


def test_both_arms_are_planned_and_the_action_priced(answer: lc.WhatIfResult) -> None:
    plan = lc.plan(answer, network="midmile")
    assert set(plan.trailers["arm"]) == set(plan.heads["arm"]) == {"baseline", "scenario"}
    totals = plan.costs["total"]
    assert plan.cost == pytest.approx(totals["scenario"] - totals["baseline"])
    assert "action needs" in repr(plan)
    assert {"lane", "ds", "trailers", "volume_q90"} <= set(plan.lanes)
    assert {"site", "heads", "backlog"} <= set(plan.sites)


def test_a_forecast_is_planned_with_its_paths(world: lc.Panel, small: Build) -> None:
    model = small("seasonal_naive", **WINDOWS)
    ahead = lc.forecast(world, model, samples=10, cutoff=world.time_of(world.last_step - 14))
    plan = lc.plan(ahead, days=3, policy="quantile", quantile=0.8)
    assert len(plan.trailers) == 3 * world.num_series
    assert plan.cost == plan.costs.loc["plan", "total"] == plan.values["expected_usd"]
    own = lc.plan(ahead, days=3, network=parameter_frame(plan.core.parameters), policy="quantile")
    assert own.unit == world.table.target
    assert len(plan.plot().axes) == 6
    np.testing.assert_array_equal(own.trailers["lane"], plan.trailers["lane"])


def test_a_plan_needs_paths_days_and_parameters(world: lc.Panel, small: Build) -> None:
    model = small("seasonal_naive", **WINDOWS)
    cutoff = world.time_of(world.last_step - 14)
    with pytest.raises(lc.ConfigError, match="samples=<number>"):
        lc.plan(lc.forecast(world, model, cutoff=cutoff))
    ahead = lc.forecast(world, model, samples=4, cutoff=cutoff)
    with pytest.raises(PlanError, match="plan fewer days="):
        lc.plan(ahead, days=15)
    with pytest.raises(PlanError, match="no column 'kind'"):
        lc.plan(ahead, network=pd.DataFrame({"name": ["x"]}))
    with pytest.raises(lc.ConfigError, match="did you mean stochastic"):
        lc.plan(ahead, policy="stochastc")
