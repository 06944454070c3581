"""Through the scripts: a coupled run is trained, audited, asked what-if, backtested as known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.runs.record import read_record
from script_runner import Script, scripts_in

TWIN = [
    "data=midmile",
    "data.source.preset=tiny",
    "dag=midmile",
    "model=linear",
    "optim.max_steps=3",
    "optim.val_steps=0",
    "coupling.mechanisms.steps=5",
    "coupling.policy_samples=4",
    "trainer=smoke",
    "trainer.progress=false",
    "tracking=none",
]
ASK = ["samples=6", "tracking=none", "name=asked"]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with scripts_in(tmp_path, monkeypatch) as run:
        yield run


def folder_of(name: str) -> Path:
    (found,) = Path("runs").glob(f"{name}/*/*")
    return found


def trained(script: Script, *overrides: str, name: str = "trained") -> str:
    assert script("train", *TWIN, *overrides, f"name={name}") == 0
    return f"run={folder_of(name)}"


def asked() -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    folder = folder_of("asked")
    record = read_record(folder)
    assert record["status"] == "completed", record["error"]
    nodes = pd.read_parquet(folder / "scenario.parquet")
    return record, nodes, pd.read_parquet(folder / "scenario_levels.parquet")


def test_a_scenario_leaves_both_arms_their_difference_levels_and_pictures(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(script, "coupling=delta")
    assert (folder_of("trained") / "dag.png").stat().st_size > 10_000
    assert script("scenario", run, "scenario=promo_week2", *ASK) == 0
    record, nodes, levels = asked()
    assert record["scenario"]["badge"].startswith("do-valid under DAG")
    assert record["scenario"]["changed_before_first_action"] == 0.0
    assert set(nodes["node"]) == {"promo", "orders", "shipments", "backlog"}
    assert (nodes["badge"] == record["scenario"]["badge"]).all()
    assert np.allclose(nodes["difference"], nodes["scenario"] - nodes["baseline"], atol=1e-2)
    orders = nodes[nodes["node"] == "orders"]
    early = orders["ds"] <= orders["cutoff"] + pd.Timedelta(days=7)
    assert (orders.loc[early, "difference"] == 0.0).all()
    assert (orders.loc[~early, "difference"] != 0.0).any()
    assert {"baseline-lo-80", "scenario-hi-90", "difference-lo-90"} <= set(nodes)
    total = levels[(levels["level"] == "total") & (levels["node"] == "orders")]
    by_day = orders.groupby("ds")["scenario"].sum()
    assert np.allclose(total.set_index("ds")["scenario"], by_day, rtol=1e-5)
    sites = levels[(levels["level"] == "dest") & (levels["node"] == "orders")]
    assert np.allclose(sites.groupby("ds")["difference"].sum(), total["difference"], rtol=1e-5)
    assert (folder_of("asked") / "scenario.png").stat().st_size > 10_000
    assert "scenario promo_week2 (do-valid under DAG" in capsys.readouterr().out


def test_auto_and_the_coupling_it_stands_for_are_one_run(script: Script) -> None:
    run = trained(script, "coupling=auto")
    record = read_record(folder_of("trained"))
    assert (record["choices"]["coupling"], record["config"]["coupling"]["mode"]) == ("delta",) * 2
    assert script("train", *TWIN, "coupling=delta", "name=trained", "skip_finished=true") == 0
    assert read_record(folder_of("trained"))["timings"] == record["timings"]
    assert script("scenario", run, "scenario=promo_week2", *ASK) == 0
    assert script("train", run, "name=repeated") == 0
    assert folder_of("repeated").parts[-2:] == folder_of("trained").parts[-2:]


def test_a_question_may_stand_on_the_command_line(script: Script) -> None:
    run = trained(script, "coupling=delta")
    do = "scenario.do=[{node: promo, kind: hard, value: 0, where: {dest: D00}}]"
    assert script("scenario", run, do, *ASK) == 0
    record, nodes, _ = asked()
    orders = nodes[nodes["node"] == "orders"]
    there = orders["unique_id"].str.endswith(">D00")
    assert (orders.loc[~there, "difference"] == 0.0).all()
    assert (orders.loc[there, "difference"] != 0.0).any()
    assert record["scenario"]["name"] == "inline"


def test_a_scenario_of_a_reconciled_run_moves_the_lanes_it_acts_on_and_no_other(
    script: Script,
) -> None:
    past = ["hierarchy.past.steps=28", "hierarchy.past.stride=14"]
    run = trained(script, "coupling=delta", "hierarchy=wls_struct", *past)
    alone = trained(script, "coupling=delta", name="alone")
    do = "scenario.do=[{node: promo, kind: hard, value: 0, where: {dest: D00}}]"
    assert script("scenario", run, do, *ASK) == 0
    record, nodes, levels = asked()
    assert record["scenario"]["badge"].startswith("do-valid under DAG")
    orders = nodes[nodes["node"] == "orders"]
    there = orders["unique_id"].str.endswith(">D00")
    assert (orders.loc[~there, "difference"] == 0.0).all()
    assert (orders.loc[there, "difference"] != 0.0).any()
    total = levels[(levels["level"] == "total") & (levels["node"] == "orders")]
    sums = orders.groupby("ds")[["baseline", "scenario"]].sum()
    found = total.set_index("ds")[["baseline", "scenario"]]
    assert np.allclose(found, sums.loc[found.index], rtol=1e-5)
    assert script("scenario", alone, do, *ASK[:-1], "name=unreconciled") == 0
    before = pd.read_parquet(folder_of("unreconciled") / "scenario.parquet")
    before = before[before["node"] == "orders"]
    assert not np.allclose(orders["baseline"], before["baseline"], rtol=1e-3)


def test_a_run_with_blocks_of_steps_is_not_asked_what_if(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    past = ["hierarchy.past.steps=28", "hierarchy.past.stride=14", "hierarchy.blocks=[7]"]
    run = trained(script, "hierarchy=wls_struct", *past)
    assert script("scenario", run, "scenario=promo_off", *ASK) == 1
    assert "hierarchy.blocks=[]" in capsys.readouterr().err


def test_a_plain_network_is_refused_unless_the_output_carries_the_badge(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(script, "coupling=none")
    assert script("scenario", run, "scenario=promo_off", *ASK) == 1
    told = capsys.readouterr().err
    assert "is associational by construction (coupling=none)" in told
    assert "coupling=delta" in told
    again = [*ASK[:-1], "name=allowed", "allow_associational=true"]
    assert script("scenario", run, "scenario=promo_off", *again) == 0
    nodes = pd.read_parquet(folder_of("allowed") / "scenario.parquet")
    assert (nodes["badge"] == "associational").all()


def test_what_the_graph_does_not_identify_is_refused_and_bounded_on_request(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = ["data.source.confounded_price=true", "+dag.bidirected=[[orders,price]]"]
    run = trained(script, "coupling=delta", *hidden)
    assert script("scenario", run, "scenario=price_up_5", *ASK) == 1
    assert "hidden" in capsys.readouterr().err
    assert script("scenario", run, "scenario=price_up_5", *ASK[:-1], "name=b", "bounds=0.3") == 0
    bounds = pd.read_parquet(folder_of("b") / "bounds.parquet")
    assert (bounds["low"] <= bounds["middle"]).all()
    assert (bounds["middle"] <= bounds["high"]).all()
    assert (bounds["high"] - bounds["low"]).max() > 0
    assert read_record(folder_of("b"))["scenario"]["bounds"]["max_correlation"] == 0.3
    assert script("scenario", run, "scenario=promo_off", *ASK[:-1], "name=fine") == 0


def test_nothing_asked_and_no_graph_are_told_apart(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(script, "coupling=delta")
    assert script("scenario", run, *ASK) == 2
    assert "nothing is done" in capsys.readouterr().err
    assert script("scenario", "scenario=promo_off", *ASK) == 2
    assert "needs the folder of a trained run" in capsys.readouterr().err
    plain = trained(script, "dag=none", name="plain")
    assert script("scenario", plain, "scenario=promo_off", *ASK) == 1
    assert "no causal graph" in capsys.readouterr().err


def test_an_audit_writes_the_badge_and_a_scenario_reads_it(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(script, "coupling=delta")
    assert script("audit", run, "samples=3", "max_series=8") == 0
    assert "badge: do-valid under DAG" in capsys.readouterr().out
    path = folder_of("trained") / "record.json"
    record = json.loads(path.read_text())
    assert record["status"] == "completed"
    assert record["audit"]["measures"]["leakage"]["moved"] == 0.0
    record["audit"]["badge"] = "associational"
    path.write_text(json.dumps(record))
    assert script("scenario", run, "scenario=promo_off", *ASK) == 1
    assert "is associational by its audit" in capsys.readouterr().err


def test_a_coupled_backtest_tells_what_the_logged_futures_are_worth(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    rolling = ["protocol.first_cutoff=2023-05-15", "protocol.step=14", "protocol.count=2"]
    assert script("backtest", *TWIN, "coupling=none", *rolling, "name=scored") == 0
    futures = read_record(folder_of("scored"))["futures"]
    sampled, logged = futures["wape/futures_sampled"], futures["wape/futures_logged"]
    assert futures["leakage_wape_points"] == pytest.approx(100 * (sampled - logged))
    assert sampled == read_record(folder_of("scored"))["scores"]["wape"]
    assert "wape/futures_as_known" in futures
    assert "leakage" in capsys.readouterr().out
    # an audit of a run that says skip_finished has no folder of its own
    assert script("audit", f"run={folder_of('scored')}", "samples=2", "max_series=4") == 0


def test_a_backtest_without_a_graph_tells_nothing_of_futures(script: Script) -> None:
    rolling = ["protocol.first_cutoff=2023-05-15", "protocol.step=14", "protocol.count=1"]
    assert script("backtest", *TWIN, "dag=none", *rolling, "name=bare") == 0
    assert "futures" not in read_record(folder_of("bare"))
    assert not (folder_of("bare") / "dag.png").exists()


def test_a_broken_graph_fails_before_data_are_read(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = (
        "dag.edges=[{from: orders, to: backlog, lags: [0]}, {from: backlog, to: orders, lags: [0]}]"
    )
    missing = "data.source.preset=nowhere"  # would fail as soon as data are read
    assert script("train", *TWIN, missing, loop, "name=broken") != 0
    told = capsys.readouterr().err
    assert "backlog" in told
    assert "nowhere" not in told


def test_a_graph_is_held_against_the_data_before_and_after_training(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["coupling.mechanisms.steps=5"]
    graph = ["data=midmile", "data.source.preset=tiny", "dag=midmile", *short]
    assert script("falsify", *graph) == 0
    told = capsys.readouterr().out
    assert "declared absences at a false discovery rate of 0.05" in told
    assert not Path("falsification.csv").exists()
    run = trained(script, "coupling=delta")
    assert script("falsify", run, "share=0.6") == 0
    rows = pd.read_csv(folder_of("trained") / "falsification.csv")
    assert {"source", "target", "lag", "r", "q", "material"} <= set(rows)
    record = read_record(folder_of("trained"))
    assert record["falsification"]["counts"]["tests"] == len(rows)
    assert script("falsify", "data=flights") == 2
    assert "choose dag=<name>" in capsys.readouterr().err


def test_a_change_an_action_and_a_miss_are_explained(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    rolling = ["protocol.first_cutoff=2023-05-15", "protocol.step=14", "protocol.count=1"]
    assert script("backtest", *TWIN, "coupling=delta", *rolling, "name=scored") == 0
    run = f"run={folder_of('scored')}"
    dates = ["previous=2023-05-16", "cutoff=2023-05-19"]
    capsys.readouterr()
    assert script("explain", run, *dates, "scenario=promo_on") == 0
    told = capsys.readouterr().out
    assert "new actuals: orders" in told
    assert "promo -> orders" in told
    assert "surprise of orders" in told
    (folder,) = folder_of("scored").glob("explained-*")
    ledger = pd.read_csv(folder / "ledger.csv")
    terms = ledger.drop(columns=["unique_id", "ds", "before", "after"]).sum(axis=1)
    assert np.allclose(ledger["before"] + terms, ledger["after"], rtol=1e-4)
    misses = pd.read_csv(folder / "misses.csv")
    surprises = misses.filter(like="surprise").sum(axis=1)
    assert np.allclose(
        misses["forecast of the layer"] + surprises, misses["actual"], rtol=1e-3, atol=0.1
    )
    assert script("explain", run, "cutoff=2023-07-15") == 0
    told = capsys.readouterr().out
    assert "no ledger" in told
    assert "no root cause" in told
    assert script("explain", run, "previous=2023-05-01", "cutoff=2023-05-19") == 1
