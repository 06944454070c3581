import math
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from scipy import stats

from lanecast.errors import ConfigError
from lanecast.report.table import compare
from lanecast.workflows import compare as workflow

SCHEDULE = {"schedule_known": "data.schema.columns.scheduled.role=known_future"}
SUM_ABS_Y = np.array([100.0, 200.0, 100.0, 300.0, 200.0, 100.0])


def row_of(comparison, **wanted):
    found = comparison.table
    for name, value in wanted.items():
        found = found[found[name] == value]
    assert len(found) == 1
    return found.iloc[0]


def test_the_demo_table_opens_with_its_documented_columns(demo):
    columns = list(compare(str(demo), factors=SCHEDULE).table.columns)
    assert columns[:9] == [
        "model", "schedule_known", "wape", "bias", "mase", "wql", "coverage_80", "coverage_90",
        "seconds",
    ]  # fmt: skip


def test_seeds_are_aggregated_into_mean_deviation_and_count(demo):
    comparison = compare(str(demo), factors=SCHEDULE)
    row = row_of(comparison, model="nhits", schedule_known=True)
    assert (row["num_runs"], row["seeds"], row["seconds"]) == (3, "1 2 3", 14.0)
    assert 0.09 < row["wape"] < 0.10
    assert row["wape_sd"] > 0
    assert math.isnan(row_of(comparison, model="seasonal_naive")["wape_sd"])


def test_every_row_names_its_runs_and_its_hash(demo):
    row = row_of(compare(str(demo), factors=SCHEDULE), model="nhits", schedule_known=False)
    assert row["hash"] == "d1aaaaaa"
    folder = demo / "nhits-flights-d1aaaaaa"
    assert row["runs"].split() == [str(folder / f"seed{seed}") for seed in (1, 2, 3)]


def test_rows_are_sorted_by_the_first_metric(demo):
    for first in ("wape", "seconds"):
        assert compare(str(demo), metrics=[first, "bias"]).table[first].is_monotonic_increasing


def test_a_null_score_is_nan_and_sorts_last(demo, write_run):
    write_run("broken", config_hash="00000000", errors=SUM_ABS_Y, scores={"wape": None})
    found = compare(str(demo)).table
    assert found["model"].iloc[-1] == "broken"
    assert math.isnan(found["wape"].iloc[-1])


def test_a_factor_path_alone_shows_its_value(demo):
    found = compare(str(demo), factors={"role": "data.schema.columns.scheduled.role"}).table
    assert set(found["role"]) == {"known_future", "observed"}


def test_a_factor_that_no_run_has_is_left_out_and_said(demo):
    comparison = compare(str(demo), factors={"lr": "optim.lr"})
    assert "lr" not in comparison.table
    assert "Column lr is left out: no run has optim.lr in its config." in comparison.notes


def test_a_metric_of_a_slice_and_the_objective_can_be_shown(demo, write_run):
    write_run(
        "tft", config_hash="7f7f7f7f", errors=SUM_ABS_Y, scores={"wape": 1.0, "wape/h01": 0.7}
    )
    found = compare(str(demo), metrics=["wape/h01", "objective"]).table
    assert found["wape/h01"].iloc[0] == 0.7
    assert found["objective"].iloc[0] == 0.5


def test_a_misspelled_metric_names_the_nearest(demo):
    with pytest.raises(ConfigError, match="no run has 'wap'; did you mean 'wape'"):
        compare(str(demo), metrics=["wap"])


def test_difference_is_that_of_the_pooled_metrics_with_a_t_interval(demo):
    comparison = compare(str(demo), factors=SCHEDULE, baseline="lightgbm")
    row = row_of(comparison, model="nhits", schedule_known=True)
    base = row_of(comparison, model="lightgbm", schedule_known=True)
    assert row["wape_difference"] == pytest.approx(row["wape"] - base["wape"])
    rng = np.random.default_rng(0)
    errors = np.mean([SUM_ABS_Y * 0.09 + rng.uniform(0, 2, 6) for _ in range(3)], axis=0)
    blocks = (errors - SUM_ABS_Y * 0.10) / SUM_ABS_Y.mean()
    expected = stats.ttest_1samp(blocks, 0.0).confidence_interval(0.95)
    assert row["difference_low"] == pytest.approx(expected.low)
    assert row["difference_high"] == pytest.approx(expected.high)


