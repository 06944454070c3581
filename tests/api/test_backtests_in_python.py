"""`lanecast.backtest` and `lanecast.compare`: the numbers of the command, and nothing written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lanecast as lc
from lane_table import LAST
from lanecast.runs.record import read_record
from script_runner import Script, scripts_in

Build = Callable[..., lc.Forecaster]
DATES = ["2024-04-20", "2024-04-27", "2024-05-04"]
DATA = [
    "data=panel_csv",
    "data.path=lanes.csv",
    "+data.schema.columns.late.role=observed",
    "+data.schema.columns.promo.role=known_future",
]
COMMAND = ["tracking=none", "paths.runs=runs", "trainer.progress=false", "trainer.threads=1"]


@pytest.fixture
def script(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame
) -> Iterator[Script]:
    """Run a verb in a folder that holds the table."""
    with scripts_in(elsewhere, monkeypatch) as run:
        table.to_csv("lanes.csv", index=False)
        yield run


def test_scores_are_those_of_the_command(script: Script, panel: lc.Panel, small: Build) -> None:
    settings = ["optim.max_steps=2", "optim.batch_size=16", "optim.val_every=2"]
    protocol = ["protocol.first_cutoff=2024-04-20", "protocol.step=7", "protocol.count=3"]
    assert script("backtest", *DATA, *COMMAND, *settings, *protocol, "model=linear") == 0
    (folder,) = Path("runs").glob("adhoc/*/*")
    result = lc.backtest(panel, small("linear"), cutoffs=DATES)
    scores = {name: value for name, value in result.scores.items() if not np.isnan(value)}
    written = read_record(folder)["scores"]
    assert scores == {name: value for name, value in written.items() if value is not None}
    frame = pd.read_parquet(folder / "forecasts.parquet")
    pd.testing.assert_frame_equal(result.frame[list(frame)], frame, check_dtype=False)


def test_a_trained_run_is_opened_and_forecasts_as_the_command(
    script: Script, promotions: pd.DataFrame
) -> None:
    promotions.to_csv("future.csv", index=False)
    assert script("train", *DATA, *COMMAND, "trainer=smoke", "model=linear", "name=train") == 0
    (trained,) = Path("runs").glob("train/*/*")
    again = [f"run={trained}", "data.future_path=future.csv", "tracking=none", "paths.runs=runs"]
    assert script("forecast", *again, "name=ahead") == 0
    (ahead,) = Path("runs").glob("ahead/*/*")
    run = lc.open_run(trained)
    assert isinstance(run, lc.OpenedRun)
    assert f"of linear: val/wape {run.record['objective']['value']:.4g}" in repr(run)
    with pytest.raises(lc.LanecastError, match=r"holds no forecasts\.parquet"):
        _ = run.frame
    result = lc.forecast(run.panel(), run.model, future="future.csv")
    written = pd.read_parquet(ahead / "forecasts.parquet")
    pd.testing.assert_frame_equal(result.frame, written, check_dtype=False)


def test_a_backtest_writes_nothing_and_leaves_the_model_unfitted(
    panel: lc.Panel, small: Build, elsewhere: Path
) -> None:
    model = small("linear")
    result = lc.backtest(panel, model, cutoffs=2, refit="each")
    assert model.fitted_until is None
    assert result.model.fitted_until == panel.step_of(result.cutoffs[-1])
    assert list(elsewhere.iterdir()) == []


def test_cutoffs_are_the_last_windows_or_dates(panel: lc.Panel, small: Build) -> None:
    naive = small("seasonal_naive", horizon=7)
    last = lc.backtest(panel, naive, cutoffs=3)
    assert last.cutoffs[-1] == LAST - pd.Timedelta(days=7)
    assert np.diff(last.cutoffs)[0] == pd.Timedelta(days=7)
    assert lc.backtest(panel, naive, cutoffs=3, step=1).step == 1
    dated = lc.backtest(panel, naive, cutoffs=DATES)
    assert [str(cutoff.date()) for cutoff in dated.cutoffs] == DATES


@pytest.mark.parametrize(
    ("cutoffs", "message"),
    [
        (99, "cutoffs=99 windows, 14 steps apart, do not fit"),
        (["2024-05-20"], "cutoffs=2024-05-20 is no cutoff of this table"),
        (["2024-05-04", "2024-04-20"], "ascending order"),
        (["soon"], "cutoffs=soon is no date"),
    ],
)
def test_cutoffs_outside_are_refused_in_words_of_python(
    panel: lc.Panel, small: Build, cutoffs: int | list[str], message: str
) -> None:
    with pytest.raises(lc.ConfigError, match=message):
        lc.backtest(panel, small("seasonal_naive"), cutoffs=cutoffs)


def test_a_fitted_model_is_asked_as_it_is(panel: lc.Panel, small: Build) -> None:
    fitted = lc.fit(panel, small("linear"), until=DATES[0])
    result = lc.backtest(panel, fitted, cutoffs=DATES)
    assert result.model is fitted
    late = lc.fit(panel, small("linear"))
    with pytest.raises(lc.LanecastError, match="may not forecast from the earlier cutoff"):
        lc.backtest(panel, late, cutoffs=DATES)


def test_a_result_shows_its_scores_and_gives_frames(panel: lc.Panel, small: Build) -> None:
    result = lc.backtest(panel, small("seasonal_naive"), cutoffs=2, samples=3)
    shown = repr(result)
    assert "seasonal_naive: 2 series, 2 cutoffs from 2024-05-01 to 2024-05-15, 4 windows" in shown
    assert f"wape {result.scores['wape']:.4f}" in shown
    assert list(result.frame)[:5] == ["unique_id", "ds", "cutoff", "y", "seasonal_naive"]
    assert "seasonal_naive-lo-80" in result.to_nixtla()
    assert list(result.by_cutoff["cutoff"]) == list(result.cutoffs)
    table = result.table()
    assert table.loc["all", "wape"] == result.scores["wape"]
    assert table.loc["total", "wape"] == result.scores["total/wape"]
    assert table.loc["h01-07", "mase"] == result.scores["mase/h01-07"]
    assert result.forecasts.samples_SWH is not None


def test_a_comparison_pairs_backtests_by_cutoff(panel: lc.Panel, small: Build) -> None:
    naive = lc.backtest(panel, small("seasonal_naive"), cutoffs=4)
    linear = lc.backtest(panel, small("linear"), cutoffs=4)
    compared = lc.compare([naive, linear], baseline="seasonal_naive")
    table = compared.table.set_index("model")
    difference = linear.scores["wape"] - naive.scores["wape"]
    assert table.loc["linear", "wape_difference"] == pytest.approx(difference)
    assert table.loc["linear", "verdict"] == "two fits, no claim about models"
    assert "| seasonal_naive |" in repr(compared)
    assert "paired by cutoff" in repr(compared)
    assert "hash" not in table
    assert "<table" in compared._repr_html_()


def test_several_seeds_of_one_name_allow_a_verdict(panel: lc.Panel, small: Build) -> None:
    results = {
        name: [
            lc.backtest(panel, small("linear", seed=seed, **more), cutoffs=4, seed=seed)
            for seed in (1, 2, 3)
        ]
        for name, more in (("short", {}), ("longer", {"max_steps": 4}))
    }
    table = lc.compare(results, baseline="short").table.set_index("model")
    assert table.loc["longer", "num_runs"] == 3
    assert table.loc["longer", "seeds"] == "1 2 3"
    assert table.loc["longer", "verdict"] in ("better", "worse", "no difference")


def test_what_does_not_compare_is_refused(panel: lc.Panel, small: Build) -> None:
    naive = small("seasonal_naive")
    short, long = (lc.backtest(panel, naive, cutoffs=count) for count in (2, 3))
    with pytest.raises(lc.ConfigError, match="2 backtests are called 'seasonal_naive'; name them"):
        lc.compare([short, long])
    with pytest.raises(lc.ConfigError, match="scored on different labels"):
        lc.compare({"two": short, "three": long})
    with pytest.raises(lc.ConfigError, match="did you mean 'two'"):
        lc.compare({"two": short}, baseline="twos")


def test_a_name_is_no_model(panel: lc.Panel) -> None:
    with pytest.raises(lc.ConfigError, match=r"'nhits' is no model; build one: lc.model\('nhits'"):
        lc.backtest(panel, "nhits")  # type: ignore[arg-type]


def test_two_models_in_one_process_do_not_touch_each_other(panel: lc.Panel, small: Build) -> None:
    alone = lc.backtest(panel, small("linear"), cutoffs=2).scores["wape"]
    first, second = small("linear"), small("nhits", horizon=7)
    lc.backtest(panel, second, cutoffs=2)
    assert lc.backtest(panel, first, cutoffs=2).scores["wape"] == alone
