import json
import os

import numpy as np
import pytest

from lanecast.errors import RunFolderError
from lanecast.runs.reading import common_folder, read_runs


def names(found):
    return sorted(f"{run.model}/{run.seed}" for run in found.runs)


@pytest.mark.parametrize("pattern", ["{}", "{}/*", "{}/**", "{}/*/seed*", "{}/*/*/record.json"])
def test_every_way_to_name_all_runs_finds_them_once(demo, pattern):
    assert len(read_runs(pattern.format(demo)).runs) == 9


def test_runs_can_be_listed_and_patterns_narrow(demo):
    assert names(read_runs(f"{demo}/nhits-*-d0*/seed[12]")) == ["nhits/1", "nhits/2"]
    both = read_runs([f"{demo}/seasonal*", f"{demo}/lightgbm-flights-b0aaaaaa/seed1"])
    assert names(both) == ["lightgbm/1", "seasonal_naive/1"]


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_only_completed_runs_count_and_the_others_are_listed(demo, status):
    folder = demo / "seasonal_naive-flights-5eaaaaaa" / "seed1"
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"status": status}))
    found = read_runs(str(demo))
    assert len(found.runs) == 8
    assert found.skipped == ((folder, f"its status is {status}"),)


def test_a_record_that_cannot_be_read_is_listed(demo):
    broken = demo / "seasonal_naive-flights-5eaaaaaa" / "seed1"
    (broken / "record.json").write_text("{")
    ((folder, reason),) = read_runs(str(demo)).skipped
    assert folder == broken
    assert "record.json cannot be read" in reason


def test_of_a_repeated_run_the_newest_counts(demo, write_run):
    old = demo / "seasonal_naive-flights-5eaaaaaa" / "seed1"
    record = json.loads((old / "record.json").read_text())
    new = demo.parent / "again" / "seasonal_naive-flights-5eaaaaaa" / "seed1"
    new.mkdir(parents=True)
    (new / "record.json").write_text(json.dumps(record))
    os.utime(old / "record.json", (1, 1))
    found = read_runs([str(demo), str(demo.parent / "again")])
    assert new in [run.folder for run in found.runs]
    assert found.skipped == ((old, f"repeated later by {new}"),)


def test_earlier_failures_kept_inside_a_run_are_not_runs(demo):
    inside = demo / "seasonal_naive-flights-5eaaaaaa" / "seed1" / "previous-1"
    inside.mkdir()
    (inside / "record.json").write_text("{}")
    assert read_runs(str(demo)).skipped == ()


def test_backtests_of_trained_runs_differ_only_by_seed(write_run, tmp_path):
    for seed in (1, 2):
        config = {"evaluates": f"0ddba11/seed{seed}"}
        name = f"e{seed}aaaaaa"  # such a folder carries the trained seed in its hash
        write_run("nhits", config_hash=name, errors=np.ones(6), seed=seed, config=config)
    first, second = read_runs(str(tmp_path)).runs
    assert first.config_hash == second.config_hash
    assert {first.seed, second.seed} == {1, 2}


def test_a_pattern_without_runs_says_what_there_is(demo):
    with pytest.raises(RunFolderError, match=r"demos.*matches no record.json;.*holds demo;"):
        read_runs(str(demo.parent / "demos" / "*"))


def test_no_completed_run_is_an_error_with_the_reasons(write_run, tmp_path):
    write_run("nhits", config_hash="d0aaaaaa", errors=np.ones(6), status="failed")
    with pytest.raises(RunFolderError, match="its status is failed"):
        read_runs(str(tmp_path))


@pytest.mark.parametrize(
    ("patterns", "folder"),
    [
        ("runs/demo/*", "runs/demo"),
        ("runs/demo", "runs/demo"),
        ("runs/*/seed1", "runs"),
        ("runs/demo/a/seed1/record.json", "runs/demo/a/seed1"),
        (["runs/a/*", "runs/b"], "runs"),
        ("*", "."),
    ],
)
def test_common_folder_is_the_part_before_the_wildcard(patterns, folder):
    assert str(common_folder(patterns)) == folder
