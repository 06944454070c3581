"""Through the scripts: a backtest's paths become a plan, a regret, a what-if, a closed loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.planning.tables import read_plan, read_table
from lanecast.runs.record import read_record
from script_runner import Script, scripts_in

TWIN = ["data=midmile", "data.source.preset=tiny", "model=seasonal_naive", "tracking=none"]
SHORT = ["protocol.first_cutoff=2023-06-01", "protocol.samples=8"]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with scripts_in(tmp_path, monkeypatch) as run:
        yield run


def folder_of(name: str) -> Path:
    (found,) = Path("runs").glob(f"{name}/*/*")
    return found


def backtested(script: Script, *overrides: str, name: str = "paths") -> str:
    assert script("backtest", *TWIN, *SHORT, *overrides, f"name={name}") == 0
    return f"run={folder_of(name)}"


def record_of(name: str) -> dict[str, Any]:
    record = read_record(folder_of(name))
    assert record["status"] == "completed", record["error"]
    return record


def test_a_plan_leaves_tables_hashes_costs_regret_and_a_picture(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    run = backtested(script, "protocol.count=2")
    assert script("plan", run, "name=planned", "tracking=none") == 0
    record, folder = record_of("planned"), folder_of("planned")
    plan = read_plan(folder)
    assert plan.source == run.removeprefix("run=")
    assert plan.scenarios == record["plan"]["scenarios"]["plan"]
    assert plan.parameters == record["plan"]["parameters"]
    assert plan.trailers_LT.shape == (40, 7)
    assert str(plan.days[0]) == "2023-06-16"  # after the last of the two cutoffs
    outcome, facts = read_table(folder / "outcome.parquet")
    assert facts["scenarios"] == plan.scenarios
    expected = (outcome["probability"] * outcome["total_usd"]).sum()
    assert record["objective"]["value"] == pytest.approx(expected)
    assert record["scores"]["plan_regret"] >= 0
    lanes, sites = (pd.read_csv(folder / f"{one}_days.csv") for one in ("lane", "site"))
    assert lanes["trailers"].sum() == pytest.approx(plan.trailers_LT.sum())
    assert (lanes["volume_q10"] <= lanes["volume_q90"]).all()
    assert sites["heads"].sum() == pytest.approx(plan.heads_STK.sum())
    assert (folder / "plan.png").stat().st_size > 10_000
    told = capsys.readouterr().out
    assert "stochastic (plan): expected" in told
    assert "with perfect information" in told
    table = f"network.path={folder}/parameters.csv"
    assert script("plan", run, "network=table", table, "name=again", "tracking=none") == 0
    again = read_plan(folder_of("again"))
    np.testing.assert_allclose(again.trailers_LT, plan.trailers_LT)


def test_whole_trailers_and_other_policies_on_the_command_line(script: Script) -> None:
    run = backtested(script, "protocol.count=1")
    whole = ["planning.integer=true", "planning.gap=0.05", "planning.days=2"]
    assert script("plan", run, "plan=quantile", "plan.quantile=0.8", *whole, "name=q") == 0
    plan = read_plan(folder_of("q"))
    assert plan.kind == "q80"
    np.testing.assert_allclose(plan.trailers_LT, plan.trailers_LT.round(), atol=1e-6)


def test_a_backtest_scores_plan_regret_by_cutoff_and_compare_pairs_it(script: Script) -> None:
    planned = ["plan=mean", "network=midmile", "protocol.count=3", "planning.days=3"]
    backtested(script, *planned)
    backtested(script, *planned, "model=lightgbm", name="other")
    record = record_of("paths")
    rows = record["by_cutoff"]
    cost, base = (sum(row[key] for row in rows) for key in ("plan_cost", "plan_perfect"))
    assert record["scores"]["plan_regret"] == pytest.approx((cost - base) / base)
    assert min(row["plan_regret"] for row in rows) >= 0
    found = ["runs=[runs/paths,runs/other]", "metrics=[plan_regret,wape]", "out=compared"]
    assert script("compare", *found, "baseline=seasonal_naive") == 0
    table = pd.read_csv("compared/compare.csv")
    assert table["plan_regret"].is_monotonic_increasing
    other = table[table["model"] == "lightgbm"].iloc[0]
    naive = table[table["model"] == "seasonal_naive"].iloc[0]
    assert script("plan", f"run={folder_of('paths')}", "name=planned", "tracking=none") == 0
    assert script("compare", *found, "plans=runs/planned/*/*") == 0
    page = Path("compared/review.html").read_text()
    assert page.count('src="data:image/png;base64,') == 1
    assert '<a href="#plans">' in page
    assert "expected cost" in page
    assert script("compare", *found, "plans=runs/nothing") != 0
    assert other["plan_regret_difference"] == pytest.approx(
        other["plan_regret"] - naive["plan_regret"]
    )


def test_a_plan_does_not_change_the_hash_of_a_run_without_one(script: Script) -> None:
    backtested(script, "protocol.count=1")
    backtested(script, "protocol.count=1", "planning.days=3", name="longer")
    assert record_of("paths")["config_hash"] == record_of("longer")["config_hash"]


def test_a_scenario_is_planned_with_and_without_the_action(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = [
        *TWIN[:2], "model=linear", "dag=midmile", "coupling=delta", "optim.max_steps=3",
        "optim.val_steps=0", "coupling.mechanisms.steps=5", "coupling.policy_samples=4",
        "trainer=smoke", "trainer.progress=false", "tracking=none",
    ]  # fmt: skip
    assert script("train", *twin, "name=trained") == 0
    run = f"run={folder_of('trained')}"
    ask = ["samples=6", "tracking=none", "name=asked"]
    assert script("scenario", run, "scenario=promo_week2", *ask) == 0
    asked = f"run={folder_of('asked')}"
    assert script("plan", asked, "planning.days=14", "name=planned", "tracking=none") == 0
    record, folder = record_of("planned"), folder_of("planned")
    with_it, without = (read_plan(folder / arm) for arm in ("scenario", "baseline"))
    more = with_it.trailers_LT.sum() - without.trailers_LT.sum()
    assert record["scores"]["more_trailers"] == pytest.approx(more)
    moved_T = np.abs(with_it.trailers_LT - without.trailers_LT).sum(axis=0)
    assert moved_T[:4].sum() < 0.1 * moved_T[7:].sum()  # the action begins on day 8
    assert record["objective"]["name"] == "plan/cost_of_action_usd"
    assert "promo_week2 needs" in capsys.readouterr().out


def test_strategies_go_through_the_same_days(script: Script) -> None:
    run = backtested(script, "protocol.count=12", "protocol.step=1")
    asked = ["planning.days=5", "strategies.fixed.days=5", "plan=mean", "name=looped"]
    assert script("replan", run, *asked, "tracking=none") == 0
    table = pd.read_csv(folder_of("looped") / "strategies.csv").set_index("strategy")
    assert set(table.index) == {"fixed", "weekly", "daily", "drift", "costly"}
    assert table.loc["daily", "plans"] == 12
    assert table.loc["fixed", "plans"] == 3
    assert (table["cost_ratio"] >= 1).all()
    days = pd.read_csv(folder_of("looped") / "days.csv")
    kinds = [name for name in days if name.endswith("_usd")]
    total = days.groupby("strategy")[kinds].sum().sum(axis=1)
    np.testing.assert_allclose(total[table.index], table["cost_usd"])


def test_the_demo_leaves_its_table_with_the_columns_asked(script: Script) -> None:
    backtested(script, "protocol.count=1", name="plan_demo")
    asked = ["draws=12", "days=3", "simulated=3", "out=demo"]
    assert script("plan_demo", *asked) == 0
    table = pd.read_csv("demo/regret.csv")
    assert {"plan", "regret", "se", "evpi", "excess", "wape"} <= set(table)
    assert {"stochastic", "mean", "newsvendor", "q50", "mean x0.9"} <= set(table["plan"])
    np.testing.assert_allclose(table["regret"], table["evpi"] + table["excess"])
    assert (table["excess"] >= -1e-9).all()
    assert "Simulated event by event" in Path("demo/regret.md").read_text()


@pytest.mark.parametrize(
    ("verb", "overrides", "words"),
    [
        ("plan", [], "plan needs a run that left sample paths"),
        ("replan", [], "replan needs a backtest with a cutoff on every day"),
        ("plan_demo", ["runs=runs/none/*/seed1"], "names 0 run folders"),
    ],
)
def test_a_verb_without_its_run_says_what_it_needs(
    script: Script, capsys: pytest.CaptureFixture[str], verb: str, overrides: list[str], words: str
) -> None:
    assert script(verb, *overrides) == 2
    assert words in capsys.readouterr().err


def test_what_a_plan_cannot_use_is_told(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    bare = backtested(script, "protocol.count=1", "protocol.samples=0", name="bare")
    run = backtested(script, "protocol.count=2")
    for overrides, words in (
        ([bare], "holds no samples.parquet; run it again with protocol.samples=100"),
        ([run, "planning.days=20"], "asks for 20 days, but the samples cover 14"),
        ([run, "planning.cutoff=2023-05-01"], "planning.cutoff=2023-05-01 has no sample paths"),
        ([run, "network=flights"], "volumes are in parcels, parameters are priced in flights"),
        ([run, "plan=none"], "nothing says which plan"),
    ):
        assert script("plan", *overrides, "name=failed", "tracking=none") != 0
        assert words in capsys.readouterr().err
    assert script("replan", run, "tracking=none", "name=failed") != 0
    assert "not one day apart" in capsys.readouterr().err
    assert script("backtest", *TWIN, *SHORT, "plan=mean", "name=failed") != 0
    assert "plan= needs a network" in capsys.readouterr().err
    bare_plan = ["plan=mean", "network=midmile", "protocol.samples=0", "name=failed"]
    assert script("backtest", *TWIN, *SHORT, *bare_plan) != 0
    assert "plan= needs sample paths" in capsys.readouterr().err
    flights = ["plan=mean", "network=flights", "protocol.count=1", "name=failed"]
    assert script("backtest", *TWIN, *SHORT, *flights) != 0
    assert "volumes are in parcels, parameters are priced in flights" in capsys.readouterr().err


def test_a_network_learns_with_weights_from_plans_and_a_table_has_none(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    net = [
        "data=midmile", "data.source.preset=tiny", "model=linear", "optim.max_steps=3",
        "optim.val_steps=0", "trainer=smoke", "trainer.progress=false", "tracking=none",
    ]  # fmt: skip
    asked = ["weights=duals", "weights.blocks=4"]
    for name, overrides in (("plain", []), ("weighed", asked)):
        assert script("backtest", *net, *SHORT, "protocol.count=1", *overrides, f"name={name}") == 0
    plain, weighed = record_of("plain"), record_of("weighed")
    assert plain["config_hash"] != weighed["config_hash"]
    assert plain["scores"]["wape"] != weighed["scores"]["wape"]
    assert script("backtest", f"run={folder_of('weighed')}", "name=again", "tracking=none") == 0
    assert record_of("again")["scores"]["wape"] == pytest.approx(weighed["scores"]["wape"])
    assert (
        script("backtest", *TWIN, *SHORT, "protocol.count=1", "weights=duals", "name=failed") != 0
    )
    assert "weights= weighs the loss of a network" in capsys.readouterr().err
