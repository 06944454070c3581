"""Every table names its yardstick, and pairs with it where no other baseline is asked for."""

import numpy as np
import pytest

import lanecast as lc
from lanecast.models.classical import naive, plain
from lanecast.report.rendering import markdown_lines
from lanecast.report.table import compare
from lanecast.report.yardstick import MISSING
from lanecast.runs.reading import PLAIN_ROWS
from lanecast.testing import example_panel
from run_folders import SUM_ABS_Y

KNOWN = "lanecast.models.classical.naive.KnownColumn"
FIRST_NAME = "lanecast.models.baselines.SeasonalNaive"  # as runs of 2026-11 call it


def target_of(name):
    kind = {"naive": "TrailingMean", "median": "TrailingMedian", "event": "EventMedian"}[name]
    return {"model": {"_target_": f"lanecast.models.classical.plain.{kind}"}}


@pytest.fixture
def table(write_run, tmp_path):
    write_run("seasonal_naive", config_hash="5eaaaaaa", errors=SUM_ABS_Y * 0.5,
              config={"model": {"_target_": FIRST_NAME}})  # fmt: skip
    write_run("trailing", config_hash="7eaaaaaa", errors=SUM_ABS_Y * 0.3, config=target_of("naive"))
    write_run("event", config_hash="8eaaaaaa", errors=SUM_ABS_Y * 0.4, config=target_of("event"))
    noise = np.array([0.01, -0.02, 0.01, 0.0, 0.02, -0.01])
    for seed in (1, 2, 3):
        write_run("nhits", config_hash="d0aaaaaa", errors=SUM_ABS_Y * (0.2 + noise), seed=seed)
    return str(tmp_path / "demo")


def test_yardstick_is_the_best_plain_row_and_named(table):
    found = compare(table)
    assert found.notes[0].startswith(
        "Yardstick: trailing 7eaaaaaa (wape 0.3000), the best of 3 plain rows by wape."
    )
    assert set(found.table["baseline"]) == {"7eaaaaaa"}
    rows = found.table.set_index("model")
    assert rows.loc["nhits", "wape_difference"] == pytest.approx(-0.1, abs=0.02)
    assert rows.loc["seasonal_naive", "wape_difference"] == pytest.approx(0.2)
    assert "wape_difference" in markdown_lines(found)[0]


def test_a_baseline_asked_for_is_paired_with_and_the_yardstick_still_named(table):
    found = compare(table, baseline="nhits")
    assert found.notes[0].startswith("Yardstick: trailing 7eaaaaaa")
    assert set(found.table["baseline"]) == {"d0aaaaaa"}


def test_yardstick_follows_the_first_loss_of_the_table(table, write_run):
    write_run("late", config_hash="9eaaaaaa", errors=SUM_ABS_Y * 0.9, config=target_of("median"),
              scores={"wape": 0.9, "mase": 0.1})  # fmt: skip
    assert "Yardstick: trailing" in compare(table, metrics=["coverage_80", "wape"]).notes[0]
    assert "Yardstick: late" in compare(table, metrics=["mase", "wape"]).notes[0]


def test_a_table_without_plain_rows_says_that_nothing_is_ahead(write_run, tmp_path):
    write_run("nhits", config_hash="d0aaaaaa", errors=SUM_ABS_Y * 0.2)
    write_run("schedule", config_hash="c0aaaaaa", errors=SUM_ABS_Y * 0.1,
              config={"model": {"_target_": KNOWN}})  # fmt: skip
    found = compare(str(tmp_path / "demo"))
    assert MISSING in found.notes
    assert "baseline" not in found.table


def test_plain_rows_without_a_score_are_not_called_missing(write_run, tmp_path):
    write_run("nhits", config_hash="d0aaaaaa", errors=SUM_ABS_Y * 0.2)
    write_run("event", config_hash="8eaaaaaa", errors=SUM_ABS_Y * 0.4, config=target_of("event"),
              scores={"wape": None})  # fmt: skip
    assert any("No plain row has a wape" in note for note in compare(str(tmp_path / "demo")).notes)


def test_results_in_python_have_their_yardstick_too():
    panel = example_panel(steps=150, lengths=(150, 150))
    models = [
        lc.model(name, context=28, horizon=7)
        for name in ("seasonal_naive", "trailing_median_28", "schedule")
    ]
    found = lc.compare([lc.backtest(panel, model, cutoffs=4) for model in models])
    assert found.notes[0].startswith("Yardstick: seasonal_naive ")
    assert "the best of 2 plain rows" in found.notes[0]
    assert set(found.table["model"]) == {"seasonal_naive", "trailing_median_28", "schedule"}


def test_plain_rows_are_the_classes_there_are():
    kinds = {
        f"{module.__name__}.{name}"
        for module in (naive, plain)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, naive.Baseline)
        and kind.__module__ == module.__name__
    }  # fmt: skip
    base = {"naive.Baseline", "naive.KnownColumn", "plain.TrailingLevel"}
    assert kinds == PLAIN_ROWS | {f"lanecast.models.classical.{name}" for name in base}
