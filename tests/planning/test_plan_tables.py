"""Tables of samples and plans: complete, versioned, tied to what they came from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lanecast.errors import PlanError
from lanecast.planning import tables
from lanecast.planning.program.program import solve
from small_plans import small_network, small_volumes


def sample_frame(samples: int = 3, days: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [["A>B", "B>A"], pd.date_range("2024-03-05", periods=days), range(samples)],
        names=["unique_id", "ds", "sample"],
    )
    return pd.DataFrame({"nhits": rng.uniform(10, 90, len(index))}, index=index).reset_index()


def test_samples_become_a_complete_cube_in_any_order_of_rows():
    frame = sample_frame()
    found = tables.scenarios_from(frame, column="nhits", days=3, unit="parcels", source="run")
    mixed = tables.scenarios_from(
        frame.sample(frac=1, random_state=1), column="nhits", days=3, unit="parcels"
    )
    assert found.volume_WLT.shape == (3, 2, 3)
    np.testing.assert_array_equal(found.volume_WLT, mixed.volume_WLT)
    row = frame[(frame["unique_id"] == "B>A") & (frame["sample"] == 2)].iloc[1]
    assert found.volume_WLT[2, 1, 1] == row["nhits"]
    assert str(found.days[0]) == "2024-03-05"


def test_samples_that_lack_a_lane_day_or_a_day_are_refused_by_place():
    frame = sample_frame()

    def refused(table: pd.DataFrame, words: str, days: int = 3) -> None:
        with pytest.raises(PlanError, match=words):
            tables.scenarios_from(table, column="nhits", days=days, unit="parcels")

    refused(frame.drop(index=5), "lane 'A>B' on 2024-03-06 in sample 2: none, not one")
    refused(pd.concat([frame, frame.iloc[:1]]), "lane 'A>B' on 2024-03-05 in sample 0: 2 rows")
    refused(frame, "asks for 9 days, but the samples cover 4, from 2024-03-05 to 2024-03-08", 9)
    refused(frame.rename(columns={"nhits": "tft"}), "no column 'nhits'")
    frame.loc[4, "nhits"] = -1.0
    refused(frame, "lane 'A>B' on 2024-03-06 in sample 1 is -1")


def test_a_plan_is_read_back_as_it_was_with_the_hashes_of_its_sources(tmp_path):
    parameters = small_network()
    volumes = small_volumes(parameters)
    plan = solve(parameters, volumes).plan
    tables.write_plan(plan, tmp_path)
    again = tables.read_plan(tmp_path)
    np.testing.assert_array_equal(again.trailers_LT, plan.trailers_LT)
    np.testing.assert_array_equal(again.heads_STK, plan.heads_STK)
    assert again.lanes.tolist() == plan.lanes.tolist()
    assert again.parameters == parameters.fingerprint
    assert again.scenarios == volumes.fingerprint
    assert pd.read_csv(tmp_path / "plan_trailers.csv")["trailers"].sum() == pytest.approx(
        plan.trailers_LT.sum()
    )


def test_another_version_a_missing_file_and_a_cut_plan_are_refused(tmp_path):
    parameters = small_network()
    plan = solve(parameters, small_volumes(parameters)).plan
    with pytest.raises(PlanError, match="does not exist"):
        tables.read_plan(tmp_path)
    tables.write_plan(plan, tmp_path)
    facts = {"kind": "x", "parameters": "", "scenarios": "", "source": ""}
    frame = tables.trailer_frame(plan)
    tables.write_table(frame, tmp_path / "plan_trailers.parquet", facts)
    with pytest.raises(PlanError, match="different plans"):
        tables.read_plan(tmp_path)
    for name, table in (("trailers", frame.iloc[1:]), ("heads", tables.head_frame(plan))):
        tables.write_table(table, tmp_path / f"plan_{name}.parquet", facts)
    with pytest.raises(PlanError, match="lacks a lane, a site or a day"):
        tables.read_plan(tmp_path)
    frame.to_parquet(tmp_path / "plan_trailers.parquet")
    with pytest.raises(PlanError, match="schema_version None"):
        tables.read_plan(tmp_path)


def test_an_outcome_adds_up():
    parameters = small_network()
    volumes = small_volumes(parameters)
    told = solve(parameters, volumes)
    frame = tables.outcome_frame(told)
    kinds = [name for name in frame if name.endswith("_usd") and name != "total_usd"]
    np.testing.assert_allclose(frame[kinds].sum(axis=1), frame["total_usd"])
    assert (frame["probability"] * frame["total_usd"]).sum() == pytest.approx(told.objective)
