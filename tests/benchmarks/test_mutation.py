"""The checks find what was put into good data, and say nothing of what is natural there."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra import compose, initialize_config_dir

from benchmarks.mutation.defects import Scene, censored, dropped, duplicated, remapped, stale
from benchmarks.mutation.running import Mutant, MutationCase, case_of, mutants_of
from lanecast.data.ingest.loading import read_tables
from lanecast.errors import ConfigError
from lanecast.monitor.profile import check_forecasts, frozen_share
from lanecast.monitor.statistics import Shape
from lanecast.monitor.sums import check_sums
from lanecast.pipeline.building import plain_config
from script_runner import scripts_in

CONF = Path(__file__).parents[2] / "conf"


@lru_cache
def case() -> MutationCase:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = ["data=midmile", "data.source.preset=tiny", "data.source.seed=3"]
        cfg = compose("backtest", overrides=[*overrides, "paths.output=."])
    config = {**plain_config(cfg.data), "keep": None}
    return case_of(config, read_tables(config)[0], until="2023-06-14", shape=Shape())


def caught(defect: str, column: str = "y", severity: float = 1.0, place: str = "all") -> list[str]:
    one = Mutant(defect=defect, data="midmile", column=column, severity=severity, place=place)
    return case().caught(one)


def test_good_data_raises_no_alarm():
    assert case().clean() == []


@pytest.mark.parametrize(
    ("defect", "column", "severity", "place", "check"),
    [
        ("stale_feature", "price", 5, "all", "freshness"),
        ("unit", "y", 1000, "all", "unit"),
        ("unit", "capacity", 0.001, "busiest", "unit"),
        ("day_shift", "y", 1, "all", "alignment"),
        ("time_zone_stamps", "y", 5.5, "busiest", "contract"),
        ("duplicate_rows", "y", 0.01, "all", "contract"),
        ("dropped_partition", "y", 2, "tenth", "rows"),
        ("id_remap", "y", 0.5, "all", "identity"),
        ("missing_holidays", "peak", 1, "all", "calendar"),
        ("censored_target", "y", 0.5, "all", "censoring"),
        ("frozen_forecasts", "y", 0.5, "last", "frozen"),
        ("label_from_tomorrow", "y", 0.1, "all", "probe"),
        ("scaler_on_all_data", "y", 1.0, "all", "probe"),
        ("unborn_series", "y", 0.1, "tenth", "probe"),
        ("static_from_future", "y", 0.3, "all", "probe"),
        ("year_typo", "y", 10, "busiest", "contract"),
        ("merged_ids", "y", 0.5, "busiest", "rows"),
        ("local_midnights", "y", 5, "busiest", "contract"),
        ("closed_lane_alive", "y", 28, "busiest", "unit"),
    ],
)
def test_a_defect_is_caught_by_the_check_that_is_made_for_it(
    defect, column, severity, place, check
):
    assert check in caught(defect, column, severity, place)


def test_a_defect_touches_the_delivery_and_nothing_before_it():
    scene = case().scene
    before = scene.frame[scene.frame["ds"] <= scene.until].set_index(["unique_id", "ds"])
    for spoil, severity in ((stale, 7), (censored, 0.5), (remapped, 0.5), (dropped, 7)):
        spoiled = spoil(scene, "y", severity, "half").set_index(["unique_id", "ds"])
        theirs = spoiled.loc[spoiled.index.isin(before.index), "y"]
        pd.testing.assert_series_equal(theirs.sort_index(), before["y"].sort_index())
        delivered = scene.frame.set_index(["unique_id", "ds"])["y"].drop(before.index)
        assert not spoiled["y"].drop(before.index).equals(delivered)
    assert len(duplicated(scene, "y", 0.0, "all")) == len(scene.frame) + 1


def test_a_profile_has_seen_nothing_after_until():
    whole, cut = case(), case().scene.frame
    later = cut.assign(y=cut["y"].where(cut["ds"] <= whole.until, cut["y"] * 50))
    again = type(whole.profile).fit(later, whole.schema, until=whole.until, shape=whole.shape)
    assert again.low == whole.profile.low
    assert again.high == whole.profile.high


def test_a_finding_names_the_thing_the_place_and_the_way_out():
    spoil = dropped(case().scene, "y", 7, "busiest")
    found = case().profile.check(spoil, now=case().now)
    busiest = case().scene.series[0]
    (one,) = [finding for finding in found if busiest in finding.subject]
    assert "of its rows after 2023-06-14" in str(one)
    assert "load the missing partition again" in str(one)


def test_a_forecast_that_repeats_is_no_alarm_where_its_input_did_not_move():
    points = np.ones((3, 4, 7))
    still, moved = np.zeros((3, 4), dtype=bool), np.ones((3, 4), dtype=bool)
    assert frozen_share(points, still) == 0.0
    assert check_forecasts(points, still, 0.0) == []
    (found,) = check_forecasts(points, moved, 0.0)
    assert found.check == "frozen"


def test_unknown_defects_and_places_are_named():
    with pytest.raises(ConfigError, match="no defect 'rust'"):
        mutants_of([{"defect": "rust", "data": ["flights"], "severities": [1], "places": ["all"]}])
    scene = case().scene
    assert isinstance(scene, Scene)
    with pytest.raises(ConfigError, match="place 'attic'"):
        scene.places("attic")


def test_the_suite_has_each_defect_at_five_severities_and_enough_mutants():
    declared = yaml.safe_load((CONF.parent / "benchmarks" / "conf" / "mutation.yaml").read_text())
    every = mutants_of(declared["mutants"])
    blind = mutants_of(declared["blind"])
    assert all(group["reason"] for group in declared["blind"])
    assert set(blind) <= set(every)
    counted = set(every) - set(blind)
    assert len(every) >= 550
    defects = {one.defect.replace("_stamps", "_shift") for one in counted}
    assert len(defects) == 20
    for data in ("flights", "midmile"):
        for name in defects - {"time_zone_shift", "facts_two_ways"}:
            mine = [one for one in counted if one.defect == name and one.data == data]
            assert len({(one.severity, one.place) for one in mine}) >= 5, (name, data)


@pytest.mark.slow
def test_the_suite_scores_97_with_one_false_alarm_in_100(tmp_path, monkeypatch):
    with scripts_in(tmp_path, monkeypatch) as script:
        assert script("mutation") == 0
    told = json.loads((tmp_path / "runs" / "mutation" / "score.json").read_text())
    assert told["score"] >= 0.97
    assert told["clean_runs"] == 100
    assert told["false_alarms"] <= 1


def test_a_site_that_is_not_the_sum_of_its_lanes_is_named():
    days = pd.date_range("2024-01-01", periods=5)
    lanes = {"A>X": 3.0, "B>X": 4.0, "site:X": 7.0}
    blocks = [pd.DataFrame({"unique_id": n, "ds": days, "y": y}) for n, y in lanes.items()]
    frame, parents = pd.concat(blocks, ignore_index=True), {"site:X": ["A>X", "B>X"]}
    assert check_sums(frame, parents) == []
    frame.loc[3, "y"] += 0.7
    (found,) = check_sums(frame, parents)
    assert "'site:X'" in found.subject
    assert "1 steps from 2024-01-04" in found.place
    with pytest.raises(ConfigError, match="'site:Y'"):
        check_sums(frame, {"site:Y": ["A>X"]})