def test_one_fit_of_the_baseline_allows_no_verdict(demo):
    comparison = compare(str(demo), factors=SCHEDULE, baseline="lightgbm")
    row = row_of(comparison, model="nhits", schedule_known=True)
    assert row["verdict"] == "two fits, no claim about models"
    assert "verdict" in comparison.shown


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.8, "better"), (1.25, "worse"), (1.0, "no difference")]
)
def test_three_seeds_a_side_allow_a_verdict(tmp_path, write_run, gain, verdict):
    rng = np.random.default_rng(1)
    for seed in (1, 2, 3):
        base = SUM_ABS_Y * 0.1 + rng.uniform(0, 0.5, 6)
        write_run("lightgbm", config_hash="b0aaaaaa", errors=base, seed=seed)
        mine = gain * (SUM_ABS_Y * 0.1 + rng.uniform(0, 0.5, 6))
        write_run("nhits", config_hash="d0aaaaaa", errors=mine, seed=seed)
    found = compare(str(tmp_path / "demo"), baseline="lightgbm")
    assert row_of(found, model="nhits")["verdict"] == verdict
    assert row_of(found, model="lightgbm")["verdict"] == ""


def test_each_row_is_paired_with_the_baseline_of_its_own_factors(demo):
    comparison = compare(str(demo), factors=SCHEDULE, baseline="lightgbm")
    found = comparison.table
    assert set(found[found["schedule_known"]]["baseline"]) == {"b0aaaaaa"}
    assert set(found[~found["schedule_known"]]["baseline"]) == {"b1aaaaaa"}
    assert math.isnan(row_of(comparison, hash="b0aaaaaa")["wape_difference"])


def test_a_hash_names_one_baseline_for_all_rows(demo):
    found = compare(str(demo), factors=SCHEDULE, baseline="5ea").table
    assert set(found["baseline"]) == {"5eaaaaaa"}


def test_a_baseline_that_names_several_rows_is_refused(demo):
    with pytest.raises(ConfigError, match=r"names 2 rows .*b0aaaaaa.*name the hash, or declare"):
        compare(str(demo), baseline="lightgbm")


def test_an_unknown_baseline_names_the_nearest_model(demo):
    with pytest.raises(ConfigError, match="did you mean 'lightgbm'"):
        compare(str(demo), baseline="lightgmb")


def test_runs_scored_on_different_labels_are_refused_with_the_reason(demo, write_run):
    write_run("tft", config_hash="7f7f7f7f", errors=SUM_ABS_Y, scored="0ther")
    with pytest.raises(ConfigError, match=r"different labels.*6 cutoffs from 2024-01-01.*0ther"):
        compare(str(demo))


def test_a_trained_run_does_not_stand_beside_backtested_ones(demo, write_run):
    folder = write_run(
        "tft", config_hash="7f7f7f7f", errors=SUM_ABS_Y, scores=None, scored=None, counts=None
    )
    comparison = compare(str(demo))
    assert f"Left out: {folder}: it holds none of the metrics." in comparison.notes
    with pytest.raises(ConfigError, match="trained, not backtested"):
        compare(str(demo), metrics=["objective"])
    assert compare(str(folder), metrics=["objective"]).table["objective"].item() == 0.5


def test_the_table_is_written_beside_the_runs(demo):
    cfg = OmegaConf.load(Path(__file__).parents[2] / "conf" / "compare.yaml")
    workflow.run(OmegaConf.merge(cfg, {"runs": f"{demo}/*"}))
    assert (demo / "compare.csv").exists()
    assert (demo / "compare.md").exists()
    assert (demo / "review.html").exists()


def test_missing_runs_say_how_to_give_them():
    cfg = OmegaConf.load(Path(__file__).parents[2] / "conf" / "compare.yaml")
    with pytest.raises(ConfigError, match="runs= is missing"):
        workflow.run(cfg)


def test_the_confidence_set_holds_the_best_and_drops_the_clearly_worse(demo):
    found = compare(str(demo), factors=SCHEDULE, baseline="5eaaaaaa")
    assert row_of(found, hash="d0aaaaaa")["mcs_p"] == 1.0
    assert row_of(found, hash="5eaaaaaa")["mcs_p"] < 0.1
    assert "mcs_p" in found.shown


def test_coverage_is_no_loss_so_it_is_called_different_at_most(tmp_path, write_run):
    rng = np.random.default_rng(2)
    for model, config_hash, level in (("nhits", "d0aaaaaa", 0.6), ("lightgbm", "b0aaaaaa", 0.8)):
        for seed in (1, 2, 3):
            rows = [
                {
                    "cutoff": f"2024-0{k}-01",
                    "coverage_80": level + rng.normal(0, 0.005),
                    "num_cells": 50,
                }
                for k in range(1, 7)
            ]
            write_run(
                model, config_hash=config_hash, errors=SUM_ABS_Y, seed=seed, by_cutoff=rows,
                scores={"coverage_80": level},
            )  # fmt: skip
    found = compare(str(tmp_path / "demo"), metrics=["coverage_80"], baseline="lightgbm")
    assert row_of(found, model="nhits")["verdict"] == "different"
    assert math.isnan(row_of(found, model="nhits")["mcs_p"])
