"""What a verdict reads from records: overlaps, seeds that matter, and copies of one fit."""

import json
from html import unescape

import numpy as np
import pytest

import lanecast as lc
from lanecast.api.results import ComparisonResult
from lanecast.evaluation.significance import NO_CLAIM
from lanecast.report.pack import payload
from lanecast.report.page import page
from lanecast.report.pairing import evidence_of, seeded
from lanecast.report.rendering import write
from lanecast.report.table import compare
from lanecast.runs.reading import CompletedRun

SUM_ABS_Y = np.array([100.0, 200.0, 100.0, 300.0, 200.0, 100.0])


def scored_at(*cutoffs, horizon=14, step=14, **record):
    rows = [{"cutoff": cutoff} for cutoff in cutoffs]
    config = {"windows": {"horizon": horizon}, "protocol": {"step": step}}
    return CompletedRun(folder=None, record={"by_cutoff": rows, "config": config, **record})


@pytest.mark.parametrize(
    ("days", "step", "windows"),
    [
        ((1, 8, 15, 22), 7, 2.0),
        ((1, 15, 29), 14, 3.0),
        ((1, 2, 3, 4), 1, 4 / 14),
        ((1, 3, 30), 2, 12 / 7),
    ],
)
def test_independent_windows_follow_from_the_cutoffs(days, step, windows):
    run = scored_at(*(f"2024-05-{day:02d}T00:00:00" for day in days), step=step)
    assert evidence_of(run).windows == pytest.approx(windows)


@pytest.mark.parametrize(
    ("declared", "metric", "matters"),
    [
        ({"seeded": "nothing"}, "wql", False),
        ({"seeded": "nothing"}, "plan_regret", True),
        ({"seeded": "quantiles"}, "wape", False),
        ({"seeded": "quantiles"}, "coverage_80", True),
        ({"seeded": "all"}, "wape", True),
        ({}, "wape", True),
    ],
)
def test_a_seed_matters_for_what_it_may_change(declared, metric, matters):
    assert seeded(scored_at("2024-05-01", model=declared), metric) is matters


@pytest.fixture
def verdict_of(tmp_path, write_run):
    """Verdict of a row 20 % below its baseline, by seeds and by what its model says of them."""

    def verdict(*, seeds, says, copies=False, base_says="nothing"):
        base = SUM_ABS_Y * 0.1 + np.random.default_rng(9).uniform(0, 0.5, 6)
        _write(write_run, "naive", "b0aaaaaa", base, says=base_says)
        for seed in seeds:
            noise = np.random.default_rng(0 if copies else seed).uniform(0, 0.5, 6)
            _write(write_run, "net", "d0aaaaaa", SUM_ABS_Y * 0.08 + noise, says=says, seed=seed)
        table = compare(str(tmp_path / "demo"), baseline="naive").table.set_index("model")
        return table.loc["net", "verdict"]

    return verdict


def _write(write_run, name, config_hash, errors, *, says, seed=1):
    folder = write_run(name, config_hash=config_hash, errors=errors, seed=seed)
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"model": {"seeded": says}}))


@pytest.mark.parametrize("says", ["nothing", "quantiles"])
def test_a_deterministic_model_needs_one_fit(verdict_of, says):
    assert verdict_of(seeds=(1,), says=says) == "better"


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_a_model_that_seeds_change_needs_three_fits(verdict_of, seeds):
    assert verdict_of(seeds=seeds, says="all") == NO_CLAIM


def test_three_fits_of_one_side_and_a_deterministic_other_allow_a_claim(verdict_of):
    assert verdict_of(seeds=(1, 2, 3), says="all") == "better"


def test_one_fit_of_a_seeded_baseline_allows_none(verdict_of):
    assert verdict_of(seeds=(1, 2, 3), says="all", base_says="all") == NO_CLAIM


def test_copies_of_one_fit_are_one(verdict_of):
    assert verdict_of(seeds=(1, 2, 3, 4), says="all", copies=True) == NO_CLAIM


def test_copies_of_a_deterministic_fit_change_nothing(verdict_of):
    assert verdict_of(seeds=(1, 2, 3), says="nothing", copies=True) == "better"


def test_the_rule_stands_beside_the_verdict(tmp_path, write_run, verdict_of):
    verdict_of(seeds=(1, 2, 3), says="all")
    found = compare(str(tmp_path / "demo"), baseline="naive")
    assert "(95%, by row) leaves out 0" in found.rule
    assert "here 6.0 independent windows" in found.rule
    assert found.rule in found.notes
    write(found, tmp_path / "out")
    assert found.rule in (tmp_path / "out" / "compare.md").read_text()
    assert "interval by row leaves out 0" in (tmp_path / "out" / "compare.csv").read_text()
    section = page(payload(found, found.runs)).partition('aria-labelledby="differences"')[2]
    assert f"<p>{found.rule}" in unescape(section.partition("</section>")[0])
    assert found.rule in "\n".join(ComparisonResult(comparison=found).notes)


@pytest.mark.parametrize(("says", "model"), [("nothing", "seasonal_naive"), ("all", "linear")])
def test_a_model_says_what_another_seed_changes(says, model):
    assert lc.model(model, horizon=7).describe().seeded == says
